package consumer

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// fleet is a worker's part in sharing the work: it watches the other workers,
// takes what is its own to take, and starts and ends tenures. Everything it does
// to the table is a conditional write, so two that plan at once do no harm.
//
// Its fields belong to the goroutine of run, but for those below mu. The clock is
// never read under mu: a test may hold it still.
type fleet struct {
	*worker
	session *session
	life    context.Context // of the session

	listed     []shard.Shard
	named      map[string]bool          // shards that the listing has, or is younger than
	asked      map[string]time.Duration // hand-overs under way, since when seen
	orphans    map[string]orphan        // leases whose owner has no session
	viewedAt   time.Duration            // the time of the last view, by which they were free or not
	free       map[string]time.Duration // leases left to workers of KCL, since when
	signs      map[string]string        // what another library's workers said last, by row
	unsure     map[string]time.Duration // rows of which it cannot be told whether a parent is in the way, since when: see placed
	spared     map[string]time.Duration // leases whose hand-over was withdrawn, and when
	offering   bool                     // this worker has made leases free
	offers     *offers
	quarantine map[string]bool // rows reported as not to be believed
	audit      auditor
	dog        watchdog
	unread     int           // leases that no worker takes, as last told
	bundle     *bundle       // many streams
	fresh      []shard.Lease // the table, where it was read in the same tick and not changed
	rounds     int           // plans in a row that found leases free
	quiet      int           // workers that had missed their last beats when the sessions were read

	planAt, observeAt, sweepAt, upkeepAt time.Duration
	caughtAt                             time.Duration // when the table may be asked whether all is done

	hints   chan []shard.Hint
	ended   chan *tenure
	resumed chan struct{} // capacity 1: it is halted no more

	mu      sync.Mutex
	tenures map[string]*tenure // by lease key
	peers   *peers
	given   map[string]int // leases this worker has just given to a peer
	acting  bool           // a round is under way that reads rows, and begins what they say
	halted  bool           // no shard is worked and none taken: see halt
}

func newFleet(life context.Context, w *worker, s *session) *fleet {
	return &fleet{
		worker: w, session: s, life: life, peers: newPeers(w.timing), tenures: map[string]*tenure{},
		asked: map[string]time.Duration{}, quarantine: map[string]bool{}, named: map[string]bool{}, spared: map[string]time.Duration{}, given: map[string]int{},
		hints: make(chan []shard.Hint, 1), ended: make(chan *tenure), resumed: make(chan struct{}, 1), bundle: newBundle(w),
		orphans: w.orphans, offers: newOffers(w.timing), signs: map[string]string{},
		halted: w.pace.table != nil, // until this session knows what the fleet is told
	}
}

// run shares the work until stop ends, then lets every shard go. It returns when
// the last tenure has ended. If life ends first, the session is over.
func (f *fleet) run(life, stop context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		f.turned()
		switch o := f.occasion(timer.C, life, stop); {
		case o.over, o.ended != nil:
			if f.ends(o.ended, stop, life) {
				return
			}
		case o.hints != nil:
			f.follow(life, o.hints)
		case o.asked:
			f.streamsAsked(life)
		case o.resumed:
			f.soon()
			f.sweepAt = min(f.sweepAt, f.clock.Elapsed())
		}
		f.turned()
		if stop.Err() == nil && life.Err() == nil {
			f.tick(life)
		}
		f.session.plans.Add(1)
		timer.Reset(max(f.nextTick()-f.clock.Elapsed(), time.Millisecond))
	}
}

// tick does what is due.
func (f *fleet) tick(ctx context.Context) {
	if now := f.clock.Elapsed(); now >= f.observeAt {
		f.observeAt = now + jitter(f.dice, f.timing.beat, "observe")
		f.observe(ctx)
		f.watch()
	}
	if !f.session.valid() || !f.act() {
		if f.session.leases.Load() == 0 {
			f.session.looks.Add(1) // a sweep would find the row of every shard that runs
		}
		return // nothing may be taken
	}
	defer f.acted()
	if f.clock.Elapsed() >= f.upkeepAt {
		f.upkeepAt = f.clock.Elapsed() + jitter(f.dice, f.timing.upkeep, "upkeep")
		f.maintain(ctx)
		if f.offering {
			// To make many rows takes a while. Who has come meanwhile is to get its
			// share of them.
			f.observe(ctx)
		}
	}
	if f.clock.Elapsed() >= f.planAt {
		f.planAt = f.clock.Elapsed() + f.planEvery()
		f.plan(ctx)
	}
	f.fresh = nil
	if f.clock.Elapsed() >= f.sweepAt {
		f.sweepAt = f.clock.Elapsed() + jitter(f.dice, f.timing.sweep, "sweep")
		f.sweep(ctx)
	}
	if f.cfg.Until.caughtUp && f.caughtUp(ctx) {
		f.finished()
	}
}

// planEvery is how long until the next plan if nothing happens before. The
// planner looks at the table every half minute; the others, who look whenever a
// worker comes or goes, less often the more of them there are.
func (f *fleet) planEvery() time.Duration {
	n := 1
	if views := f.views(); len(views) > 1 && !f.isPlanner(views) {
		n = min(len(views), 10)
	}
	return jitter(f.dice, f.timing.plan*time.Duration(n), "plan")
}

func (f *fleet) nextTick() time.Duration {
	now := f.clock.Elapsed()
	if f.isHalted() {
		return f.observeAt
	}
	next := min(f.observeAt, f.planAt, f.sweepAt, f.upkeepAt)
	if f.cfg.Until.caughtUp {
		next = min(next, max(now+f.timing.mailbox, f.caughtAt))
	}
	return next
}

