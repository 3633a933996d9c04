package consumer

import (
	"context"
	"errors"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/shard"
)

// lane works one batch of one shard to its end: calls, retries, splits and
// deliveries to the destination, in order. It decides nothing: batching.Read
// says what the handler answered and batching.Policy what follows from it.
type lane struct {
	*shardLoop
	ctx     context.Context // work: outlives the reading by the drain time
	batch   batching.Gathered
	work    batching.Work // what remains of it
	number  int           // which of the shard's lanes it is
	isolate bool
	own     *ownBatch // set if the batch is of one key that was held
	err     error     // of the last call
	failed  bool      // a call of this batch has, so that the breaker knows of it
	sour    int       // calls in a row that failed because of the surroundings
	settled chan<- settlement
	left    *batching.Call  // what the last call left beside its error
	inside  bool            // it is within a call, so that none without records is made
	patient context.Context // how long it waits, if not as patience says
	hold    *callHold       // its last call
	late    *acked          // the batch was handled, and is acknowledged now
}

// settlement is what a lane tells its shard: records that are finished, or that
// it is done with the batch.
type settlement struct {
	tickets []int64
	bytes   int64 // as the budget counts them
	mark    *suspectMark
	aside   *asideBatch
	unmark  bool // the record that was marked is not being handled any more
	page    *parkedPage
	state   *stateTaken
	commit  *commitment
	astray  bool // effects of records whose predecessors are not finished: begin anew
	over    bool // the lane is done with its batch
	broken  bool // with over: it was told to stop before that
	lane    int
	woke    *woke // what a call without records came to
	// deferred is a call whose records are finished later.
	deferred *deferral
}

// suspectMark asks the shard to write down which record is about to be handled
// alone, before it is.
type suspectMark struct {
	record  *shard.Record
	written chan int // how many marked attempts there have been; closed: lost
}

// errLaneOver says that the lane was told to stop before its batch was done.
var errLaneOver = errors.New("lane over")

// run works the batch. What it does not settle stays unfinished, and the next
// owner of the shard gets it again.
func (l *lane) run() error {
	work := &l.work
	work.Begin(len(l.batch.Records))
	if l.late != nil {
		if again, err := l.finishLate(); !again {
			return err
		}
		work.Settle(batching.Verdict{Next: []batching.Segment{{To: len(l.batch.Records), Attempts: l.late.attempts}}})
	}
	switch {
	case l.isolate:
		work.Settle(batching.Verdict{Next: oneByOne(len(l.batch.Records))})
	case l.cfg.TumblingWindow > 0:
		work.Settle(batching.Verdict{Next: byWindow(l.batch.Records, l.cfg.TumblingWindow)})
	}
	if l.own != nil {
		l.own.begin(work)
	}
	for {
		s, ok := work.Next()
		if !ok {
			return nil
		}
		verdict, err := l.step(s)
		if err != nil {
			return err
		}
		work.Settle(verdict)
		if len(verdict.Next) > 1 {
			l.tellSplit(verdict.Next)
		}
		if verdict.Aside {
			l.giveBack(verdict)
			return nil
		}
		if len(verdict.Next) > 0 {
			if err := l.pause(verdict.Delay); err != nil {
				return err
			}
		}
	}
}

// tellSplit tells of a failed segment of which the parts are next.
func (l *lane) tellSplit(parts []batching.Segment) {
	fire(l.cfg.Hooks.Split, SplitEvent{
		Worker: l.worker.session.id, Shard: l.shard, Handler: l.handler, Records: parts[len(parts)-1].To - parts[0].From, Parts: len(parts),
	})
}

// oneByOne is the work of a batch whose records are handled alone.
func oneByOne(n int) []batching.Segment {
	segments := make([]batching.Segment, n)
	for i := range segments {
		segments[i] = batching.Segment{From: i, To: i + 1}
	}
	return segments
}

