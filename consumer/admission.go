package consumer

import (
	"errors"
	"time"

	"github.com/towpath/towpath/batching"
)

// admit waits until the handler may be called with so many records: nothing is
// paused, the fleet's limit and the process's leave a slot, what lies behind the
// handler is believed to be up, and the rate allows it. Nothing of the wait
// burns an attempt. What it grants is given back when the handler has returned:
// the slot by invoke, the pass by a report.
//
// After each wait all is looked at again, as anything may have changed in it.
func (l *lane) admit(records int) (batching.BreakerPass, error) {
	w := l.worker
	for {
		if w.pace.open(l.reading, l.shard) != nil && w.pace.closed(l.shard) {
			return batching.BreakerPass{}, errLaneOver
		}
		pass, err := l.breaker.pass(l.reading)
		if err != nil {
			return pass, errLaneOver
		}
		err = w.pace.slots.acquire(l.patience(), l.isolate)
		if errors.Is(err, errNoSlots) {
			l.breaker.report(pass, batching.BreakerUnused, nil)
			continue
		}
		if err == nil {
			if records, err = l.rate(records); err != nil {
				w.pace.slots.release()
			}
		}
		if err != nil {
			l.breaker.report(pass, batching.BreakerUnused, nil)
			return pass, errLaneOver
		}
		// The deadline of the lease is looked at here and not only in the
		// context: after a pause of the process, this is what runs first.
		over := !l.right.valid() || l.ctx.Err() != nil
		if records == 0 && !over && !l.unwanted() && l.breaker.current(pass) {
			return pass, nil
		}
		w.pace.slots.release()
		l.breaker.report(pass, batching.BreakerUnused, nil)
		if over {
			return pass, errLaneOver
		}
	}
}

// heldBack reports whether no call can be made at present, so that it is not
// worth to wait for one.
func (l *shardLoop) heldBack() bool {
	return l.worker.pace.closed(l.shard) || l.breaker.state() != batching.BreakerClosed
}

// unwanted reports whether this lane's slot is one too many, or its shard is held
// back.
func (l *lane) unwanted() bool {
	_, over := l.worker.pace.slots.inUse()
	return over || l.worker.pace.closed(l.shard)
}

// rate waits until the rate limit allows so many records, and returns how many
// it did not allow yet when the slot that is held meanwhile is wanted back.
func (l *lane) rate(records int) (left int, err error) {
	limiter := l.worker.limiter
	if limiter == nil {
		return 0, nil
	}
	for ; records > 0; records -= min(records, limiter.Burst()) {
		some := limiter.ReserveN(time.Now(), min(records, limiter.Burst()))
		due := time.NewTimer(some.Delay())
		for waiting := true; waiting; {
			changed := l.worker.pace.watch()
			if l.unwanted() {
				due.Stop()
				some.Cancel()
				return records, nil
			}
			select {
			case <-due.C:
				waiting = false
			case <-changed:
			case <-l.patience().Done():
				due.Stop()
				some.Cancel()
				return records, l.patience().Err()
			}
		}
	}
	return 0, nil
}

// judge tells the breaker what a call says of what lies behind the handler, and
// keeps the attempts of one that failed because of it.
func (l *lane) judge(pass batching.BreakerPass, outcome *batching.Outcome) {
	b := l.breaker
	surroundings := l.cfg.Breaker.Surroundings
	switch {
	case !outcome.Failed:
		l.sour = 0
		b.report(pass, batching.BreakerUp, nil)
		return
	case surroundings != nil && !surroundings(outcome.Err):
		b.report(pass, batching.BreakerUnrelated, outcome.Err)
		return
	}
	if surroundings != nil && !outcome.Delayed {
		l.sour++
		outcome.Delayed, outcome.After = true, backoff(l.worker.dice, l.sour, l.policy.MinBackoff, l.policy.MaxBackoff, "sour", l.shard, l.head())
	}
	switch {
	case pass.Probe() && outcome.From > 0:
		b.report(pass, batching.BreakerUp, nil) // some of it was done
	case pass.Probe() || !l.failed:
		if outcome.From > 0 {
			b.report(pass, batching.BreakerUp, nil)
		}
		b.report(pass, batching.BreakerDown, outcome.Err)
	}
	l.failed = true
}

// judgeWake tells the breaker what a call without records says. One that fails
// is made again and again, so that it is no sign of anything but for a probe.
func (l *lane) judgeWake(pass batching.BreakerPass, err error, stuck bool) {
	answer := batching.BreakerUp
	switch {
	case stuck || err != nil && l.ctx.Err() != nil:
		answer = batching.BreakerUnknown
	case err != nil && pass.Probe():
		answer = batching.BreakerDown
	case err != nil:
		answer = batching.BreakerUnrelated
	}
	l.breaker.report(pass, answer, err)
}
