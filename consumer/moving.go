package consumer

import (
	"context"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// moved tells the tenure that somebody has moved the position of its row: what
// runs belongs to the old one, can not be written any more, and is ended.
func (t *tenure) moved(row shard.Lease) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if row.SeekGen <= t.want {
		return
	}
	t.want = row.SeekGen
	t.stopWork(ErrMoved)
	t.stopReading(ErrMoved)
}

// outdated reports whether the row has been moved by hand since it was read.
func (t *tenure) outdated() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.want = max(t.want, t.row.SeekGen)
	return t.want > t.row.SeekGen
}

// again reads the row whose position was moved and has the shard begun anew from
// it.
func (t *tenure) again() (cause error, again bool) {
	res, err := t.read()
	switch {
	case err != nil:
		return ErrLeaseLost, false
	case res.gone:
		return ErrLeaseLost, t.putBack(asBefore(t.row))
	case res.verdict == checkpoint.Lost:
		return ErrLeaseLost, false
	}
	t.row = res.row
	return nil, true
}

// leftFor is why the shard is left.
func (t *tenure) leftFor() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.why != nil {
		return t.why
	}
	return context.Cause(t.reading)
}

// endedBy is why what runs is ended with the keeper's verdict.
func (k *keeper) endedBy() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.moved {
		return ErrMoved
	}
	return ErrLeaseLost
}

// halt has every shard drained and let go and none taken, as long as all
// positions are moved by hand: a row may be moved before that of its parent is,
// and nobody is to see one without the other. A new session is halted until it
// knows whether it is to be.
//
// Whoever is in the middle of a take when this is called may still be given the
// row: it is not begun, and until it is answered the worker does not stand still.
// An answer that comes when the move is over would begin the row as it was before.
// The mover waits for standsStill, ends every maintenance run by beginning one, and
// then frees the rows, whose counters move.
func (f *fleet) halt(halted bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.halted == halted {
		return
	}
	f.halted = halted
	if !halted {
		select {
		case f.resumed <- struct{}{}:
		default:
		}
		return
	}
	for _, t := range f.tenures {
		t.leave(ErrMoved, "")
	}
}

func (f *fleet) isHalted() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.halted
}

// act begins a round that goes by what rows say, and reports whether there may be
// one: not while the worker is halted. Acted ends it.
func (f *fleet) act() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.acting = !f.halted
	return f.acting
}

func (f *fleet) acted() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.acting = false
}

// standsStill reports whether this worker is halted and nothing of it works any
// shard, or is about to: no row is being read or taken, and no handler was left
// behind.
func (f *fleet) standsStill() bool {
	f.mu.Lock()
	still := f.halted && !f.acting && len(f.tenures) == 0
	f.mu.Unlock()
	return still && !f.leftBehind()
}
