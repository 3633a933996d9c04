package awsfake

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/towpath/towpath/streamtest/awsfake/bucketfake"
	"github.com/towpath/towpath/streamtest/awsfake/deliveryfake"
	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
	"github.com/towpath/towpath/streamtest/awsfake/eventbusfake"
	"github.com/towpath/towpath/streamtest/awsfake/functionfake"
	"github.com/towpath/towpath/streamtest/awsfake/kinesisfake"
	"github.com/towpath/towpath/streamtest/awsfake/machinefake"
	"github.com/towpath/towpath/streamtest/awsfake/queuefake"
	"github.com/towpath/towpath/streamtest/awsfake/topicfake"
)

// Region is the one region of the fake.
const Region = "us-east-1"

// Account is the one account id of the fake, as it stands in ARNs.
const Account = "000000000000"

// AWS is a set of fake services with one clock and one place for faults. It is
// safe for use by many goroutines. Make one with [New].
type AWS struct {
	now     func() time.Time
	latency time.Duration

	kinesis *kinesisfake.Service
	s3      *bucketfake.Service
	sqs     *queuefake.Service
	sns     *topicfake.Service
	dynamo  *dynamofake.Service

	buses      *eventbusfake.Service
	functions  *functionfake.Service
	machines   *machinefake.Service
	deliveries *deliveryfake.Service

	// routes holds the handler of each service by its signing name.
	routesMu sync.RWMutex
	routes   map[string]http.Handler

	interceptors hooks[func(context.Context, Call) Fault]
	observers    hooks[func(Exchange)]
	gates        gates
	lines        lines
	log          log
}

// Option changes an [AWS] while [New] makes it.
type Option func(*settings)

type settings struct {
	now     func() time.Time
	latency time.Duration
	kinesis []kinesisfake.Option
}

// WithClock sets the clock that all services use for arrival times, expiry and
// limits. The default is time.Now, which is virtual in a testing/synctest
// bubble.
func WithClock(now func() time.Time) Option {
	return func(s *settings) { s.now = now }
}

// WithLatency makes every call take at least d, half of it before the call is
// applied and half after. The default is none; in a bubble a few milliseconds
// make virtual time move with every call.
func WithLatency(d time.Duration) Option {
	return func(s *settings) { s.latency = d }
}

// WithKinesis passes options on to the Kinesis fake.
func WithKinesis(options ...kinesisfake.Option) Option {
	return func(s *settings) { s.kinesis = append(s.kinesis, options...) }
}

// New makes an AWS with no streams, tables, queues, topics, buckets, functions,
// machines or deliveries, and with one event bus, default.
func New(options ...Option) *AWS {
	s := settings{now: time.Now}
	for _, option := range options {
		option(&s)
	}
	a := &AWS{
		now:     s.now,
		latency: s.latency,
		kinesis: kinesisfake.New(s.now, s.kinesis...),
		s3:      bucketfake.New(s.now),
		sqs:     queuefake.New(s.now),
		sns:     topicfake.New(s.now),
		routes:  map[string]http.Handler{},

		buses:      eventbusfake.New(s.now),
		functions:  functionfake.New(),
		machines:   machinefake.New(s.now),
		deliveries: deliveryfake.New(),
	}
	a.Handle("kinesis", a.kinesis)
	a.Handle("s3", a.s3)
	a.Handle("sqs", a.sqs)
	a.Handle("sns", a.sns)
	a.sns.DeliverTo(a.deliver)
	a.dynamo = dynamofake.New(s.now)
	a.Handle("dynamodb", a.dynamo)
	a.Handle("dynamodbstreams", a.dynamo)
	a.Handle("events", a.buses)
	a.Handle("lambda", a.functions)
	a.Handle("states", a.machines)
	a.Handle("firehose", a.deliveries)
	return a
}

// Kinesis is the fake of Kinesis Data Streams, to be filled and looked into
// without the protocol.
func (a *AWS) Kinesis() *kinesisfake.Service { return a.kinesis }

// SQS is the fake of SQS, to be filled and looked into without the protocol.
func (a *AWS) SQS() *queuefake.Service { return a.sqs }

// SNS is the fake of SNS, to be filled and looked into without the protocol. Its
// topics deliver into the queues of [AWS.SQS].
func (a *AWS) SNS() *topicfake.Service { return a.sns }

// deliver takes a message from a topic to a queue.
func (a *AWS) deliver(d topicfake.Delivery) error {
	attributes := make(map[string]queuefake.Attribute, len(d.Attributes))
	for name, v := range d.Attributes {
		attributes[name] = queuefake.Attribute(v)
	}
	return a.sqs.Deliver(d.QueueARN, queuefake.Message{
		Body: d.Body, Attributes: attributes, GroupID: d.GroupID, DeduplicationID: d.DeduplicationID,
	})
}

// S3 is the fake of S3, to be filled and looked into without the protocol.
func (a *AWS) S3() *bucketfake.Service { return a.s3 }

// EventBridge is the fake of EventBridge, to be filled and looked into without
// the protocol.
func (a *AWS) EventBridge() *eventbusfake.Service { return a.buses }

// Lambda is the fake of Lambda, to be filled and looked into without the protocol.
func (a *AWS) Lambda() *functionfake.Service { return a.functions }

// StepFunctions is the fake of Step Functions, to be filled and looked into
// without the protocol.
func (a *AWS) StepFunctions() *machinefake.Service { return a.machines }

// Firehose is the fake of Amazon Data Firehose, to be filled and looked into
// without the protocol.
func (a *AWS) Firehose() *deliveryfake.Service { return a.deliveries }

// Handle adds the fake of one more service, or replaces one, under its signing
// name ("cloudwatch", "sts", …). The handler gets whole requests: their bodies
// are in memory.
func (a *AWS) Handle(service string, h http.Handler) {
	a.routesMu.Lock()
	defer a.routesMu.Unlock()
	a.routes[service] = h
}

// route is the handler of a service, or nil.
func (a *AWS) route(service string) http.Handler {
	a.routesMu.RLock()
	defer a.routesMu.RUnlock()
	return a.routes[service]
}

// DynamoDB is the fake of Amazon DynamoDB and of the streams of its tables.
func (a *AWS) DynamoDB() *dynamofake.Service { return a.dynamo }
