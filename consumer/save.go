package consumer

import (
	"time"

	"github.com/towpath/towpath/checkpoint"
)

// progress is what a write of the row says now of this loop's handler.
func (l *shardLoop) progress() checkpoint.Progress {
	at, arrived := l.tracker.Mark()
	if l.floor.Position.Compare(at) > 0 {
		at, arrived = l.floor.Position, l.floor.Arrived
	}
	return checkpoint.Progress{Position: at, Arrived: arrived, ReadUpTo: l.readUpTo, Load: l.meter.value(time.Now())}
}

// report tells the keeper how far the handler is.
func (l *shardLoop) report() { l.seat.say(l.keeping.writable(l.progress()), l.tracker.Pending()) }

// askMark has the record written down that a lane is about to handle alone.
func (l *shardLoop) askMark() {
	at, crashes := l.mark.record.Position(), 1
	if l.suspect.Compare(at) == 0 && l.suspectOf == l.handler {
		crashes = l.crashes + 1
	}
	l.seat.mark(at, crashes)
	l.seat.ask(l.keeping.writable(l.progress()))
}

// heed looks at what the keeper's last answers mean. Over says that this go at
// the shard is over, and how.
func (l *shardLoop) heed() (out outcome, over bool) {
	if out, over := l.seat.verdict(); over {
		return out, true
	}
	answer, ok := l.seat.take()
	switch {
	case !ok:
	case l.commit != nil:
		l.afterCommit(answer)
	case l.mark == nil:
	case answer.row.Suspect.Compare(l.mark.record.Position()) == 0 && answer.row.SuspectHandler == l.handler:
		l.mark.written <- answer.row.SuspectCrashes
		l.mark = nil
	case answer.refused == nil:
		l.askMark()
	}
	return 0, false
}

// unmark takes a record that was handled alone out of the next saves, and lets
// another handler have one alone.
func (l *shardLoop) unmark() {
	l.seat.unmark()
	if l.alone {
		l.alone = false
		<-l.seat.alone
	}
}

// closeMark tells a lane that waits for its mark that there will be none.
func (l *shardLoop) closeMark() {
	if l.mark != nil {
		close(l.mark.written)
		l.mark = nil
	}
}
