package lambdahandler_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/contrib/lambdahandler"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
)

const (
	clicks = "arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream"
	orders = "arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2015-06-27T00:48:05.899"
)

// batch is a batch of n records of Kinesis, with sequence numbers from 1 on.
func batch(n int) *batching.Batch {
	b := &batching.Batch{Stream: clicks, Shard: "shardId-000000000006", Attempt: 1}
	for i := range n {
		b.Records = append(b.Records, shard.Record{
			Stream: clicks, Shard: b.Shard, Sequence: fmt.Sprint(i + 1), PartitionKey: "1", Keyed: true,
			Data: fmt.Appendf(nil, "Hello %d", i+1), ArrivedAt: time.UnixMilli(1545084650987),
		})
	}
	return b
}

// raw is a lambda.Handler of bytes.
type raw func(ctx context.Context, event []byte) ([]byte, error)

func (f raw) Invoke(ctx context.Context, event []byte) ([]byte, error) { return f(ctx, event) }

func open(t *testing.T, function any, options ...func(*lambdahandler.Options)) *lambdahandler.Handler {
	t.Helper()
	h, err := lambdahandler.New(function, options...)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestEventIsLambdas(t *testing.T) {
	var got any
	h := open(t, raw(func(_ context.Context, event []byte) ([]byte, error) {
		return nil, json.Unmarshal(event, &got)
	}), func(o *lambdahandler.Options) { o.FunctionName = "clicks" })
	if err := h.Handle(t.Context(), batch(1)); err != nil {
		t.Fatal(err)
	}
	var want any
	if err := json.Unmarshal([]byte(`{"Records":[{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":"1","sequenceNumber":"1",
		"data":"SGVsbG8gMQ==","approximateArrivalTimestamp":1545084650.987},
		"eventSource":"aws:kinesis","eventVersion":"1.0","eventID":"shardId-000000000006:1","eventName":"aws:kinesis:record",
		"invokeIdentityArn":"arn:towpath:consumer:us-east-2:123456789012:clicks","awsRegion":"us-east-2","eventSourceARN":"`+clicks+`"}]}`), &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the function got\n%v\nwant\n%v", got, want)
	}
}

func TestFunctionsGetTypedEvents(t *testing.T) {
	t.Run("kinesis", func(t *testing.T) {
		h := open(t, func(_ context.Context, e events.KinesisEvent) (events.KinesisEventResponse, error) {
			if len(e.Records) != 3 || string(e.Records[1].Kinesis.Data) != "Hello 2" || e.Records[1].Kinesis.ApproximateArrivalTimestamp.Round(time.Millisecond).UnixMilli() != 1545084650987 {
				t.Errorf("got %+v", e)
			}
			return events.KinesisEventResponse{BatchItemFailures: []events.KinesisBatchItemFailure{{ItemIdentifier: "3"}}}, nil
		})
		b := batch(3)
		wantFailure(t, b, h.Handle(t.Context(), b), 2, true)
	})
	t.Run("dynamodb", func(t *testing.T) {
		h := open(t, func(_ context.Context, e events.DynamoDBEvent) (events.DynamoDBEventResponse, error) {
			r := e.Records[0]
			if len(e.Records) != 2 || r.EventName != "INSERT" || r.Change.Keys["Id"].Number() != "101" || r.Change.SequenceNumber != "111" || r.EventSourceArn != orders {
				t.Errorf("got %+v", e)
			}
			return events.DynamoDBEventResponse{BatchItemFailures: []events.DynamoDBBatchItemFailure{{ItemIdentifier: e.Records[1].Change.SequenceNumber}}}, nil
		})
		b := &batching.Batch{Stream: orders, Shard: "shardId-1"}
		for _, sequence := range []string{"111", "222"} {
			b.Records = append(b.Records, shard.Record{Stream: orders, Shard: b.Shard, Sequence: sequence, Data: fmt.Appendf(nil,
				`{"eventID":"1","eventName":"INSERT","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"us-east-1","dynamodb":{"ApproximateCreationDateTime":1600000000,`+
					`"Keys":{"Id":{"N":"101"}},"NewImage":{"Id":{"N":"101"}},"SequenceNumber":%q,"SizeBytes":26,"StreamViewType":"NEW_AND_OLD_IMAGES"},"eventSourceARN":%q}`, sequence, orders)})
		}
		wantFailure(t, b, h.Handle(t.Context(), b), 1, true)
	})
}

// wantFailure checks from which record on a batch has failed.
func wantFailure(t *testing.T, b *batching.Batch, err error, from int, partial bool) {
	t.Helper()
	o := batching.Read(b.Records, err)
	if !o.Failed || o.From != from || o.Partial != partial {
		t.Errorf("outcome %q of error %v, want failed from %d, named %v", o, err, from, partial)
	}
}

// What the real service does with each of these was recorded against it.
func TestAnswersMeanWhatTheyMeanToLambda(t *testing.T) {
	const success, whole = -1, 0
	for _, c := range []struct {
		name, answer string
		from         int
	}{
		{"empty list", `{"batchItemFailures": []}`, success},
		{"null list", `{"batchItemFailures": null}`, success},
		{"empty object", `{}`, success},
		{"null", `null`, success},
		{"empty string", `""`, success},
		{"list", `[]`, success},
		{"nothing", ``, success},
		{"empty identifier", `{"batchItemFailures":[{"itemIdentifier":""}]}`, whole},
		{"null identifier", `{"batchItemFailures":[{"itemIdentifier":null}]}`, whole},
		{"wrong key", `{"batchItemFailures":[{"foo":"2"}]}`, whole},
		{"wrong key, null", `{"batchItemFailures":[{"foo":null}]}`, whole},
		{"not in the batch", `{"batchItemFailures":[{"itemIdentifier":"77"}]}`, whole},
		{"one in the batch, one not", `{"batchItemFailures":[{"itemIdentifier":"2"},{"itemIdentifier":"77"}]}`, whole},
		{"second", `{"batchItemFailures":[{"itemIdentifier":"2"}]}`, 1},
		{"lowest counts", `{"batchItemFailures":[{"itemIdentifier":"10"},{"itemIdentifier":"9"},{"itemIdentifier":"11"}]}`, 8},
		{"no object", `"done"`, whole},
		{"a number", `7`, whole},
		{"no list", `{"batchItemFailures":{"itemIdentifier":"2"}}`, whole},
		{"number for an identifier", `{"batchItemFailures":[{"itemIdentifier":2}]}`, whole},
		{"no JSON", `{"batch`, whole},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := batch(12)
			err := open(t, raw(func(context.Context, []byte) ([]byte, error) { return []byte(c.answer), nil })).Handle(t.Context(), b)
			if c.from == success {
				if err != nil {
					t.Errorf("error %v, want success", err)
				}
				return
			}
			wantFailure(t, b, err, c.from, c.from > 0)
		})
	}
	t.Run("error", func(t *testing.T) {
		b, boom := batch(2), errors.New("boom")
		err := open(t, func() error { return boom }).Handle(t.Context(), b)
		wantFailure(t, b, err, whole, false)
		if !errors.Is(err, boom) {
			t.Errorf("error %v, want the function's own", err)
		}
	})
	t.Run("panic", func(t *testing.T) {
		b := batch(2)
		err := open(t, func(context.Context, events.KinesisEvent) error { panic("boom") }).Handle(t.Context(), b)
		var p *batching.PanicError
		if !errors.As(err, &p) || p.Value != "boom" || !strings.Contains(string(p.Stack), "handler_test.go") {
			t.Errorf("error %v, want a panic with its stack", err)
		}
		wantFailure(t, b, err, whole, false)
	})
	t.Run("ignored", func(t *testing.T) {
		h := open(t, raw(func(context.Context, []byte) ([]byte, error) {
			return []byte(`{"batchItemFailures":[{"itemIdentifier":"1"}]}`), nil
		}), func(o *lambdahandler.Options) { o.IgnoreAnswer = true })
		if err := h.Handle(t.Context(), batch(1)); err != nil {
			t.Error(err)
		}
	})
}

