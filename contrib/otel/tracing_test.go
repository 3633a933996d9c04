package otel_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/contrib/otel"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
)

// traced is a provider and what it has ended.
func traced() (*sdktrace.TracerProvider, *tracetest.SpanRecorder) {
	ended := tracetest.NewSpanRecorder()
	return sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(ended)), ended
}

// field reads a text out of a record's JSON.
func field(name string) func(*shard.Record) string {
	return func(r *shard.Record) string {
		var fields map[string]any
		if json.Unmarshal(r.Data, &fields) != nil {
			return ""
		}
		text, _ := fields[name].(string)
		return text
	}
}

func parent(i int) string { return fmt.Sprintf("00-%032x-%016x-01", i+1, i+1) }

// batchOf is a batch of so many records, each of a producer of its own.
func batchOf(n int) *batching.Batch {
	b := &batching.Batch{Stream: "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks", Shard: "shardId-000000000000", Attempt: 2, Handler: "billing"}
	for i := range n {
		b.Records = append(b.Records, shard.Record{Data: fmt.Appendf(nil, `{"traceparent":%q}`, parent(i))})
	}
	return b
}

func values(s sdktrace.ReadOnlySpan) map[attribute.Key]attribute.Value {
	all := map[attribute.Key]attribute.Value{}
	for _, a := range s.Attributes() {
		all[a.Key] = a.Value
	}
	return all
}

// Each batch has one span of kind CONSUMER with a link to each producer and never a
// parent among them; an error is its class.
func TestSpanOfABatchLinksItsProducers(t *testing.T) {
	provider, ended := traced()
	var inside trace.SpanContext
	h := otel.Handler(consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error {
		inside = trace.SpanContextFromContext(ctx)
		if len(b.Records) == 3 {
			return batching.FailFrom(b.Last(), errors.New("card 4242"))
		}
		return nil
	}), otel.Tracing{TracerProvider: provider, Application: "clickstream", Producer: otel.TraceParent(field("traceparent"))})

	if err := h.Handle(t.Context(), batchOf(3)); err == nil {
		t.Error("the handler's error is gone")
	}
	if err := h.Handle(t.Context(), batchOf(200)); err != nil {
		t.Error(err)
	}
	twice := batchOf(1)
	twice.Records = append(twice.Records, twice.Records[0], shard.Record{Data: []byte("no JSON")}, shard.Record{Data: []byte(`{"traceparent":"00-0-0-01"}`)})
	if err := h.Handle(t.Context(), twice); err != nil {
		t.Error(err)
	}
	spans := ended.Ended()
	if len(spans) != 3 {
		t.Fatalf("%d spans of 3 calls", len(spans))
	}
	failed := spans[0]
	if failed.Name() != "process clicks" || failed.SpanKind() != trace.SpanKindConsumer || failed.Parent().IsValid() || len(failed.Links()) != 3 {
		t.Errorf("a span %q of kind %v with the parent %v and %d links", failed.Name(), failed.SpanKind(), failed.Parent(), len(failed.Links()))
	}
	for i, l := range failed.Links() {
		if got := l.SpanContext; got.TraceID().String() != fmt.Sprintf("%032x", i+1) || got.SpanID().String() != fmt.Sprintf("%016x", i+1) || !got.IsRemote() {
			t.Errorf("link %d leads to %v", i, got)
		}
	}
	if s := failed.Status(); s.Code != codes.Error || s.Description != "other" || len(failed.Events()) != 0 {
		t.Errorf("the status of a call that failed is %v, with %d events", s, len(failed.Events()))
	}
	got := values(failed)
	for key, want := range map[attribute.Key]string{
		"messaging.system": "aws.kinesis", "messaging.destination.name": "clicks", "messaging.consumer.group.name": "clickstream",
		"messaging.destination.partition.id": "shardId-000000000000", "messaging.operation.name": "process", "messaging.operation.type": "process",
		"messaging.batch.message_count": "3", "aws.kinesis.stream_name": "clicks", "error.type": "_OTHER", "towpath.handler": "billing", "towpath.attempt": "2",
	} {
		if v, ok := got[key]; !ok || v.String() != want {
			t.Errorf("%s is %q, want %q", key, v.String(), want)
		}
	}
	many := spans[1]
	if n := values(many)["towpath.links.omitted"]; len(many.Links()) != 128 || n.AsInt64() != 72 || many.Status().Code != codes.Unset || many.DroppedLinks() != 0 {
		t.Errorf("200 producers are %d links and %v omitted, %d dropped, status %v", len(many.Links()), n.String(), many.DroppedLinks(), many.Status())
	}
	if len(spans[2].Links()) != 1 {
		t.Errorf("one producer of two records, and none of two, are %d links", len(spans[2].Links()))
	}
	if !inside.Equal(spans[2].SpanContext()) {
		t.Error("the handler's context has another span")
	}
	if strings.Contains(fmt.Sprint(spans), "4242") {
		t.Error("the text of an error is in a span")
	}
}

// A handler that panics ends its span, and the panic goes on.
func TestSpanEndsWithAPanic(t *testing.T) {
	provider, ended := traced()
	h := otel.Handler(consumer.HandlerFunc(func(context.Context, *batching.Batch) error { panic("no") }), otel.Tracing{TracerProvider: provider})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic is gone")
			}
		}()
		_ = h.Handle(t.Context(), batchOf(1))
	}()
	if spans := ended.Ended(); len(spans) != 1 || spans[0].Status().Description != "panic" || values(spans[0])["error.type"].String() != "panic" {
		t.Errorf("spans of a panic: %v", spans)
	}
}

