package consumer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/internal/dice"
	"github.com/towpath/towpath/shard"
)

// Collect is a Handler that gathers the records of many batches of a shard and
// has them written as one, such as an object in a bucket. Records are finished
// when the Flush that had them has returned nil, and the checkpoint waits for
// it. Its pointer is the handler:
//
//	Handler: &consumer.Collect{MaxBytes: 64 << 20, MaxAge: 5 * time.Minute, Flush: write}
//
// A shard's records are flushed when they are enough or old enough, when memory
// is short or no more may be in flight, and before the shard is let go or ends. A
// flush that fails is made again with the same records, after a wait, and uses up
// no attempt of any record; nothing is added meanwhile, so that a repeat writes
// the same. Calls of Flush for one shard follow one another.
//
// When the lease is lost, what was collected is dropped unwritten: the shard's
// next owner reads the same records again. Only a flush that runs by then goes on
// to its end, and what it writes is written again by the other, though perhaps in
// other parts: where one collection ends and the next begins is not the same for
// two owners. See Collected.Name for what that means for the names of objects.
//
// A Collect belongs to one Config. Records count for MemoryBudget and
// MaximumInFlight while they are collected; set these to have room for what all
// shards, and one shard, are to collect.
type Collect struct {
	// MaxBytes is how many bytes of payload a flush gets at most, as
	// shard.Record.Size counts them: default 16 MiB. A batch that alone is larger
	// is flushed alone.
	MaxBytes int64
	// MaxRecords is how many records a flush gets at most: default 0, which is no
	// bound. A batch that alone has more is flushed alone.
	MaxRecords int
	// MaxAge is how long a record is collected before its flush begins: default a
	// minute. Shorter makes smaller objects, longer delays the checkpoint. The
	// flush waits for a handler's place as any call does: with MaximumConcurrency,
	// or while another shard's records are handled alone to find the one that
	// kills processes, it begins later.
	MaxAge time.Duration
	// Check, if set, looks at each record before it is collected. One that it
	// returns an error for is rejected and goes to OnFailure, which then is
	// required, and the others are collected. It must be quick, and say the same
	// of the same record.
	Check func(*shard.Record) error
	// Flush writes what was collected and returns nil when it is durable. It must
	// not change the records.
	Flush func(ctx context.Context, c *Collected) error

	mu     sync.Mutex // guards what is below; never held while waiting
	shards map[string]*collection
}

// collection is what was collected of a shard in one tenure.
type collection struct {
	// turn is held by whoever adds or flushes: capacity 1, as it is waited for.
	turn  chan struct{}
	fence batching.Fence

	// What is below is guarded by the mu of the Collect, and changed by the
	// holder of the turn alone.
	records []shard.Record
	acks    []*batching.Ack
	bytes   int64
	due     time.Time // when it is to be flushed, by the service's clock
	fails   int       // flushes in a row
	retry   time.Time // before it no call with records tries again
}

// The defaults of a Collect.
const (
	defaultCollectBytes = 16 << 20
	defaultCollectAge   = time.Minute
)

var (
	_ Waker        = (*Collect)(nil)
	_ ShardStarter = (*Collect)(nil)
	_ ShardLoser   = (*Collect)(nil)
	_ ShardEnder   = (*Collect)(nil)
)

// Validate reports what is wrong with the fields; New calls it.
func (c *Collect) Validate() error {
	var problems []error
	if c.Flush == nil {
		problems = append(problems, errors.New("Flush is missing: set it to a function that writes what was collected"))
	}
	if c.MaxBytes < 0 {
		problems = append(problems, fmt.Errorf("MaxBytes is %d, want 0 or more", c.MaxBytes))
	}
	if c.MaxRecords < 0 {
		problems = append(problems, fmt.Errorf("MaxRecords is %d, want 0 or more", c.MaxRecords))
	}
	if c.MaxAge < 0 {
		problems = append(problems, fmt.Errorf("MaxAge is %v, want 0 or more", c.MaxAge))
	}
	return errors.Join(problems...)
}

// Handle collects a batch, and flushes what was collected before if there is no
// room for it.
func (c *Collect) Handle(ctx context.Context, b *batching.Batch) error {
	one := c.of(b.Shard, b.Fence())
	if err := one.take(ctx); err != nil {
		return batching.RetryAfter(0, err)
	}
	defer one.pass()
	var rejected []error
	records := b.Records
	if c.Check != nil {
		records = make([]shard.Record, 0, len(b.Records))
		for i := range b.Records {
			if err := c.Check(&b.Records[i]); err != nil {
				rejected = append(rejected, batching.Reject(&b.Records[i], err))
				continue
			}
			records = append(records, b.Records[i])
		}
	}
	if !c.fits(one, records) {
		// No attempt is used up: it is not these records that fail.
		if wait := time.Until(one.retry); wait > 0 {
			return batching.RetryAfter(wait, errFlushWaits)
		}
		if err := c.flush(ctx, one, b); err != nil {
			return batching.RetryAfter(max(0, time.Until(one.retry)), err)
		}
	}
	if len(records) > 0 {
		c.add(one, b, records)
	}
	return errors.Join(rejected...)
}

