package consumer

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/shard"
)

// Status is what a worker is doing now.
type Status struct {
	// Worker is its id; empty if the consumer does not run, and before it has
	// registered for the first time.
	Worker string
	// Stopping tells that the run was told to end and lets its shards go.
	Stopping bool
	// Loops are when the loops of the worker have turned. It is there before
	// Worker is, and zero if the consumer does not run.
	Loops Loops
	// Valid tells whether its session is, and ValidFor for how long without
	// another heartbeat.
	Valid    bool
	ValidFor time.Duration
	// MemoryHeld is how many bytes of MemoryBudget are in use.
	MemoryHeld, MemoryBudget int64
	// Limited tells whether the calls that run at once in the whole fleet are
	// limited, Limit to how many, and Share how many of them are this worker's;
	// 0 before it has learnt of it. ControlError says why it could not read that
	// when it last tried, and goes on as before; empty if it could.
	Limited      bool
	Limit, Share int
	ControlError string
	// Running is how many handler calls run in this process, with those that
	// have a place and wait for RecordsPerSecond.
	Running int
	// Pauses are what is held back in the whole fleet.
	Pauses []shard.Pause
	// Neighbours are the workers of another library that have been seen at work
	// on the lease table in the last three lease durations, by id. Unless
	// BesideKCL2 is set there should be none: an application that has some is not
	// healthy.
	Neighbours []string
	// Move is a move of all positions that is under way, for which every worker
	// stands still; the zero Move is none.
	Move shard.Move
	// Breaker is the state of the breaker; of several, that of the first that is
	// not closed.
	Breaker batching.BreakerState
	// Streams are the streams of a source of many, by name; none where there is
	// one stream. StreamsError says why their list could not be had when it was
	// asked for last; empty if it could.
	Streams      []StreamStatus
	StreamsError string
	// Shards are the shards it works, by id.
	Shards []ShardStatus
}

// ShardStatus is what a worker does with one shard.
type ShardStatus struct {
	// Stream is the ARN of the stream, and Shard the shard's id: among many
	// streams that of shard.StreamKey.ID.
	Stream, Shard string
	// Handler is the handler's name, where a consumer has several: each has a
	// ShardStatus for each shard.
	Handler string
	// Mark is the furthest position before which everything is finished, and
	// Checkpoint the one that is written.
	Mark, Checkpoint shard.Position
	// Pending is how many records are read and not finished, Busy how many lanes
	// are at work.
	Pending, Busy int
	// KeysHeld is how many keys wait while others go on, and RecordsHeld how many
	// of the pending records are theirs.
	KeysHeld, RecordsHeld int
	// Deferred is how many of the pending records their handler finishes later.
	Deferred int
	// Parked is what is kept in a table of keys that are parked.
	Parked ParkedStatus
	// Handled is how many records this worker has finished in this tenure.
	Handled int64
	// Filtered is how many of those matched none of the filters.
	Filtered int64
	// Malformed is how many aggregated records could not be unpacked and were
	// delivered as they are, in this tenure. Outside is how many user records of
	// aggregates did not belong to the shard, and OutsideDropped how many of those
	// were dropped: see shard.Aggregates. What is read again is counted again.
	Malformed, Outside, OutsideDropped int64
	// Behind is how far behind the tip the last read ended.
	Behind time.Duration
	// Age is how old what is not finished is: the oldest record that is read and
	// not finished, by the service's time, or what the last read has not reached.
	// 0 before the first read.
	Age time.Duration
	// Retention is how long the service keeps a record of the stream: what is as
	// old as that is trimmed, finished or not. 0 if the source does not say.
	Retention time.Duration
	// Still is for how long the shard has got nowhere although it has something to
	// do and nobody holds it back, counted by looks, a few in a lease duration. See
	// Config.StallTimeout.
	Still time.Duration
	// ReadAt, ProgressAt and CheckpointAt are when something was last read,
	// finished and written; zero if never.
	ReadAt, ProgressAt, CheckpointAt time.Time
	// Paused tells whether the shard is held back as a whole.
	Paused bool
	// Error is the last error of reading, handler or destination; empty if none.
	Error string
}

// ParkedStatus is what is parked of one shard.
type ParkedStatus struct {
	// Keys is how many keys are parked, Records how many records of them, and
	// Bytes the sum of their sizes.
	Keys, Records int
	Bytes         int64
	// Oldest is since when the first of them has been parked, by the service's
	// time; zero if none is.
	Oldest time.Time
	// Shown are the 100 that were looked at last, by Since.
	Shown []ParkedKeyStatus
}

// ParkedKeyStatus is one key that is parked.
type ParkedKeyStatus struct {
	// Key is the SHA-256 of the key in hexadecimal.
	Key string
	// Records is how many are parked, and Attempts how many calls of the first
	// have failed.
	Records, Attempts int
	// Since is when it was parked, Due when it is called again, by the service's
	// time.
	Since, Due time.Time
}

