package dynamoshards_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/codec"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/dynamoshards"
	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
)

var _ codec.Codec = dynamoshards.Codec{}

// everything is an item with every kind of value.
var everything = map[string]types.AttributeValue{
	"id":     &types.AttributeValueMemberS{Value: "é\"\\\n<>\u2028😀"},
	"number": &types.AttributeValueMemberN{Value: "-12345678901234567890.12345678"},
	"binary": &types.AttributeValueMemberB{Value: []byte{0, 255, 1}},
	"empty":  &types.AttributeValueMemberB{Value: []byte{}},
	"yes":    &types.AttributeValueMemberBOOL{Value: true},
	"null":   &types.AttributeValueMemberNULL{Value: true},
	"map": &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{
		"deep": &types.AttributeValueMemberL{Value: []types.AttributeValue{
			&types.AttributeValueMemberM{Value: map[string]types.AttributeValue{}},
			&types.AttributeValueMemberL{Value: []types.AttributeValue{}},
			&types.AttributeValueMemberS{Value: ""},
			&types.AttributeValueMemberBOOL{Value: false},
		}},
	}},
	"strings":  &types.AttributeValueMemberSS{Value: []string{"a", "b"}},
	"numbers":  &types.AttributeValueMemberNS{Value: []string{"1", "2.5"}},
	"binaries": &types.AttributeValueMemberBS{Value: [][]byte{{1}, {2, 3}}},
}

// An item of every kind of value comes out of the stream as it went into the
// table.
func TestChangeHasTheItemAsItWasWritten(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud, id string) {
		client := dynamodb.NewFromConfig(c.Config("tester"))
		_, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: new(table), Item: everything})
		must(t, err)
		_, err = client.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: new(table), Key: map[string]types.AttributeValue{"id": everything["id"]}})
		must(t, err)
		records := read(t, c.source().Open(c.start(t, id, shard.TrimHorizon())), 2).records
		key := map[string]types.AttributeValue{"id": everything["id"]}
		for i, want := range []dynamoshards.Change{
			{EventName: dynamoshards.Insert, Keys: key, NewImage: everything},
			{EventName: dynamoshards.Remove, Keys: key, OldImage: everything},
		} {
			got, err := dynamoshards.Decode(&records[i])
			must(t, err)
			if got.EventID == "" || got.SequenceNumber != records[i].Sequence || got.SizeBytes == 0 || !got.CreatedAt.Equal(records[i].ArrivedAt) ||
				got.ViewType != types.StreamViewTypeNewAndOldImages || got.Expired() {
				t.Errorf("got %+v", got)
			}
			if got.EventName != want.EventName || !reflect.DeepEqual(got.Keys, want.Keys) ||
				!reflect.DeepEqual(got.NewImage, want.NewImage) || !reflect.DeepEqual(got.OldImage, want.OldImage) {
				t.Errorf("got %+v\nwant %+v", got, want)
			}
			data, err := dynamoshards.Codec{}.Encode(got)
			must(t, err)
			var again dynamoshards.Change
			must(t, dynamoshards.Codec{}.Decode(data, &again))
			if !reflect.DeepEqual(again, got) {
				t.Errorf("encoded and decoded %+v\nwant %+v", again, got)
			}
		}
	})
}

// A deletion by time to live is told apart from one by a program.
func TestChangeTellsAnExpiredItem(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud, id string) {
		c.putN(t, id, "a", 1)
		must(t, c.fake.Expire(table, dynamofake.Item{"id": dynamofake.S("k#0")}))
		records := read(t, c.source().Open(c.start(t, id, shard.TrimHorizon())), 2).records
		for i, want := range []bool{false, true} {
			got, err := dynamoshards.Decode(&records[i])
			must(t, err)
			if got.Expired() != want {
				t.Errorf("change %d, %s by %+v: Expired is %t", i, got.EventName, got.UserIdentity, !want)
			}
		}
		if !bytes.Contains(records[1].Data, []byte(`"userIdentity":{"type":"Service","principalId":"dynamodb.amazonaws.com"}`)) {
			t.Errorf("the record is %s", records[1].Data)
		}
	})
}

// A record has the members of the event with which Lambda calls a function.
func TestRecordIsThatOfLambda(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud, id string) {
		must(t, c.fake.Put(table, dynamofake.Item{"id": dynamofake.S("a"), "n": dynamofake.N(1)}))
		must(t, c.fake.Put(table, dynamofake.Item{"id": dynamofake.S("a"), "n": dynamofake.N(2)}))
		out := read(t, c.source().Open(c.start(t, id, shard.TrimHorizon())), 2)
		arn := c.fake.StreamARN(table)
		want := `{"eventID":"ID","eventName":"MODIFY","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"us-east-1",` +
			`"dynamodb":{"ApproximateCreationDateTime":946684800,"Keys":{"id":{"S":"a"}},"NewImage":{"id":{"S":"a"},"n":{"N":"2"}},` +
			`"OldImage":{"id":{"S":"a"},"n":{"N":"1"}},"SequenceNumber":"` + out.records[1].Sequence + `","SizeBytes":15,"StreamViewType":"NEW_AND_OLD_IMAGES"},` +
			`"eventSourceARN":"` + arn + `"}`
		var head struct {
			EventID string `json:"eventID"`
		}
		must(t, json.Unmarshal(out.records[1].Data, &head))
		if got := strings.Replace(string(out.records[1].Data), head.EventID, "ID", 1); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		for _, r := range out.records {
			if r.PartitionKey != `{"id":{"S":"a"}}` || !r.Keyed || r.Stream != arn {
				t.Errorf("the key of %+v", r)
			}
		}

		// What is given up stands in the envelope as Lambda's event has it.
		f := destination.Failure{Stream: arn, Shard: id, Records: out.records}
		event := f.Event()
		for _, r := range out.records {
			if !bytes.Contains(event, r.Data[1:]) {
				t.Errorf("the record %s is not in the event %s", r.Data, event)
			}
		}
		back, err := destination.ParseEvent(event, arn, id)
		must(t, err)
		if !reflect.DeepEqual(back, utc(out.records)) {
			t.Errorf("the envelope gave back\n%+v\nwant\n%+v", back, out.records)
		}
	})
}

