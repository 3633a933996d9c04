package tape

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/kinesisdestination"
)

// Client is what a Stream uses of *kinesis.Client. Whoever calls needs
// kinesis:PutRecords on the stream, and kms:GenerateDataKey on its key if it has
// one.
type Client = kinesisdestination.API

// Stream is a Kinesis data stream to play into. Unlike a destination for what
// handlers emit it puts every payload as it is, and under its explicit hash where
// the event has one.
type Stream struct {
	client Client
	name   string
}

var _ destination.Publisher = (*Stream)(nil)

// Into names a stream by its name or its ARN. It calls nothing.
func Into(client Client, stream string) *Stream { return &Stream{client: client, name: stream} }

// String is the stream's name or ARN, as it was given.
func (s *Stream) String() string { return s.name }

// Validate says what is wrong with the arguments of Into.
func (s *Stream) Validate() error {
	if s.client == nil || s.name == "" {
		return errors.New("Into wants a client and the name of a stream")
	}
	return nil
}

// longestKey is a partition key in characters,
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecordsRequestEntry.html.
const longestKey = 256

// Publish puts events, up to 500 in a call and of one key one at a time. An event
// without a key is put under one of its own, and one whose key the service does not
// take under its SHA-256. An error is a *destination.PublishError.
func (s *Stream) Publish(ctx context.Context, events []batching.Emitted) error {
	return destination.Courier{
		Destination: s.name,
		Form:        destination.FormBytes,
		Limit:       callEvents,
		LimitBytes:  destination.MaxKinesisStreamBytes,
		Extra:       func(e *batching.Emitted) int { return len(partitionKey(e)) },
		Send:        s.send,
		Isolate:     func(err error) bool { return refusedFor(err, "InvalidArgumentException", "ValidationException") },
	}.Publish(ctx, events)
}

// send makes one call and tells the fate of each event.
func (s *Stream) send(ctx context.Context, parcels []destination.Parcel) ([]error, error) {
	entries := make([]types.PutRecordsRequestEntry, len(parcels))
	for i := range parcels {
		e := parcels[i].Record
		key := partitionKey(e)
		entries[i] = types.PutRecordsRequestEntry{Data: e.Data, PartitionKey: &key}
		if hash := e.Attributes[hashAttribute]; hash != "" {
			entries[i].ExplicitHashKey = &hash
		}
	}
	fates, err := kinesisdestination.Put(ctx, s.client, s.name, entries)
	if refusedFor(err, "InvalidArgumentException", "ValidationException", "ResourceNotFoundException", "AccessDeniedException") {
		return nil, fmt.Errorf("%w: %w", destination.ErrRefused, err)
	}
	return fates, err
}

// refusedFor reports whether the service refused a call with one of some codes.
func refusedFor(err error, codes ...string) bool {
	var coded interface{ ErrorCode() string }
	return errors.As(err, &coded) && slices.Contains(codes, coded.ErrorCode())
}

// unkeyed is what the key of an event begins with that has none.
const unkeyed = "event-"

func partitionKey(e *batching.Emitted) string {
	key := cmp.Or(e.Key, unkeyed+e.ID)
	if !utf8.ValidString(key) || utf8.RuneCountInString(key) > longestKey {
		sum := sha256.Sum256([]byte(key))
		return hex.EncodeToString(sum[:])
	}
	return key
}
