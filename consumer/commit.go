package consumer

import (
	"errors"
	"fmt"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/shard"
)

// A call to whose batch effects were attached (batching.Batch.Attach) finishes
// its records with one write: the effects, the position of the last of them and,
// if the handler keeps one, the state. The records are finished when that write
// is known to have been applied, and not before: while it is not known the row
// is asked, and while it was not applied it is made again. So an effect whose
// answer was lost is neither lost nor done twice.

// commitment asks the shard to write effects with a position.
type commitment struct {
	first   int64 // the ticket of the first record of the call
	last    *shard.Record
	effects []any
	state   *stateTaken // nil if the handler keeps none
	// answered is nil for written, errNotApplied for to be asked for again,
	// errAstray, and else why it is refused. Closed: the go at the shard is over.
	answered chan error
}

var (
	// errNotApplied says that a commitment was not written, and may be.
	errNotApplied = errors.New("not applied")
	// errAstray says that records before those of a commitment are not finished.
	errAstray = errors.New("records before are not finished")
)

// effects are what was attached to a call that succeeded. What was attached to
// one that failed is not written, and then no record of it is done: what
// FailFrom and Reject say is that effects are durable, and these are not.
func (l *lane) effects(batch *batching.Batch, o batching.Outcome) ([]any, batching.Outcome) {
	if batch.Call == nil {
		return nil, o
	}
	effects := batch.Call.Effects()
	switch {
	case len(effects) == 0:
		return nil, o
	case o.Failed:
		o.From, o.Rejects = 0, nil
		return nil, o
	}
	if err := l.canCommit(batch); err != nil {
		return nil, refusedCommit(err)
	}
	return effects, o
}

// canCommit says why effects can not be written with a position here.
func (l *lane) canCommit(batch *batching.Batch) error {
	switch {
	case l.cfg.ParallelizationFactor > 1:
		return fmt.Errorf("effects are attached and ParallelizationFactor is %d: want 1, as a position is that of all before it", l.cfg.ParallelizationFactor)
	case l.cfg.Unordered:
		return errors.New("effects are attached and Unordered is set: batches that end in any order have no position in common")
	case l.cfg.SetAside.On():
		return errors.New("effects are attached and SetAside has delays: a position is that of all records before it, those of a key that waits among them")
	case l.cfg.KeyLimit.On():
		return errors.New("effects are attached and KeyLimit is set: a position is that of all records before it, those of a key that waits among them")
	case l.cfg.Park.on():
		return errors.New("effects are attached and Park is set: a position is that of all records before it, those of a key that is parked among them")
	case batch.Call.Deferred() != nil:
		return errors.New("effects are attached to a batch that is deferred: they are written when the handler returns")
	}
	return nil
}

// refusedCommit is the outcome of a call whose effects were not written.
func refusedCommit(err error) batching.Outcome {
	return batching.Outcome{Failed: true, Err: err}
}

// commit writes what a call with effects came to. What it emitted, handled and
// rejected is accepted first, so that nothing is written that is not settled. If
// the effects are refused, the call has failed.
func (l *lane) commit(s batching.Segment, records []shard.Record, effects []any, o batching.Outcome) (batching.Verdict, error) {
	c := commitment{first: l.batch.Tickets[s.From], last: &records[len(records)-1], effects: effects}
	if l.keeping.handler != nil {
		t, stuck := l.askState()
		switch {
		case stuck:
			return batching.Verdict{}, errLaneOver
		case t.err != nil:
			return l.apply(s, records, refusedCommit(fmt.Errorf("state of %s: %w", l.shard, t.err)))
		}
		c.state = &t
	}
	verdict := l.policy.Decide(s, o)
	if err := l.sendOn(records, verdict); err != nil {
		return verdict, err
	}
	if err := l.succeed(withoutRejected(records, o.Rejects), s.Attempts+1); err != nil {
		return verdict, err
	}
	for _, r := range o.Rejects {
		err := l.giveUp(records[r.Index:r.Index+1], destination.Failure{
			Condition: destination.Rejected, Attempts: s.Attempts + 1, Err: r.Err, Partial: true,
		})
		if err != nil {
			return verdict, err
		}
	}
	refused, err := l.persistEffects(c)
	if err != nil {
		return verdict, err
	}
	if refused != nil {
		fire(l.cfg.Hooks.CommitRefused, CommitRefusedEvent{
			Worker: l.worker.session.id, Shard: l.shard, Records: len(records), Effects: len(effects), Attempt: s.Attempts + 1, Err: refused,
		})
		l.worker.note(l.shard, l.handler, refused)
		o = refusedCommit(refused)
		l.err, verdict = refused, l.policy.Decide(s, o)
		return verdict, l.carryOut(s, records, o, verdict)
	}
	l.finish(s.From, s.To)
	return verdict, nil
}

