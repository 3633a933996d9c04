package consumer

import (
	"context"
	"errors"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/shard"
)

// end writes that the shard is done, and its children with it.
func (t *tenure) end(loops []*shardLoop, p checkpoint.Progress) (error, bool) {
	var children []shard.Shard
	lost := false
	for _, l := range loops {
		if !l.lost {
			children = l.children
			continue
		}
		lost = true
		at, arrived := l.tracker.Mark()
		loss := shard.Loss{Shard: l.shard, After: at, Until: shard.End(), LastArrival: arrived}
		if !t.worker.reportLoss(loss, l.handler) {
			// The run ends, and this is part of it: without a cause it would look
			// like the end of the shard.
			t.leave(ErrStopping, "")
			return t.letGo(p)
		}
	}
	if lost && children == nil {
		var err error
		if children, err = t.worker.childrenOf(t.life, t.branch); err != nil {
			return ErrLeaseLost, false
		}
	}
	if err := t.otherParents(children); err != nil {
		return ErrLeaseLost, false
	}
	if len(p.States) > 0 {
		// The children begin with it: it stands before they may.
		res, err := t.writer().keep(t.life, t.row, p)
		if err != nil || res.verdict != checkpoint.Adopted {
			return t.notKept(res, err, p)
		}
		t.row, p.States = res.row, nil
	}
	res, err := t.writer().end(t.life, t.row, children, lost)
	if err != nil {
		return ErrLeaseLost, false
	}
	switch res.verdict {
	case checkpoint.Lost:
		if res.gone {
			return ErrLeaseLost, t.putBack(p)
		}
		return ErrLeaseLost, false
	case checkpoint.Restart:
		t.row = res.row
		return nil, true
	}
	t.row = res.row
	return nil, false
}

// notKept is what becomes of a shard whose last state could not be written.
func (t *tenure) notKept(res result, err error, p checkpoint.Progress) (error, bool) {
	switch {
	case err == nil && res.gone:
		return ErrLeaseLost, t.putBack(p)
	case err == nil && res.verdict == checkpoint.Restart:
		t.row = res.row
		return nil, true
	}
	return ErrLeaseLost, false
}

// letGo writes the position and gives the lease away: to whoever asked for it,
// else to whom the tenure was told, else to the least loaded peer, else to
// nobody.
func (t *tenure) letGo(p checkpoint.Progress) (cause error, again bool) {
	w := t.worker
	cause = t.leftFor()
	writer := t.writer()
	res, err := t.read()
	if err != nil {
		return ErrLeaseLost, false
	}
	if res.verdict != checkpoint.Adopted {
		return t.leftBehind(res, p)
	}
	t.row = res.row
	if cause == ErrHandedOver && t.row.CheckpointOwner == "" && t.wasAsked() {
		// The hand-over was withdrawn before it was begun. Nobody waits for the shard.
		return t.stay(res, nil, p)
	}
	halted := cause == ErrMoved // nobody is to have it before all are moved
	asked := !halted && t.row.CheckpointOwner == w.session.id
	if asked && !w.fleet.takes(t.life, t.row.Owner) {
		if cause == ErrHandedOver {
			res, err = writer.refuse(t.life, t.row)
			return t.stay(res, err, p)
		}
		asked = false
	}
	if asked {
		t.setTo(t.row.Owner)
		res, err = writer.finish(t.life, t.row, p)
		if err == nil && res.verdict == checkpoint.Adopted && res.row.Holder() == w.session.id {
			// The hand-over was withdrawn meanwhile: whoever was to have the shard
			// has died.
			if cause == ErrHandedOver {
				return t.stay(res, err, p)
			}
			t.row, asked = res.row, false
			t.setTo("")
		}
	}
	if !asked {
		switch {
		case halted: // nobody is to have it
		case cause == ErrStreamLeft:
			t.setTo("") // whoever reads the stream takes it
		case t.target() == "" || !w.fleet.takes(t.life, t.target()):
			t.setTo(w.fleet.heirThatTakes(t.life))
		}
		res, err = writer.release(t.life, t.row, p, t.target())
	}
	if err != nil {
		return ErrLeaseLost, false
	}
	if res.verdict == checkpoint.Restart || res.gone {
		return t.leftBehind(res, p)
	}
	t.row.Checkpoint, t.row.Marks = p.Position, p.Marks
	if to := t.target(); to != "" {
		t.given(to, w.clock.Elapsed())
	}
	return cause, false
}

