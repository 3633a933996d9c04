package consumer

import (
	"context"
	"time"
)

// leave drains: reading has stopped, running calls end, and what several lanes
// have begun is brought to one edge. It is over at the drain time at the latest.
func (l *shardLoop) leave() outcome {
	if cause := context.Cause(l.reading); cause == ErrLeaseLost {
		return l.quit(outcomeLost)
	}
	l.wakes.leaves()
	for {
		l.drainDispatch()
		l.wake(time.Now())
		l.parking.next(time.Now(), true)
		if l.busy == 0 && l.toldLeaving() && l.mayGo() && !l.parking.owes() && !l.lastState() {
			break
		}
		l.seat.keep(time.Now(), false)
		select {
		case a := <-l.parking.written():
			l.parking.afterWrite(a, time.Now())
		case <-l.parking.retry():
		case <-l.acks.ready:
			l.takeAcks()
		case <-l.retryWake():
		case s := <-l.settled:
			l.settle(s)
			l.report()
		case <-l.seat.wake:
			if out, over := l.heed(); over {
				return l.quit(out)
			}
		case <-l.work.Done():
			if context.Cause(l.work) == ErrLeaseLost {
				return l.quit(outcomeLost)
			}
			return l.quit(outcomeLeave)
		}
	}
	if l.ended && l.tracker.Pending() == 0 && l.wakes.done() && l.parking.mayEnd() && !l.stateLags() {
		return outcomeEnded
	}
	return outcomeLeave
}

// drainDispatch lets idle lanes finish the records that lie before the highest
// that any lane was given: only then is the mark at one edge, and nothing that
// was handled here is handled again by the next owner.
func (l *shardLoop) drainDispatch() {
	for i := range l.lanes {
		l.startLate(i)
	}
	if l.work.Err() != nil || len(l.lanes) == 1 || l.isolate || !l.right.valid() || l.worker.pace.closed(l.shard) {
		return
	}
	edge := l.started
	for i := range l.lanes {
		lane := &l.lanes[i]
		if lane.busy || lane.gather.Len() == 0 {
			continue
		}
		if batch := lane.gather.TakeUpTo(edge); len(batch.Records) > 0 {
			l.start(i, batch, nil)
			l.started = edge
		}
	}
}

// quit waits for what runs and drops the rest.
func (l *shardLoop) quit(out outcome) outcome {
	l.stopWork(l.seat.endedBy()) // an earlier cause stands
	l.closeMark()
	l.closeCommit()
	for l.busy > 0 {
		l.settle(<-l.settled)
		l.closeMark()
		l.closeCommit()
	}
	return out
}