// X-Ray's header links as W3C's does, and what is neither links nothing.
func TestXRayHeaderIsAProducer(t *testing.T) {
	read := otel.XRay(func(r *shard.Record) string { return string(r.Data) })
	for text, want := range map[string]string{
		"Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1":              "67891233abcdef012345678912345678 53995c3f42cd8ad8 01",
		"Self=1-1-1; Root=1-67891233-abcdef012345678912345678; Parent=53995c3f42cd8ad8;Sampled=0": "67891233abcdef012345678912345678 53995c3f42cd8ad8 00",
		"Root=1-67891233-abcdef012345678912345678":                                                "",
		"Root=2-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8":                        "",
		"Root=1-xyz;Parent=53995c3f42cd8ad8":                                                      "",
		"":                                                                                        "",
		";;;=":                                                                                    "",
	} {
		got := read(&shard.Record{Data: []byte(text)})
		if said := fmt.Sprint(got.TraceID(), " ", got.SpanID(), " ", got.TraceFlags()); got.IsValid() != (want != "") || want != "" && said != want {
			t.Errorf("%q is %s (valid: %v), want %q", text, said, got.IsValid(), want)
		}
	}
}

// Every call of the handler has one span, and every span ends: of batches that are
// split, of one that runs when the worker is told to stop and does not heed its
// context, and of one that a panic ends. Records that filters drop have none.
func TestEverySpanEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		provider, spans := traced()
		stream := shardtest.NewStream(2)
		for i := range 20 {
			stream.Put(fmt.Sprint(i), fmt.Appendf(nil, `{"n":%d}`, i))
		}
		var calls atomic.Int64
		c, err := consumer.New(consumer.Config{
			Name: "clickstream", Source: stream, Leases: checkpointtest.NewTable(), Logger: silent, OnFailure: destination.Discard,
			Filters: []string{`{"data":{"n":[{"numeric":["<",15]}]}}`}, BisectBatchOnError: true, MaximumRetryAttempts: batching.AtMost(1),
			DrainTimeout: 5 * time.Second,
			Handler: otel.Handler(consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error {
				calls.Add(1)
				for i := range b.Records {
					switch string(b.Records[i].Data) {
					case `{"n":3}`:
						return errors.New("unlucky")
					case `{"n":7}`:
						panic("seven")
					case `{"n":14}`:
						<-ctx.Done()
						time.Sleep(time.Second)
						return ctx.Err()
					}
				}
				return nil
			}), otel.Tracing{TracerProvider: provider}),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- c.Run(ctx) }()
		time.Sleep(time.Minute)
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		classes := map[string]int{}
		for _, s := range spans.Ended() {
			classes[values(s)["error.type"].AsString()]++
		}
		if n := len(spans.Ended()); n != int(calls.Load()) || len(spans.Started()) != n || classes["panic"] < 1 || classes["_OTHER"] < 2 || classes["interrupted"] != 1 {
			t.Errorf("%d calls, %d spans of which %d ended: %v", calls.Load(), len(spans.Started()), n, classes)
		}
	})
}

// A traced handler in a consumer keeps what it is besides: it is told of its
// shards and woken.
func TestTracedHandlerKeepsItsInterfaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		provider, ended := traced()
		stream := shardtest.NewStream(1)
		stream.Put("ada", []byte("1"))
		w := &wakeful{}
		c, err := consumer.New(consumer.Config{
			Name: "clickstream", Source: stream, Leases: checkpointtest.NewTable(), Logger: silent, Until: consumer.CaughtUp(),
			Handler: otel.Handler(w, otel.Tracing{TracerProvider: provider}),
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if want := []string{"started", "handled", "woken leaving", "lost"}; !slices.Equal(w.told, want) {
			t.Errorf("told %q, want %q", w.told, want)
		}
		if n := len(ended.Ended()); n != 1 {
			t.Errorf("%d spans, want 1", n)
		}
	})
	if _, keeps := otel.Handler(&keeping{}, otel.Tracing{}).(consumer.Stateful); !keeps {
		t.Error("a Stateful handler is none any more")
	}
	if _, keeps := otel.Handler(&wakeful{}, otel.Tracing{}).(consumer.Stateful); keeps {
		t.Error("a handler without a state is Stateful")
	}
	if otel.Handler(nil, otel.Tracing{}) != nil {
		t.Error("no handler is one")
	}
}

type wakeful struct{ told []string }

func (w *wakeful) Handle(context.Context, *batching.Batch) error {
	w.told = append(w.told, "handled")
	return nil
}
func (w *wakeful) ShardStarted(context.Context, consumer.ShardStart) error {
	w.told = append(w.told, "started")
	return nil
}
func (w *wakeful) ShardLost(string, error)         { w.told = append(w.told, "lost") }
func (w *wakeful) WakeAt(string) (time.Time, bool) { return time.Time{}, false }
func (w *wakeful) Wake(_ context.Context, wake *batching.Wake) error {
	w.told = append(w.told, "woken "+wake.Why.String())
	return nil
}

type keeping struct{ wakeful }

func (*keeping) Restore(context.Context, batching.Restored) error { return nil }
func (*keeping) State(string) ([]byte, error)                     { return nil, nil }
