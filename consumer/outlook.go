package consumer

import "time"

// outlook is what a plan leaves open, and when to look at the table again on its
// account. To look at a table of ten thousand rows reads megabytes, and whatever
// happens in a fleet, all its workers see it in the same second; so what one of
// them has to see to, the planner does, and what each has to, it does in turn.
type outlook struct {
	planner bool // this worker is the planner
	beside  bool // workers of KCL share the table, and are watched by their leases
	workers int  // how many live
	asked   bool // hand-overs were asked for, and there may be more to ask for
	failed  bool // a take was not answered: the lease may be free still
	young   bool // a worker is too young to be given shards
	// rounds is how many plans in a row have left leases free that fall to others.
	rounds int
	// orphans is set if owners without a session are being watched, and orphan is
	// for how long the first has been.
	orphans bool
	orphan  time.Duration
}

// next is how long until there is reason for the next plan. Not early is that
// there is none before its turn.
func (o outlook) next(t timing) (wait time.Duration, early bool) {
	sooner := func(d time.Duration) {
		if !early || d < wait {
			wait, early = d, true
		}
	}
	if o.failed {
		sooner(t.beat)
	}
	if o.asked {
		// Moves are bounded for each round.
		sooner(time.Second)
	}
	if o.young && o.planner {
		sooner(t.beat)
	}
	if o.rounds > 0 {
		// Those to whom free leases fall may see them fall to somebody else by now,
		// as what one takes changes what is fair. Look again until none is left:
		// the planner does, and tells them. Whoever has not heard of it for some
		// time looks for itself.
		again := t.beat / 2 << min(max(0, o.rounds-patientRounds), 10)
		if !o.planner {
			again = max(again, turn(o.workers))
		}
		sooner(min(again, t.plan))
	}
	switch {
	case o.orphans && o.beside:
		sooner(t.renew)
	case o.orphans:
		sooner(max(t.lease-o.orphan, turn(o.workers)))
	}
	return wait, early
}

// patientRounds is how many plans in a row may find leases free before the next
// ones come less and less often: whoever they fall to learns of a death by its
// own look at the sessions, a beat later than the first.
const patientRounds = 4

// looksPerSecond is how often all workers together look at the table for what
// any of them may find. With ten thousand rows of some 400 bytes, which are a
// thousand read units, that is what a new table billed by request is good for.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html
const looksPerSecond = 10

// turn is how long it takes until each of so many workers has had its look.
func turn(workers int) time.Duration { return time.Duration(workers) * time.Second / looksPerSecond }
