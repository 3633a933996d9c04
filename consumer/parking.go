package consumer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/shard"
)

// parking is what a shard's loop knows of its parked keys. A key that is parked
// is held by the gate: what comes of it is written into the table, and what is
// there is read again and called when the key is due. Every write is made with
// the lease row (sideWrite), one at a time.
//
// A record of a parked key is finished for the tracker when the table has it. So
// whatever is read again after a crash is kept already (ParkedKey.Knows), or is
// older than all that is kept, and then joins it.
type parking struct {
	*shardLoop
	table checkpoint.Parking
	row   shard.Lease // as it was when the loop began: key, range and seeks
	keys  map[string]*parkedKey
	order []*parkedKey // as they are looked at for what is to be written
	total struct {
		records int
		bytes   int64
	}
	write   *parkWrite
	again   *parkWrite // one that is not known to have been made: it goes before all others
	retryAt time.Time
	tries   int
	lost    bool  // nothing more can be written
	tickets int64 // of records that are called again: below 0, so that the tracker has none of them
	called  map[int64]*parkedKey
	readTo  shard.Position
}

// parkedKey is one key that is parked.
type parkedKey struct {
	name string
	now  checkpoint.ParkedKey // as the table has it
	said bool                 // the table has a row of it
	full bool                 // its next record can not be parked
	// joinedGone is set when nothing is kept any more of what has joined it.
	joinedGone bool

	// What is called again, and how much of that is finished, from its beginning.
	batch   []checkpoint.ParkedRecord
	first   int64 // the ticket of the first, the next is one lower
	done    []bool
	reading bool
	calling bool        // and not all of it is finished
	gone    bool        // the table has nothing of it, whatever its row counts
	failed  *asideBatch // the rest of it waits

	// How often a record failed that was called from memory.
	waitedAt       shard.Position
	waitedAttempts int

	notUntil time.Time
}

// newParking is the parking of a loop, with the keys that are parked already;
// nil if none ever are.
func (l *shardLoop) newParking(row shard.Lease, keys []checkpoint.ParkedKey) *parking {
	if !l.cfg.Park.on() {
		return nil
	}
	p := &parking{
		shardLoop: l, table: l.cfg.Leases.(checkpoint.Parking), row: row,
		keys: map[string]*parkedKey{}, called: map[int64]*parkedKey{}, readTo: l.from.Position,
	}
	now := time.Now()
	for _, k := range keys {
		p.enter(&parkedKey{name: k.Key, now: k, said: true, notUntil: p.here(k.Due)}, now)
	}
	return p
}

// loadParked reads which keys of the shard are parked of a handler.
func (t *tenure) loadParked(handler string) ([]checkpoint.ParkedKey, error) {
	if !t.worker.cfg.Park.on() {
		return nil, nil
	}
	table := t.worker.cfg.Leases.(checkpoint.Parking)
	for try := 1; ; try++ {
		keys, err := tableCall(t.reading, t.worker, func(ctx context.Context) ([]checkpoint.ParkedKey, error) {
			return table.ParkedKeys(ctx, t.row, handler)
		})
		if err == nil {
			return keys, nil
		}
		t.worker.note(t.row.Shard, handler, fmt.Errorf("read which keys are parked: %w", err))
		if err := clock.Sleep(t.reading, backoff(t.worker.dice, try, 100*time.Millisecond, 10*time.Second, "parked", t.row.Key)); err != nil {
			return nil, err
		}
	}
}

// here is a time of the service by this host's clock.
func (p *parking) here(service time.Time) time.Time {
	if service.IsZero() {
		return time.Time{}
	}
	return time.Now().Add(service.Sub(p.worker.serviceNow()))
}

func (p *parking) enter(k *parkedKey, now time.Time) {
	p.keys[k.name] = k
	p.order = append(p.order, k)
	p.total.records += k.now.Records
	p.total.bytes += k.now.Bytes
	p.gate.Park(k.name, now)
}

// become takes over what the table has of a key.
func (p *parking) become(k *parkedKey, now checkpoint.ParkedKey) {
	p.total.records += now.Records - k.now.Records
	p.total.bytes += now.Bytes - k.now.Bytes
	k.joinedGone = k.joinedGone && now.Joined == k.now.Joined
	k.now = now
}