func TestRecordsOfOneAggregateFailFromTheFirst(t *testing.T) {
	b := batch(4)
	for i := range b.Records[1:] {
		b.Records[i+1].Sequence, b.Records[i+1].Sub = "2", int64(i)
	}
	err := open(t, raw(func(context.Context, []byte) ([]byte, error) {
		return []byte(`{"batchItemFailures":[{"itemIdentifier":"2"}]}`), nil
	})).Handle(t.Context(), b)
	wantFailure(t, b, err, 1, true)
}

func TestContextIsLambdas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ids []string
		h := open(t, func(ctx context.Context) error {
			c, ok := lambdacontext.FromContext(ctx)
			deadline, limited := ctx.Deadline()
			if !ok || c.InvokedFunctionArn != "arn:aws:lambda:us-east-2:123456789012:function:clicks" || !limited || time.Until(deadline) != time.Minute {
				t.Errorf("context %+v with deadline %v", c, deadline)
			}
			ids = append(ids, c.AwsRequestID)
			<-ctx.Done()
			return context.Cause(ctx)
		}, func(o *lambdahandler.Options) {
			o.Timeout, o.FunctionARN = time.Minute, "arn:aws:lambda:us-east-2:123456789012:function:clicks"
		})
		for _, n := range []int{1, 1, 2} {
			if err := h.Handle(t.Context(), batch(n)); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1m0s") {
				t.Errorf("error %v, want that the time is over", err)
			}
		}
		if ids[0] == "" || ids[0] != ids[1] || ids[1] == ids[2] {
			t.Errorf("request ids %q, want one for the same records and another for others", ids)
		}
	})
}

