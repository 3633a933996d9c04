package reposition

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/shard"
)

// killer kills whoever writes as tool, at its n-th write: before it is applied,
// or behind it.
type killer struct {
	mu    sync.Mutex
	at, n int
	dead  bool
}

func (k *killer) before(op, caller string) error {
	if caller != "tool" {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.dead {
		return errKilled
	}
	switch op {
	case "setcontrol", "rewrite", "begin":
		if k.n++; k.n == k.at {
			k.dead = true
			return errKilled
		}
	}
	return nil
}

func (k *killer) after(op, caller string) error {
	err := k.before(op, caller)
	return err
}

// Whoever moves all positions may die at any of its writes: what it leaves is the
// old, the new, or a fleet that stands still and says why. Somebody else finishes
// that or, as long as nothing was rewritten, gives it up.
func TestMoverMayDieAtEveryWrite(t *testing.T) {
	most := 14
	for at := 1; at <= most; at++ {
		for _, applied := range []bool{false, true} {
			t.Run(fmt.Sprintf("write=%d,applied=%v", at, applied), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { dieAt(t, at, applied) })
			})
		}
	}
}

func dieAt(t *testing.T, at int, applied bool) {
	b, l, half := reshaped(t)
	k := &killer{at: at}
	if applied {
		b.table.Interfere(func(_, caller string) error {
			k.mu.Lock()
			defer k.mu.Unlock()
			if caller == "tool" && k.dead {
				return errKilled
			}
			return nil
		}, k.after)
	} else {
		b.table.Interfere(k.before, nil)
	}
	tool := b.mover(func(c *Config) {
		c.Leases, c.atOnce, c.Unread, c.Patience, c.Silence = b.table.As("tool"), 2, true, 30*time.Second, 20*time.Second
	})
	before := b.log.len()
	p := plan(b)(tool.Seek(t.Context(), Target{To: shard.AtTime(half)}))
	err := tool.Apply(t.Context(), p)
	b.table.Interfere(nil, nil)
	other := b.mover(func(c *Config) { c.atOnce = 3 })
	move, underErr := other.Underway(t.Context())
	b.must(underErr)
	handled := b.log.len()
	l.rounds(2)
	if move.Active() {
		if err == nil {
			t.Errorf("the mover says that it is done and left %s", move)
		}
		if b.log.len() != handled {
			t.Errorf("%d records were handled while %s", b.log.len()-handled, move)
		}
		if _, err := other.Seek(t.Context(), Target{To: shard.TrimHorizon()}); !errors.Is(err, ErrUnderway) {
			t.Errorf("another move is planned meanwhile: %v", err)
		}
		if !move.Writing && at%2 == 0 {
			b.must(other.Abort(t.Context()))
		} else {
			if move.Writing {
				b.is(other.Abort(t.Context()), ErrHalfDone)
			}
			b.must(other.Resume(t.Context()))
		}
		b.is(other.Resume(t.Context()), ErrNoMove)
	}
	l.rounds(2)
	quiet(b)
	b.await("everything", func() bool { return quiet(b) })
	got := b.log.take()
	switch again := len(got) > l.total(); {
	case again:
		l.cameAgain(t, got, half)
	case len(got) != l.total():
		t.Errorf("%d records were handled, of %d (%d before the move)", len(got), l.total(), before)
	case err == nil:
		t.Error("the mover says that it is done, and nothing came again")
	}
}
