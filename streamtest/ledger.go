package streamtest

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/shard"
)

// Ledger notes what handlers were given and what became of it. It stands outside
// the workers, as a database behind a handler would.
type Ledger struct {
	mu        sync.Mutex
	calls     []*Call
	records   map[string]*entry // by id
	losses    []shard.Loss
	fences    map[string]batching.Fence // the newest tenure that began a call, by shard
	seeks     map[string]int64          // the row's counter when its position was last moved by hand, by shard
	killed    map[string]bool
	broken    []string
	unordered bool
	forsaken  func(shardID string) bool                      // whether a shard came and went unseen, below one that was lost
	deliver   func(c *Call, records []shard.Record) []string // the checker's look at a call
}

// Call is one call of a handler.
type Call struct {
	// Worker is the worker's name, Shard the shard.
	Worker, Shard string
	// Records is how many it got, First and Last their sequence numbers.
	Records     int
	First, Last string
	// Attempt is the batch's.
	Attempt int
	// Fence is the tenure's token.
	Fence batching.Fence
	// Began and Ended are in virtual time; Ended is zero while it runs.
	Began, Ended time.Time
	// Err is what it answered.
	Err error

	keys map[string]bool
}

// entry is what became of one record.
type entry struct {
	delivered int // calls that got it
	handled   int // calls that finished it
	gaveUp    int // acceptances by the destination
	past      int // of both, those from before the position was moved in front of it
}

func (e *entry) finished() bool { return e.handled+e.gaveUp > e.past }

func newLedger() *Ledger {
	return &Ledger{records: map[string]*entry{}, fences: map[string]batching.Fence{}, seeks: map[string]int64{}, killed: map[string]bool{}}
}

// Unordered has the ledger expect no order of keys.
func (l *Ledger) Unordered() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unordered = true
}

// id names a record in the ledger: by the index within its aggregate as well, if
// that is not 0.
func id(shardID, sequence string, sub int64) string {
	return shardID + "/" + shard.After(sequence, sub).String()
}

func idOf(r *shard.Record) string { return id(r.Shard, r.Sequence, r.Sub) }

func (l *Ledger) entry(id string) *entry {
	e := l.records[id]
	if e == nil {
		e = &entry{}
		l.records[id] = e
	}
	return e
}

// begin notes that a handler is called. What a killed worker still does is not
// noted: it has no effect.
func (l *Ledger) begin(worker string, b *batching.Batch) *Call {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.killed[worker] {
		return nil
	}
	c := &Call{
		Worker: worker, Shard: b.Shard, Records: len(b.Records), First: b.First().Sequence, Last: b.Last().Sequence,
		Attempt: b.Attempt, Fence: b.Fence(), Began: time.Now(), keys: map[string]bool{},
	}
	if newest := l.fences[b.Shard]; c.Fence.Compare(newest) < 0 {
		l.breaks("I4: %s began a call of %s in tenure %s after one began in %s", worker, b.Shard, c.Fence, newest)
	} else {
		l.fences[b.Shard] = c.Fence
	}
	for i := range b.Records {
		c.keys[b.Records[i].PartitionKey] = true
	}
	if !l.unordered {
		for _, other := range l.calls {
			if other.Ended.IsZero() && other.Worker == worker && other.Shard == c.Shard && overlap(other.keys, c.keys) {
				l.breaks("S13: %s runs two calls of %s at once that share a key", worker, c.Shard)
			}
		}
		l.broken = append(l.broken, l.deliver(c, b.Records)...)
	}
	for i := range b.Records {
		l.entry(idOf(&b.Records[i])).delivered++
	}
	l.calls = append(l.calls, c)
	return c
}

func overlap(a, b map[string]bool) bool {
	for k := range a {
		if b[k] && k != "" {
			return true
		}
	}
	return false
}

