// Package firehosedestination puts records into a stream of Amazon Data Firehose:
// batches that were given up, and records that a handler emits.
//
// A failure is the envelope of package destination. An emitted record is its
// payload as it is, or with Options.Document a destination.Document, which has the
// id as well. A newline is put behind each, so that what Firehose writes in one
// file can be told apart; see Options.Delimiter.
//
// A record has at most 1,000 KiB: without a Store (see destination.Packing) a
// single record above about 760 KB is described and not carried, and an emitted
// one is refused. Set Options.Store.
//
// Firehose knows no repeats: what reads its files tells them by towpath.id in an
// envelope and by id in a document.
//
// The role needs firehose:PutRecordBatch on the stream.
package firehosedestination

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
)

// API is what is used of *firehose.Client.
type API interface {
	PutRecordBatch(ctx context.Context, in *firehose.PutRecordBatchInput, opts ...func(*firehose.Options)) (*firehose.PutRecordBatchOutput, error)
}

// Options change how records are made. The zero value is right.
type Options struct {
	// Packing says what happens to what is too large. MaxBytes is 1,000 KiB
	// (destination.MaxFirehoseBytes), the delimiter included; a stream that
	// transforms with Lambda or writes to OpenSearch may take less.
	destination.Packing
	// Delimiter is put behind each record. Default: a newline. Set it to nothing
	// for a stream that puts delimiters itself; at most 16 bytes.
	Delimiter string
	// Document puts an emitted record as a destination.Document, with its id, key
	// and attributes. Default: its payload alone.
	Document bool
	// Unordered fills every call with 500 emitted records, whatever their keys
	// are. Default: of one key one at a time, so that one that is refused does not
	// come behind the next. For few keys this is up to 500 times faster.
	Unordered bool
}

// Stream is a Firehose stream as a destination. It keeps no state but counts, and
// may be used by several goroutines.
type Stream struct {
	counter destination.Counter
	client  API
	given   string // as it was opened
	name    string
	options Options
	problem error
}

var (
	_ destination.Destination = (*Stream)(nil)
	_ destination.Publisher   = (*Stream)(nil)
	_ destination.Validator   = (*Stream)(nil)
)

const (
	// batchLimit is how many records one PutRecordBatch has,
	// https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html.
	batchLimit        = 500
	maxDelimiterBytes = 16
)

// Open names a stream by its name or its ARN. It calls nothing. What is wrong with
// its arguments, Validate says, and every Send and Publish.
func Open(client API, stream string, optFns ...func(*Options)) *Stream {
	s := &Stream{client: client, given: stream, name: stream}
	if arn, ok := destination.ParseARN(stream); ok && arn.Service == "firehose" {
		s.name = strings.TrimPrefix(arn.Resource, "deliverystream/")
	}
	s.options.MaxBytes, s.options.Delimiter = destination.MaxFirehoseBytes, "\n"
	for _, fn := range optFns {
		fn(&s.options)
	}
	s.problem = s.check()
	return s
}

var streamName = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,64}$`)

func (s *Stream) check() error {
	var problems []error
	if s.client == nil {
		problems = append(problems, errors.New("the client is nil"))
	}
	if !streamName.MatchString(s.name) {
		problems = append(problems, fmt.Errorf("the Firehose stream is %q, want its name or its ARN, arn:aws:firehose:<region>:<account>:deliverystream/<name>", s.given))
	}
	if n := len(s.options.Delimiter); n > maxDelimiterBytes {
		problems = append(problems, fmt.Errorf("Delimiter has %d bytes, want at most %d", n, maxDelimiterBytes))
	}
	if n := s.options.MaxBytes; n <= 0 || n > destination.MaxFirehoseBytes {
		problems = append(problems, fmt.Errorf("MaxBytes is %d, want 1 to %d", n, destination.MaxFirehoseBytes))
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
	packing := s.options.Packing
	packing.MaxBytes -= len(s.options.Delimiter)
	messages, err := packing.Pack(ctx, f)
	if err != nil {
		return f.Refusal(s, nil, err)
	}
	for i := range messages {
		fates, err := s.put(ctx, [][]byte{messages[i].Body})
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
		LimitBytes:  destination.MaxFirehoseBatchBytes,
		Unordered:   s.options.Unordered,
		Extra:       func(*batching.Emitted) int { return len(s.options.Delimiter) },
		Send: func(ctx context.Context, parcels []destination.Parcel) ([]error, error) {
			bodies := make([][]byte, len(parcels))
			for i := range parcels {
				bodies[i] = parcels[i].Body
			}
			return s.put(ctx, bodies)
		},
		Isolate: isolate,
		Hints:   hints,
		Counter: &s.counter,
	}.Publish(ctx, records)
}

// put makes one call and tells the fate of each record.
func (s *Stream) put(ctx context.Context, bodies [][]byte) ([]error, error) {
	in := &firehose.PutRecordBatchInput{DeliveryStreamName: &s.name}
	for _, body := range bodies {
		in.Records = append(in.Records, types.Record{Data: slices.Concat(body, []byte(s.options.Delimiter))})
	}
	out, err := s.client.PutRecordBatch(ctx, in)
	if err != nil {
		return nil, err
	}
	if len(out.RequestResponses) != len(bodies) {
		return nil, fmt.Errorf("the stream told the fate of %d records, want %d", len(out.RequestResponses), len(bodies))
	}
	fates := make([]error, len(bodies))
	for i, r := range out.RequestResponses {
		if r.RecordId == nil || r.ErrorCode != nil {
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

const denied = "access denied, the role needs firehose:PutRecordBatch on the stream"

// hints are by the codes of
// https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html#API_PutRecordBatch_Errors.
var hints = map[string]string{
	"AccessDeniedException":       denied,
	"ResourceNotFoundException":   "there is no such Firehose stream in this account and region",
	"ServiceUnavailableException": "the stream is asked for more than its quota, or is not active",
	"InvalidKMSResourceException": "the stream's key does not allow it",
	"InvalidArgumentException":    "the record is not as the stream takes it",
}
