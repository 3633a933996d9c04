package streamtest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/sqsdestination"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
)

// recorded is what Lambda's event source mapping was recorded to do with a
// stream, a row each, and how this library compares: departs is empty where it
// does the same, and otherwise says what differs and why. The recordings are the
// snapshots validated against the service in
// https://github.com/localstack/localstack/tree/main/tests/aws/services/lambda_/event_source_mapping
// (test_lambda_integration_kinesis and _dynamodbstreams).
//
// What a function answers (empty lists, wrong keys, and so on) has its rows in
// TestAnswersMeanWhatTheyMeanToLambda of contrib/lambdahandler; here is what the
// engine does about each thing that an answer can mean.
var recorded = []struct {
	row     string
	departs string
	test    func(t *testing.T)
}{
	{"one retry is approximateInvokeCount 2", "", invokeCount(1, 2)},
	{"three retries are approximateInvokeCount 4", "", invokeCount(3, 4)},
	{"no end of retries, a maximum age of 60 s", "condition, the missing responseContext and a count of what was called are equal, the number is not: Lambda was recorded to call 8 times; the backoff here is drawn at random below a ceiling and doubles from 100 ms to 30 s, which makes 10 calls at least", untilTooOld},
	{"a record that is too old before the first call", "", tooOldBeforeTheFirstCall},
	{"the expired prefix alone is discarded", "", expiredPrefix},
	{"a maximum age below 60 s is refused", "", ageBelowAMinute},
	{"the message of an error, to SQS", bodyDeparts, message(ofShards(), toSQS)},
	{"the message of an error, to SNS", bodyDeparts, message(ofShards(), toSNS)},
	{"the message of an error is metadata alone", "with destination.PayloadNone it is Lambda's, and says in members behind it that the payload is left out", metadataAlone},
	{"the document of an error, in S3", "functionArn names the application, and the member towpath stands behind Lambda's", message(ofShards(), toS3)},
	{"the message of an error of a table's stream, to SQS", bodyDeparts, message(ofItems(), toSQS)},
	{"the message of an error of a table's stream, to SNS", bodyDeparts, message(ofItems(), toSNS)},
	{"the document of an error of a table's stream, in S3", "functionArn names the application, and the member towpath stands behind Lambda's", message(ofItems(), toS3)},
	{"the key of an object in S3", "Lambda's is aws/lambda/<mapping>/<shard>/YYYY/MM/DD/<time>-<random>; here it is made of the records alone, so that a repeat writes the same object and not another", objectKey},
	{"functionError is null for a partial answer", "", partialAnswer},
	{"the event of Kinesis", "invokeIdentityArn names the application, as there is no role; eventID, the times and the rest are Lambda's", kinesisEvent},
	{"the event of a table's stream", "the payload of a failure has the member towpath as well, from which the records are read again", tableEvent},
	{"userIdentity stands on deletions by time to live alone", "", userIdentity},
	{"an answer that means success", "", answer(func([]shard.Record) error { return nil }, "10")},
	{"an answer that means that all failed", "", answer(func([]shard.Record) error { return errors.New("boom") }, "10 10 10")},
	{"an answer that names a record", "", answer(func(rs []shard.Record) error { return from(rs, "3") }, "10 7 7")},
	{"an answer that names two records: the lower counts", "", answer(func(rs []shard.Record) error { return errors.Join(from(rs, "7"), from(rs, "3")) }, "10 7 7")},
	{"an answer that names a record that is not in the batch", "", foreignRecord},
	{"bisect, without a partial answer", "the halves are Lambda's; attempts count at the record that is left alone, where Lambda does not say", answer(poison, "10 5 3 2 1 1 1 1 5", bisect)},
	{"bisect, with a partial answer", "Lambda goes on with all from the named record; here that record is called alone first, and what lies behind it when it is settled", answer(poisonNamed, "10 1 1 1 6", bisect)},
	{"State and LastProcessingResult of the mapping", "there is no mapping and nothing that creates it: Consumer.Status tells where each shard is, and the hooks what happened", mappingState},
}

const bodyDeparts = "functionArn names the application, and Lambda's members are followed by the payload, which Lambda leaves to the stream (destination.PayloadNone does too), and by the member towpath"

// Each row of recorded behaviour has a test, whether it is equal or departs.
func TestRecordedBehaviourOfLambda(t *testing.T) {
	for _, r := range recorded {
		t.Run(r.row, func(t *testing.T) {
			if r.departs != "" {
				t.Log("departs: " + r.departs)
			}
			r.test(t)
		})
	}
}