// step makes one call with the records of a segment, delivers what is given up,
// and reports what is finished.
func (l *lane) step(s batching.Segment) (batching.Verdict, error) {
	if err := l.between(); err != nil {
		return batching.Verdict{}, err
	}
	records := l.batch.Records[s.From:s.To]
	if n := l.policy.Expired(records, l.worker.serviceNow()); n > 0 {
		err := l.giveUp(records[:n], destination.Failure{Condition: destination.RecordAgeExceeded, Attempts: s.Attempts})
		if err != nil {
			return batching.Verdict{}, err
		}
		l.finish(s.From, s.From+n)
		rest := batching.Verdict{}
		if n < len(records) {
			// Attempts were those of the first record.
			rest.Next = []batching.Segment{{From: s.From + n, To: s.To}}
		}
		return rest, nil
	}
	if l.isolate {
		// Not marked while it would wait: a process that is ended in the meantime
		// does not die of the record.
		if l.worker.pace.open(l.reading, l.shard) != nil || l.breaker.ready(l.reading) != nil {
			return batching.Verdict{}, errLaneOver
		}
		crashes, err := l.markSuspect(&records[0])
		if err != nil {
			return batching.Verdict{}, err
		}
		if crashes > maxCrashes && l.cfg.OnFailure != nil {
			if l.handler != "" {
				l.settled <- settlement{unmark: true} // a destination that refuses holds up no other handler
			}
			err := l.giveUp(records, destination.Failure{Condition: destination.ProcessCrashed, Attempts: crashes - 1})
			if err == nil {
				l.finish(s.From, s.To)
				l.settled <- settlement{unmark: true}
			}
			return batching.Verdict{}, err
		}
	}
	if err := l.enter(); err != nil {
		return batching.Verdict{}, err
	}
	defer l.exit()
	outcome, effects, err := l.call(s, records)
	if l.isolate {
		l.settled <- settlement{unmark: true}
	}
	if err != nil {
		return batching.Verdict{}, err
	}
	l.err = outcome.Err
	settle := l.apply
	if len(effects) > 0 {
		settle = func(s batching.Segment, records []shard.Record, o batching.Outcome) (batching.Verdict, error) {
			return l.commit(s, records, effects, o)
		}
	}
	verdict, err := settle(s, records, outcome)
	if err != nil {
		l.keeping.torn.Store(true)
	}
	return verdict, err
}

// maxCrashes is how many processes may die while a record is handled alone
// before it is given up.
const maxCrashes = 3

// apply carries out what the policy says of an outcome.
func (l *lane) apply(s batching.Segment, records []shard.Record, outcome batching.Outcome) (batching.Verdict, error) {
	verdict := l.policy.Decide(s, outcome)
	if err := l.sendOn(records, verdict); err != nil {
		return verdict, err
	}
	return verdict, l.carryOut(s, records, outcome, verdict)
}

// carryOut delivers what a verdict gives up and finishes what it settles.
func (l *lane) carryOut(s batching.Segment, records []shard.Record, outcome batching.Outcome, verdict batching.Verdict) error {
	handled := withoutRejected(records[:verdict.Handled], verdict.Rejected)
	finish := l.finish
	if ack := l.left.Deferred(); ack != nil {
		l.putOff(s, verdict, ack)
		finish = func(int, int) {}
	} else if err := l.succeed(handled, s.Attempts+1); err != nil {
		return err
	}
	done := 0
	for _, r := range verdict.Rejected {
		finish(s.From+done, s.From+r.Index)
		err := l.giveUp(records[r.Index:r.Index+1], destination.Failure{
			Condition: destination.Rejected, Attempts: s.Attempts + 1, Err: r.Err, Partial: true,
		})
		if err != nil {
			return err
		}
		l.finish(s.From+r.Index, s.From+r.Index+1)
		done = r.Index + 1
	}
	finish(s.From+done, s.From+verdict.Handled)
	if n := verdict.GiveUp; n > 0 {
		from := verdict.Handled
		err := l.giveUp(records[from:from+n], destination.Failure{
			Condition: destination.RetryAttemptsExhausted, Attempts: verdict.Attempts, Err: outcome.Err, Partial: outcome.Partial,
		})
		if err != nil {
			return err
		}
		l.finish(s.From+from, s.From+from+n)
	}
	return nil
}

// finish reports the records [from, to) of the batch as finished.
func (l *lane) finish(from, to int) {
	if from >= to {
		return
	}
	l.settled <- settlement{tickets: l.batch.Tickets[from:to], bytes: sizeOf(l.batch.Records[from:to])}
}

// handlerCall is what a call with records needs, in one piece.
type handlerCall struct {
	batch batching.Batch
	left  batching.Call
	hold  callHold
}

