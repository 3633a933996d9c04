package lineartest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// verdict is how a call ended.
type verdict string

const (
	done        verdict = "done"
	refused     verdict = "refused"      // a *checkpoint.Conflict
	sessionOver verdict = "session over" // checkpoint.ErrSessionOver
	epochOver   verdict = "epoch over"   // checkpoint.ErrEpochOver
	absent      verdict = "absent"       // checkpoint.ErrNoLease or ErrNoSession
)

// answer is what a call tells its caller: the row that it wrote, read or was
// refused by, a session, or an epoch. What a caller was not told is not
// compared.
type answer struct {
	verdict verdict
	row     *row
	session *session
	epoch   int64
}

// explains reports whether a table that answers so can have been heard as told.
func (a answer) explains(told answer) bool {
	return a.verdict == told.verdict && a.epoch == told.epoch &&
		(told.row == nil || a.row != nil && *a.row == *told.row) &&
		(told.session == nil || a.session != nil && *a.session == *told.session)
}

// String shows the answer.
func (a answer) String() string {
	s := string(a.verdict)
	if a.row != nil {
		s += ": " + a.row.String()
	}
	if a.session != nil {
		s += ": " + a.session.String()
	}
	if a.epoch > 0 {
		s += fmt.Sprintf(": epoch %d", a.epoch)
	}
	return s
}

// call is what one call does to the world in an instant, and what it answers.
// Calls are functions of the world alone.
type call func(world) (world, answer)

// rowWrite is a conditional write to one row, which is there.
func rowWrite(key string, may func(world, row) bool, edit func(world, row) (world, row)) call {
	return func(w world) (world, answer) {
		r, there := w.rows[key]
		if !there {
			return w, answer{verdict: refused}
		}
		if !may(w, r) {
			return w, answer{verdict: refused, row: &r}
		}
		w, r = edit(w, r)
		return w.withRow(key, r), answer{verdict: done, row: &r}
	}
}

// alone is an edit that touches no other row.
func alone(edit func(*row)) func(world, row) (world, row) {
	return func(w world, r row) (world, row) {
		edit(&r)
		return w, r
	}
}

func get(key string) call {
	return func(w world) (world, answer) {
		if r, there := w.rows[key]; there {
			return w, answer{verdict: done, row: &r}
		}
		return w, answer{verdict: absent}
	}
}

func take(seen shard.Lease, me, noSession string) call {
	return rowWrite(seen.Key, func(w world, r row) bool {
		_, there := w.sessions[noSession]
		return r.seen(seen) && (noSession == "" || !there)
	}, alone(func(r *row) {
		r.owner, r.checkpointOwner = me, ""
		r.counter++
		r.switches++
	}))
}

// moved is a write of a position by whoever may write it.
func moved(held shard.Lease, may func(world, row) bool, p checkpoint.Progress, more func(*row)) call {
	return rowWrite(held.Key, may, alone(func(r *row) {
		r.sequence, r.sub, r.switches = sequenceOf(p.Position), p.Position.Sub, 0
		r.counter++
		more(r)
	}))
}

func byHolder(held shard.Lease, me string) func(world, row) bool {
	return func(_ world, r row) bool { return r.held(held, me) }
}

// byAsked is the right of a holder that was asked to hand over.
func byAsked(held shard.Lease, me string) func(world, row) bool {
	return func(_ world, r row) bool { return r.counter == held.Counter && r.checkpointOwner == me }
}

func save(held shard.Lease, me string, p checkpoint.Progress) call {
	return moved(held, byHolder(held, me), p, func(*row) {})
}

func release(held shard.Lease, me string, p checkpoint.Progress, to string) call {
	return moved(held, byHolder(held, me), p, func(r *row) { r.owner, r.checkpointOwner = to, "" })
}

func finish(held shard.Lease, me string, p checkpoint.Progress) call {
	return moved(held, byAsked(held, me), p, func(r *row) { r.checkpointOwner = "" })
}

func ask(seen shard.Lease, to string) call {
	return rowWrite(seen.Key, func(_ world, r row) bool {
		return r.owner == seen.Owner && r.checkpointOwner == "" && !r.finished()
	}, alone(func(r *row) { r.owner, r.checkpointOwner = to, seen.Owner }))
}

func withdraw(seen shard.Lease) call {
	return rowWrite(seen.Key, func(_ world, r row) bool { return r.seen(seen) },
		alone(func(r *row) { r.owner, r.checkpointOwner = seen.CheckpointOwner, "" }))
}