// soon makes the next plan due at once.
func (f *fleet) soon() { f.planAt = min(f.planAt, f.clock.Elapsed()) }

func (f *fleet) views() []shard.WorkerView {
	now := f.clock.Elapsed()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.peers.views(now)
}

// observe reads the sessions, and revokes those without a beat for too long.
func (f *fleet) observe(ctx context.Context) {
	rows, err := tableCall(ctx, f.worker, f.cfg.Leases.Sessions)
	if err != nil {
		f.log.Debug("read sessions", "error", err)
		return
	}
	now := f.clock.Elapsed()
	f.mu.Lock()
	heard := f.peers.observe(rows, now)
	dead, next := f.peers.silent(f.session.id, now)
	quiet := f.peers.quietOnes()
	if quiet > f.quiet && f.rounds > 0 {
		heard = somebodyDied // what is free may have been left to it
	}
	f.quiet = quiet
	f.given = map[string]int{}
	f.mu.Unlock()
	f.observeAt = min(f.observeAt, next) // on the dot, not at the next beat
	if f.session.valid() {
		for _, d := range dead {
			if f.revoke(ctx, d) {
				heard = somebodyDied
			}
		}
	}
	switch views := f.views(); {
	case heard == somebodyDied, heard != nothingNew && f.planning(views):
		f.rounds = 0
		f.soon()
	case heard == somebodyLeft:
		f.planAt = min(f.planAt, f.clock.Elapsed()+f.dice.N(turn(len(views))+1, "turn"))
	}
}

// revoke declares a worker dead by one conditional write on the beat last seen.
func (f *fleet) revoke(ctx context.Context, dead shard.Session) bool {
	err := tableDo(ctx, f.worker, func(ctx context.Context) error { return f.cfg.Leases.Revoke(ctx, dead, f.session.id) })
	if err != nil && !errors.Is(err, checkpoint.ErrFenced) {
		f.log.Debug("revoke session", "session", dead.ID, "error", err)
		return false
	}
	f.observeAt = min(f.observeAt, f.clock.Elapsed()+f.timing.mailbox) // see who won, or that it beats after all
	if err != nil {
		return false
	}
	f.log.Info("worker is dead, its session has been revoked", "dead", dead.ID)
	f.offering = true // the others may not know for another second
	dead.RevokedBy = f.session.id
	f.mu.Lock()
	if p, ok := f.peers.byID[dead.ID]; ok {
		p.Row = dead
	}
	f.mu.Unlock()
	return true
}

// holdsNothing reports whether no shard is worked here.
func (f *fleet) held(key string) *tenure {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tenures[key]
}

// start begins the tenure of a row that names this worker. SentAt is when the
// write was sent that says so, never if that is not known.
func (f *fleet) start(row shard.Lease, from string, sentAt time.Duration) {
	if !f.session.valid() || f.stopping() || row.Finished() || row.Fault != nil {
		return
	}
	of, ok := f.branchOf(row.Shard)
	if !ok {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.tenures[row.Key] != nil || f.halted {
		return
	}
	if len(f.tenures) == 0 && f.pace.limited() {
		f.beatNow() // there is a load to share the limit out by
	}
	t := newTenure(f.life, f.worker, of, row, from, sentAt)
	f.tenures[row.Key] = t
	f.session.leases.Store(int64(len(f.tenures)))
	go func() { // ends with the tenure; awaited by run, through ended
		t.run()
		f.ended <- t
	}()
}

// over takes note of a tenure that has ended.
func (f *fleet) over(t *tenure) {
	f.mu.Lock()
	delete(f.tenures, t.row.Key)
	f.session.leases.Store(int64(len(f.tenures)))
	f.mu.Unlock()
	switch t.cause {
	case nil:
		f.offering = true
		f.soon() // its children have rows now
	case ErrStalled:
		f.soon() // it is free, and nobody else may be there
	case ErrLeaseLost:
		// The row may name this worker still, as the one asked to hand over,
		// which only the whole table shows.
		f.soon()
		f.sweepAt = min(f.sweepAt, f.clock.Elapsed()+f.timing.mailbox)
	}
}

// ends takes note of a tenure that has ended, if one has, and of the others that
// have, so that one plan follows from all of them, and ends what is to end. It
// reports whether that is the run of the fleet.
func (f *fleet) ends(ended *tenure, stop, life context.Context) (over bool) {
	if ended != nil {
		f.over(ended)
	}
	f.dice.Rest("ended", f.session.id)
	for {
		select {
		case t := <-f.ended:
			f.over(t)
			continue
		default:
		}
		switch {
		case stop.Err() != nil:
			f.leaveAll()
		case life.Err() != nil:
			f.await()
		default:
			return false
		}
		return true
	}
}

// leaveAll lets every shard go, and waits for it.
func (f *fleet) leaveAll() {
	f.session.leaving.Store(true)
	f.beatNow() // so that nobody gives this worker anything more
	f.mu.Lock()
	for _, t := range f.tenures {
		t.leave(ErrStopping, "")
	}
	f.mu.Unlock()
	// A table that takes no writes does not hold up the stop for ever: what could
	// not be let go by then is left to be taken over.
	late := time.AfterFunc(f.timing.handover, f.loseAll)
	defer late.Stop()
	f.await()
	f.putDown(f.life)
}

// await waits for every tenure to end.
func (f *fleet) await() {
	for {
		f.mu.Lock()
		n := len(f.tenures)
		f.mu.Unlock()
		if n == 0 {
			return
		}
		f.over(<-f.ended)
	}
}

// loseAll ends every tenure: the worker may not act on its leases any more.
func (f *fleet) loseAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, t := range f.tenures {
		t.lose(ErrLeaseLost)
	}
}
