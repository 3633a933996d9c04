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

// Handler handles batches; consumer.Handler is one.
type Handler interface {
	Handle(ctx context.Context, batch *batching.Batch) error
}

// Tumbling puts Lambda's tumbling windows around a handler: each call gets the
// window that its records arrived in, with the state that the call before has
// left. consumer.Config.TumblingWindow makes one.
//
// The last call for a window has no records. It is made before the first record
// of a later window, or when the window is over, the shard is read beyond its
// end and nothing has come. What a failed call does to the state is forgotten;
// what one that failed from a record on left is kept, as the records before are
// done.
type Tumbling struct {
	size    time.Duration
	most    batching.Limit
	handler Handler

	mu     sync.Mutex // guards shards; never held while waiting
	shards map[string]*turn
}

// turn is a shard from its Restore to its end.
type turn struct {
	panel
	wake atomic.Int64 // as in a tenure
}

// panel is what is kept of a shard.
type panel struct {
	open bool // there is a window; in it:
	span
	state []byte // nil: none was left
	// closed is the end of the last window that is over. What arrived before is
	// counted in the one that follows: windows do not go back.
	closed int64
}

// NewTumbling is a Tumbling with windows of a size, whose state is at most so
// many bytes; a window whose state is larger is ended early.
func NewTumbling(size time.Duration, most batching.Limit, handler Handler) *Tumbling {
	return &Tumbling{size: size, most: most, handler: handler, shards: map[string]*turn{}}
}

// Cut is how many of the first records belong to one window, where records that
// arrived before the one in front of them belong to its window. The engine cuts
// batches there, so that a failure is only that of its own window.
func Cut(records []shard.Record, size time.Duration) int {
	if len(records) == 0 {
		return 0
	}
	end := windowOf(&records[0], size).end
	for i := range records {
		if windowOf(&records[i], size).start >= end {
			return i
		}
	}
	return len(records)
}

// windowOf is the window that a record arrived in. One without a time is in the
// first of all, and so in whichever is open.
func windowOf(r *shard.Record, size time.Duration) span {
	at, _ := nanos(r.ArrivedAt)
	return tumble(at, size)
}

// place is the window in which a record is counted.
func (p *panel) place(r *shard.Record, size time.Duration) span {
	s := windowOf(r, size)
	switch {
	case p.open && s.start < p.end:
		return p.span
	case s.end <= p.closed:
		return tumble(p.closed, size)
	}
	return s
}

var (
	errNextWindow = errors.New("the records of the next window are handled by the next call")
	errDeferred   = errors.New("the handler deferred its records: a window's state belongs to records that are finished")
)

// Handle calls the handler with the records of one window, after a last call for
// the window before. What lies beyond is left for the next call, and no attempt
// is burnt.
func (t *Tumbling) Handle(ctx context.Context, batch *batching.Batch) error {
	turn := t.begin(batch.Shard)
	now := turn.panel
	base := now // what stands if nothing is done
	defer func() { turn.set(base, 0) }()
	first := &batch.Records[0]
	var before *batching.Call
	if now.open && now.place(first, t.size).start >= now.end {
		var err error
		if before, err = t.final(ctx, *batch, &now, ""); err != nil {
			return fmt.Errorf("end the window before: %w", err)
		}
		if !leaves(before) {
			base = now // it need not be made again if the records fail
		}
	}
	if !now.open {
		now.span, now.open, now.state = now.place(first, t.size), true, nil
	}
	n := 1
	for n < len(batch.Records) && now.place(&batch.Records[n], t.size) == now.span {
		n++
	}
	part := *batch
	part.Records, part.Call = batch.Records[:n], &batching.Call{}
	err := t.call(ctx, &part, &now)
	outcome := batching.Read(part.Records, err)
	answer := err
	if !outcome.Failed && n < len(batch.Records) {
		answer = errors.Join(err, batching.FailFrom(&batch.Records[n], batching.RetryAfter(0, errNextWindow)))
	}
	handled := handledOf(part.Records, outcome)
	if len(handled) == 0 {
		return answer // what the last call left would go with none of these records
	}
	oldest, newest := handled[0], handled[len(handled)-1]
	pass(before, batch, oldest)
	pass(part.Call, batch, nil)
	if t.most.Exceeded(len(now.state)) {
		last, err := t.final(ctx, part, &now, newest.Sequence)
		if err != nil {
			return fmt.Errorf("end a window early whose state has %d bytes: %w", len(now.state), err)
		}
		pass(last, batch, newest)
	}
	base = now
	return answer
}

// handledOf are the records that a call has handled: those before a failure,
// without those that it has rejected.
func handledOf(records []shard.Record, o batching.Outcome) (handled []*shard.Record) {
	rejects := o.Rejects
	for i := range records {
		switch {
		case o.Failed && i >= o.From:
			return handled
		case len(rejects) > 0 && rejects[0].Index == i:
			rejects = rejects[1:]
		default:
			handled = append(handled, &records[i])
		}
	}
	return handled
}