func refuse(held shard.Lease, me string) call {
	return rowWrite(held.Key, byAsked(held, me), alone(func(r *row) {
		r.owner, r.checkpointOwner = me, ""
		r.counter++
	}))
}

func seek(seen shard.Lease, to shard.Position) call {
	return moved(seen, func(_ world, r row) bool {
		return r.counter == seen.Counter && r.checkpointOwner == "" && !r.finished()
	}, checkpoint.Progress{Position: to}, func(r *row) { r.seekGen++ })
}

func end(held shard.Lease, me string, children []shard.Shard, lost bool) call {
	return rowWrite(held.Key, byHolder(held, me), func(w world, r row) (world, row) {
		var ids []string
		for _, c := range children {
			ids = append(ids, c.ID)
			if _, there := w.rows[c.ID]; !there {
				w = w.withRow(c.ID, row{sequence: shard.TrimHorizon().Sequence})
			}
		}
		if len(ids) > 0 {
			r.children = strings.Join(slices.Sorted(slices.Values(ids)), " ")
		}
		r.sequence, r.sub, r.switches, r.lost = shard.End().Sequence, 0, 0, r.lost || lost
		r.counter++
		return w, r
	})
}

// tenures is how far the counters of two rows put back lie apart.
const tenures = 1_000_000_000

func putBack(lost shard.Lease, me string) call {
	return func(w world) (world, answer) {
		if r, there := w.rows[lost.Key]; there {
			return w, answer{verdict: refused, row: &r}
		}
		if !w.live(me) {
			return w, answer{verdict: sessionOver}
		}
		w.epoch = max(w.epoch, lost.Counter/tenures) + 1
		r := rowOf(lost)
		r.owner, r.checkpointOwner, r.switches, r.counter = me, "", 0, w.epoch*tenures
		return w.withRow(lost.Key, r), answer{verdict: done, row: &r}
	}
}

func begin(w world) (world, answer) {
	w.epoch++
	return w, answer{verdict: done, epoch: w.epoch}
}

// create is one row of a Create; a row that exists is left alone.
func create(epoch int64, l shard.Lease) call {
	return func(w world) (world, answer) {
		if w.epoch != epoch {
			return w, answer{verdict: epochOver}
		}
		if _, there := w.rows[l.Key]; !there {
			r := rowOf(l)
			if l.CreatedFrom == "repair" {
				r.counter = max(r.counter, epoch*tenures)
			}
			w = w.withRow(l.Key, r)
		}
		return w, answer{verdict: done}
	}
}

// remove is Delete and Drop.
func remove(epoch int64, key string, may func(row) bool) call {
	return func(w world) (world, answer) {
		if w.epoch != epoch {
			return w, answer{verdict: epochOver}
		}
		r, there := w.rows[key]
		if !there {
			return w, answer{verdict: refused}
		}
		if !may(r) {
			return w, answer{verdict: refused, row: &r}
		}
		return w.withoutRow(key), answer{verdict: done}
	}
}

func register(id string) call {
	return func(w world) (world, answer) {
		if _, there := w.sessions[id]; there {
			return w, answer{verdict: refused}
		}
		return w.withSession(id, session{}), answer{verdict: done}
	}
}

func heartbeat(id string) call {
	return func(w world) (world, answer) {
		if !w.live(id) {
			return w, answer{verdict: sessionOver}
		}
		s := w.sessions[id]
		s.beat++
		return w.withSession(id, s), answer{verdict: done, session: &s}
	}
}

func readSession(id string) call {
	return func(w world) (world, answer) {
		if s, there := w.sessions[id]; there {
			return w, answer{verdict: done, session: &s}
		}
		return w, answer{verdict: absent}
	}
}

func revoke(seen shard.Session, by string) call {
	return func(w world) (world, answer) {
		s := w.sessions[seen.ID]
		if !w.live(seen.ID) || s.beat != seen.Beat {
			return w, answer{verdict: refused}
		}
		s.revokedBy = by
		return w.withSession(seen.ID, s), answer{verdict: done}
	}
}

func leave(id string) call {
	return func(w world) (world, answer) {
		if s := w.sessions[id]; s.revokedBy != "" {
			return w, answer{verdict: sessionOver}
		}
		return w.withoutSession(id), answer{verdict: done}
	}
}

func bury(id string) call {
	return func(w world) (world, answer) {
		if w.live(id) {
			return w, answer{verdict: refused}
		}
		return w.withoutSession(id), answer{verdict: done}
	}
}
