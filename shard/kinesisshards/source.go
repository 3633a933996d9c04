package kinesisshards

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/smithy-go/middleware"

	"github.com/towpath/towpath/shard"
)

// Client is what a [Source] needs of the service. A *kinesis.Client has it. The
// identity behind it must be allowed kinesis:DescribeStreamSummary,
// kinesis:ListShards, kinesis:GetShardIterator and kinesis:GetRecords on the
// stream, and kms:Decrypt on its key if it has one.
type Client interface {
	DescribeStreamSummary(context.Context, *kinesis.DescribeStreamSummaryInput, ...func(*kinesis.Options)) (*kinesis.DescribeStreamSummaryOutput, error)
	ListShards(context.Context, *kinesis.ListShardsInput, ...func(*kinesis.Options)) (*kinesis.ListShardsOutput, error)
	GetShardIterator(context.Context, *kinesis.GetShardIteratorInput, ...func(*kinesis.Options)) (*kinesis.GetShardIteratorOutput, error)
	GetRecords(context.Context, *kinesis.GetRecordsInput, ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error)
}

// Source is a Kinesis data stream. It is a shard.Source and safe for use by many
// goroutines. It holds no state but what it knows of its fan-out consumer. Make one with [Open].
type Source struct {
	client  Client
	given   string
	options Options

	consumers *registry // nil without fan-out
	answers   *answers
}

var _ shard.Source = (*Source)(nil)

// Open names a stream by its name or its ARN. It does no I/O: what is wrong with
// the name or the options is told by [Source.Validate], and by the first call of
// every other method.
func Open(client Client, stream string, options ...func(*Options)) *Source {
	var o Options
	for _, option := range options {
		option(&o)
	}
	o = o.withDefaults()
	return &Source{client: client, given: stream, options: o, consumers: newRegistry(o.FanOut, client), answers: &answers{pooled: o.Pooled, poison: o.Poison, cbor: o.CBOR}}
}

// Validate reports everything that is wrong with the name of the stream and the
// options.
func (s *Source) Validate() error {
	var problems []error
	if s.client == nil {
		problems = append(problems, errors.New("client is nil, want a *kinesis.Client"))
	}
	n, err := parseName(s.given)
	problems = append(problems, err, sameRegion(s.client, n), s.options.validate(), s.options.FanOut.agree(s.client, s.given))
	return errors.Join(problems...)
}

// String is the stream's name or ARN, as given.
func (s *Source) String() string { return "stream " + s.given }

// stream checks the source and returns its name.
func (s *Source) stream() (name, error) {
	if err := s.Validate(); err != nil {
		return name{}, fmt.Errorf("kinesis source: %w", err)
	}
	return parseName(s.given)
}

// Describe says which stream this is. A stream that does not exist is
// shard.ErrNoStream. Now is the time in the Date header of the answer, cut to
// the second; without one it is the host's time before the question was sent.
func (s *Source) Describe(ctx context.Context) (shard.Stream, error) {
	n, err := s.stream()
	if err != nil {
		return shard.Stream{}, err
	}
	asked := time.Now()
	in := &kinesis.DescribeStreamSummaryInput{StreamName: text(n.short), StreamARN: text(n.arn)}
	if n.arn != "" {
		in.StreamName = nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, err := s.client.DescribeStreamSummary(ctx, in, fewTries)
	if err != nil {
		return shard.Stream{}, fmt.Errorf("describe %s: %w", s, failed("DescribeStreamSummary", err))
	}
	d := out.StreamDescriptionSummary
	if d == nil {
		return shard.Stream{}, fmt.Errorf("describe %s: the answer is empty", s)
	}
	now, ok := serverTime(out.ResultMetadata)
	if !ok {
		now = asked
	}
	return shard.Stream{
		ARN:       aws.ToString(d.StreamARN),
		Name:      aws.ToString(d.StreamName),
		CreatedAt: aws.ToTime(d.StreamCreationTimestamp).Truncate(time.Second),
		Retention: time.Duration(aws.ToInt32(d.RetentionPeriodHours)) * time.Hour,
		Now:       now,
	}, nil
}

// failed explains why a call about the whole stream failed.
func failed(action string, err error) error {
	if isNotFound(err) {
		return fmt.Errorf("kinesis:%s: %w: %w", action, shard.ErrNoStream, err)
	}
	return explain(action, err)
}

// Open begins to read a shard. Nothing is asked of the service before the first
// Next.
func (s *Source) Open(start shard.Start) shard.Reader {
	c := newCourse(s, start)
	if s.consumers != nil && s.Validate() == nil {
		return s.unpack(newFanReader(c, s.consumers, time.Now()), start)
	}
	return s.unpack(newReader(c, time.Now()), start)
}

// callTimeout bounds one call with its repeats, so that a connection that went
// silent does not hold a shard for ever. 10 MiB take 20 s at 4 Mbit/s.
const callTimeout = 20 * time.Second

// tries is how often the SDK sends one request. Waiting is the pace's business;
// a single repeat at once spares it the odd broken connection.
const tries = 2

// repeatWithin bounds the SDK's wait before that repeat, which is up to seconds
// otherwise: too long for a shard that has just changed hands.
const repeatWithin = 50 * time.Millisecond

// fewTries bounds the SDK's own retries, if the client would make more.
func fewTries(o *kinesis.Options) {
	if o.Retryer != nil {
		o.Retryer = retry.AddWithMaxBackoffDelay(o.Retryer, repeatWithin)
	}
	if o.RetryMaxAttempts == 0 || o.RetryMaxAttempts > tries {
		o.RetryMaxAttempts = tries
	}
}

// serverTime is the time in an answer's Date header.
func serverTime(m middleware.Metadata) (time.Time, bool) {
	return awsmiddleware.GetServerTime(m)
}

// text is a string for the SDK, where an empty one is none.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
