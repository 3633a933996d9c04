// Package kinesisdestination puts records into a stream of Amazon Kinesis:
// batches that were given up, and records that a handler emits, for a consumer
// that reads on.
//
// A failure is the envelope of package destination, under the partition key that
// Options.Key gives, the shard it came from. An emitted record is its payload as
// it is, or with Options.Document a destination.Document, which has id and
// attributes as well; its partition key is the record's key. A key of more than
// 256 characters, or one that is no UTF-8, is put as the hexadecimal SHA-256 of
// itself, which keeps its order; an empty one, which has no order, as the
// record's id.
//
// A record has at most 1 MiB with its key, unless the stream is set to more:
// without a Store (see destination.Packing) a single larger record is described
// and not carried, and an emitted one is refused.
//
// With Options.Aggregate, emitted records of one key are put together into
// aggregated records.
//
// Kinesis knows no repeats: what reads the stream tells them by towpath.id in an
// envelope and by id in a document.
//
// The role needs kinesis:PutRecords on the stream, and kms:GenerateDataKey on a
// key of its own.
package kinesisdestination

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
)

// API is what is used of *kinesis.Client.
type API interface {
	PutRecords(ctx context.Context, in *kinesis.PutRecordsInput, opts ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error)
}

// Options change how records are made. The zero value is right.
type Options struct {
	// Packing says what happens to what is too large. MaxBytes is 1 MiB
	// (destination.MaxKinesisBytes), the key included; set it to what the stream
	// takes, at most 10 MiB.
	destination.Packing
	// Key gives the partition key of a failure. Default: destination.ByShard.
	Key func(*destination.Failure) string
	// Document puts an emitted record as a destination.Document, with its id, key
	// and attributes. Default: its payload alone.
	Document bool
	// Unordered fills every call with 500 emitted records, whatever their keys
	// are. Default: of one key one at a time, so that one that is refused does not
	// come behind the next. For few keys this is up to 500 times faster.
	Unordered bool
	// Aggregate puts emitted records of one key together into aggregated records of
	// at most so many bytes with their key, in the format of the Kinesis Producer
	// Library; 0 is not at all, and 51,200 that library's own size. All records of
	// an aggregate have its partition key, so that it belongs to the same shard as
	// each of them, also while shards are split and merged, and the order of a key
	// stays. A record that is alone, or larger, is put as it is. Where few keys emit
	// much it takes fewer records and calls; where each key emits once it does
	// nothing. What reads the stream has to take aggregates apart, as this library
	// does by itself.
	Aggregate int
}

// Stream is a stream as a destination. It keeps no state but counts, and may be
// used by several goroutines.
type Stream struct {
	counter destination.Counter
	client  API
	given   string // as it was opened
	options Options
	problem error
}

var (
	_ destination.Destination = (*Stream)(nil)
	_ destination.Publisher   = (*Stream)(nil)
	_ destination.Validator   = (*Stream)(nil)
)

// Limits of PutRecords and of a partition key, in characters,
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html.
const (
	batchLimit = 500
	keyLimit   = 256
)

// Open names a stream by its name or its ARN. It calls nothing. What is wrong with
// its arguments, Validate says, and every Send and Publish.
func Open(client API, stream string, optFns ...func(*Options)) *Stream {
	s := &Stream{client: client, given: stream}
	s.options.MaxBytes, s.options.Key = destination.MaxKinesisBytes, destination.ByShard
	for _, fn := range optFns {
		fn(&s.options)
	}
	s.problem = s.check()
	return s
}