// Status says what the consumer is doing now. It costs no call to AWS.
func (c *Consumer) Status() Status {
	c.mu.Lock()
	w := c.worker
	c.mu.Unlock()
	if w == nil {
		return Status{}
	}
	loops := w.loops.snapshot(w.clock, w.timing.beat)
	f := w.currentFleet()
	if f == nil {
		return Status{Loops: loops, MemoryBudget: w.cfg.MemoryBudget}
	}
	s := Status{Loops: loops, Stopping: w.stopping(), MemoryBudget: w.cfg.MemoryBudget, Worker: f.session.id, Valid: f.session.valid(), ValidFor: max(0, f.session.left()), MemoryHeld: w.budget.inUse(), Breaker: w.breakerState()}
	control, share, fault := w.pace.now()
	s.Running, _ = w.pace.slots.inUse()
	s.Limited, s.Limit, s.ControlError, s.Pauses = control.Limited, control.Limit, fault, slices.Clone(control.Pauses)
	s.Move = control.Move
	if s.Limited {
		s.Share = share
	}
	s.Streams, s.StreamsError = w.streamsNow()
	s.Neighbours = w.neighboursAtWork()
	service := w.serviceNow()
	f.mu.Lock()
	for _, t := range f.tenures {
		if t.ended() {
			continue
		}
		for _, status := range t.statuses {
			one := status.snapshot()
			one.Age, one.Retention = status.age(service), t.branch.stream.Retention
			one.Paused = control.Paused(one.Shard)
			one.Error = cmp.Or(one.Error, w.noted(one.Shard, one.Handler))
			s.Shards = append(s.Shards, one)
		}
	}
	f.mu.Unlock()
	slices.SortFunc(s.Shards, func(a, b ShardStatus) int {
		return cmp.Or(cmp.Compare(a.Shard, b.Shard), cmp.Compare(a.Handler, b.Handler))
	})
	return s
}

// shardStatus is a ShardStatus as its shard's goroutines write it.
type shardStatus struct {
	begun atomic.Bool // the handler was told, or could have been

	mu  sync.Mutex
	now ShardStatus
	tip bool // everything that the run is to read has been
	// oldest is when the oldest pending record arrived, by the service's time.
	oldest time.Time
}

func newShardStatus(b branch, row shard.Lease, handler string) *shardStatus {
	at := progressOf(row, handler).Position
	return &shardStatus{now: ShardStatus{Stream: b.stream.ARN, Shard: row.Shard, Handler: handler, Mark: at, Checkpoint: at}}
}

func (s *shardStatus) publish(mark shard.Position, oldest time.Time, pending, busy int, behind time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.oldest = oldest
	s.now.Mark, s.now.Pending, s.now.Busy, s.now.Behind = mark, pending, busy, behind
}

func (s *shardStatus) publishHeld(keys, records, deferred int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.KeysHeld, s.now.RecordsHeld, s.now.Deferred = keys, records, deferred
}

func (s *shardStatus) publishStill(still time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.Still = still
}

func (s *shardStatus) publishParked(p ParkedStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.Parked = p
}

// read notes that a chunk has come, whether it was the last to wait for, and how
// many records are not finished with it.
func (s *shardStatus) read(tip bool, pending int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.ReadAt, s.now.Error, s.tip = time.Now(), "", tip
	// With the tip, or atTip would take what was read just now for finished.
	s.now.Pending = pending
}

func (s *shardStatus) oddAggregates(odd shard.Aggregates) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.Malformed += int64(odd.Malformed)
	s.now.Outside += int64(odd.Outside)
	s.now.OutsideDropped += int64(odd.Dropped)
}

func (s *shardStatus) readFailed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.Error = err.Error()
}

func (s *shardStatus) progressed(records int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.Handled += int64(records)
	s.now.ProgressAt = time.Now()
}

func (s *shardStatus) filtered(records int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.Handled += int64(records)
	s.now.Filtered += int64(records)
	s.now.ProgressAt = time.Now()
}

func (s *shardStatus) checkpointed(at shard.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.Checkpoint, s.now.CheckpointAt = at, time.Now()
}

// age is how old what is not finished is: the oldest pending record, or what the
// last read has not reached.
func (s *shardStatus) age(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	var age time.Duration
	if !s.now.ReadAt.IsZero() {
		age = s.now.Behind + time.Since(s.now.ReadAt)
	}
	if !s.oldest.IsZero() {
		age = max(age, now.Sub(s.oldest))
	}
	return age
}

// atTip reports whether all that the run is to read has been read and finished.
func (s *shardStatus) atTip() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tip && s.now.Pending == 0
}

func (s *shardStatus) snapshot() ShardStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now
	now.Parked.Shown = slices.Clone(now.Parked.Shown) // whoever asks may sort it
	return now
}

// heldShard is the tenure of a shard, if this worker has one.
func (f *fleet) heldShard(shardID string) *tenure {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, t := range f.tenures {
		if t.statuses[0].snapshot().Shard == shardID && !t.ended() {
			return t
		}
	}
	return nil
}

// ended reports whether the tenure has let go: its fleet will take note of it.
func (t *tenure) ended() bool {
	select {
	case <-t.done:
		return true
	default:
		return false
	}
}
