package window

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/shard"
)

// Aggregate is a handler that keeps a state for each key and each window of
// time, and gives it out when the window is over. Its state is kept with the
// checkpoint, so that each record is counted once whatever happens to the
// process, and follows its keys when shards are split and merged.
//
// An Aggregate belongs to one consumer, and there to one handler.
type Aggregate[T, S any] struct {
	spec    Spec[T, S]
	dropped atomic.Int64

	mu     sync.Mutex // guards shards; never held while waiting
	shards map[string]*tenure
}

// tenure is a shard from its Restore to its end. The engine makes one call for
// a shard at a time, and asks for its state between calls.
type tenure struct {
	book *book
	// wake is when the shard is to be woken, in nanoseconds since 1970; 0 is
	// never. It is asked for while a call runs.
	wake atomic.Int64
}

// New is an Aggregate. The error lists everything that is wrong with the spec.
func New[T, S any](spec Spec[T, S]) (*Aggregate[T, S], error) {
	spec = spec.withDefaults()
	if err := spec.validate(); err != nil {
		return nil, err
	}
	return &Aggregate[T, S]{spec: spec, shards: map[string]*tenure{}}, nil
}

// Dropped is how many records LateDrop has dropped in this process, repeats
// included.
func (a *Aggregate[T, S]) Dropped() int64 { return a.dropped.Load() }

// Restore begins a shard with its own state or, where it has none yet, with what
// its parents leave it. An ErrState or an ErrMerge keeps the shard from
// beginning: nothing is counted on a state that is not understood.
func (a *Aggregate[T, S]) Restore(_ context.Context, r batching.Restored) error {
	b, err := a.restore(r)
	if err != nil {
		return fmt.Errorf("restore the windows of %s: %w", r.Shard, err)
	}
	b.wind(int64(a.spec.Lateness))
	t := &tenure{book: b}
	t.schedule(a.trail(), 0)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.shards[r.Shard] = t
	return nil
}

func (a *Aggregate[T, S]) restore(r batching.Restored) (*book, error) {
	own, err := parseHashes(r.Hashes)
	if err != nil {
		return nil, err
	}
	if len(r.State) > 0 {
		b, err := readBook(r.State)
		if err == nil && own.set {
			b.hashes = own
		}
		return b, err
	}
	var parents []*book
	for id, state := range r.Inherited {
		if len(state) == 0 {
			parents = append(parents, newBook()) // it has not counted anything
			continue
		}
		p, err := readBook(state)
		if err != nil {
			return nil, fmt.Errorf("of its parent %s: %w", id, err)
		}
		parents = append(parents, p)
	}
	return inherit(own, parents, a.spec.Gap > 0, a.merger())
}

// State is what is to be written with the position. It is asked for between two
// calls.
func (a *Aggregate[T, S]) State(shardID string) ([]byte, error) {
	t := a.tenure(shardID)
	if t == nil || t.book.empty() {
		return nil, nil
	}
	return t.book.snapshot(), nil
}

func (a *Aggregate[T, S]) tenure(shardID string) *tenure {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.shards[shardID]
}

// begin is the shard's tenure; one that nobody restored begins empty.
func (a *Aggregate[T, S]) begin(shardID string) *tenure {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.shards[shardID]
	if t == nil {
		t = &tenure{book: newBook()}
		a.shards[shardID] = t
	}
	return t
}

// ShardLost forgets a shard that is no longer this worker's.
func (a *Aggregate[T, S]) ShardLost(shardID string, _ error) { a.forget(shardID) }

// ShardEnded forgets a shard that is finished. What it held is its children's.
func (a *Aggregate[T, S]) ShardEnded(shardID string) { a.forget(shardID) }

func (a *Aggregate[T, S]) forget(shardID string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.shards, shardID)
}

// trail is how far behind the service's time the watermark of an idle shard is.
func (a *Aggregate[T, S]) trail() time.Duration { return a.spec.OutOfOrderness + a.spec.Idle }

// schedule says when the shard is to be woken, not before a moment.
func (t *tenure) schedule(trail time.Duration, notBefore int64) {
	at, ok := t.book.alarms.next()
	if !ok {
		t.wake.Store(0)
		return
	}
	t.wake.Store(max(at+int64(trail), notBefore, 1))
}

// WakeAt is when a window of the shard is over if no record comes: the service's
// time.
func (a *Aggregate[T, S]) WakeAt(shardID string) (time.Time, bool) {
	t := a.tenure(shardID)
	if t == nil {
		return time.Time{}, false
	}
	at := t.wake.Load()
	return moment(at), at != 0
}

// between is how long a shard is left alone after a wake: about as long as until
// the reader has asked the stream once more.
const between = time.Second

// Wake moves the watermark of a shard that has no more records with the
// service's time, so that its windows close. The end of a shard closes nothing:
// what it holds goes to its children.
func (a *Aggregate[T, S]) Wake(ctx context.Context, w *batching.Wake) error {
	if w.Why != batching.WakeDue {
		return nil
	}
	t := a.begin(w.Shard)
	notBefore := w.Now.Add(between).UnixNano()
	defer func() { t.schedule(a.trail(), notBefore) }()
	to, ok := nanos(w.ReadUpTo)
	if !ok {
		return nil // records may still come that are older
	}
	return a.change(t.book, func(call *draft) error {
		return a.step(ctx, call.draft(), to-int64(a.trail()), w.Batch(), nil)
	})
}