func TestWindowsCarryStateAsLambdas(t *testing.T) {
	var got events.KinesisTimeWindowEvent
	answer := `{"state":{"sum":"3"}}`
	h := open(t, raw(func(_ context.Context, event []byte) ([]byte, error) {
		got = events.KinesisTimeWindowEvent{}
		return []byte(answer), json.Unmarshal(event, &got)
	}))
	b := batch(2)
	b.Window = &batching.Window{Start: time.Unix(60, 0), End: time.Unix(120, 0)}
	if err := h.Handle(t.Context(), b); err != nil || string(b.Window.State) != `{"sum":"3"}` {
		t.Errorf("state %s, error %v", b.Window.State, err)
	}
	if len(got.Records) != 2 || got.ShardID != b.Shard || got.EventSourceARN != clicks || len(got.State) != 0 || got.State == nil ||
		got.Window.Start.Unix() != 60 || got.Window.End.Unix() != 120 || got.IsFinalInvokeForWindow || got.IsWindowTerminatedEarly {
		t.Errorf("the function got %+v", got)
	}

	b.Records, b.Window.Final, b.Window.Early = nil, true, true
	answer = `{}`
	if err := h.Handle(t.Context(), b); err != nil || b.Window.State != nil {
		t.Errorf("final call: state %s, error %v", b.Window.State, err)
	}
	if len(got.Records) != 0 || got.State["sum"] != "3" || !got.IsFinalInvokeForWindow || !got.IsWindowTerminatedEarly {
		t.Errorf("the final call got %+v", got)
	}

	for _, without := range []string{`{}`, `{"state":null}`, `{"state":"text"}`, ``, `null`} {
		answer = without
		b := batch(1)
		b.Window = &batching.Window{State: []byte(`{"sum":"3"}`)}
		wantFailure(t, b, h.Handle(t.Context(), b), 0, false)
		if string(b.Window.State) != `{"sum":"3"}` {
			t.Errorf("after the answer %q the state is %s, want it as it was", without, b.Window.State)
		}
	}
	answer = `{"state":{"sum":"4"},"batchItemFailures":[{"itemIdentifier":"2"}]}`
	b = batch(3)
	b.Window = &batching.Window{}
	wantFailure(t, b, h.Handle(t.Context(), b), 1, true)
}

