package consumer

import (
	"time"

	"github.com/towpath/towpath/checkpoint"
)

// progress is what a write of the row says now.
func (l *shardLoop) progress() checkpoint.Progress {
	at, arrived := l.tracker.Mark()
	return checkpoint.Progress{Position: at, Arrived: arrived, ReadUpTo: l.readUpTo}
}

// saveAt is when the mark is to be written next, if there is a reason to.
func (l *shardLoop) saveAt() (time.Time, bool) {
	at, _ := l.tracker.Mark()
	switch {
	case at.Compare(l.held.Checkpoint) != 0:
		return l.savedAt.Add(l.cfg.CheckpointInterval), true
	case l.readUpTo.After(l.held.ReadUpTo) && l.worker.stream.Retention > 0:
		// A shard that was idle for longer than the retention has lost nothing,
		// and this is how its next owner knows.
		return l.savedAt.Add(l.worker.stream.Retention / 4), true
	}
	return time.Time{}, false
}

// trySave writes the mark in the background, if it is time to: at most one write
// of a lease is under way.
func (l *shardLoop) trySave(now time.Time) {
	l.serveMark()
	if at, ok := l.saveAt(); ok && !l.saving && !now.Before(at) && l.reading.Err() == nil {
		l.save(l.progress(), now)
	}
}

func (l *shardLoop) save(p checkpoint.Progress, now time.Time) {
	l.saving, l.savedAt = true, now
	held := l.held
	go func() { // ends with the work context at the latest; awaited by run
		started := time.Now()
		res, err := l.writer.save(l.work, held, p)
		l.saved <- saveDone{result: res, at: p.Position, took: time.Since(started), err: err}
	}()
}

// serveMark writes down the record that a lane is about to handle alone.
func (l *shardLoop) serveMark() {
	if l.mark == nil || l.saving {
		return
	}
	p := l.progress()
	p.Suspect = l.mark.record.Position()
	p.SuspectCrashes = 1
	if l.suspect.Compare(p.Suspect) == 0 {
		p.SuspectCrashes = l.crashes + 1
	}
	l.save(p, time.Now())
}

// afterSave takes the answer of a save. Over says that the tenure is, and how.
func (l *shardLoop) afterSave(s saveDone) (out outcome, over bool) {
	l.saving = false
	if s.err != nil {
		return outcomeLost, true // the work context has ended
	}
	switch s.result.verdict {
	case checkpoint.Lost:
		if s.result.gone {
			// Nobody else can hold what has no row: what runs may end, and is
			// then written with the row.
			l.worker.fleet.rowGone(l.held.Key)
			return 0, false
		}
		return outcomeLost, true
	case checkpoint.Restart:
		l.held = s.result.row
		return outcomeRestart, true
	}
	l.held = s.result.row
	fire(l.cfg.Hooks.Checkpointed, CheckpointEvent{
		Worker: l.worker.session.id, Shard: l.shard, At: l.held.Checkpoint, Pending: l.tracker.Pending(), Took: s.took,
	})
	l.status.checkpointed(l.held.Checkpoint)
	if l.mark != nil && l.held.Suspect.Compare(l.mark.record.Position()) == 0 {
		l.mark.written <- l.held.SuspectCrashes
		l.mark = nil
	}
	if l.held.CheckpointOwner == l.worker.session.id {
		l.worker.fleet.handoverAsked(l.held)
	}
	return 0, false
}

// closeMark tells a lane that waits for its mark that there will be none.
func (l *shardLoop) closeMark() {
	if l.mark != nil {
		close(l.mark.written)
		l.mark = nil
	}
}