// What makes documents of different runs the same text.
var varying = []struct {
	is *regexp.Regexp
	as string
}{
	{regexp.MustCompile(`arn:aws:[^"]+`), "<arn>"},
	{regexp.MustCompile(`"requestId":"[0-9a-f-]{36}"`), `"requestId":"<uuid>"`},
	{regexp.MustCompile(`"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"`), `"<time.ms>"`},
	{regexp.MustCompile(`"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"`), `"<time>"`},
	{regexp.MustCompile(`shardId-[0-9a-f-]+`), "<shard>"},
	{regexp.MustCompile(`([sS]equenceNumber":"|<shard>:)\d+"`), `$1<number>"`},
	{regexp.MustCompile(`"approximateArrivalTimestamp":\d+\.\d{3}\b`), `"approximateArrivalTimestamp":<seconds.ms>`},
}

const unhandled = `"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},`

func invokeCount(attempts, want int) func(t *testing.T) {
	return func(t *testing.T) {
		onShards(t, func(t *testing.T, rig *streamtest.Rig) {
			rig.PutN(1, 1)
			body := one(t, settle(t, rig, toSQS, boom, retries(attempts)))
			wantDocument(t, body, lambdas("RetryAttemptsExhausted", want, unhandled, "KinesisBatchInfo", "<time.ms>", 1))
			if n := len(rig.Ledger.Calls()); n != want {
				t.Errorf("the handler was called %d times, want %d", n, want)
			}
		})
	}
}

func untilTooOld(t *testing.T) {
	onShards(t, func(t *testing.T, rig *streamtest.Rig) {
		began := time.Now()
		rig.PutN(1, 1)
		body := one(t, settle(t, rig, toSQS, boom, tooOld))
		// What is counted is what was called; that no response is told of is Lambda's.
		calls := len(rig.Ledger.Calls())
		wantDocument(t, body, lambdas("RecordAgeExceeded", calls, "", "KinesisBatchInfo", "<time.ms>", 1))
		if took := time.Since(began); took < time.Minute || took > time.Minute+batching.DefaultMaxBackoff+time.Second {
			t.Errorf("the record was given up after %v, want the first look at it after a minute", took)
		}
		// The first nine ceilings, 100 ms to 25.6 s, add up to 51 s.
		if calls < 10 {
			t.Errorf("%d calls in a minute, want 10 at least", calls)
		}
	})
}

func tooOldBeforeTheFirstCall(t *testing.T) {
	onShards(t, func(t *testing.T, rig *streamtest.Rig) {
		rig.PutN(1, 1)
		time.Sleep(61 * time.Second)
		body := one(t, settle(t, rig, toSQS, boom, tooOld))
		wantDocument(t, body, lambdas("RecordAgeExceeded", 1, "", "KinesisBatchInfo", "<time.ms>", 1))
		if n := len(rig.Ledger.Calls()); n != 0 {
			t.Errorf("the handler was called %d times, want never", n)
		}
	})
}

func expiredPrefix(t *testing.T) {
	onShards(t, func(t *testing.T, rig *streamtest.Rig) {
		_, old := rig.Put("key", "old")
		time.Sleep(61 * time.Second)
		rig.PutN(3, 1)
		accept := func([]shard.Record) error { return nil }
		body := one(t, settle(t, rig, toSQS, accept, tooOld))
		wantDocument(t, body, lambdas("RecordAgeExceeded", 1, "", "KinesisBatchInfo", "<time.ms>", 1))
		if !strings.Contains(body, `"startSequenceNumber":"`+old+`","endSequenceNumber":"`+old+`"`) {
			t.Errorf("the message is not of the old record: %s", body)
		}
		wantSizes(t, rig, "3")
	})
}

func ageBelowAMinute(t *testing.T) {
	onShards(t, func(t *testing.T, rig *streamtest.Rig) {
		for age, want := range map[time.Duration]bool{59 * time.Second: false, time.Minute: true} {
			cfg := rig.Config("w")
			cfg.MaximumRecordAge = age
			if _, err := consumer.New(cfg); (err == nil) != want {
				t.Errorf("MaximumRecordAge %v: error %v", age, err)
			}
		}
	})
}

