package consumer

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// shardLoop works one shard for the length of one tenure of its lease: it takes
// chunks from the fetcher, gathers batches, gives them to lanes, and moves the
// checkpoint behind what is finished. Its fields belong to the goroutine of run.
type shardLoop struct {
	cfg    *Config
	worker *worker
	branch branch
	shard  string
	fence  batching.Fence
	right  *right
	valid  func() bool // what handlers ask, see mayAct
	policy batching.Policy
	seat   *seat // at the keeper of the lease row
	// handler is the handler's name where there are several, and breaker its own.
	handler string
	breaker *breaker

	// reading ends when the shard is to be left, and its cause says why; work
	// ends when handlers may no longer run.
	reading, work context.Context
	stopWork      context.CancelCauseFunc

	from      checkpoint.Progress // where it begins
	tracker   *checkpoint.Tracker
	split     batching.Lanes
	lanes     []laneState
	gate      *batching.Gate // keys that wait
	parking   *parking       // keys that are parked; nil if none ever are
	unparks   <-chan unpark  // who asks for one to be called again
	gathered  *gatherer
	memory    holding        // records that are read and not finished
	started   int64          // the highest ticket that a lane was given, -1: none
	busy      int            // lanes at work
	running   *atomic.Int64  // handler calls in this process that have not returned
	isolate   bool           // handle records one by one: the last owners died here
	suspects  int            // how many records they can have had in flight
	suspect   shard.Position // what they died on, if known
	crashes   int            // and how many of them
	suspectOf string         // whose suspect it is, of several handlers
	alone     bool           // it has the keeper's turn to handle a record alone

	chunks  chan fetched
	pauses  chan struct{} // which keys are paused has changed
	settled chan settlement
	mark    *suspectMark // waits for its save
	wakes   wakes        // calls without records

	acks     *acks
	deferred deferrals
	commit   *commitment // waits for its save
	keeping  keeping     // the handler's state
	astray   bool        // the go at the shard is to begin anew
	// floor is where the row stood: Positions may have named an earlier place,
	// and the row does not go back.
	floor checkpoint.Progress

	meter    meter // of what is read
	status   *shardStatus
	behind   time.Duration
	seenAt   time.Time // the service's time of the last read
	readUpTo time.Time // the service's time up to which all is read and finished
	full     bool      // no more is to be read, the shard goes on
	ended    bool      // the last record of the shard has been read
	lost     bool      // the rest of the shard was trimmed unread
	children []shard.Shard
}

// laneState is a lane as its shard sees it.
type laneState struct {
	gather *batching.Assembler
	busy   bool
	own    *ownBatch // what it works on, if that is a batch of a key that was held
	turn   bool      // the last one was, so that what is gathered comes first
	late   []acked   // what was acknowledged and is to be sent, or handled again
}

// outcome is how a tenure went: what to do with the lease now.
type outcome int

const (
	outcomeLost    outcome = iota // the lease is gone, or must be read again
	outcomeLeave                  // told to leave, and drained
	outcomeEnded                  // the shard is done to its end
	outcomeRestart                // still mine, but to be begun anew
)

// run works until the shard ends or is to be left. When it returns no lane is
// at work and the keeper knows how far it came; a handler may run on if it
// ignored the end of its context (abandoned).
func (l *shardLoop) run() outcome {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	l.pauseKeys(time.Now())
	for {
		now := time.Now()
		paceChanged := l.worker.pace.watch() // before it is looked at
		if l.reading.Err() == nil {
			l.wake(now)
			l.dispatch(now)
		}
		l.wantState(now)
		l.parking.next(now, l.reading.Err() != nil)
		l.report()
		l.seat.keep(now, l.reading.Err() == nil)
		l.publish()
		if l.ended && l.idle() && l.wakes.done() && l.parking.mayEnd() && !l.stateLags() {
			return outcomeEnded
		}
		timer.Reset(l.nextWake(now))
		var chunks <-chan fetched
		if l.tracker.Pending() < l.cfg.MaximumInFlight && !l.ended && !l.full {
			chunks = l.chunks
		}
		switch e := l.event(sources{chunks: chunks, pace: paceChanged, due: timer.C}); e.kind {
		case isRead:
			select {
			case <-l.pauses: // said before this was read
				l.pauseKeys(time.Now())
			default:
			}
			l.take(e.chunk, time.Now())
		case hasSettled:
			if l.settle(e.settled); l.astray {
				return l.quit(outcomeRestart)
			}
		case isWoken:
			if out, over := l.heed(); over {
				return l.quit(out)
			}
		case isPressed:
			for i := range l.lanes {
				l.lanes[i].gather.Flush()
			}
			l.wakes.pressed = l.waiting() > 0
		case isAcked:
			l.takeAcks()
		case isPaused:
			l.pauseKeys(time.Now())
		case hasWritten:
			l.parking.afterWrite(e.wrote, time.Now())
		case wantsUnpark:
			e.unpark.answer <- l.parking.release(e.unpark.key)
		case isLeft:
			return l.leave()
		}
	}
}

// close gives back what the loop holds, and tells the keeper for the last time
// how far it came.
func (l *shardLoop) close() {
	l.report()
	l.acks.close()
	l.worker.keyPauses.unwatch(l.pauses)
	l.worker.budget.leave(l.gathered)
	l.memory.close()
}

