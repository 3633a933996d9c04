package consumer

import (
	"context"
	"time"

	"github.com/towpath/towpath/shard"
)

// Loops that wait for several things take what is ready in a fixed order, and not
// at random as select does: what a worker does is then a function of what happens
// to it, which is what lets a simulation play the same run again.

// occasion is what the fleet's loop goes on for. The zero occasion is that
// something is due.
type occasion struct {
	over           bool // the run or the session is
	asked, resumed bool
	ended          *tenure
	hints          []shard.Hint
}

// occasion waits for the next one: what ends the run comes before what it is busy
// with, and what has ended before what may begin.
func (f *fleet) occasion(due <-chan time.Time, life, stop context.Context) occasion {
	if stop.Err() != nil || life.Err() != nil {
		return occasion{over: true}
	}
	select {
	case t := <-f.ended:
		return occasion{ended: t}
	default:
	}
	select {
	case hints := <-f.hints:
		return occasion{hints: hints}
	default:
	}
	select {
	case <-f.bundle.asked:
		return occasion{asked: true}
	default:
	}
	select {
	case <-f.resumed:
		return occasion{resumed: true}
	default:
	}
	select {
	case <-due:
		return occasion{}
	case t := <-f.ended:
		return occasion{ended: t}
	case hints := <-f.hints:
		return occasion{hints: hints}
	case <-f.bundle.asked:
		return occasion{asked: true}
	case <-f.resumed:
		return occasion{resumed: true}
	case <-stop.Done():
		return occasion{over: true}
	case <-life.Done():
		return occasion{over: true}
	}
}

// event is what a shard's loop goes on for, and what came with it.
type event struct {
	kind    eventKind
	settled settlement
	wrote   sideAnswer
	unpark  unpark
	chunk   fetched
}

type eventKind int

const (
	mayBeDue    eventKind = iota // something is, or may be called again
	hasSettled                   // a lane has said something
	isWoken                      // the keeper has
	isLeft                       // the shard is to be left
	isPressed                    // the budget wants batches called as they are
	isAcked                      // something was acknowledged
	isPaused                     // which keys are paused has changed
	hasWritten                   // what is parked has been
	wantsUnpark                  // somebody asks for a parked key
	isRead                       // a chunk has been
)

// sources are what a loop waits for besides what it always does.
type sources struct {
	chunks <-chan fetched
	pace   <-chan struct{}
	due    <-chan time.Time
}

// event waits for the next one.
func (l *shardLoop) event(of sources) event {
	select {
	case s := <-l.settled:
		return event{kind: hasSettled, settled: s}
	default:
	}
	select {
	case <-l.seat.wake:
		return event{kind: isWoken}
	default:
	}
	if l.reading.Err() != nil {
		return event{kind: isLeft}
	}
	select {
	case <-l.acks.ready:
		return event{kind: isAcked}
	default:
	}
	select {
	case <-l.pauses:
		return event{kind: isPaused}
	default:
	}
	select {
	case a := <-l.parking.written():
		return event{kind: hasWritten, wrote: a}
	default:
	}
	select {
	case <-l.gathered.flush:
		return event{kind: isPressed}
	default:
	}
	select {
	case c := <-of.chunks:
		return event{kind: isRead, chunk: c}
	default:
	}
	select {
	case s := <-l.settled:
		return event{kind: hasSettled, settled: s}
	case <-l.seat.wake:
		return event{kind: isWoken}
	case <-l.reading.Done():
		return event{kind: isLeft}
	case <-l.acks.ready:
		return event{kind: isAcked}
	case <-l.pauses:
		return event{kind: isPaused}
	case a := <-l.parking.written():
		return event{kind: hasWritten, wrote: a}
	case <-l.gathered.flush:
		return event{kind: isPressed}
	case c := <-of.chunks:
		return event{kind: isRead, chunk: c}
	// What comes now has no place in the order: it is asked for from without, or has
	// the loop look again at what it would have looked at in any case.
	case u := <-l.unparks:
		return event{kind: wantsUnpark, unpark: u}
	case <-of.pace:
	case <-of.due:
	}
	return event{}
}
