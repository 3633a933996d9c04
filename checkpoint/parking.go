package checkpoint

import (
	"context"
	"errors"
	"time"

	"github.com/towpath/towpath/shard"
)

// Parking is a Leases that keeps records of keys which are parked: their records
// are kept aside, in order, so that the position of the shard can move past them.
//
// Every write is an effect of a Save (Progress.Effects), so that it is made in
// one transaction with the lease row and only by its holder: a worker that lost
// the shard cannot park again what its successor has handled.
type Parking interface {
	// PrepareParking checks that the table of parked records is there, and
	// creates it if the driver was asked to create tables.
	PrepareParking(ctx context.Context) error
	// ParkedKeys reads which keys are parked of a handler and belong to the shard
	// of a row, strongly consistent: those whose Point lies in the row's Hashes,
	// whichever shard parked them, and those of this shard alone.
	ParkedKeys(ctx context.Context, row shard.Lease, handler string) ([]ParkedKey, error)
	// ParkedRecords reads the oldest records of a key in their order, strongly
	// consistent: as many as the bounds allow, but always one if there is one.
	ParkedRecords(ctx context.Context, row shard.Lease, key ParkedKey, records int, bytes int64) ([]ParkedRecord, error)
	// Park are the effects that add records to a key, whose row becomes as key
	// says. A record that is there already is replaced by itself. A record that
	// can not be kept is ErrNotParkable.
	Park(row shard.Lease, key ParkedKey, records []shard.Record) (effects []any, err error)
	// Unpark are the effects that delete records of a key, whose row becomes as
	// key says; with Records 0 it is deleted.
	Unpark(row shard.Lease, key ParkedKey, records []ParkedRecord) (effects []any, err error)
}

// ErrNotParkable says that a record can not be parked, as it is too large.
var ErrNotParkable = errors.New("the record can not be parked")

// ParkedKey is a key whose records are kept aside.
type ParkedKey struct {
	// Handler is the handler's name where a consumer has several.
	Handler string
	// Key is what order belongs to: as the records themselves, it stands in the
	// table and is shown nowhere. Hash is its SHA-256 in hexadecimal, which stands
	// for it.
	Key, Hash string
	// Shard is the shard that it belongs to alone; empty if it belongs to
	// whichever shard takes its Point, the children of the one that parked it
	// among them.
	Shard string
	// Point is where the key lies among the hashes of the stream
	// (shard.PointOf); empty with Shard.
	Point string
	// Records is how many are kept, and Bytes the sum of their sizes.
	Records int
	Bytes   int64
	// Attempts is how many calls of the oldest one have failed.
	Attempts int
	// Since is when the key was parked and Due when it is tried again, both by
	// the service's time. Zero Due is at once.
	Since, Due time.Time
	// First and Last are the positions of the record with which the key was
	// parked and of the newest that was ever parked of LastShard, and SeekGen that
	// of the row at the time: what comes again from First to Last is kept already,
	// or was handled since. What comes again before First may not have been
	// handled: it was with the handler when the key was parked.
	First, Last shard.Position
	// Joined is the newest of those before First that have joined, in their order,
	// as they failed: what comes again up to it is kept, too, or was handled. The
	// zero Position is none.
	Joined    shard.Position
	LastShard string
	SeekGen   int64
}

// Knows reports whether a record that comes of a parked key has been parked
// before: it was read again after its position could not be saved.
func (k ParkedKey) Knows(r *shard.Record, seekGen int64) bool {
	at := r.Position()
	return r.Shard == k.LastShard && seekGen == k.SeekGen &&
		(at.Compare(k.First) >= 0 && at.Compare(k.Last) <= 0 || at.Compare(k.Joined) <= 0)
}

// With is the key with records added to it, which were parked at now.
func (k ParkedKey) With(records []shard.Record, seekGen int64) ParkedKey {
	for i := range records {
		r := &records[i]
		k.Records++
		k.Bytes += int64(r.Size())
		at := r.Position()
		switch {
		case r.Shard != k.LastShard || seekGen != k.SeekGen:
			k.First, k.Last, k.Joined, k.LastShard, k.SeekGen = at, at, shard.Position{}, r.Shard, seekGen
		case at.Compare(k.First) < 0 && at.Compare(k.Joined) > 0:
			k.Joined = at
		case at.Compare(k.Last) > 0:
			k.Last = at
		}
	}
	return k
}

// Without is the key without records that were handled, of which the next has
// failed no call yet. It keeps at least one in its count until it is Emptied.
func (k ParkedKey) Without(records []ParkedRecord) ParkedKey {
	for i := range records {
		k.Records--
		k.Bytes -= int64(records[i].Record.Size())
	}
	if len(records) > 0 {
		k.Attempts = 0
	}
	k.Records, k.Bytes = max(1, k.Records), max(0, k.Bytes)
	return k
}

// Emptied is the key of which nothing is left.
func (k ParkedKey) Emptied() ParkedKey {
	k.Records, k.Bytes, k.Attempts = 0, 0, 0
	return k
}

// ParkedRecord is a record as it is kept.
type ParkedRecord struct {
	// Record is the record.
	Record shard.Record
	// Parts is how many items it takes, which counts when it is deleted.
	Parts int
}