// idle reports whether nothing is pending anywhere.
func (l *shardLoop) idle() bool { return l.busy == 0 && l.tracker.Pending() == 0 }

// take enters the records of a chunk into the tracker and the lanes.
func (l *shardLoop) take(c fetched, now time.Time) {
	l.behind, l.seenAt = c.Behind, c.Now
	records := c.Records
	if until := l.cfg.Until.at; !until.IsZero() {
		n := slices.IndexFunc(records, func(r shard.Record) bool { return !r.ArrivedAt.Before(until) })
		if n >= 0 {
			l.full, c.Ended, records = true, false, records[:n]
		}
	}
	l.meter.add(payloadOf(records), now)
	tickets := make([]int64, len(records))
	for i := range records {
		tickets[i] = l.tracker.Begin(&records[i])
	}
	if len(records) == 0 {
		l.memory.take(&c, 0, 0)
		l.tracker.Rest()
	} else {
		l.memory.take(&c, len(records), tickets[0])
		l.gather(&c, records, tickets, now)
	}
	if n := len(records); n > 0 && l.parking != nil {
		l.parking.readTo = records[n-1].Position()
	}
	if c.Ended {
		l.ended, l.lost, l.children = true, c.gone, c.Children
		for i := range l.lanes {
			l.lanes[i].gather.Flush() // nothing more will fill them
		}
	}
	if l.tracker.Pending() == 0 && l.behind == 0 {
		l.isolate = false // whatever killed the last owners is not here any more
		l.noteReadUpTo()
	}
	l.status.read(l.tipReached(), l.tracker.Pending())
}

// noteReadUpTo notes that all is finished that had come when the shard was last
// read: not what has come since. What a shard reads at its end says nothing: it
// may have ended long before, and what came then is in its children, unread.
func (l *shardLoop) noteReadUpTo() {
	if !l.ended {
		l.readUpTo = l.seenAt
	}
}

// tipReached reports whether all that the run is to read of the shard has been.
func (l *shardLoop) tipReached() bool {
	if l.full || l.ended {
		return true
	}
	return l.behind == 0 && !l.worker.serviceNow().Before(l.cfg.Until.at)
}

// settle takes a lane's report.
func (l *shardLoop) settle(s settlement) {
	switch {
	case s.deferred != nil:
		l.deferred.add(s.deferred)
		if l.isolate && l.suspect.IsRecord() {
			// The last owner died though records were handled one by one: it may
			// be what is done with them later, together, that kills.
			l.wakes.pressed = true
		}
	case s.woke != nil:
		l.busy--
		l.afterWake(*s.woke)
		l.keeping.changed = l.keeping.handler != nil
	case s.over:
		l.lanes[s.lane].busy = false
		l.busy--
		if s.unmark {
			l.unmark()
		}
		l.ownOver(s)
	case s.aside != nil:
		l.setAside(s.aside, time.Now())
	case s.page != nil:
		l.busy--
		l.parking.afterRead(s.page, time.Now())
	case len(s.tickets) > 0 && s.tickets[0] < 0:
		l.parking.finished(s)
	case s.mark != nil:
		l.mark, l.alone = s.mark, true
		l.askMark()
	case s.unmark:
		l.unmark()
	case s.state != nil:
		l.tookState(*s.state)
	case s.commit != nil:
		l.askCommit(s.commit)
	case s.astray:
		l.astray = true
	default:
		l.tracker.Done(s.tickets...)
		l.keeping.finished(s.tickets)
		l.memory.finish(s.tickets, s.bytes)
		l.status.progressed(len(s.tickets))
		if l.suspects -= len(s.tickets); l.suspects <= 0 {
			l.isolate = false // what killed the last owners cannot lie further on
		}
		if l.tracker.Pending() == 0 && l.behind == 0 {
			l.noteReadUpTo()
		}
	}
}

// nextWake is when run must look again though nothing happened.
func (l *shardLoop) nextWake(now time.Time) time.Duration {
	wake := time.Hour
	held := l.wakes.running || l.worker.pace.closed(l.shard) // what is due has to wait
	for i := range l.lanes {
		if at, ok := l.lanes[i].gather.DueAt(); ok && !l.lanes[i].busy && !held {
			wake = min(wake, at.Sub(now))
		}
	}
	if at, ok := l.gate.DueAt(); ok && !held {
		wake = min(wake, at.Sub(now))
	}
	if at, ok := l.parking.nextAt(now); ok {
		wake = min(wake, at.Sub(now))
	}
	if at, ok := l.seat.saveAt(); ok {
		wake = min(wake, at.Sub(now))
	}
	if at, ok := l.nextWakeAt(now); ok {
		wake = min(wake, at.Sub(now))
	}
	if at, ok := l.stateDue(); ok && !l.keeping.wanted.Load() {
		wake = min(wake, at.Sub(now))
	}
	return max(wake, time.Millisecond)
}

// publish shows what the shard is doing.
func (l *shardLoop) publish() {
	at, _ := l.tracker.Mark()
	l.status.publish(at, l.tracker.OldestArrived(), l.tracker.Pending(), l.busy, l.behind)
	l.status.publishHeld(l.gate.Keys(), l.gate.Records(), l.waiting())
	l.parking.publishParked()
}