// park begins to park a key, if it may be, and reports whether it does. Wait is
// how long until its first record is called again.
func (p *parking) park(name string, first *shard.Record, attempts int, wait time.Duration, now time.Time) bool {
	if p == nil || p.keys[name] != nil || len(p.keys) >= p.cfg.Park.Keys || !p.room(first) {
		return false
	}
	service := p.worker.serviceNow()
	k := checkpoint.ParkedKey{
		Handler: p.seat.handler, Key: name, Hash: batching.HashKey(name), Attempts: attempts, Since: service, Due: service.Add(wait),
	}
	// A key lies where its partition key does, if nothing else makes keys and the
	// record was not put elsewhere with an explicit hash key.
	if at := shard.PointOf(first.PartitionKey); p.cfg.Key == nil && first.Keyed && p.row.Hashes.Holds(at) {
		k.Point = at
	} else {
		k.Shard = p.shard
	}
	if _, err := p.table.Park(p.row, k, []shard.Record{*first}); err != nil {
		p.worker.note(p.shard, p.handler, err)
		return false
	}
	p.enter(&parkedKey{name: name, now: k, notUntil: now.Add(wait)}, now)
	return true
}

// room reports whether one more record may be parked.
func (p *parking) room(r *shard.Record) bool {
	return p.total.records < p.cfg.Park.Records && p.total.bytes+int64(r.Size()) <= p.cfg.Park.Bytes
}

// knows finishes a record of a parked key that the table has already.
func (p *parking) knows(name string, r *shard.Record) bool {
	if p == nil {
		return false
	}
	k := p.keys[name]
	return k != nil && k.said && k.now.Knows(r, p.row.SeekGen)
}

// overflows parks a key of which too much waits in memory.
func (p *parking) overflows(name string, now time.Time) {
	if p == nil || p.keys[name] != nil || p.gate.Len(name) <= p.cfg.Park.Backlog || p.gate.Calling(name) {
		return
	}
	head := p.gate.Peek(name, batching.Gathering{Records: 1})
	attempts, wait := p.gate.Attempts(name), time.Duration(0)
	if attempts > 0 {
		wait = p.cfg.Park.RetryEvery
	}
	if !p.park(name, &head.Records[0], attempts, wait, now) {
		return
	}
	// What its lane has gathered of it comes first.
	lane := p.lanes[p.split.Of(&head.Records[0])].gather
	p.gate.Return(name, lane.Extract(func(r *shard.Record) bool { return p.keyOf(r) == name }), now)
}

// mayEnd reports whether the end of the shard may be written: keys that are
// parked of this shard alone hold it up, as nobody else could handle them.
func (p *parking) mayEnd() bool {
	if p == nil {
		return true
	}
	if p.owes() {
		return false
	}
	for _, k := range p.order {
		if k.now.Shard != "" {
			return false
		}
	}
	return true
}

// owes reports whether something that was handled is not yet written.
func (p *parking) owes() bool {
	if p == nil || p.lost {
		return false
	}
	if p.write != nil || p.again != nil {
		return true
	}
	for _, k := range p.order {
		if k.gone || k.handled() > 0 && !k.calling {
			return true
		}
	}
	return false
}

// handled is how many records of the batch are finished, from its beginning.
func (k *parkedKey) handled() int {
	if n := slices.Index(k.done, false); n >= 0 {
		return n
	}
	return len(k.done)
}

// release has a key called again now. The name may be its hash.
func (p *parking) release(name string) error {
	if p != nil {
		for _, k := range p.order {
			if k.name == name || k.now.Hash == name {
				k.notUntil = time.Time{}
				return nil
			}
		}
	}
	return fmt.Errorf("unpark a key of %s: %w", p.shard, ErrNotParked)
}

// shownKeys is how many parked keys a status names.
const shownKeys = 100

// publishParked shows what is parked.
func (p *parking) publishParked() {
	if p == nil {
		return
	}
	s := ParkedStatus{Keys: len(p.order), Records: p.total.records, Bytes: p.total.bytes}
	for _, k := range p.order {
		if s.Oldest.IsZero() || k.now.Since.Before(s.Oldest) {
			s.Oldest = k.now.Since
		}
		if len(s.Shown) < shownKeys {
			s.Shown = append(s.Shown, ParkedKeyStatus{Key: k.now.Hash, Records: k.now.Records, Since: k.now.Since, Due: k.now.Due, Attempts: k.now.Attempts})
		}
	}
	slices.SortFunc(s.Shown, func(a, b ParkedKeyStatus) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Key, b.Key)) })
	p.status.publishParked(s)
}
