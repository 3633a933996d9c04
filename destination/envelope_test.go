package destination_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/shard"
)

func envelope(t testing.TB, f destination.Failure, o destination.EnvelopeOptions) []byte {
	t.Helper()
	b, err := f.Envelope(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEnvelopeIsLambdasWithTheRecords(t *testing.T) {
	f := destinationtest.Sample(2)
	want := `{"requestContext":{"requestId":"` + f.RequestID() + `",` +
		`"functionArn":"arn:towpath:consumer:eu-west-1:123456789012:clickstream",` +
		`"condition":"RetryAttemptsExhausted","approximateInvokeCount":3},` +
		`"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},` +
		`"version":"1.0","timestamp":"2026-03-02T00:00:59.250Z",` +
		`"KinesisBatchInfo":{"shardId":"shardId-000000000007",` +
		`"startSequenceNumber":"49660000000000000000000000000000000000000000000000000001",` +
		`"endSequenceNumber":"49660000000000000000000000000000000000000000000000000002",` +
		`"approximateArrivalOfFirstRecord":"2026-03-01T23:59:59.250Z",` +
		`"approximateArrivalOfLastRecord":"2026-03-01T23:59:59.251Z",` +
		`"batchSize":2,"streamArn":"arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"},` +
		`"payload":"{\"Records\":[` + wantRecord(1, "eyJjbGljayI6MH0=", "1772409599.250") + `,` + wantRecord(2, "eyJjbGljayI6MX0=", "1772409599.251") + `]}",` +
		`"towpath":{"application":"clickstream","worker":"worker-1","id":"` + f.ID() + `",` +
		`"attempts":3,"error":"insert click: connection refused"}}`
	if got := string(envelope(t, f, destination.EnvelopeOptions{})); got != want {
		t.Errorf("envelope is\n%s\nwant\n%s", got, want)
	}
}

func wantRecord(n int, data, at string) string {
	sequence := fmt.Sprintf("4966%052d", n)
	r := fmt.Sprintf(`{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":"visitor-%d","sequenceNumber":"%s",`+
		`"data":"%s","approximateArrivalTimestamp":%s},"eventSource":"aws:kinesis","eventVersion":"1.0",`+
		`"eventID":"shardId-000000000007:%s","eventName":"aws:kinesis:record",`+
		`"invokeIdentityArn":"arn:towpath:consumer:eu-west-1:123456789012:clickstream","awsRegion":"eu-west-1",`+
		`"eventSourceARN":"arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"}`, n-1, sequence, data, at, sequence)
	return strings.ReplaceAll(r, `"`, `\"`)
}

// TestEnvelopeHasEveryKeyOfLambda compares with the example of the service's
// documentation, key by key.
func TestEnvelopeHasEveryKeyOfLambda(t *testing.T) {
	const documented = `{"requestContext":{"requestId":"c9b8fa9f-5a7f-xmpl-af9c-0c604cde93a5",
		"functionArn":"arn:aws:lambda:us-east-2:123456789012:function:myfunction",
		"condition":"RetryAttemptsExhausted","approximateInvokeCount":1},
		"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},
		"version":"1.0","timestamp":"2019-11-14T00:38:06.021Z",
		"%s":{"shardId":"shardId-000000000001","startSequenceNumber":"49601","endSequenceNumber":"49602",
		"approximateArrivalOfFirstRecord":"%s","approximateArrivalOfLastRecord":"%[2]s",
		"batchSize":500,"streamArn":"arn:aws:kinesis:us-east-2:123456789012:stream/mystream"}}`
	for _, c := range []struct{ stream, info, arrival string }{
		{"arn:aws:kinesis:us-east-2:1:stream/s", "KinesisBatchInfo", "2019-11-14T00:38:04.835Z"},
		{"arn:aws-cn:dynamodb:cn-north-1:1:table/t/stream/2019-11-14T00:00:00.000", "DDBStreamBatchInfo", "2019-11-14T00:13:19Z"},
	} {
		f := destinationtest.Sample(1)
		f.Stream = c.stream
		var got map[string]any
		if err := json.Unmarshal(envelope(t, f, destination.EnvelopeOptions{Payload: destination.PayloadNone}), &got); err != nil {
			t.Fatal(err)
		}
		delete(got, "towpath")
		delete(got, "payloadOmitted")
		var want map[string]any
		if err := json.Unmarshal(fmt.Appendf(nil, documented, c.info, c.arrival), &want); err != nil {
			t.Fatal(err)
		}
		if g, w := shape(got), shape(want); g != w {
			t.Errorf("%s: keys and types are\n%s\nwant\n%s", c.info, g, w)
		}
		at := got[c.info].(map[string]any)["approximateArrivalOfFirstRecord"].(string)
		if len(at) != len(c.arrival) {
			t.Errorf("%s: a time of arrival is %s, want the form of %s", c.info, at, c.arrival)
		}
	}
}

// shape shows the keys and the types of the values.
func shape(v any) string {
	m, ok := v.(map[string]any)
	if !ok {
		return reflect.TypeOf(v).String()
	}
	shapes := map[string]string{}
	for k, v := range m {
		shapes[k] = shape(v)
	}
	return fmt.Sprint(shapes)
}

func TestEnvelopeSaysWhatTheHandlerAnswered(t *testing.T) {
	const unhandled, null, absent = `"functionError":"Unhandled"`, `"functionError":null`, ``
	for _, c := range []struct {
		condition destination.Condition
		attempts  int
		partial   bool
		want      string
		count     int
	}{
		{destination.RetryAttemptsExhausted, 4, false, unhandled, 4},
		{destination.RetryAttemptsExhausted, 2, true, null, 2},
		{destination.RecordAgeExceeded, 0, false, absent, 1},
		{destination.RecordAgeExceeded, 8, false, absent, 8},
		{destination.Rejected, 1, false, unhandled, 1},
		{destination.Rejected, 0, false, absent, 1},
		{destination.ProcessCrashed, 0, false, unhandled, 1},
	} {
		f := destinationtest.Sample(1)
		f.Condition, f.Attempts, f.Partial = c.condition, c.attempts, c.partial
		got := string(envelope(t, f, destination.EnvelopeOptions{}))
		if strings.Contains(got, `"responseContext"`) != (c.want != absent) || !strings.Contains(got, c.want) {
			t.Errorf("%s after %d attempts, partial %v: want %q in %.400s", c.condition, c.attempts, c.partial, c.want, got)
		}
		if want := fmt.Sprintf(`"approximateInvokeCount":%d}`, c.count); !strings.Contains(got, want) {
			t.Errorf("%s after %d attempts: want %s in %.400s", c.condition, c.attempts, want, got)
		}
	}
}

// TestPayloadOfDynamoDBIsLambdasEvent: what replays a payload to a function gets
// the event that the function knows.
func TestPayloadOfDynamoDBIsLambdasEvent(t *testing.T) {
	f := destinationtest.Sample(1)
	f.Stream = "arn:aws:dynamodb:eu-west-1:1:table/t/stream/2026-03-01T00:00:00.000"
	r := &f.Records[0]
	r.Stream, r.Sequence = f.Stream, "111"
	r.Data = []byte(`{"eventID":"c4","eventName":"INSERT","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"eu-west-1",` +
		`"dynamodb":{"ApproximateCreationDateTime":1772409599,"Keys":{"Id":{"N":"101"}},"SequenceNumber":"111","SizeBytes":26}}`)
	var event struct {
		Records []struct {
			EventName string `json:"eventName"`
			DynamoDB  struct {
				Keys map[string]map[string]string
			} `json:"dynamodb"`
		}
	}
	if err := json.Unmarshal(f.Event(), &event); err != nil {
		t.Fatal(err)
	}
	if got := event.Records[0]; got.EventName != "INSERT" || got.DynamoDB.Keys["Id"]["N"] != "101" {
		t.Errorf("the event is %s", f.Event())
	}
	back, err := destination.ParseEvent(f.Event(), f.Stream, f.Shard)
	if err != nil {
		t.Fatal(err)
	}
	if diff := difference(destination.Failure{Records: back}, destination.Failure{Records: f.Records}); diff != "" {
		t.Error(diff)
	}
}

func TestParseEnvelopeReadsLambdas(t *testing.T) {
	const lambdas = `{"requestContext":{"requestId":"c9b8","functionArn":"arn:aws:lambda:us-east-2:123456789012:function:f",
		"condition":"RecordAgeExceeded","approximateInvokeCount":1},"version":"1.0","timestamp":"2019-11-14T00:38:06.021Z",
		"DDBStreamBatchInfo":{"shardId":"shardId-1","startSequenceNumber":"1","endSequenceNumber":"1",
		"approximateArrivalOfFirstRecord":"2019-11-14T00:13:19Z","approximateArrivalOfLastRecord":"2019-11-14T00:13:19Z",
		"batchSize":1,"streamArn":"arn:aws:dynamodb:us-east-2:1:table/t/stream/x"},
		"payload":"{\"Records\":[{\"eventID\":\"c4\",\"eventName\":\"INSERT\",\"dynamodb\":{\"ApproximateCreationDateTime\":1.573690399E9,\"SequenceNumber\":\"1\"},\"eventSourceARN\":\"arn:aws:dynamodb:us-east-2:1:table/t/stream/x\"}]}"}`
	e, err := destination.ParseEnvelope([]byte(lambdas))
	if err != nil {
		t.Fatal(err)
	}
	r := e.Failure.Records[0]
	if r.Shard != "shardId-1" || r.Sequence != "1" || !r.ArrivedAt.Equal(time.Unix(1573690399, 0)) ||
		!bytes.HasPrefix(r.Data, []byte(`{"eventID":"c4"`)) || e.Failure.Condition != destination.RecordAgeExceeded {
		t.Errorf("read %+v with data %s", e.Failure, r.Data)
	}
}

func TestEnvelopeCutsTheErrorAndShowsNoControlCharacters(t *testing.T) {
	f := destinationtest.Sample(1)
	f.Err = errors.New(strings.Repeat("\x1b[2J", 5000))
	f.Worker = strings.Repeat("w", 5000)
	got := envelope(t, f, destination.EnvelopeOptions{Payload: destination.PayloadNone})
	if len(got) > 3<<10 {
		t.Errorf("the envelope has %d bytes, want less than 3 KiB", len(got))
	}
	if bytes.ContainsRune(got, 0x1b) || !bytes.Contains(got, []byte(`\u001b[2J…`)) {
		t.Errorf("want an escaped error with an ellipsis at its end: %.900s", got)
	}
	redacted := envelope(t, f, destination.EnvelopeOptions{RedactError: func(error) string { return "withheld" }})
	if !bytes.Contains(redacted, []byte(`"error":"withheld"`)) || bytes.Contains(redacted, []byte("[2J")) {
		t.Error("the error is not the redacted one")
	}
}

func TestRequestIDDependsOnTheRecordsAlone(t *testing.T) {
	a, b := destinationtest.Sample(3), destinationtest.Sample(3)
	b.Worker, b.Attempts, b.At, b.Err = "other", 99, time.Time{}, nil
	if a.RequestID() != b.RequestID() {
		t.Error("a repeat has another request id")
	}
	b.Records = b.Records[:2]
	if a.RequestID() == b.RequestID() {
		t.Error("another failure has the same request id")
	}
	if id := a.RequestID(); len(id) != 36 || id[14] != '8' || !strings.ContainsRune("89ab", rune(id[19])) {
		t.Errorf("%s is no UUID of version 8", id)
	}
}

// What two handlers of one stream give up are two failures, wherever they are
// kept, and each names its handler.
func TestFailuresOfTwoHandlersAreNotTheSame(t *testing.T) {
	a, b := destinationtest.Sample(3), destinationtest.Sample(3)
	a.Handler, b.Handler = "mail", "sums"
	for what, of := range map[string]func(*destination.Failure) string{
		"ID": (*destination.Failure).ID, "DeduplicationID": (*destination.Failure).DeduplicationID,
		"RequestID": (*destination.Failure).RequestID, "ObjectKey": (*destination.Failure).ObjectKey,
	} {
		if of(&a) == of(&b) {
			t.Errorf("%s is %s for both", what, of(&a))
		}
	}
	if text := string(envelope(t, a, destination.EnvelopeOptions{})); !strings.Contains(text, `"towpath":{"application":"`+a.Application+`","handler":"mail"`) {
		t.Errorf("the envelope does not name the handler: %s", text)
	}
}

func TestParseEnvelopeRefusesWhatIsNone(t *testing.T) {
	whole := string(envelope(t, destinationtest.Sample(1), destination.EnvelopeOptions{}))
	for name, b := range map[string]string{
		"nothing":       "",
		"null":          "null",
		"another thing": `{"Records":[]}`,
		"cut":           whole[:len(whole)-1],
		"version":       strings.Replace(whole, `"1.0"`, `"2.0"`, 1),
		"time":          strings.Replace(whole, "2026-03-02T", "yesterday", 1),
		"batch size":    strings.Replace(whole, `"batchSize":1`, `"batchSize":2`, 1),
		"data":          strings.Replace(whole, `\"data\":\"`, `\"data\":\"*`, 1),
		"record":        strings.Replace(whole, `{\"kinesis\"`, `{\"kafka\"`, 1),
		"both":          strings.Replace(whole, `"KinesisBatchInfo"`, `"DDBStreamBatchInfo":{},"KinesisBatchInfo"`, 1),
	} {
		if _, err := destination.ParseEnvelope([]byte(b)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := (&destination.Failure{}).Envelope(destination.EnvelopeOptions{}); err == nil {
		t.Error("a failure without records: no error")
	}
}

func BenchmarkEnvelope(b *testing.B) {
	for _, size := range []int{100, 10_000, 1_000_000, 10_000_000} {
		b.Run(fmt.Sprintf("record=%d", size), func(b *testing.B) {
			f := destinationtest.Sample(1)
			f.Records[0].Data = bytes.Repeat([]byte("x"), size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				envelope(b, f, destination.EnvelopeOptions{})
			}
		})
	}
}

// A function gets the event that Lambda sends and nothing beside, whatever the
// records have that the event has no place for.
func TestLambdaEventHoldsNothingBesideLambdas(t *testing.T) {
	change := `{"eventID":"1","eventName":"INSERT","dynamodb":{"ApproximateCreationDateTime":1600000000,"SequenceNumber":"111"}}`
	for _, f := range []destination.Failure{
		{Application: "a", Stream: "arn:aws:kinesis:eu-west-1:1:stream/s", Shard: "s", Records: []shard.Record{
			{Sequence: "1", Sub: 3, Data: []byte("x"), PartitionKey: "\xff"}, {Sequence: "2", ArrivedAt: time.Unix(1, 1)},
		}},
		{Application: "a", Stream: "arn:aws:dynamodb:eu-west-1:1:table/t/stream/l", Shard: "s", Records: []shard.Record{
			{Sequence: "111", PartitionKey: "k", Data: []byte(change)}, {Sequence: "112", Data: []byte(change)},
		}},
	} {
		event := f.LambdaEvent()
		if strings.Contains(string(event), `"towpath":`) || !json.Valid(event) {
			t.Errorf("the event is %s", event)
		}
		if strings.Contains(f.Stream, "dynamodb") && string(event) != `{"Records":[`+change+`,`+change+`]}` {
			t.Errorf("the event is %s, want the records as they are", event)
		}
	}
}