// read reads the row, to be judged as a write of it that was refused.
func (t *tenure) read() (result, error) {
	w := t.worker
	return t.writer().write(t.life, "read", t.row, func(ctx context.Context) (shard.Lease, error) {
		row, err := w.cfg.Leases.Get(ctx, t.row.Key)
		if err == nil && checkpoint.Adopt(t.row, row, w.session.id) != checkpoint.Adopted {
			err = &checkpoint.Conflict{Write: "read", Key: t.row.Key, Exists: true, Row: row}
		}
		return row, err
	})
}

// leftBehind deals with a row that changed hands or position while its shard
// was being left.
func (t *tenure) leftBehind(res result, p checkpoint.Progress) (error, bool) {
	switch {
	case res.gone:
		return ErrLeaseLost, t.putBack(p)
	case res.verdict == checkpoint.Restart:
		// Somebody moved the position: the row's own is the one to leave.
		t.row = res.row
		return t.letGo(asBefore(t.row))
	}
	return ErrLeaseLost, false
}

// stay goes on with a shard that nobody takes after all, as a write of its row
// has shown. What was finished until now is written first, so that it is not
// handled again.
func (t *tenure) stay(res result, err error, p checkpoint.Progress) (error, bool) {
	if err != nil || res.verdict == checkpoint.Lost {
		return ErrLeaseLost, false
	}
	t.row = res.row
	if res.verdict == checkpoint.Adopted && !checkpoint.Further(t.row, p) && (!checkpoint.Stands(t.row, p) || len(p.States) > 0) {
		if res, err = t.writer().keep(t.life, t.row, p); err != nil || res.verdict == checkpoint.Lost {
			return ErrLeaseLost, false
		}
		t.row = res.row
	}
	return nil, true
}

// handOver tells the tenure that its row names somebody who is to have the shard.
func (t *tenure) handOver(to string) {
	t.mu.Lock()
	t.asked = t.asked || t.leaving.IsZero()
	t.mu.Unlock()
	t.leave(ErrHandedOver, to)
}

// wasAsked reports whether the shard is left because of a hand-over in its row.
func (t *tenure) wasAsked() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.asked
}

func (t *tenure) setTo(worker string) {
	t.mu.Lock()
	t.to = worker
	t.mu.Unlock()
}

func (t *tenure) target() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.to
}

// putBack writes a row that was deleted under its owner, at the owner's own
// position, and reports whether the shard can be begun anew from it.
func (t *tenure) putBack(p checkpoint.Progress) bool {
	w := t.worker
	lost := t.row
	if len(p.States) > 0 {
		// What is not written is not there: begin where the last state belongs.
		p = checkpoint.Progress{Position: lost.Checkpoint, Arrived: lost.LastArrival, Marks: lost.Marks}
	}
	lost.Checkpoint, lost.LastArrival, lost.CheckpointOwner, lost.Owner = p.Position, p.Arrived, "", w.session.id
	lost.Marks = p.Marks
	for try := 1; w.session.valid(); try++ {
		ctx, cancel := context.WithTimeout(t.life, w.timing.tableCall)
		row, err := w.cfg.Leases.PutBack(ctx, lost, w.session.id)
		cancel()
		var conflict *checkpoint.Conflict
		switch {
		case err == nil:
			w.log.Warn("lease row was deleted by somebody and has been put back", "shard", lost.Shard, "at", p.Position)
			t.row = row
			return true
		case errors.As(err, &conflict):
			// Somebody was quicker; if that was this worker's own lost answer,
			// the sweep finds it.
			return false
		}
		if clock.Sleep(t.life, backoff(w.dice, try, 100*time.Millisecond, 2*time.Second, "put back", lost.Key)) != nil {
			return false
		}
	}
	return false
}