func TestWrongFunctionsAreRefusedAtConstruction(t *testing.T) {
	for _, c := range []struct {
		function any
		want     string
	}{
		{nil, "no function"},
		{7, "int is no function"},
		{(func(context.Context) error)(nil), "the function is nil"},
		{func(...string) error { return nil }, "any number of arguments"},
		{func(a, b, c string) error { return nil }, "takes 3 arguments"},
		{func(a, b string) error { return nil }, "the first is no context"},
		{func() (a, b string, err error) { return }, "returns 3 values"},
		{func() string { return "" }, "returns no error"},
		//lint:ignore ST1008 this is what is refused
		{func() (error, string) { return nil, "" }, "returns no error as its last value"},
	} {
		if _, err := lambdahandler.New(c.function); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%T: error %v, want %q", c.function, err, c.want)
		}
	}
	for _, function := range []any{
		func() {}, func() error { return nil }, func(context.Context) error { return nil }, func(events.KinesisEvent) error { return nil },
		func(context.Context, events.DynamoDBEvent) (events.DynamoDBEventResponse, error) {
			return events.DynamoDBEventResponse{}, nil
		}, lambda.NewHandler(func() error { return nil }),
	} {
		if _, err := lambdahandler.New(function); err != nil {
			t.Errorf("%T: %v", function, err)
		}
	}
	if _, err := lambdahandler.New(func() {}, func(o *lambdahandler.Options) { o.Timeout = -1 }); err == nil {
		t.Error("a negative Timeout is accepted")
	}
}

// A function that reports the poison record is called with what lies before it,
// then with it alone, and what lies behind it goes on; the envelope has the
// functionError of a partial answer, which is null.
func TestFunctionRunsInAConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, failed := shardtest.NewStream(1), &destinationtest.Recorder{}
		for i := range 20 {
			stream.Put("1", fmt.Append(nil, i))
		}
		handled := 0
		h := open(t, func(_ context.Context, e events.KinesisEvent) (answer events.KinesisEventResponse, err error) {
			for _, r := range e.Records {
				if string(r.Kinesis.Data) == "7" {
					answer.BatchItemFailures = append(answer.BatchItemFailures, events.KinesisBatchItemFailure{ItemIdentifier: r.Kinesis.SequenceNumber})
					return answer, nil
				}
				handled++
			}
			return answer, nil
		})
		c, err := consumer.New(consumer.Config{
			Name: "clicks", Source: stream, Leases: checkpointtest.NewTable(), Handler: h, OnFailure: failed,
			BisectBatchOnError: true, MaximumRetryAttempts: batching.AtMost(1), Until: consumer.CaughtUp(), Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		accepted := failed.Accepted()
		if handled != 19 || len(accepted) != 1 || len(accepted[0].Records) != 1 || string(accepted[0].Records[0].Data) != "7" || accepted[0].Attempts != 2 {
			t.Fatalf("handled %d, given up %+v", handled, accepted)
		}
		envelope, err := accepted[0].Envelope(destination.EnvelopeOptions{})
		if err != nil || !strings.Contains(string(envelope), `"functionError":null`) {
			t.Errorf("the envelope is %s, error %v", envelope, err)
		}
	})
}

func Example() {
	stream := shardtest.NewStream(1)
	stream.Put("ada", []byte("Hello"))
	handler, err := lambdahandler.New(func(ctx context.Context, e events.KinesisEvent) (events.KinesisEventResponse, error) {
		var answer events.KinesisEventResponse
		for _, r := range e.Records {
			fmt.Println(r.Kinesis.PartitionKey, string(r.Kinesis.Data))
		}
		return answer, nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := consumer.New(consumer.Config{
		Name: "clicks", Source: stream, Leases: checkpointtest.NewTable(), Handler: handler,
		Until: consumer.CaughtUp(), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := c.Run(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output: ada Hello
}
