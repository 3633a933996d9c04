package consumer

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// keeper holds the lease row of a tenure for one go at its shard, and makes the
// saves that the loops of all its handlers want: at most one write of a lease is
// under way. It puts together what the loops say of their handlers, and tells
// every loop what an answer means for all of them.
type keeper struct {
	worker *worker
	branch branch
	writer *rowWriter
	work   context.Context // ends every save

	saves sync.WaitGroup
	// alone is filled by the handler that has a record alone: a row has room for
	// the name of one.
	alone chan struct{}

	mu      sync.Mutex // guards what is below, and the seats; never held while waiting
	seats   []*seat
	held    shard.Lease
	beside  []*sideWrite // what waits to be written with a save
	saving  bool
	savedAt time.Time
	over    bool // the go at the shard is, as out says
	out     outcome
	moved   bool // because somebody moved the position
}

// newKeeper begins a go at the shard of row.
func newKeeper(w *worker, b branch, writer *rowWriter, work context.Context, row shard.Lease) *keeper {
	return &keeper{worker: w, branch: b, writer: writer, work: work, held: row, savedAt: time.Now(), alone: make(chan struct{}, 1)}
}

// verdict is what the last answers came to: over says that the go at the shard
// is, for every loop, and how.
func (k *keeper) verdict() (out outcome, over bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.out, k.over
}

// row is the row as it was last seen to stand.
func (k *keeper) row() shard.Lease {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.held
}

// progress is what a write of the row says now.
func (k *keeper) progress() checkpoint.Progress {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.merged(nil)
}

// saveAt is when the next save is due, if there is a reason for one and none is
// under way.
func (k *keeper) saveAt() (time.Time, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.dueAt()
}

// keep starts the save that is wanted or, if routine ones may be made, due.
func (k *keeper) keep(now time.Time, routine bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.saving || k.over {
		return
	}
	asker := k.asker()
	var side *sideWrite
	if asker == nil && len(k.beside) > 0 {
		side, k.beside = k.beside[0], k.beside[1:]
	}
	if at, due := k.dueAt(); asker == nil && side == nil && (!routine || !due || now.Before(at)) {
		return
	}
	p, held := k.merged(asker), k.held
	if side != nil {
		p.Effects = append(p.Effects, side.effects...)
	}
	turns := make([]int, len(k.seats))
	pending := 0
	for i, s := range k.seats {
		turns[i] = s.turn
		pending += s.pending
	}
	k.saving, k.savedAt = true, now
	k.saves.Go(func() { // ends with the work context at the latest; awaited by rest
		started := time.Now()
		res, err := k.writer.save(k.work, held, p)
		k.took(asker, held, p, res, err, turns, CheckpointEvent{
			Worker: k.worker.session.id, Shard: held.Shard, At: res.row.Checkpoint, Pending: pending, Took: time.Since(started),
		})
		side.answer(res, err)
	})
}

// asker is the seat whose turn it is, nil if none wants a save of its own.
func (k *keeper) asker() *seat {
	for i, s := range k.seats {
		if s.asked != nil {
			// Behind the others the next time.
			k.seats = append(append(k.seats[:i:i], k.seats[i+1:]...), s)
			return s
		}
	}
	return nil
}

// dueAt is when a routine save is due.
func (k *keeper) dueAt() (time.Time, bool) {
	if k.saving || len(k.seats) == 0 {
		return time.Time{}, false
	}
	p := k.merged(nil)
	same := func(a, b shard.Position) bool { return a.Compare(b) == 0 }
	switch retention := k.branch.stream.Retention; {
	case !same(p.Position, k.held.Checkpoint) || !maps.EqualFunc(p.Marks, k.held.Marks, same) || len(p.States) > 0:
		return k.savedAt.Add(k.worker.cfg.CheckpointInterval), true
	case fallen(k.held.Load, p.Load):
		return k.savedAt.Add(meterMemory), true
	case p.ReadUpTo.After(k.held.ReadUpTo) && retention > 0:
		// A shard that was idle for longer than the retention has lost nothing,
		// and this is how its next owner knows.
		return k.savedAt.Add(retention / 4), true
	}
	return time.Time{}, false
}