func message(of kind, where place) func(t *testing.T) {
	return func(t *testing.T) {
		of.run(t, func(t *testing.T, rig *streamtest.Rig) {
			rig.PutN(3, 1)
			body := one(t, settle(t, rig, where, boom, retries(1)))
			records := wantDocument(t, body, lambdas("RetryAttemptsExhausted", 2, unhandled, of.info, of.at, 3))
			if len(records) != 3 {
				t.Errorf("the payload has %d records, want 3", len(records))
			}
			var members map[string]json.RawMessage
			if err := json.Unmarshal([]byte(body), &members); err != nil {
				t.Fatal(err)
			}
			got := slices.Sorted(maps.Keys(members))
			if want := []string{of.info, "payload", "requestContext", "responseContext", "timestamp", "towpath", "version"}; !slices.Equal(got, want) {
				t.Errorf("the members are %v, want %v", got, want)
			}
		})
	}
}

func metadataAlone(t *testing.T) {
	onShards(t, func(t *testing.T, rig *streamtest.Rig) {
		rig.PutN(2, 1)
		body := one(t, settle(t, rig, func(rig *streamtest.Rig) (destination.Destination, func() []string) {
			_, arrived := toSQS(rig)
			url := rig.AWS.SQS().CreateQueue("failures")
			return sqsdestination.Open(sqs.NewFromConfig(rig.AWS.Config("w")), url, func(o *sqsdestination.Options) { o.Payload = destination.PayloadNone }), arrived
		}, boom, retries(1)))
		want := lambdas("RetryAttemptsExhausted", 2, unhandled, "KinesisBatchInfo", "<time.ms>", 2) + `,"payloadOmitted":true,"towpath":{`
		if got := alike(body); !strings.HasPrefix(got, want) {
			t.Errorf("what was sent is\n%s\nwant it to begin with\n%s", got, want)
		}
	})
}

func objectKey(t *testing.T) {
	onShards(t, func(t *testing.T, rig *streamtest.Rig) {
		rig.PutN(2, 1)
		one(t, settle(t, rig, toS3, boom, retries(0)))
		want := regexp.MustCompile(`^clickstream/shardId-\d+/2000/01/01/\d+-\d+-[0-9a-f]{16}\.json$`)
		for key := range rig.AWS.S3().Objects("failures") {
			if !want.MatchString(key) {
				t.Errorf("the key is %s, want it like %s", key, want)
			}
		}
	})
}

func partialAnswer(t *testing.T) {
	onShards(t, func(t *testing.T, rig *streamtest.Rig) {
		rig.PutN(2, 1)
		null := `"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":null},`
		body := one(t, settle(t, rig, toSQS, func(rs []shard.Record) error { return from(rs, "0") }, retries(1)))
		wantDocument(t, body, lambdas("RetryAttemptsExhausted", 2, null, "KinesisBatchInfo", "<time.ms>", 2))
	})
}

func kinesisEvent(t *testing.T) {
	onShards(t, func(t *testing.T, rig *streamtest.Rig) {
		time.Sleep(123 * time.Millisecond)
		rig.Put("1", "Hello")
		records := wantDocument(t, one(t, settle(t, rig, toS3, boom, retries(0))), lambdas("RetryAttemptsExhausted", 1, unhandled, "KinesisBatchInfo", "<time.ms>", 1))
		const want = `{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":"1","sequenceNumber":"<number>","data":"SGVsbG8=","approximateArrivalTimestamp":<seconds.ms>},` +
			`"eventSource":"aws:kinesis","eventVersion":"1.0","eventID":"<shard>:<number>","eventName":"aws:kinesis:record",` +
			`"invokeIdentityArn":"arn:towpath:consumer:us-east-1:000000000000:clickstream","awsRegion":"us-east-1","eventSourceARN":"<arn>"}`
		if got := alike(string(records[0])); got != want {
			t.Errorf("the record is\n%s\nwant\n%s", got, want)
		}
	})
}

// change is a record of Lambda's event for a table's stream.
type change map[string]json.RawMessage

func changeOf(t *testing.T, data []byte) (c, inner change) {
	t.Helper()
	if err := errors.Join(json.Unmarshal(data, &c), json.Unmarshal(c["dynamodb"], &inner)); err != nil {
		t.Fatalf("read %s: %v", data, err)
	}
	return c, inner
}