var errFlushWaits = errors.New("what was collected could not be flushed, and will be tried again")

// WakeAt is when the shard's collection is to be flushed.
func (c *Collect) WakeAt(shardID string) (at time.Time, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	one := c.shards[shardID]
	if one == nil || len(one.records) == 0 {
		return time.Time{}, false
	}
	return one.due, true
}

// Wake flushes the shard's collection, if there is one.
func (c *Collect) Wake(ctx context.Context, w *batching.Wake) error {
	one := c.of(w.Shard, w.Token)
	if err := one.take(ctx); err != nil {
		return err
	}
	defer one.pass()
	if len(one.records) == 0 || w.Why == batching.WakeDue && w.Now.Before(one.due) {
		return nil
	}
	return c.flush(ctx, one, w.Batch())
}

// ShardStarted begins the shard's collection anew.
func (c *Collect) ShardStarted(_ context.Context, s ShardStart) error {
	c.drop(s.Shard)
	return nil
}

// ShardLost drops what is collected of the shard, which another owner collects
// again.
func (c *Collect) ShardLost(shardID string, _ error) { c.drop(shardID) }

// ShardEnded forgets the shard.
func (c *Collect) ShardEnded(shardID string) { c.drop(shardID) }

func (c *Collect) drop(shardID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.shards, shardID)
}

// of is the shard's collection in the tenure. What another tenure collected is
// dropped.
func (c *Collect) of(shardID string, fence batching.Fence) *collection {
	c.mu.Lock()
	defer c.mu.Unlock()
	one := c.shards[shardID]
	if one == nil || one.fence != fence {
		one = &collection{turn: make(chan struct{}, 1), fence: fence}
		if c.shards == nil {
			c.shards = map[string]*collection{}
		}
		c.shards[shardID] = one
	}
	return one
}

// take waits for the turn, and pass gives it on.
func (o *collection) take(ctx context.Context) error {
	select {
	case o.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (o *collection) pass() { <-o.turn }

// fits reports whether records can be added to what is collected. To what could
// not be flushed nothing is added.
func (c *Collect) fits(o *collection, records []shard.Record) bool {
	if len(o.records) == 0 || len(records) == 0 {
		return true
	}
	return o.fails == 0 && o.bytes+sizeOf(records) <= c.maxBytes() && len(o.records)+len(records) <= c.maxRecords()
}

func (c *Collect) maxBytes() int64 { return or(c.MaxBytes, defaultCollectBytes) }
func (c *Collect) maxRecords() int { return or(c.MaxRecords, math.MaxInt) }

func (c *Collect) add(o *collection, b *batching.Batch, records []shard.Record) {
	ack := b.Defer()
	now := b.Now
	if now.IsZero() {
		now = time.Now()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(o.records) == 0 {
		o.due = now.Add(or(c.MaxAge, defaultCollectAge))
	}
	o.records, o.acks, o.bytes = append(o.records, records...), append(o.acks, ack), o.bytes+sizeOf(records)
	if o.bytes >= c.maxBytes() || len(o.records) >= c.maxRecords() {
		o.due = now
	}
}

// flush has the collection written, and its records finished.
func (c *Collect) flush(ctx context.Context, o *collection, b *batching.Batch) error {
	if c.Flush == nil {
		return c.Validate()
	}
	// Batches of several lanes are not in the order of the shard.
	slices.SortFunc(o.records, func(a, b shard.Record) int { return a.Position().Compare(b.Position()) })
	err := c.write(ctx, &Collected{
		Stream: b.Stream, Shard: b.Shard, Handler: b.Handler, Records: o.records, Bytes: o.bytes, Token: b.Token, Held: b.Held,
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		o.fails++
		o.retry = time.Now().Add(backoff(dice.Dice{}, o.fails, batching.DefaultMinBackoff, batching.DefaultMaxBackoff))
		return fmt.Errorf("flush %d records of %s: %w", len(o.records), b.Shard, err)
	}
	for _, a := range o.acks {
		a.Done()
	}
	o.records, o.acks, o.bytes, o.fails, o.retry = nil, nil, 0, 0, time.Time{}
	return nil
}

// write calls Flush. A panic is an error: it must not count against the records
// of the batch that there was no room for.
func (c *Collect) write(ctx context.Context, collected *Collected) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &batching.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return c.Flush(ctx, collected)
}
