package dynamoshards

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/smithy-go/middleware"

	"github.com/towpath/towpath/shard"
)

// Client is what a [Source] needs of the service. A *dynamodbstreams.Client has
// it. The identity behind it must be allowed dynamodb:DescribeStream,
// dynamodb:GetShardIterator and dynamodb:GetRecords on the stream, and
// dynamodb:ListStreams if the stream is named by its table.
type Client interface {
	DescribeStream(context.Context, *dynamodbstreams.DescribeStreamInput, ...func(*dynamodbstreams.Options)) (*dynamodbstreams.DescribeStreamOutput, error)
	ListStreams(context.Context, *dynamodbstreams.ListStreamsInput, ...func(*dynamodbstreams.Options)) (*dynamodbstreams.ListStreamsOutput, error)
	GetShardIterator(context.Context, *dynamodbstreams.GetShardIteratorInput, ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetShardIteratorOutput, error)
	GetRecords(context.Context, *dynamodbstreams.GetRecordsInput, ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetRecordsOutput, error)
}

// Retention is how long the service keeps a record, a closed shard and a
// disabled stream. It cannot be changed there.
const Retention = 24 * time.Hour

// Source is the stream of a DynamoDB table. It is a shard.Source, holds no
// state, and is safe for use by many goroutines. Make one with [Open].
type Source struct {
	client  Client
	given   string
	options Options
}

var _ shard.Source = (*Source)(nil)

// Open names a stream by its ARN, or by the name or the ARN of its table: then
// it is the newest one of that table, which is looked up by every Describe and
// List. A table whose stream is disabled and enabled again has another stream
// then, and a consumer of the old one ends with shard.ErrNoStream rather than go
// on with positions that mean nothing in the new one.
//
// Open does no I/O: what is wrong with the name or the options is told by
// [Source.Validate], and by the first call of every other method.
func Open(client Client, stream string, options ...func(*Options)) *Source {
	var o Options
	for _, option := range options {
		option(&o)
	}
	return &Source{client: client, given: stream, options: o.withDefaults()}
}

// Validate reports everything that is wrong with the name of the stream and the
// options.
func (s *Source) Validate() error {
	var problems []error
	if s.client == nil {
		problems = append(problems, errors.New("client is nil, want a *dynamodbstreams.Client"))
	}
	_, err := parseName(s.given)
	problems = append(problems, err, sameRegion(s.client, s.given), s.options.validate())
	return errors.Join(problems...)
}

// String is the stream or the table, as given.
func (s *Source) String() string { return "stream " + s.given }

// arn checks the source and finds the ARN of its stream.
func (s *Source) arn(ctx context.Context) (string, error) {
	if err := s.Validate(); err != nil {
		return "", fmt.Errorf("dynamodb streams source: %w", err)
	}
	n, err := parseName(s.given)
	if err != nil || n.arn != "" {
		return n.arn, err
	}
	newest, label := "", ""
	in := &dynamodbstreams.ListStreamsInput{TableName: &n.table}
	for {
		out, err := s.listStreams(ctx, in)
		if err != nil {
			return "", explain("ListStreams", err)
		}
		for _, t := range out.Streams {
			if l := aws.ToString(t.StreamLabel); l >= label { // ISO 8601: the later, the greater
				newest, label = aws.ToString(t.StreamArn), l
			}
		}
		last := aws.ToString(out.LastEvaluatedStreamArn)
		if last == "" || last == aws.ToString(in.ExclusiveStartStreamArn) {
			break
		}
		in.ExclusiveStartStreamArn = &last
	}
	if newest == "" {
		return "", fmt.Errorf("dynamodb:ListStreams: table %s has no stream: %w", n.table, shard.ErrNoStream)
	}
	return newest, nil
}

func (s *Source) listStreams(ctx context.Context, in *dynamodbstreams.ListStreamsInput) (*dynamodbstreams.ListStreamsOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return s.client.ListStreams(ctx, in, fewTries)
}

// Describe says which stream this is; its name is the table's. A stream that
// does not exist is shard.ErrNoStream. Now is the time in the Date header of the
// answer, cut to the second; without one it is the host's time before the
// question was sent.
func (s *Source) Describe(ctx context.Context) (shard.Stream, error) {
	d, err := s.describe(ctx)
	return d.Stream, err
}

// description is a stream, and whether new shards can still come to it.
type description struct {
	shard.Stream
	enabled bool
}

func (s *Source) describe(ctx context.Context) (description, error) {
	asked := time.Now()
	arn, err := s.arn(ctx)
	if err != nil {
		return description{}, fmt.Errorf("describe %s: %w", s, err)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, err := s.client.DescribeStream(ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: &arn, Limit: aws.Int32(1)}, fewTries)
	if err != nil {
		return description{}, fmt.Errorf("describe %s: %w", s, failed("DescribeStream", err))
	}
	d := out.StreamDescription
	if d == nil {
		return description{}, fmt.Errorf("describe %s: the answer is empty", s)
	}
	now, ok := serverTime(out.ResultMetadata)
	if !ok {
		now = asked
	}
	return description{shard.Stream{
		ARN:       arn,
		Name:      aws.ToString(d.TableName),
		CreatedAt: born(aws.ToString(d.StreamLabel), aws.ToTime(d.CreationRequestDateTime)),
		Retention: Retention,
		Now:       now,
	}, enabled(d.StreamStatus)}, nil
}

// born is when a stream was created, to the second: its label is that time, and
// does not change with the locale of a server as the other one may.
func born(label string, requested time.Time) time.Time {
	if at, err := time.Parse("2006-01-02T15:04:05.999", label); err == nil {
		return at.Truncate(time.Second)
	}
	return requested.UTC().Truncate(time.Second)
}

// failed explains why a call about the whole stream failed.
func failed(action string, err error) error {
	if isNotFound(err) {
		return fmt.Errorf("dynamodb:%s: %w: %w", action, shard.ErrNoStream, err)
	}
	return explain(action, err)
}

// Open begins to read a shard. Nothing is asked of the service before the first
// Next.
func (s *Source) Open(start shard.Start) shard.Reader {
	return newReader(s, start, time.Now())
}

// callTimeout bounds one call with its repeats, so that a connection that went
// silent does not hold a shard for ever. 1 MB takes 2 s at 4 Mbit/s.
const callTimeout = 10 * time.Second

// tries is how often the SDK sends one request. Waiting is the pace's business;
// a single repeat at once spares it the odd broken connection.
const tries = 2

// repeatWithin bounds the SDK's wait before that repeat, which is up to seconds
// otherwise: too long for a shard that has just changed hands.
const repeatWithin = 50 * time.Millisecond

// fewTries bounds the SDK's own retries, if the client would make more.
func fewTries(o *dynamodbstreams.Options) {
	if o.Retryer != nil {
		o.Retryer = retry.AddWithMaxBackoffDelay(o.Retryer, repeatWithin)
	}
	if o.RetryMaxAttempts == 0 || o.RetryMaxAttempts > tries {
		o.RetryMaxAttempts = tries
	}
}

// serverTime is the time in an answer's Date header.
func serverTime(m middleware.Metadata) (time.Time, bool) { return awsmiddleware.GetServerTime(m) }
