package kinesisshards

import (
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kpl"
)

// cursor is how far a reader has delivered.
type cursor struct {
	// last is the record behind which to go on; a word until one is delivered.
	last shard.Position
	// whole is set once the record at last was delivered by this reader, so that
	// nothing within it is left to deliver.
	whole bool
	// arrived is when the record at last arrived, zero if not known.
	arrived time.Time
	// caughtUp is the service's time at which everything had been delivered,
	// zero if that never was.
	caughtUp time.Time
}

// harvest is what a page has for a cursor.
type harvest struct {
	records []shard.Record
	skipped int   // records that did not lie behind the one before
	bytes   int64 // of all records in the page, as the service's limits count
	// first is the sequence number of the first record that is not before the
	// cursor, and firstArrived when it arrived. It may be the record at the
	// cursor. Empty if the page has none.
	first        string
	firstArrived time.Time
	// cut is set if the page was not used to its end.
	cut bool
}

// harvest takes from a page what lies behind the cursor, in order. With anchored
// set the page may begin with the record at the cursor itself, which is not
// counted as skipped. A record whose sequence number is no number cannot be
// placed: the page is used up to it, and it is an error if nothing new comes
// before it.
func (c cursor) harvest(page []types.Record, anchored bool, stream, shardID string) (harvest, error) {
	var h harvest
	if len(page) > 0 {
		h.records = make([]shard.Record, 0, len(page))
	}
	last := c.last
	for _, r := range page {
		record := shard.Record{
			Stream:       stream,
			Shard:        shardID,
			Sequence:     aws.ToString(r.SequenceNumber),
			PartitionKey: aws.ToString(r.PartitionKey),
			Keyed:        r.PartitionKey != nil,
			Data:         r.Data,
			ArrivedAt:    aws.ToTime(r.ApproximateArrivalTimestamp),
		}
		h.bytes += int64(len(record.Data) + len(record.PartitionKey))
		p := record.Position()
		if !p.IsRecord() || p.Validate() != nil {
			if len(h.records) == 0 {
				return harvest{}, fmt.Errorf("the next record has the sequence number %q, want a decimal number", record.Sequence)
			}
			h.cut = true
			return h, nil
		}
		order := 1
		if last.IsRecord() {
			order = shard.CompareSequences(record.Sequence, last.Sequence)
		}
		anchor := anchored && order == 0 && h.first == ""
		if order >= 0 && h.first == "" {
			h.first, h.firstArrived = record.Sequence, record.ArrivedAt
		}
		switch {
		case order > 0, anchor && c.unfinished(record.Data):
			h.records = append(h.records, record)
			last = p
		case anchor:
			// The repeat that was asked for.
		default:
			h.skipped++
		}
	}
	return h, nil
}

// unfinished reports whether the record at the cursor may have user records in
// it that are not finished: it is an aggregate that a former reader delivered.
func (c cursor) unfinished(data []byte) bool {
	return !c.whole && (c.last.Sub > 0 || kpl.Framed(data))
}

// advanced is the cursor after a harvest was delivered.
func (c cursor) advanced(h harvest) cursor {
	if n := len(h.records); n > 0 {
		c.last, c.whole, c.arrived = h.records[n-1].Position(), true, h.records[n-1].ArrivedAt
	}
	return c
}