// end notes what a handler answered.
func (l *Ledger) end(c *Call, b *batching.Batch, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c == nil {
		return
	}
	c.Ended, c.Err = time.Now(), err
	if l.killed[c.Worker] {
		return
	}
	o := batching.Read(b.Records, err)
	done := len(b.Records)
	if o.Failed {
		done = o.From
	}
	rejected := map[int]bool{}
	for _, r := range o.Rejects {
		rejected[r.Index] = true
	}
	for i := range done {
		if !rejected[i] {
			e := l.entry(idOf(&b.Records[i]))
			e.handled++
			if l.outdated(c.Shard, c.Fence) {
				e.past++ // it belongs to the position from before
			}
		}
	}
}

// outdated reports whether a tenure is from before the position of its shard was
// last moved by hand. The caller holds mu.
func (l *Ledger) outdated(shardID string, f batching.Fence) bool { return f.Counter < l.seeks[shardID] }

// again notes that a shard begins anew at a position that was moved by hand:
// what comes behind it, which wanted tells by id, is to be finished again.
func (l *Ledger) again(shardID string, counter int64, wanted map[string]bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seeks[shardID] = counter
	for id, is := range wanted {
		if is {
			e := l.entry(id)
			e.past = e.handled + e.gaveUp
		}
	}
}

// Finish notes that a record is finished although no handler call has said so:
// a transaction of the handler's own holds its effect and its position, and the
// answer was lost. A handler that has done it before is not to do it again.
func (l *Ledger) Finish(shardID, sequence string, sub int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entry(id(shardID, sequence, sub)).handled++
}

func (l *Ledger) gaveUp(f destination.Failure) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range f.Records {
		l.entry(idOf(&f.Records[i])).gaveUp++
	}
}

func (l *Ledger) lose(loss shard.Loss) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.losses = append(l.losses, loss)
}

func (l *Ledger) kill(worker string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.killed[worker] = true
	for _, c := range l.calls {
		if c.Worker == worker && c.Ended.IsZero() {
			c.Ended = time.Now()
		}
	}
}

// breaks notes a broken promise. The caller holds mu.
func (l *Ledger) breaks(format string, args ...any) {
	l.broken = append(l.broken, fmt.Sprintf(format, args...))
}

// finished reports whether a record is. The caller holds mu.
func (l *Ledger) finished(r *item) bool {
	e := l.records[r.id()]
	return e != nil && e.finished() || l.lost(r)
}

// lost reports whether a record lies in a declared window. The caller holds mu.
func (l *Ledger) lost(r *item) bool {
	at := r.position()
	for _, loss := range l.losses {
		if loss.Shard == r.ShardID && at.Compare(loss.After) > 0 && at.Compare(loss.Until) < 0 {
			return true
		}
	}
	return len(l.losses) > 0 && l.forsaken(r.ShardID)
}

// lostToTheEnd reports whether the rest of a shard was declared lost. The caller
// holds mu.
func (l *Ledger) lostToTheEnd(shardID string) bool {
	return slices.ContainsFunc(l.losses, func(w shard.Loss) bool { return w.Shard == shardID && w.Until.IsEnd() })
}

// Calls are the calls so far, in the order in which they began.
func (l *Ledger) Calls() []Call {
	l.mu.Lock()
	defer l.mu.Unlock()
	calls := make([]Call, len(l.calls))
	for i, c := range l.calls {
		calls[i] = *c
	}
	return calls
}

// Handled is how many records a handler has finished, each counted once.
func (l *Ledger) Handled() int { return l.count(func(e *entry) bool { return e.handled > 0 }) }

// Repeated is how many records were given to a handler again after it, or
// another, had finished them.
func (l *Ledger) Repeated() int { return l.count(func(e *entry) bool { return e.handled > 1 }) }

// GaveUp is how many records the destination has accepted, each counted once.
func (l *Ledger) GaveUp() int { return l.count(func(e *entry) bool { return e.gaveUp > 0 }) }

// Losses are the windows that were declared lost.
func (l *Ledger) Losses() []shard.Loss {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]shard.Loss(nil), l.losses...)
}

func (l *Ledger) count(is func(*entry) bool) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, e := range l.records {
		if is(e) {
			n++
		}
	}
	return n
}
