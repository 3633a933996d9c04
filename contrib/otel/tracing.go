package otel

import (
	"context"
	"strings"

	global "go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/telemetry"
)

// Tracing says what spans are made of batches. The zero value works, without links.
type Tracing struct {
	// TracerProvider is where the spans go: default the global one.
	TracerProvider trace.TracerProvider
	// Application is the consumer's name, as messaging.consumer.group.name; empty is
	// left out.
	Application string
	// System is messaging.system: default aws.kinesis. For a DynamoDB stream say
	// aws.dynamodb.
	System string
	// Producer says which span has produced a record, such as TraceParent's or
	// XRay's. One that is not valid is none. It is called for the records of a batch
	// until there are Links of them, by several lanes at once, and must be quick; if it
	// panics the call has failed as with a panic of the handler. Default nil: no links.
	Producer func(*shard.Record) trace.SpanContext
	// Links is how many producers a span is linked to at most: default 128, which is
	// as many as the SDK keeps. Records of one span are one link. How many records
	// were not looked at any more, for want of room, is the attribute
	// towpath.links.omitted.
	Links int
}

// defaultLinks is the SDK's limit of links in a span.
const defaultLinks = 128

// Handler is h with a span around each call with records: "process <stream>", of
// kind CONSUMER, with links to the producers and never their child. A call that
// fails has the status Error and error.type; the text of the error is not in the
// span, as it may quote a record. The handler's context has the span.
//
// What else h is (Waker, Stateful, ShardStarter and so on) the handler still is.
func Handler(h consumer.Handler, t Tracing) consumer.Handler {
	if t.TracerProvider == nil {
		t.TracerProvider = global.GetTracerProvider()
	}
	if t.System == "" {
		t.System = "aws.kinesis"
	}
	if t.Links <= 0 {
		t.Links = defaultLinks
	}
	s := &spans{Tracing: t, tracer: t.TracerProvider.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL))}
	return consumer.Around(h, s.call)
}

// spans makes spans of calls.
type spans struct {
	Tracing
	tracer trace.Tracer
}

func (s *spans) call(ctx context.Context, b *batching.Batch, next consumer.Handler) error {
	stream := nameOf(b.Stream)
	links, omitted := s.links(b)
	attributes := append(belonging(s.System, stream, s.Application),
		semconv.MessagingOperationName("process"), semconv.MessagingOperationTypeProcess,
		semconv.MessagingBatchMessageCount(len(b.Records)), semconv.MessagingDestinationPartitionID(b.Shard),
		attribute.Int("towpath.attempt", b.Attempt),
	)
	if s.System == "aws.kinesis" && stream != "" {
		attributes = append(attributes, semconv.AWSKinesisStreamName(stream))
	}
	if b.Handler != "" {
		attributes = append(attributes, handlerKey.String(b.Handler))
	}
	if omitted > 0 {
		attributes = append(attributes, attribute.Int("towpath.links.omitted", omitted))
	}
	ctx, span := s.tracer.Start(ctx, strings.TrimSpace("process "+stream),
		trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(attributes...), trace.WithLinks(links...))
	ended := false
	defer func() {
		if !ended { // the handler panics: what becomes of that is the consumer's
			span.SetStatus(codes.Error, "panic")
			span.SetAttributes(errorType("panic"))
		}
		span.End()
	}()
	err := next.Handle(ctx, b)
	ended = true
	if class := telemetry.ClassOf(err); class != "" {
		span.SetStatus(codes.Error, class)
		span.SetAttributes(errorType(class))
	}
	return err
}

// links are those to the producers of a batch, each once, and how many records have
// none for want of room.
func (s *spans) links(b *batching.Batch) (links []trace.Link, omitted int) {
	if s.Producer == nil {
		return nil, 0
	}
	seen := map[spanKey]bool{}
	for i := range b.Records {
		if len(links) == s.Links {
			return links, len(b.Records) - i
		}
		producer := s.Producer(&b.Records[i])
		key := spanKey{producer.TraceID(), producer.SpanID()}
		if !producer.IsValid() || seen[key] {
			continue
		}
		seen[key] = true
		links = append(links, trace.Link{SpanContext: producer.WithRemote(true)})
	}
	return links, 0
}

// spanKey names a span.
type spanKey struct {
	trace trace.TraceID
	span  trace.SpanID
}

// nameOf is the short name of a stream, from its ARN: of a table's stream the
// table's. A name that is no ARN stays.
func nameOf(arn string) string {
	_, resource, found := strings.Cut(arn, ":stream/")
	if found {
		return resource
	}
	if _, table, found := strings.Cut(arn, ":table/"); found {
		name, _, _ := strings.Cut(table, "/")
		return name
	}
	return arn
}

// TraceParent reads the text of W3C's traceparent, which value finds in a record:
// a field of its JSON, or a CloudEvent's. Where it finds none, or none that is one,
// there is no link.
func TraceParent(value func(*shard.Record) string) func(*shard.Record) trace.SpanContext {
	return func(r *shard.Record) trace.SpanContext {
		text := value(r)
		if text == "" {
			return trace.SpanContext{}
		}
		ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{"traceparent": text})
		return trace.SpanContextFromContext(ctx)
	}
}

// XRay reads X-Ray's trace header, such as
// Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1, which
// value finds in a record. Where it finds none, or one without a parent, there is no
// link.
func XRay(value func(*shard.Record) string) func(*shard.Record) trace.SpanContext {
	return func(r *shard.Record) trace.SpanContext {
		var made trace.SpanContextConfig
		for part := range strings.SplitSeq(value(r), ";") {
			key, text, _ := strings.Cut(strings.TrimSpace(part), "=")
			switch key {
			case "Root":
				version, rest, _ := strings.Cut(text, "-")
				if version == "1" {
					// A root that is none leaves the id zero, which is not valid.
					made.TraceID, _ = trace.TraceIDFromHex(strings.Replace(rest, "-", "", 1))
				}
			case "Parent":
				made.SpanID, _ = trace.SpanIDFromHex(text)
			case "Sampled":
				if text == "1" {
					made.TraceFlags = trace.FlagsSampled
				}
			}
		}
		made.Remote = true
		return trace.NewSpanContext(made)
	}
}
