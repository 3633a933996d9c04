package swarmtest

import (
	"fmt"
	"slices"
	"time"

	"github.com/towpath/towpath/shard"
)

// Result is what a run came to.
type Result struct {
	// Violations are the promises that were broken.
	Violations []string
	// Trace is what happened, as one number.
	Trace uint64
	// Took is the virtual time.
	Took time.Duration
	// Kills, Records and Calls are how many workers were killed, records put, and
	// calls of handlers made. Deliveries is how many records those calls had, and
	// Repeats how many records were finished more than once.
	Kills, Records, Calls, Deliveries, Repeats int
}

// Play plays a plan on a world, to the end of both.
func Play(w World, p *Plan) Result {
	s := &show{World: w, plan: p, start: time.Now()}
	s.play()
	w.Close()
	r := Result{
		Violations: append(s.broken, w.Checker().Violations()...), Trace: w.Trace(), Took: time.Since(s.start),
		Kills: s.kills, Records: len(p.Puts), Repeats: w.Checker().Ledger.Repeated(),
	}
	for _, c := range w.Checker().Ledger.Calls() {
		r.Calls++
		r.Deliveries += c.Records
	}
	if p.Gentle() && r.Repeats > 0 {
		r.Violations = append(r.Violations, fmt.Sprintf("Inv-10: %d records were handled twice, though every shard was handed over", r.Repeats))
	}
	return r
}

// show is a run of a plan. Its fields belong to the goroutine of play.
type show struct {
	World
	plan   *Plan
	start  time.Time
	broken []string
	kills  int

	seats []string // the worker at each, empty while there is none
	later []cue    // what follows from earlier events
	named int
}

// cue is something to do at a time.
type cue struct {
	at time.Duration
	do func()
}

// limit is how long a fleet may take, after the storm, until all is done. What
// takes longest is a row that was deleted under nobody: it is missed by the next
// maintenance run, which comes every two minutes.
func (s *show) limit() time.Duration {
	if s.plan.Has(string(RowGone)) || s.plan.Has(string(Trim)) {
		return 6 * time.Minute
	}
	return 2 * time.Minute
}

// patience is how long it may take until everything is handled: a large fleet with
// one key handles thousands of records one after the other.
func (s *show) patience() time.Duration {
	return s.limit() + time.Duration(len(s.plan.Puts))*s.plan.Settings.Handle/time.Duration(max(1, s.plan.Settings.Keys))
}

func (s *show) play() {
	for range s.plan.Workers {
		s.join()
	}
	puts, events := s.plan.Puts, s.plan.Events
	for {
		next := s.plan.Storm
		if len(puts) > 0 {
			next = min(next, puts[0].At)
		}
		if len(events) > 0 {
			next = min(next, events[0].At)
		}
		for _, c := range s.later {
			next = min(next, c.at)
		}
		s.until(next)
		switch i := slices.IndexFunc(s.later, func(c cue) bool { return c.at <= next }); {
		case i >= 0:
			c := s.later[i]
			s.later = slices.Delete(s.later, i, i+1)
			c.do()
		case len(puts) > 0 && puts[0].At <= next:
			s.Put(puts[0].Key, puts[0].Poison)
			puts = puts[1:]
		case len(events) > 0 && events[0].At <= next:
			s.happens(&events[0])
			events = events[1:]
		default:
			s.calm()
			return
		}
	}
}

// until lets time pass.
func (s *show) until(at time.Duration) { time.Sleep(at - time.Since(s.start)) }

// in has something done after some time.
func (s *show) in(d time.Duration, do func()) {
	s.later = append(s.later, cue{at: time.Since(s.start) + d, do: do})
}

// join starts a worker at a seat of its own.
func (s *show) join() {
	s.seats = append(s.seats, "")
	s.sit(len(s.seats) - 1)
}

// sit starts a worker at a seat, unless there is one.
func (s *show) sit(seat int) {
	if s.seats[seat] != "" {
		return
	}
	s.named++
	s.seats[seat] = fmt.Sprintf("w%d.%d", seat, s.named)
	s.Start(s.seats[seat], s.plan.Clocks[seat%len(s.plan.Clocks)])
}

// leave empties a seat, and has it taken again after some time.
func (s *show) leave(seat int, how func(worker string), after time.Duration) {
	worker := s.seats[seat]
	if worker == "" {
		return
	}
	s.seats[seat] = ""
	how(worker)
	s.in(after, func() { s.sit(seat) })
}