func utc(records []shard.Record) (all []shard.Record) {
	for _, r := range records {
		r.ArrivedAt = r.ArrivedAt.UTC()
		all = append(all, r)
	}
	return all
}

func TestDecodeRefusesWhatIsNoChange(t *testing.T) {
	for _, data := range []string{
		``, `{}`, `[]`, `null`, `{"dynamodb":7}`, `{"dynamodb":{"Keys":{"a":{}}}}`, `{"dynamodb":{"Keys":{"a":{"S":"x","N":"1"}}}}`,
		`{"dynamodb":{"Keys":{"a":{"S":null}}}}`, `{"dynamodb":{"Keys":{"a":{"X":1}}}}`, `{"dynamodb":{"Keys":{"a":{"B":"?"}}}}`,
		`{"dynamodb":{"Keys":{"a":{"M":null}}}}`, `{"dynamodb":{"Keys":{"a":{"L":[null]}}}}`,
		`{"dynamodb":{"ApproximateCreationDateTime":1e300}}`,
		`{"dynamodb":{"NewImage":{"a":` + strings.Repeat(`{"L":[`, 100) + strings.Repeat(`]}`, 100) + `}}}`,
	} {
		if c, err := dynamoshards.Decode(&shard.Record{Data: []byte(data)}); err == nil {
			t.Errorf("%s was decoded: %+v", data, c)
		}
	}
	if err := (dynamoshards.Codec{}).Decode([]byte(`{"dynamodb":{}}`), new(string)); err == nil {
		t.Error("a change was decoded into a string")
	}
	if _, err := (dynamoshards.Codec{}).Encode("x"); err == nil {
		t.Error("a string was encoded")
	}
}

// FuzzDecode looks for input that harms, or that is not decoded alike once it
// was written again.
func FuzzDecode(f *testing.F) {
	seed, err := dynamoshards.Codec{}.Encode(dynamoshards.Change{
		EventID: "1", EventName: dynamoshards.Modify, Keys: everything, NewImage: everything, OldImage: everything,
		SequenceNumber: "111", SizeBytes: 26, CreatedAt: time.UnixMilli(1_600_000_000_123),
		UserIdentity: &dynamoshards.UserIdentity{Type: "Service", PrincipalID: "dynamodb.amazonaws.com"},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"dynamodb":{"Keys":{"a":{"L":[{"M":{"b":{"NULL":true}}}]}},"ApproximateCreationDateTime":1.6E9}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := dynamoshards.Decode(&shard.Record{Data: data})
		if err != nil {
			return
		}
		text, err := dynamoshards.Codec{}.Encode(c)
		if err != nil {
			t.Fatalf("%+v was decoded, and cannot be encoded: %v", c, err)
		}
		again, err := dynamoshards.Decode(&shard.Record{Data: text})
		if err != nil || !reflect.DeepEqual(again, c) {
			t.Fatalf("%+v, encoded and decoded, is %+v, error %v", c, again, err)
		}
	})
}

// A key has one text, in whatever form its number was written.
func TestPartitionKeyIsTheSameForEveryChangeOfAnItem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		texts := map[string]string{}
		for _, n := range []string{"10", "10.0", "1e1", "1E+1", "0010", "+10", "100e-1"} {
			texts[n] = dynamoshards.PartitionKeyOf(n)
		}
		for n, text := range texts {
			if text != `{"id":{"N":"10"}}` {
				t.Errorf("the key %s is %s", n, text)
			}
		}
		for n, want := range map[string]string{"0": "0", "-0.0": "0", "-1.50": "-15e-1", "1e100": "1e100", "x": "x", "1e999999999999": "1e999999999999", "": ""} {
			if got := dynamoshards.PartitionKeyOf(n); got != `{"id":{"N":"`+want+`"}}` {
				t.Errorf("the key %q is %s, want %s", n, got, want)
			}
		}
	})
}

// A change that nests deeper than DynamoDB's items can is refused before its
// levels cost anything: each reads again what is below it.
func TestDeepChangesAreRefused(t *testing.T) {
	nested := func(n int) []byte {
		return []byte(`{"dynamodb":{"NewImage":{"a":` + strings.Repeat(`{"L":[`, n) + `{"NULL":true}` + strings.Repeat(`]}`, n) + `}}}`)
	}
	var c dynamoshards.Change
	must(t, dynamoshards.Codec{}.Decode(nested(32), &c)) // DynamoDB's own limit
	for _, n := range []int{41, 1000, 9000, 1_000_000} {
		if err := (dynamoshards.Codec{}).Decode(nested(n), &c); err == nil || len(err.Error()) > 200 {
			t.Errorf("%d levels: %v", n, err)
		}
	}
}