var streamName = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,128}$`)

func (s *Stream) check() error {
	var problems []error
	if s.client == nil {
		problems = append(problems, errors.New("the client is nil"))
	}
	name := s.given
	if arn, ok := destination.ParseARN(s.given); ok && arn.Service == "kinesis" {
		name, _ = strings.CutPrefix(arn.Resource, "stream/")
	}
	if !streamName.MatchString(name) {
		problems = append(problems, fmt.Errorf("the stream is %q, want its name or its ARN, arn:aws:kinesis:<region>:<account>:stream/<name>", s.given))
	}
	if s.options.Key == nil {
		problems = append(problems, errors.New("Key is nil, want a function such as destination.ByShard"))
	}
	if n := s.options.MaxBytes; n <= 0 || n > destination.MaxKinesisStreamBytes {
		problems = append(problems, fmt.Errorf("MaxBytes is %d, want 1 to %d", n, destination.MaxKinesisStreamBytes))
	}
	if n := s.options.Aggregate; n < 0 || n > s.options.MaxBytes {
		problems = append(problems, fmt.Errorf("Aggregate is %d, want 0, or at most MaxBytes, which is %d", n, s.options.MaxBytes))
	}
	problems = append(problems, s.options.Packing.Validate())
	return errors.Join(problems...)
}

// Validate says what is wrong with the arguments of Open, all at once.
func (s *Stream) Validate() error { return s.problem }

// String is the stream's name or ARN, as it was opened.
func (s *Stream) String() string { return s.given }

// Counts says how many failures and records were accepted, and in which form.
func (s *Stream) Counts() destination.Counts { return s.counter.Counts() }

// Send puts the failure, as one record or several, and returns nil when the stream
// has accepted all of them. An error is a *destination.SendError.
func (s *Stream) Send(ctx context.Context, f destination.Failure) error {
	if s.problem != nil {
		return f.Refusal(s, nil, fmt.Errorf("%w: %w", destination.ErrRefused, s.problem))
	}
	key := partitionKey(s.options.Key(&f), f.ID())
	packing := s.options.Packing
	packing.MaxBytes -= len(key)
	messages, err := packing.Pack(ctx, f)
	if err != nil {
		return f.Refusal(s, nil, err)
	}
	for i := range messages {
		fates, err := s.put(ctx, []types.PutRecordsRequestEntry{{Data: messages[i].Body, PartitionKey: &key}})
		if err == nil {
			err = fates[0]
		}
		if err != nil {
			return f.Refusal(s, hints, fmt.Errorf("message %d of %d: %w", i+1, len(messages), err))
		}
	}
	s.counter.Accepted(messages)
	return nil
}

// Publish puts emitted records, up to 500 in a call, and returns nil when the
// stream has accepted all of them. An error is a *destination.PublishError.
func (s *Stream) Publish(ctx context.Context, records []batching.Emitted) error {
	if s.problem != nil {
		return destination.RefuseAll(s, records, s.problem)
	}
	form := destination.FormBytes
	if s.options.Document {
		form = destination.FormDocument
	}
	return destination.Courier{
		Destination: s.given,
		Packing:     s.options.Packing,
		Form:        form,
		Limit:       batchLimit,
		LimitBytes:  destination.MaxKinesisStreamBytes,
		Unordered:   s.options.Unordered,
		Bundle:      s.options.Aggregate,
		Extra:       func(e *batching.Emitted) int { return len(partitionKey(e.Key, e.ID)) },
		Send:        s.send,
		Isolate:     isolate,
		Hints:       hints,
		Counter:     &s.counter,
	}.Publish(ctx, records)
}

// send puts parcels, those of one key as one record where that is asked for.
func (s *Stream) send(ctx context.Context, parcels []destination.Parcel) ([]error, error) {
	if s.options.Aggregate > 0 {
		return s.sendAggregated(ctx, parcels)
	}
	entries := make([]types.PutRecordsRequestEntry, len(parcels))
	for i := range parcels {
		key := partitionKey(parcels[i].Record.Key, parcels[i].Record.ID)
		entries[i] = types.PutRecordsRequestEntry{Data: parcels[i].Body, PartitionKey: &key}
	}
	return s.put(ctx, entries)
}

// partitionKey is a key as Kinesis takes it.
func partitionKey(key, id string) string {
	if key == "" {
		key = id
	}
	switch {
	case key == "":
		return "none"
	case !utf8.ValidString(key) || utf8.RuneCountInString(key) > keyLimit:
		sum := sha256.Sum256([]byte(key))
		return hex.EncodeToString(sum[:])
	}
	return key
}

// put is Put into the stream.
func (s *Stream) put(ctx context.Context, entries []types.PutRecordsRequestEntry) ([]error, error) {
	return Put(ctx, s.client, s.given, entries)
}

// Put makes one call of PutRecords on a stream, which is named by its name or its
// ARN, and tells the fate of each record, in their order: nil, or a
// *destination.EntryError. The error of the call itself is the client's.
func Put(ctx context.Context, client API, stream string, entries []types.PutRecordsRequestEntry) ([]error, error) {
	in := &kinesis.PutRecordsInput{Records: entries, StreamName: &stream}
	if strings.HasPrefix(stream, "arn:") {
		in.StreamName, in.StreamARN = nil, &stream
	}
	out, err := client.PutRecords(ctx, in)
	if err != nil {
		return nil, err
	}
	if len(out.Records) != len(entries) {
		return nil, fmt.Errorf("the stream told the fate of %d records, want %d", len(out.Records), len(entries))
	}
	fates := make([]error, len(entries))
	for i, r := range out.Records {
		if r.SequenceNumber == nil || r.ErrorCode != nil {
			fates[i] = &destination.EntryError{Code: aws.ToString(r.ErrorCode), Message: aws.ToString(r.ErrorMessage)}
		}
	}
	return fates, nil
}

// isolate reports whether one record can be why a whole call was refused.
func isolate(err error) bool {
	var coded interface{ ErrorCode() string }
	return errors.As(err, &coded) && (coded.ErrorCode() == "InvalidArgumentException" || coded.ErrorCode() == "ValidationException")
}

// hints are by the codes of
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html#API_PutRecords_Errors.
var hints = map[string]string{
	"AccessDeniedException":                  "access denied, the role needs kinesis:PutRecords on the stream",
	"ResourceNotFoundException":              "there is no such stream in this account and region",
	"ProvisionedThroughputExceededException": "a shard of the stream takes 1 MiB and 1,000 records a second: split it, or use more keys",
	"KMSAccessDeniedException":               "the stream's key does not allow it, the role needs kms:GenerateDataKey",
	"KMSDisabledException":                   "the stream's key is disabled",
}