// persistEffects has effects written until they are, or are refused for what
// they are. Its error is that the lane is over.
func (l *lane) persistEffects(c commitment) (refused, err error) {
	for try := 1; ; try++ {
		if !l.right.valid() || l.ctx.Err() != nil {
			return nil, errLaneOver
		}
		ask := c
		ask.answered = make(chan error, 1)
		l.settled <- settlement{commit: &ask}
		select {
		case answer, ok := <-ask.answered:
			switch {
			case !ok:
				return nil, errLaneOver
			case answer == nil:
				return nil, nil
			case errors.Is(answer, errAstray):
				return nil, l.goAstray(answer)
			case !errors.Is(answer, errNotApplied):
				return answer, nil
			}
			l.worker.note(l.shard, l.handler, answer)
		case <-l.ctx.Done():
			// Whether it is written, the next to read the row will know.
			return nil, errLaneOver
		}
		if clock.Sleep(l.ctx, backoff(l.worker.dice, try, 50*time.Millisecond, 2*time.Second, "commit", l.shard, l.head())) != nil {
			return nil, errLaneOver
		}
	}
}

// astrayWait is how long a shard rests that is begun anew because a key of it is
// paused: long enough not to read the same in vain many times a second.
const astrayWait = time.Second

// goAstray has the shard begun anew from its position: effects are written in
// the order of the shard, so that they cannot go on past a key that is paused,
// and a state that counts what has failed is given up.
func (l *lane) goAstray(why error) error {
	l.keeping.torn.Store(true)
	l.worker.note(l.shard, l.handler, why)
	if clock.Sleep(l.patience(), astrayWait) == nil {
		l.settled <- settlement{astray: true}
	}
	return errLaneOver
}

// askCommit has the commitment of a lane written.
func (l *shardLoop) askCommit(c *commitment) {
	if !l.tracker.FinishedBefore(c.first) {
		c.answered <- fmt.Errorf("write effects up to %s: %w: a key is paused, or records are deferred", c.last.Position(), errAstray)
		return
	}
	l.commit = c
	p := checkpoint.Progress{
		Position: c.last.Position(), Arrived: c.last.ArrivedAt, ReadUpTo: l.readUpTo, Effects: c.effects,
	}
	if c.state != nil {
		p.States = map[string][]byte{l.seat.handler: c.state.state}
	}
	l.seat.ask(p)
}

// afterCommit takes the answer to a commitment.
func (l *shardLoop) afterCommit(a answer) {
	c := l.commit
	l.commit = nil
	switch {
	case a.applied:
		if c.state != nil {
			l.kept(checkpoint.Progress{Position: c.last.Position(), Arrived: c.last.ArrivedAt, ReadUpTo: l.readUpTo})
		}
		c.answered <- nil
	case errors.Is(a.refused, errRowGone):
		// What runs is to end, and the row is put back behind it.
		close(c.answered)
	case a.refused != nil:
		c.answered <- fmt.Errorf("write effects up to %s: %w", c.last.Position(), a.refused)
	default:
		c.answered <- fmt.Errorf("write effects up to %s: %w", c.last.Position(), errors.Join(errNotApplied, a.err))
	}
}

// closeCommit tells a lane that waits for its effects that it will not learn
// what becomes of them.
func (l *shardLoop) closeCommit() {
	if l.commit != nil {
		close(l.commit.answered)
		l.commit = nil
	}
}