// Handle counts records and gives out the windows that they let close.
func (a *Aggregate[T, S]) Handle(ctx context.Context, batch *batching.Batch) error {
	t := a.begin(batch.Shard)
	defer t.schedule(a.trail(), 0)
	return a.change(t.book, func(call *draft) error { return a.records(ctx, call, batch) })
}

// change makes one call's change, also if it fails half way: what it has
// committed until then is finished. If a callback ends the goroutine, nothing
// has happened.
func (a *Aggregate[T, S]) change(b *book, f func(call *draft) error) error {
	lateness := int64(a.spec.Lateness)
	returned := false
	defer func() {
		if !returned {
			b.wind(lateness)
		}
	}()
	call := b.draft()
	err := f(call)
	returned = true
	call.commit(lateness)
	return err
}

// errNextCall sets the records behind a rejected one aside for a call of their
// own, so that the state never counts further than what is finished.
var errNextCall = errors.New("the records behind a rejected one are handled by the next call")

func (a *Aggregate[T, S]) records(ctx context.Context, call *draft, batch *batching.Batch) error {
	for i := range batch.Records {
		r := &batch.Records[i]
		if ctx.Err() != nil {
			return batching.FailFrom(r, context.Cause(ctx))
		}
		err := a.record(ctx, call, batch, r)
		outcome := batching.Read(batch.Records[i:i+1], err)
		switch {
		case outcome.Failed:
			return batching.FailFrom(r, err)
		case len(outcome.Rejects) > 0 && i+1 < len(batch.Records):
			return errors.Join(err, batching.FailFrom(&batch.Records[i+1], batching.RetryAfter(0, errNextCall)))
		case len(outcome.Rejects) > 0:
			return err
		}
	}
	return nil
}

// record counts one record in a draft of its own, and commits that to the call's
// when nothing has failed.
func (a *Aggregate[T, S]) record(ctx context.Context, call *draft, batch *batching.Batch, r *shard.Record) (err error) {
	defer recovered(&err)
	var v T
	if err := a.spec.Codec.Decode(r.Data, &v); err != nil {
		return batching.Reject(r, err)
	}
	key, at := r.PartitionKey, r.ArrivedAt
	if a.spec.Key != nil {
		key = a.spec.Key(r, v)
	}
	if a.spec.EventTime != nil {
		at = a.spec.EventTime(r, v)
	}
	ns, ok := nanos(at)
	if !ok {
		return batching.Reject(r, ErrTime)
	}
	d := call.draft()
	place, swallowed := a.place(d.get(key), ns)
	if mark := d.book.markFor(r, d.mark); place.end+int64(a.spec.Lateness) <= mark {
		if a.spec.Late == LateReject {
			return batching.Reject(r, fmt.Errorf("%w: it ended at %v, the watermark is %v", ErrLate, moment(place.end), moment(mark)))
		}
		a.dropped.Add(1)
		if a.spec.OnDrop != nil {
			a.spec.OnDrop(ctx, r, moment(mark))
		}
		return nil
	}
	if err := a.add(ctx, d, key, place, swallowed, r, v); err != nil {
		return err
	}
	// What is said to happen after it arrived is a clock that is fast: it is
	// counted where it says, and lets nothing close before its time.
	to := ns
	if arrived, ok := nanos(r.ArrivedAt); ok {
		to = min(to, arrived)
	}
	return a.step(ctx, d, to-int64(a.spec.OutOfOrderness), batch, r)
}

// place is the window that a record belongs to, and those of its key that become
// one with it.
func (a *Aggregate[T, S]) place(panes []pane, at int64) (span, []int) {
	if a.spec.Gap > 0 {
		return sessions(panes, at, a.spec.Gap)
	}
	s := tumble(at, a.spec.Size)
	for i := range panes {
		if panes[i].span == s {
			return s, []int{i}
		}
	}
	return s, nil
}

// add counts a record in a window.
func (a *Aggregate[T, S]) add(ctx context.Context, d *draft, key string, place span, swallowed []int, r *shard.Record, v T) error {
	panes := d.get(key)
	var into pane
	for i, at := range swallowed {
		if i == 0 {
			into = panes[at]
			continue
		}
		var err error
		if into, err = combine(into, panes[at], a.merger()); err != nil {
			return err
		}
	}
	var state S
	if len(swallowed) > 0 {
		if err := a.spec.StateCodec.Decode(into.state, &state); err != nil {
			return fmt.Errorf("read the state of a window: %w", err)
		}
	}
	if err := a.spec.Add(ctx, &state, r, v); err != nil {
		return err
	}
	encoded, err := a.spec.StateCodec.Encode(state)
	if err != nil {
		return fmt.Errorf("write the state of a window: %w", err)
	}
	into.span, into.open, into.state = place, true, encoded
	d.put(key, swallowed, into)
	return nil
}

// merger is Spec.Merge on encoded states, nil if there is none.
func (a *Aggregate[T, S]) merger() merger {
	if a.spec.Merge == nil {
		return nil
	}
	return func(into, from []byte) ([]byte, error) {
		var x, y S
		if err := errors.Join(a.spec.StateCodec.Decode(into, &x), a.spec.StateCodec.Decode(from, &y)); err != nil {
			return nil, err
		}
		if err := a.spec.Merge(&x, y); err != nil {
			return nil, err
		}
		return a.spec.StateCodec.Encode(x)
	}
}

func recovered(err *error) {
	if v := recover(); v != nil {
		*err = panicked(v)
	}
}