// merged is what a save says: that of the asker, if there is one, with what the
// others have said.
func (k *keeper) merged(asker *seat) (p checkpoint.Progress) {
	if len(k.seats) == 1 && k.seats[0].handler == "" {
		p = k.seats[0].says(asker) // asked for with every batch, and worth no map
	} else {
		of := make(map[string]checkpoint.Progress, len(k.seats))
		for _, s := range k.seats {
			of[s.handler] = s.says(asker)
		}
		p = mergeProgress(of)
	}
	for _, s := range k.seats {
		if s.suspect.Suspect.IsRecord() {
			p.Suspect, p.SuspectCrashes, p.SuspectHandler = s.suspect.Suspect, s.suspect.SuspectCrashes, s.suspect.SuspectHandler
		}
	}
	return p
}

// took takes the answer of a save and wakes every loop.
func (k *keeper) took(asker *seat, held shard.Lease, p checkpoint.Progress, res result, err error, turns []int, event CheckpointEvent) {
	if err == nil && res.err != nil && len(p.States)+len(p.Effects) > 0 {
		handler := ""
		if asker != nil {
			handler = asker.handler
		}
		k.worker.note(held.Shard, handler, fmt.Errorf("write what belongs to the position: %w", res.err))
	}
	gone, adopted := k.judge(asker, held, p, res, err, turns)
	if adopted {
		fire(k.worker.cfg.Hooks.Checkpointed, event)
	}
	if gone {
		// Nobody else can hold what has no row: what runs may end, and is then
		// written with the row.
		k.worker.fleet.rowGone(held.Key)
	}
	if adopted && res.row.CheckpointOwner == k.worker.session.id {
		k.worker.fleet.handoverAsked(res.row)
	}
}

func (k *keeper) judge(asker *seat, held shard.Lease, p checkpoint.Progress, res result, err error, turns []int) (gone, adopted bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.saving = false
	defer k.wakeAll()
	if err != nil {
		// The work context has ended, and with it every loop.
		return false, false
	}
	switch res.verdict {
	case checkpoint.Lost:
		if res.gone {
			k.answer(asker, answer{row: held, refused: errRowGone})
			return true, false
		}
		k.over, k.out = true, outcomeLost
		return false, false
	case checkpoint.Restart:
		k.over, k.out, k.held, k.moved = true, outcomeRestart, res.row, res.row.SeekGen != held.SeekGen
		return false, false
	}
	k.held = res.row
	if checkpoint.Further(res.row, p) {
		// A save with effects that was given up, as it could not be known to be
		// applied, has been after all: its records are done.
		k.over, k.out = true, outcomeRestart
		return false, false
	}
	applied := res.applied(held, p)
	for i, s := range k.seats {
		at, ok := res.row.Marks[s.handler]
		if !ok {
			at = res.row.Checkpoint
		}
		s.status.checkpointed(at)
		if applied && s.turn == turns[i] {
			s.said.States = nil
		}
	}
	if asker != nil && applied && asker.asked.Position.Compare(asker.said.Position) > 0 {
		// What is written is not taken back by the next save of another loop.
		asker.said = *asker.asked
		asker.said.States, asker.said.Effects = nil, nil
	}
	k.answer(asker, answer{row: res.row, applied: applied, refused: res.refused, err: res.err})
	return false, true
}

// answer notes the answer for the loop that asked, if one did.
func (k *keeper) answer(asker *seat, a answer) {
	if asker != nil {
		asker.asked, asker.answered = nil, &a
	}
}

// rest waits until no save is under way. No loop runs any more.
func (k *keeper) rest() { k.saves.Wait() }
