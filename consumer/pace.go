package consumer

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// pace is how many handler calls this process may run, and of what: the limit of
// its own, its share of the fleet's, and what is paused. All shards of a run
// share it, over all its sessions.
type pace struct {
	table checkpoint.Controls // nil: nobody can steer this fleet
	own   int                 // MaximumConcurrency
	slots *slots
	keys  *keyPauses

	mu      sync.Mutex // guards what is below; never held while waiting
	known   bool       // this session has read the control row
	control shard.Control
	share   int
	fault   string // why the control row was not read when it was last tried

	// told is what every shard asks for each batch: so it is read without mu, by
	// which they would wait for each other.
	told atomic.Pointer[told]
}

// told is what is in force until changed is closed.
type told struct {
	share   int
	control shard.Control
	changed chan struct{}
}

func newPace(leases checkpoint.Leases, own int, keys *keyPauses) *pace {
	p := &pace{own: own, slots: newSlots(own), keys: keys, share: noLimit, known: true}
	p.told.Store(&told{share: noLimit, changed: make(chan struct{})})
	p.table, _ = leases.(checkpoint.Controls)
	return p
}

// begin is called before a session begins: nothing runs until it has read what
// the fleet is told. It returns the generation that the session may say it keeps
// to, as it runs nothing. Whatever comes after that generation is read once
// more, when the session stands where whoever shares out the limit can see it.
func (p *pace) begin(ctx context.Context) (gen int64) {
	if p.table == nil {
		return 0
	}
	p.mu.Lock()
	p.known, p.share = false, 0
	p.slots.resize(0)
	p.tell()
	p.mu.Unlock()
	c, err := p.table.Control(ctx)
	if err != nil {
		return 0
	}
	return c.Gen
}

// apply goes by what the fleet is told from now on, and reports whether anything has
// changed. It is read strongly consistent, one reading after the other: so that a
// generation before the one that is known means that somebody has deleted the row, or
// brought an old one back, and it holds like any other. Anew says so.
func (p *pace) apply(c shard.Control, me string) (news, anew bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = ""
	same := c.Gen == p.control.Gen && c.Since == p.control.Since && c.Move == p.control.Move && sameControl(c, p.control)
	if p.known && same {
		return false, false
	}
	calls, limited := c.CallsOf(me)
	if !limited {
		calls = noLimit
	}
	anew = c.Gen < p.control.Gen || c.Gen == p.control.Gen && !same
	p.known, p.control, p.share = true, c, calls
	p.keys.set(c.Pauses) // before anything that was held back for it goes on
	p.slots.resize(min(p.own, calls))
	p.tell()
	return true, anew
}

// failed notes that the control row could not be read, and reports whether that
// is news. What is known stays in force.
func (p *pace) failed(err error) (news bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	news = p.fault != err.Error()
	p.fault = err.Error()
	return news
}

// kept is the generation whose share no more calls run than, and false as long
// as more do.
func (p *pace) kept() (gen int64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, over := p.slots.inUse()
	return p.control.Gen, p.known && !over
}

// closed reports whether no handler may be called for a shard.
func (p *pace) closed(shardID string) bool {
	now := p.told.Load()
	return now.share == 0 || len(now.control.Pauses) > 0 && now.control.Paused(shardID)
}

// limited reports whether the fleet is.
func (p *pace) limited() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.control.Limited
}

// moving reports whether all positions are being moved.
func (p *pace) moving() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.control.Move.Active()
}

// watch is closed when anything changes.
func (p *pace) watch() <-chan struct{} {
	return p.told.Load().changed
}

// tell wakes whoever watches. The caller holds mu.
func (p *pace) tell() {
	before := p.told.Swap(&told{share: p.share, control: p.control, changed: make(chan struct{})})
	close(before.changed)
}

// open waits until handlers may be called for a shard, or one of the contexts
// ends.
func (p *pace) open(ctx context.Context, shardID string) error {
	for {
		changed := p.watch()
		if !p.closed(shardID) {
			return ctx.Err()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// now is what is in force.
func (p *pace) now() (c shard.Control, share int, fault string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.known {
		return shard.Control{}, 0, p.fault
	}
	return p.control, p.share, p.fault
}

// ErrNoControls says that a lease table cannot steer a fleet: it is no
// checkpoint.Controls.
var ErrNoControls = errors.New("this lease table cannot steer a fleet")