func tableEvent(t *testing.T) {
	onItems(t, func(t *testing.T, rig *streamtest.Rig) {
		rig.Put("101", "new")
		var handed []byte
		body := one(t, settle(t, rig, toS3, func(rs []shard.Record) error {
			handed = rs[0].Data
			return errors.New("boom")
		}, retries(0)))
		sent := wantDocument(t, body, lambdas("RetryAttemptsExhausted", 1, unhandled, "DDBStreamBatchInfo", "<time>", 1))[0]
		outer := []string{"awsRegion", "dynamodb", "eventID", "eventName", "eventSource", "eventSourceARN", "eventVersion"}
		for _, data := range [][]byte{handed, sent} {
			c, inner := changeOf(t, data)
			delete(c, "towpath")
			if got := slices.Sorted(maps.Keys(c)); !slices.Equal(got, outer) {
				t.Errorf("the members are %v, want %v", got, outer)
			}
			want := []string{"ApproximateCreationDateTime", "Keys", "NewImage", "SequenceNumber", "SizeBytes", "StreamViewType"}
			if got := slices.Sorted(maps.Keys(inner)); !slices.Equal(got, want) {
				t.Errorf("the members of dynamodb are %v, want %v", got, want)
			}
			for member, want := range map[string]string{"eventName": `"INSERT"`, "eventVersion": `"1.1"`, "eventSource": `"aws:dynamodb"`, "awsRegion": `"us-east-1"`} {
				if got := string(c[member]); got != want {
					t.Errorf("%s is %s, want %s", member, got, want)
				}
			}
			if got := string(inner["Keys"]); got != `{"id":{"S":"101"}}` {
				t.Errorf("Keys is %s", got)
			}
		}
	})
}

func userIdentity(t *testing.T) {
	onItems(t, func(t *testing.T, rig *streamtest.Rig) {
		rig.Put("by hand", "a")
		rig.Put("by time", "b")
		table := rig.AWS.DynamoDB()
		if err := errors.Join(table.Delete(streamtest.Table, dynamofake.Item{"id": dynamofake.S("by hand")}), table.Expire(streamtest.Table, dynamofake.Item{"id": dynamofake.S("by time")})); err != nil {
			t.Fatal(err)
		}
		var seen []string
		settle(t, rig, toSQS, func(rs []shard.Record) error {
			for i := range rs {
				c, _ := changeOf(t, rs[i].Data)
				seen = append(seen, string(c["eventName"])+string(c["userIdentity"]))
			}
			return nil
		})
		want := []string{`"INSERT"`, `"INSERT"`, `"REMOVE"`, `"REMOVE"{"type":"Service","principalId":"dynamodb.amazonaws.com"}`}
		if !slices.Equal(seen, want) {
			t.Errorf("saw %v, want %v", seen, want)
		}
	})
}

// answer gives the handler ten records and two retries, and tells how many
// records each call must have had.
func answer(handle func([]shard.Record) error, sizes string, change ...func(*consumer.Config)) func(t *testing.T) {
	return func(t *testing.T) {
		onShards(t, func(t *testing.T, rig *streamtest.Rig) {
			rig.PutN(10, 1)
			settle(t, rig, toSQS, handle, append(change, retries(2))...)
			wantSizes(t, rig, sizes)
		})
	}
}

func wantSizes(t *testing.T, rig *streamtest.Rig, want string) {
	t.Helper()
	var sizes []string
	for _, c := range rig.Ledger.Calls() {
		sizes = append(sizes, fmt.Sprint(c.Records))
	}
	if got := strings.Join(sizes, " "); got != want {
		t.Errorf("the calls had %s records, want %s", got, want)
	}
}

// poison fails a call that has record 3, and poisonNamed names it.
func poison(records []shard.Record) error {
	if from(records, "3") != nil {
		return errors.New("boom")
	}
	return nil
}

func poisonNamed(records []shard.Record) error { return from(records, "3") }

func foreignRecord(t *testing.T) {
	stranger := &shard.Record{Shard: "shardId-000000000000", Sequence: "77"}
	named := func([]shard.Record) error { return batching.FailFrom(stranger, errors.New("boom")) }
	answer(named, "10 10 10")(t)
	onShards(t, func(t *testing.T, rig *streamtest.Rig) {
		rig.PutN(2, 1)
		body := one(t, settle(t, rig, toSQS, named, retries(0)))
		wantDocument(t, body, lambdas("RetryAttemptsExhausted", 1, unhandled, "KinesisBatchInfo", "<time.ms>", 2))
		if want := "the handler named what is not in its batch (shardId-000000000000/77)"; !strings.Contains(body, want) {
			t.Errorf("the message does not say that %s: %s", want, body)
		}
	})
}

func mappingState(t *testing.T) {
	onShards(t, func(t *testing.T, rig *streamtest.Rig) {
		rig.PutN(3, 1)
		w := rig.Start("w")
		rig.Await("everything is settled", rig.AllDone)
		if s := w.Consumer.Status(); !s.Valid || len(s.Shards) != 1 {
			t.Errorf("the status is %+v, want a valid session with the one shard", s)
		}
	})
}
