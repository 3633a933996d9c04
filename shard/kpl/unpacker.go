package kpl

import (
	"errors"

	"github.com/towpath/towpath/shard"
)

// Unpacker turns the records of a shard, as they were read, into what a handler
// gets: aggregates into their user records, each with the sequence number of the
// aggregate and its index there as Sub, and everything else as it is.
//
// Records go in with Feed and come out with Take, in parts that are bounded, as
// an aggregate of many small user records becomes many times larger than it was.
type Unpacker struct {
	// Policy says what becomes of user records that lie outside Hashes. Whole
	// leaves everything as it is.
	Policy Policy
	// Hashes is the range of the shard; the zero Range holds everything.
	Hashes Range
	// After is the last finished record. What is at or before it does not come
	// out: a reader may deliver that record again, as there can be user records
	// behind After in it.
	After shard.Position

	page  []shard.Record // what is left of what was fed; the first may be open
	plain bool           // there is nothing in page to unpack
	open  *Aggregate     // of page[0]
	held  *shard.Record  // taken out and not given, for want of room
	odd   shard.Aggregates
}

// Feed puts records in, which are the unpacker's from then on. It is to be
// called when nothing is left.
func (u *Unpacker) Feed(records []shard.Record) {
	u.page, u.plain = records, !u.After.IsRecord()
	for i := range records {
		if Framed(records[i].Data) {
			u.plain = false
			break
		}
	}
}

// Left reports whether Take has something to give that is at hand.
func (u *Unpacker) Left() bool { return u.held != nil }

// Take takes out what comes next, and what was odd about it: up to maxRecords
// records and maxBytes bytes, as Record.Size counts them, but one record at
// least. If it stops for want of room, there is something Left. What was fed
// without an aggregate in it comes out at once, however much it is.
func (u *Unpacker) Take(maxRecords int, maxBytes int64) ([]shard.Record, shard.Aggregates) {
	if u.plain || u.Policy == Whole {
		out := u.page
		u.page = nil
		return out, shard.Aggregates{}
	}
	var out []shard.Record
	for size := int64(0); ; {
		r, ok := u.next()
		if !ok {
			break
		}
		if size += int64(r.Size()); len(out) > 0 && (size > maxBytes || len(out) >= maxRecords) {
			u.held = &r
			break
		}
		out = append(out, r)
	}
	odd := u.odd
	u.odd = shard.Aggregates{}
	return out, odd
}

// next is the next record that is to be delivered.
func (u *Unpacker) next() (shard.Record, bool) {
	if r := u.held; r != nil {
		u.held = nil
		return *r, true
	}
	for len(u.page) > 0 {
		r := u.page[0]
		if u.open == nil {
			u.begin(&r)
		}
		if u.open == nil {
			u.shift()
			if u.isNew(&r) {
				return r, true
			}
			continue
		}
		user, ok := u.open.Next()
		if !ok {
			u.shift()
			continue
		}
		r.Sub, r.PartitionKey, r.Keyed, r.Data = user.Index, user.PartitionKey, true, user.Data
		if u.isNew(&r) && u.belongs(&user) {
			return r, true
		}
	}
	return shard.Record{}, false
}

// begin opens a record if it is an aggregate. One that only pretends to be is
// delivered as it is: whoever handles it is the one to say what becomes of it.
func (u *Unpacker) begin(r *shard.Record) {
	a, err := Decode(r.Data)
	var malformed *MalformedError
	switch {
	case err == nil:
		u.open = a
	case errors.As(err, &malformed) && u.isNew(r):
		u.odd.Malformed++
	}
}

// shift lets go of the first record of the page, and of its memory.
func (u *Unpacker) shift() {
	u.page[0], u.open = shard.Record{}, nil
	u.page = u.page[1:]
}

// isNew reports whether a record lies behind After. Once one does, all do.
func (u *Unpacker) isNew(r *shard.Record) bool {
	if !u.After.IsRecord() {
		return true
	}
	if r.Position().Compare(u.After) <= 0 {
		return false
	}
	u.After = shard.Position{}
	return true
}

// belongs reports whether a user record is to be delivered, by the policy.
func (u *Unpacker) belongs(user *User) bool {
	if u.Policy == Deliver || u.Hashes.Holds(user) {
		return true
	}
	u.odd.Outside++
	if u.Policy == Drop {
		u.odd.Dropped++
		return false
	}
	return true
}