// call makes one call of the handler, when the process may have one more.
func (l *lane) call(s batching.Segment, records []shard.Record) (batching.Outcome, []any, error) {
	pass, err := l.admit(len(records))
	if err != nil {
		return batching.Outcome{}, nil, err
	}
	c := new(handlerCall)
	batch := &c.batch
	*batch = batching.Batch{
		Stream: l.branch.stream.ARN, Shard: l.shard, Handler: l.handler, Records: records, Attempt: s.Attempts + 1,
		Behind: l.batch.Behind, Now: l.worker.serviceNow(), Token: l.fence, Held: l.valid, Call: &c.left,
	}
	l.left = batch.Call
	if l.hold == nil {
		l.hold = &c.hold
	}
	started := time.Now()
	err, stuck := l.invoke(func(ctx context.Context) error { return l.cfg.Handler.Handle(ctx, batch) }, batch.First().Position())
	if stuck {
		l.breaker.report(pass, batching.BreakerUnknown, nil)
		return batching.Outcome{}, nil, errLaneOver
	}
	wrong := l.checkEmitted()
	if wrong != nil && l.keeping.handler != nil {
		// The call counts as failed, and the handler believes it has not.
		l.breaker.report(pass, batching.BreakerUnknown, nil)
		return batching.Outcome{}, nil, l.goAstray(wrong)
	}
	if wrong != nil {
		err = errors.Join(wrong, err)
	}
	effects, outcome := l.effects(batch, batching.Read(records, err))
	if outcome.Failed && l.ctx.Err() != nil {
		l.breaker.report(pass, batching.BreakerUnknown, nil) // it was told to end
	} else {
		l.judge(pass, &outcome)
	}
	event := BatchEvent{
		Worker: l.worker.session.id, Shard: l.shard, Handler: l.handler, Records: len(records), Attempt: batch.Attempt,
		Handled: len(records), Rejected: len(outcome.Rejects), Behind: batch.Behind, Took: time.Since(started), Err: outcome.Err,
	}
	if outcome.Failed {
		event.Handled = outcome.From
	}
	event.Handled -= event.Rejected
	event.aged(batch)
	if l.left.Deferred() != nil {
		event.Handled, event.Deferred = 0, event.Handled
	}
	fire(l.cfg.Hooks.BatchDone, event)
	if l.ctx.Err() != nil && context.Cause(l.ctx) == ErrLeaseLost {
		// Too late to be believed: the records are another worker's.
		return outcome, nil, errLaneOver
	}
	if outcome.Failed && l.ctx.Err() != nil {
		// It failed because it was told to end. That is no attempt, but what it
		// did finish counts.
		done := 0
		if !l.sends() {
			done = firstReject(outcome)
			l.finish(s.From, s.From+done)
		}
		if done < outcome.From {
			l.keeping.torn.Store(true)
		}
		return outcome, nil, errLaneOver
	}
	if outcome.Err != nil {
		l.worker.note(l.shard, l.handler, outcome.Err)
	}
	return outcome, effects, nil
}

// firstReject is how many leading records of a failed range are done beyond
// doubt: those before the failure and before the first rejected one.
func firstReject(o batching.Outcome) int {
	n := o.From
	for _, r := range o.Rejects {
		n = min(n, r.Index)
	}
	return n
}

// patience is the context of a lane that waits. A shard with one lane leaves a
// batch at once when it is to stop: nothing behind it has been started. One with
// several finishes what it began, so that nothing that other lanes have handled
// is handled again by the next owner.
func (l *lane) patience() context.Context {
	if l.patient != nil {
		return l.patient
	}
	if len(l.lanes) == 1 || l.isolate {
		return l.reading
	}
	return l.ctx
}

// head is the sequence number of the first record of its batch; a call without
// records has none.
func (l *lane) head() string {
	if len(l.batch.Records) == 0 {
		return ""
	}
	return l.batch.Records[0].Sequence
}

// pause waits before another attempt.
func (l *lane) pause(d batching.Delay) error {
	if d.Max <= 0 {
		return nil
	}
	wait := d.Min
	if d.Max > d.Min {
		wait += l.worker.dice.N(d.Max-d.Min+1, "pause", l.shard, l.head())
	}
	if clock.Sleep(l.patience(), wait) != nil {
		return errLaneOver
	}
	return nil
}

// markSuspect has the shard write down the record before it is handled alone,
// and returns how many such attempts there have been, this one included.
func (l *lane) markSuspect(r *shard.Record) (int, error) {
	select {
	case l.seat.alone <- struct{}{}: // given back by the loop
	case <-l.patience().Done():
		return 0, errLaneOver
	}
	mark := &suspectMark{record: r, written: make(chan int, 1)}
	l.settled <- settlement{mark: mark}
	select {
	case n, ok := <-mark.written:
		if ok {
			return n, nil
		}
	case <-l.patience().Done():
	}
	return 0, errLaneOver
}