// call calls the handler with records of the open window.
func (t *Tumbling) call(ctx context.Context, part *batching.Batch, p *panel) error {
	part.Window = &batching.Window{Start: moment(p.start), End: moment(p.end), State: p.state}
	err := t.handler.Handle(ctx, part)
	if err == nil && part.Call.Deferred() != nil {
		err = errDeferred
	}
	p.state = part.Window.State
	return err
}

// final makes the last call for the open window and closes it. A window that is
// ended early names what ended it; more of it may come, and begins it anew.
func (t *Tumbling) final(ctx context.Context, last batching.Batch, p *panel, early string) (*batching.Call, error) {
	left := &batching.Call{}
	last.Records, last.Call = nil, left
	last.Window = &batching.Window{Start: moment(p.start), End: moment(p.end), State: p.state, Final: true, Early: early != ""}
	if err := t.handler.Handle(ctx, &last); err != nil {
		return nil, err
	}
	if left.Deferred() != nil {
		return nil, errDeferred
	}
	id := fmt.Sprintf("%s/%s/%swindow/%d/%x", last.Stream, last.Shard, handlerPart(last.Handler), p.start, digest(p.state))
	if early != "" {
		id += "/" + early
	}
	emitted := left.Emitted()
	for i := range emitted {
		if emitted[i].Key == "" {
			emitted[i].Key = last.Shard
		}
		if emitted[i].ID == "" {
			emitted[i].ID = fmt.Sprintf("%s#%d", id, i)
		}
	}
	closed := p.end
	if early != "" {
		closed = p.start
	}
	*p = panel{closed: closed}
	return left, nil
}

// leaves reports whether a call left anything beside its error.
func leaves(c *batching.Call) bool { return c != nil && len(c.Emitted())+len(c.Effects()) > 0 }

// pass makes what a call left part of a batch; of, if it is not nil, is the
// record that it goes with.
func pass(c *batching.Call, to *batching.Batch, of *shard.Record) {
	if c == nil {
		return
	}
	for _, e := range c.Emitted() {
		if of != nil {
			e.Of = of
		}
		to.Emit(e)
	}
	for _, e := range c.Effects() {
		to.Attach(e)
	}
}

// settling is how long after its end a window may still get records: arrival
// times are approximate, and those of DynamoDB Streams are whole seconds.
const settling = time.Second

// WakeAt is when the open window is over if nothing comes: the service's time.
func (t *Tumbling) WakeAt(shardID string) (time.Time, bool) {
	s := t.turn(shardID)
	if s == nil {
		return time.Time{}, false
	}
	at := s.wake.Load()
	return moment(at), at != 0
}

// Wake ends the open window if it is over and everything that arrived in it has
// been handled, or if the shard has ended.
func (t *Tumbling) Wake(ctx context.Context, w *batching.Wake) error {
	s := t.begin(w.Shard)
	now := s.panel
	base := now
	defer func() { s.set(base, w.Now.Add(between).UnixNano()) }()
	over := w.Why == batching.WakeDue && !w.ReadUpTo.Before(moment(now.end).Add(settling))
	ended := w.Why == batching.WakeEnded
	if !now.open || !over && !ended {
		return nil
	}
	early := ""
	if ended {
		early = "end"
	}
	last, err := t.final(ctx, *w.Batch(), &now, early)
	if err != nil {
		return err
	}
	pass(last, w.Batch(), nil)
	base = now
	if ended {
		base = panel{}
	}
	return nil
}

// Restore begins a shard. Windows do not go over from parents to children, as
// Lambda's do not.
func (t *Tumbling) Restore(_ context.Context, r batching.Restored) error {
	p, err := readPanel(r.State)
	if err != nil {
		return fmt.Errorf("restore the window of %s: %w", r.Shard, err)
	}
	s := &turn{}
	s.set(p, 0)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shards[r.Shard] = s
	return nil
}

// State is what is to be written with the position.
func (t *Tumbling) State(shardID string) ([]byte, error) {
	s := t.turn(shardID)
	if s == nil || !s.open && s.closed == 0 {
		return nil, nil
	}
	return s.snapshot(), nil
}

// Forget forgets a shard that is no longer this worker's, or finished.
func (t *Tumbling) Forget(shardID string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.shards, shardID)
}

func (t *Tumbling) turn(shardID string) *turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.shards[shardID]
}

func (t *Tumbling) begin(shardID string) *turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.shards[shardID] == nil {
		t.shards[shardID] = &turn{}
	}
	return t.shards[shardID]
}

func (s *turn) set(p panel, notBefore int64) {
	s.panel = p
	if !p.open {
		s.wake.Store(0)
		return
	}
	s.wake.Store(max(p.end+int64(settling), notBefore))
}
