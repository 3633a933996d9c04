package dynamoshards

import (
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/towpath/towpath/shard"
)

// cursor is how far a reader has delivered.
type cursor struct {
	// last is the record behind which to go on; a word until one is delivered.
	last shard.Position
	// arrived is when the record at last was written, zero if not known.
	arrived time.Time
	// caughtUp is the service's time up to which everything had been delivered,
	// zero if that is not known.
	caughtUp time.Time
	// from is the time at which to begin, while nothing has been delivered:
	// older records are dropped. Zero drops none.
	from time.Time
	// fine is set once a time of the stream was seen that is no whole minute, so
	// that its times are not rounded to minutes.
	fine bool
}

// harvest is what a page has for a cursor.
type harvest struct {
	records []shard.Record
	skipped int // records that did not lie behind the one before
	cut     bool
	cursor  cursor // after the records were delivered
}

// maxBytes is what the records of one chunk may be together, as
// shard.Record.Size counts them without the overhead. The service gives 1 MB a
// page by its own count, and their JSON is up to ten times as large: an element
// of a list that is true counts as two bytes, and is written in fifteen.
const maxBytes = 10 << 20

// harvest takes from a page what lies behind the cursor, in order. A record that
// cannot be placed, as its sequence number is no number, ends it: the page is
// used up to it, and it is an error if nothing new comes before it. So does one
// that would make the chunk too large.
func (c cursor) harvest(page []types.Record, arn, shardID string) (harvest, error) {
	h := harvest{cursor: c}
	for _, r := range page {
		if r.Dynamodb != nil {
			at := aws.ToTime(r.Dynamodb.ApproximateCreationDateTime)
			h.cursor.fine = h.cursor.fine || !at.Truncate(time.Minute).Equal(at)
		}
	}
	bytes := 0
	for _, r := range page {
		if r.Dynamodb == nil {
			return h.cutAt(fmt.Errorf("the next record, %q, has no member dynamodb", aws.ToString(r.EventID)))
		}
		position := shard.After(aws.ToString(r.Dynamodb.SequenceNumber), 0)
		if !position.IsRecord() || position.Validate() != nil {
			return h.cutAt(fmt.Errorf("the next record has the sequence number %q, want a decimal number", position.Sequence))
		}
		at := aws.ToTime(r.Dynamodb.ApproximateCreationDateTime)
		switch {
		case h.cursor.last.IsRecord() && shard.CompareSequences(position.Sequence, h.cursor.last.Sequence) <= 0:
			h.skipped++
			continue
		case h.cursor.early(at):
			continue
		}
		record := toRecord(&r, arn, shardID, at)
		if bytes += len(record.Data) + len(record.PartitionKey); bytes > maxBytes && len(h.records) > 0 {
			h.cut = true
			return h, nil
		}
		h.records = append(h.records, record)
		h.cursor.last, h.cursor.arrived, h.cursor.from = position, at, time.Time{}
		if at.After(h.cursor.caughtUp) {
			h.cursor.caughtUp = at // what came before it has been delivered
		}
	}
	return h, nil
}

// cutAt ends a harvest before a record that cannot be used.
func (h harvest) cutAt(err error) (harvest, error) {
	if len(h.records) == 0 {
		return harvest{}, err
	}
	h.cut = true
	return h, nil
}

// early reports whether a record is from before the time at which to begin.
// Times are cut to the second by the service, and to the minute by some servers,
// so a record whose time may have been cut across that time is not early: some
// from before it are delivered rather than one from after it dropped.
func (c cursor) early(at time.Time) bool {
	cut := time.Minute
	if c.fine {
		cut = time.Second
	}
	return !c.from.IsZero() && !at.Add(cut).After(c.from)
}
