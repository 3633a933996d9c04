package dynamocheckpoint

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// always is a DynamoDB that gives one answer, whatever it is asked.
type always []byte

func (a always) Do(r *http.Request) (*http.Response, error) {
	_, _ = io.Copy(io.Discard, r.Body)
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{}, Request: r,
		ContentLength: int64(len(a)), Body: io.NopCloser(bytes.NewReader(a)),
	}, nil
}

func (a always) client() *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region: "us-east-1", HTTPClient: a, Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
		}),
	})
}

// FuzzTableAnswers gives any bytes as the answer to every reading of the tables.
// It wants an error, or rows that are either at fault, without a usable
// position, or come back the same when they are written.
func FuzzTableAnswers(f *testing.F) {
	const row = `{"leaseKey":{"S":"shardId-000000000001"},"leaseCounter":{"N":"4"},"checkpoint":{"S":"4959"},"checkpointSubSequenceNumber":{"N":"0"},` +
		`"marks":{"M":{"a":{"S":"4959/2@170"}}},"parentShardIds":{"SS":["shardId-000000000000"]},"lost":{"BOOL":true}}`
	const session = `{"id":{"S":"anna/1"},"hb":{"N":"3"},"load":{"N":"1.5"},"inbox":{"SS":["look shardId-1 3"]}}`
	const control = `{"id":{"S":"control"},"gen":{"N":"2"},"limited":{"BOOL":true},"limit":{"N":"3"},"limitSince":{"N":"2"},"shares":{"M":{"a":{"M":{"gen":{"N":"1"}}}}},` +
		`"pauses":{"L":[{"M":{"shard":{"S":"x"}}}]},"move":{"M":{"to":{"S":"LATEST@17"}}}}`
	for _, it := range []string{row, session, control, `{"state":{"B":"gA=="}}`, `{"record":{"B":"AnN7fQ=="}}`, `{"id":{"L":[{"M":{"x":{"NULL":true}}}]}}`} {
		f.Add([]byte(`{"Item":` + it + `,"Items":[` + it + `],"Responses":{"app":[` + it + `]}}`))
	}
	f.Add([]byte(`{"Items":[`))
	f.Add([]byte(`{"Item":{0 }`))
	f.Add([]byte(`{"Items":null,"LastEvaluatedKey":{}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var first json.RawMessage
		isJSON := json.NewDecoder(bytes.NewReader(body)).Decode(&first) == nil || len(bytes.TrimSpace(body)) == 0
		if bytes.Contains(body, []byte("LastEvaluatedKey")) {
			return // the same page again, for ever, is not what this is about
		}
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			client := always(body).client()
			table := Open(client, "app")
			// The SDK reads some bytes that are no JSON, such as {"Item":{0 }, as an
			// answer without the item. Then the driver cannot know better: what keeps
			// them away is the checksum that DynamoDB sends with every answer.
			key := map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: "control"}}
			_, readAsItem := client.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String("app"), Key: key})
			_, readAsItems := client.Scan(ctx, &dynamodb.ScanInput{TableName: aws.String("app")})
			isAnswer := isJSON || readAsItem == nil || readAsItems == nil
			answered := func(what string, err error) {
				t.Helper()
				if err == nil && !isAnswer {
					t.Errorf("%s took what is no JSON for an answer", what)
				}
			}
			believed := func(l shard.Lease) {
				t.Helper()
				if l.Fault != nil {
					if l.Checkpoint.Validate() == nil {
						t.Errorf("a faulty row is at %v", l.Checkpoint)
					}
				} else if again := leaseOf(rowOf(l)); !reflect.DeepEqual(again, l) {
					t.Errorf("written and read it is %+v, want %+v", again, l)
				}
			}
			rows, err := table.List(ctx)
			answered("List", err)
			for _, l := range rows {
				believed(l)
			}
			l, err := table.Get(ctx, "shardId-000000000001")
			answered("Get", err)
			if err == nil {
				believed(l)
			}
			_, err = table.Owned(ctx, "anna/1")
			answered("Owned", err)
			_, err = table.Sessions(ctx)
			answered("Sessions", err)
			_, err = table.Session(ctx, "anna/1")
			answered("Session", err)
			c, err := table.Control(ctx)
			answered("Control", err)
			if err == nil && c.Gen < 0 {
				t.Errorf("the control row is believed with generation %d", c.Gen)
			}
			_, err = table.Neighbours(ctx)
			answered("Neighbours", err)
			held := shard.Lease{Key: "shardId-000000000001", Shard: "shardId-000000000001", Owner: "anna/1", Counter: 4, Checkpoint: shard.After("4959", 0)}
			_, _ = table.State(ctx, held, "handler")
			_, _ = table.Take(ctx, held, "bert/1", "anna/1")
			_, _ = table.Save(ctx, held, "anna/1", checkpoint.Progress{Position: shard.After("4960", 0)})
			for _, foreign := range []*Foreign{VMware(client, "app"), Harlow(client, "app", "clickstream", "clicks")} {
				rows, err := foreign.List(ctx)
				answered("a foreign table's List", err)
				for _, l := range rows {
					if l.Fault != nil && l.Checkpoint.Validate() == nil {
						t.Errorf("a faulty foreign row is at %v", l.Checkpoint)
					}
				}
			}
		})
	})
}

// FuzzParkedRecord wants of any bytes: no record, or one that is packed and
// unpacked alike.
func FuzzParkedRecord(f *testing.F) {
	whole, err := packed(&shard.Record{Stream: "s", Shard: "shardId-1", Sequence: "4959", Sub: 2, PartitionKey: "a", Keyed: true, Data: []byte{1, 2}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:5])
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := unpacked(b)
		if err != nil {
			return
		}
		again, err := packed(&r)
		if err != nil {
			return // a time that JSON cannot say
		}
		back, err := unpacked(again)
		if err != nil || !back.ArrivedAt.Equal(r.ArrivedAt) {
			t.Fatalf("packed and unpacked: %+v, error %v, want %+v", back, err, r)
		}
		back.ArrivedAt = r.ArrivedAt // the same instant, in a zone of another make
		if !reflect.DeepEqual(back, r) {
			t.Fatalf("packed and unpacked: %+v, want %+v", back, r)
		}
	})
}