// happens has an event happen.
func (s *show) happens(e *Event) {
	seat := e.N % len(s.seats)
	worker := s.seats[seat]
	open := s.Open()
	switch e.Kind {
	case Kill:
		s.leave(seat, func(worker string) { s.kills++; s.Kill(worker) }, e.For)
	case Stop:
		s.leave(seat, s.Stop, e.For)
	case Deploy:
		step := e.For / time.Duration(4*len(s.seats))
		for i := range s.seats {
			s.in(step*time.Duration(2*i), func() { s.leave(i, s.Stop, step) })
		}
	case Join:
		if len(s.seats) < s.plan.Workers+3 {
			s.join()
		}
	case Pause:
		if worker != "" {
			s.in(e.For, s.Pause(worker))
		}
	case Cut:
		if worker != "" {
			s.in(e.For, s.Cut(worker, e.Service))
		}
	case Split:
		s.Split(open[e.N%len(open)])
	case Merge:
		if len(open) > 1 {
			i := e.N % (len(open) - 1)
			s.Merge(open[i], open[i+1])
		}
	case Trim:
		s.Trim(open[e.N%len(open)], 1+e.N%7)
	case RowGone:
		rows := slices.DeleteFunc(s.Rows(), shard.Lease.Finished)
		if len(rows) > 1 { // a table without any row is a new one
			s.DeleteRow(rows[e.N%len(rows)].Key)
		}
	case SessionGone:
		if worker != "" {
			s.DeleteSession(worker)
		}
	case Outage:
		s.Outage(true)
		s.in(e.For, func() { s.Outage(false) })
	}
}

// calm ends the storm, and waits for the fleet to make good all that it left.
func (s *show) calm() {
	s.Weather(false)
	slices.SortStableFunc(s.later, func(a, b cue) int { return int(a.at - b.at) })
	for len(s.later) > 0 {
		later := s.later
		s.later = nil
		for _, c := range later {
			time.Sleep(time.Millisecond + 7) // no two of them at one instant
			c.do()
		}
	}
	time.Sleep(time.Millisecond + 7) // nor the end of all, if all is done
	s.Outage(false)
	if s.plan.Has(string(Trim)) {
		for i := range 40 { // what was lost of an open shard is told with its next record
			s.Put(fmt.Sprint("after-", i), false)
		}
	}
	done := s.await(s.patience(), "Inv-L1: not everything is finished", s.Checker().Complete)
	if !done {
		s.explain()
		return
	}
	if s.plan.Settle {
		s.settle()
	}
}

// await lets time pass until something is the case.
func (s *show) await(limit time.Duration, what string, is func() bool) bool {
	for began := time.Now(); !is(); time.Sleep(50*time.Millisecond + 1) {
		if time.Since(began) > limit {
			s.breaks("%s %v after the storm", what, limit)
			return false
		}
	}
	return true
}

func (s *show) breaks(format string, args ...any) {
	s.broken = append(s.broken, fmt.Sprintf(format, args...))
}

// explain adds what stands in the table to what was broken.
func (s *show) explain() {
	missing := s.Checker().Missing()
	for _, m := range missing[:min(3, len(missing))] {
		s.breaks("  missing: %s", m)
	}
	for _, row := range s.Rows() {
		s.breaks("  row: %s", row)
	}
}

// settle waits until the shards are shared out evenly and each has a live owner,
// and sees that nothing moves any more.
func (s *show) settle() {
	if !s.await(s.limit(), "Inv-9, Inv-L2: the shards are not shared out evenly", func() bool { return s.even() == "" }) {
		s.breaks("  %s", s.even())
		s.explain()
		return
	}
	time.Sleep(time.Minute) // what was asked for before it was even may still come
	before := s.owners()
	time.Sleep(20 * time.Second)
	if after := s.owners(); !slices.Equal(before, after) {
		s.breaks("Inv-L2: shards move in a fleet that is even and at rest: %v → %v", before, after)
	}
}

// runnable are the rows that somebody is to work: unfinished, of shards whose
// parents are finished.
func (s *show) runnable() []shard.Lease {
	rows := s.Rows()
	finished := map[string]bool{}
	for _, row := range rows {
		finished[row.Shard] = row.Finished()
	}
	return slices.DeleteFunc(rows, func(row shard.Lease) bool {
		if row.Finished() {
			return true
		}
		for _, parent := range row.Parents {
			if done, there := finished[parent]; there && !done {
				return true
			}
		}
		return false
	})
}

func (s *show) owners() (owners []string) {
	for _, row := range s.runnable() {
		owners = append(owners, row.Shard+" "+row.Owner+" "+row.CheckpointOwner)
	}
	return owners
}

// even says what is not even: an open shard without a row or a live owner, or
// workers whose numbers of shards differ by more than one.
func (s *show) even() string {
	held := map[string]int{}
	rows := s.runnable()
	open := s.Open()
	for _, row := range rows {
		name := s.Name(row.Owner)
		if row.CheckpointOwner != "" || !slices.Contains(s.seats, name) {
			return fmt.Sprintf("%s has no owner that lives", row)
		}
		held[name]++
		open = slices.DeleteFunc(open, func(id string) bool { return id == row.Shard })
	}
	if len(open) > 0 {
		return fmt.Sprintf("%v have no row that may run", open)
	}
	least, most := len(rows), 0
	for _, name := range s.seats {
		least, most = min(least, held[name]), max(most, held[name])
	}
	if most-least > 1 {
		return fmt.Sprintf("one worker has %d shards and another %d", most, least)
	}
	return ""
}
