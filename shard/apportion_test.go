package shard

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// sharesOf is a control row's shares on one line, a call count a worker, with
// the ceiling behind it where it is higher.
func sharesOf(c Control) string {
	var parts []string
	for _, id := range slices.Sorted(maps.Keys(c.Shares)) {
		s := c.Shares[id]
		part := fmt.Sprintf("%s:%d", id, s.Calls)
		if s.Ceiling > s.Calls {
			part += fmt.Sprintf("^%d", s.Ceiling)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, " ")
}

func TestApportionSharesByTheShardsHeld(t *testing.T) {
	for _, test := range []struct {
		limit int
		loads string
		turn  int64
		want  string
	}{
		{10, "a5 b5", 0, "a:5 b:5"},
		{10, "a1 b9", 0, "a:1 b:9"},
		{10, "a1 b99", 0, "a:1 b:9"},
		{5, "a1 b1 c100", 0, "a:1 b:1 c:3"},
		{7, "a1 b1 c1", 0, "a:3 b:2 c:2"},
		{3, "a1 b1 c1", 0, "a:1 b:1 c:1"},
		{4, "a0 b1 c0", 0, "b:4"},
		{0, "a1 b1", 0, ""},
		{2, "a1 b1 c1", 0, "a:1 b:1"},
		{2, "a1 b1 c1", 1, "a:1 c:1"},
		{2, "a1 b1 c1", 2, "b:1 c:1"},
		{1, "a1 b1", -1, "b:1"},
		{4, "a0 b0", 0, ""},
	} {
		c := Control{Gen: 3}.WithLimit(test.limit)
		var sessions []Session
		for _, word := range strings.Fields(test.loads) {
			var load float64
			fmt.Sscan(word[1:], &load)
			sessions = append(sessions, Session{ID: word[:1], Load: load, ShareGen: c.Since})
		}
		if got := sharesOf(Apportion(c, sessions, test.turn)); got != test.want {
			t.Errorf("%d over %s in turn %d: got %q, want %q", test.limit, test.loads, test.turn, got, test.want)
		}
	}
}

// A walk through one lowering: the ceiling stands until the worker has answered,
// and only then is another share raised.
func TestApportionRaisesOnlyWhatIsKnownToBeFree(t *testing.T) {
	a, b := Session{ID: "a", Load: 1, ShareGen: 1}, Session{ID: "b", Load: 1}
	c := Control{}.WithLimit(6)
	c.Gen = 1
	step := func(what, want string) {
		t.Helper()
		before := c
		if c = Apportion(c, []Session{a, b}, 0); sharesOf(c) != want {
			t.Fatalf("%s: got %q, want %q", what, sharesOf(c), want)
		}
		if c.Gen != before.Gen && c.Gen != before.Gen+1 {
			t.Fatalf("%s: got generation %d behind %d", what, c.Gen, before.Gen)
		}
	}
	b.RevokedBy = "a"
	step("a is alone", "a:6")
	b.RevokedBy = ""
	step("b has come: it runs as much as is free, which is nothing yet", "a:3^6")
	a.ShareGen = c.Gen
	step("a has answered", "a:3 b:3")
	if c.Kept([]Session{a, b}) {
		t.Error("the limit is kept before b is known to know of it")
	}
	b.ShareGen = 1
	if !c.Kept([]Session{a, b}) {
		t.Error("the limit is not kept after both have answered")
	}
	c = c.WithLimit(2)
	c.Gen++
	step("lowered", "a:1^3 b:1^3")
	b.Load = 0
	step("b needs none: its call is not a's yet, though a has a higher ceiling", "a:1^3 b:0^3")
	b.Load = 1
	c = c.WithLimit(9)
	c.Gen++
	step("raised before they answered", "a:5 b:4")
	if c.Limit != 9 || !c.Limited {
		t.Errorf("got %+v, want a limit of 9", c)
	}
}

func TestControlTellsWhatIsPaused(t *testing.T) {
	one := Pause{Shard: "s1"}
	c := Control{}.WithPause(one).WithPause(Pause{Shard: "s2", KeyHash: "x"}).WithPause(one)
	if len(c.Pauses) != 2 || !c.Paused("s1") || c.Paused("s2") {
		t.Errorf("got %v, want s1 paused and s2 not", c.Pauses)
	}
	if c = c.WithPause(Pause{}).WithoutPause(one); !c.Paused("s1") {
		t.Error("s1 is not paused with the application")
	}
	if c = c.WithoutPause(Pause{}); c.Paused("s1") || len(c.Pauses) != 1 {
		t.Errorf("got %v after resuming", c.Pauses)
	}
}

// A fleet of a model: its workers read the row, run calls and answer with any
// delay, come and go, while two planners and an operator write. The calls that
// may run are never more than the limit or, while a lowered one is not yet
// answered, the highest limit since it last was; and when all is calm the whole
// limit is given out.
func TestApportionNeverExceedsTheLimit(t *testing.T) {
	seeds := uint64(1000)
	if testing.Short() {
		seeds = 200
	}
	for seed := range seeds {
		m := newFleetModel(seed)
		for range 400 {
			m.step()
			if err := m.check(); err != "" {
				t.Fatalf("seed %d: %s", seed, err)
			}
		}
		if err := m.calmDown(); err != "" {
			t.Fatalf("seed %d: %s", seed, err)
		}
	}
}

// unbounded is what a worker may run that knows of no limit.
const unbounded = math.MaxInt32

// fleetModel is a control row and whoever reads and writes it.
type fleetModel struct {
	r        *rand.Rand
	row      Control
	sessions map[string]Session // the session table
	workers  map[string]*modelWorker
	plans    [2]*modelPlan // what each planner has read and not written yet
	names    int
	turn     int64

	allowed int   // the highest limit since the fleet last kept to one
	evenAt  int64 // the first generation since the last change whose shares fit the limit; 0: none yet
}

type modelWorker struct {
	gen     int64 // the generation it goes by
	share   int   // unbounded: not limited
	running int
	load    float64
	late    []Session // heartbeats under way
	seen    []Control // answers under way
}

type modelPlan struct {
	row      Control
	sessions []Session
}

func newFleetModel(seed uint64) *fleetModel {
	return &fleetModel{
		r: rand.New(rand.NewPCG(seed, 1)), sessions: map[string]Session{}, workers: map[string]*modelWorker{}, allowed: unbounded,
	}
}

func (m *fleetModel) step() {
	switch n := m.r.IntN(40); {
	case n == 0 && len(m.workers) < 6:
		// It reads the row, registers, and reads it again before it runs.
		m.names++
		w := &modelWorker{gen: m.row.Gen, load: float64(m.r.IntN(4))}
		if m.r.IntN(3) == 0 {
			w.gen = 0 // it could not read it the first time
		}
		id := fmt.Sprintf("w%02d", m.names)
		m.sessions[id] = Session{ID: id, ShareGen: w.gen, Load: w.load}
		m.workers[id] = w
		w.seen = append(w.seen, m.row)
	case n == 1:
		if id := m.anyWorker(); id != "" {
			delete(m.sessions, id) // it has left: its handlers ended before
			delete(m.workers, id)
		}
	case n == 2:
		if id := m.anyWorker(); id != "" {
			s := m.sessions[id] // it was silent: it stopped before, by its clock
			s.RevokedBy = "somebody"
			m.sessions[id] = s
			delete(m.workers, id)
		}
	case n < 5:
		m.operate()
	case n < 12:
		m.turn += m.r.Int64N(2)
		m.plan(m.r.IntN(2))
	default:
		if id := m.anyWorker(); id != "" {
			m.work(id, m.workers[id], m.r.IntN(6))
		}
	}
}

func (m *fleetModel) anyWorker() string {
	ids := slices.Sorted(maps.Keys(m.workers))
	if len(ids) == 0 {
		return ""
	}
	return ids[m.r.IntN(len(ids))]
}

// work is one thing that a worker does.
func (m *fleetModel) work(id string, w *modelWorker, what int) {
	switch what {
	case 0:
		w.seen = append(w.seen, m.row)
	case 1:
		if len(w.seen) == 0 {
			return
		}
		i := m.r.IntN(len(w.seen))
		c := w.seen[i]
		w.seen = slices.Delete(w.seen, i, i+1)
		if c.Gen < w.gen {
			return
		}
		w.gen, w.share = c.Gen, unbounded
		if calls, limited := c.CallsOf(id); limited {
			w.share = calls
		}
	case 2:
		w.running = min(w.running+m.r.IntN(3), max(w.running, min(w.share, 20)))
	case 3:
		w.running -= min(w.running, m.r.IntN(3))
	case 4:
		if w.running <= w.share {
			w.late = append(w.late, Session{ID: id, ShareGen: w.gen, Load: w.load})
		}
	case 5:
		if s, there := m.sessions[id]; there && s.Alive() && len(w.late) > 0 {
			i := m.r.IntN(len(w.late))
			m.sessions[id] = w.late[i]
			w.late = slices.Delete(w.late, i, i+1)
		}
	}
}

// plan lets a planner read, or write what follows from what it has read.
func (m *fleetModel) plan(i int) {
	p := m.plans[i]
	if p == nil {
		m.plans[i] = &modelPlan{row: m.row, sessions: slices.Collect(maps.Values(m.sessions))}
		return
	}
	m.plans[i] = nil
	m.write(p.row, Apportion(p.row, p.sessions, m.turn))
}

// write is the conditional write of the row.
func (m *fleetModel) write(seen, next Control) {
	if seen.Gen == m.row.Gen {
		m.row = next
	}
	if m.evenAt == 0 && m.sum(func(id string, _ *modelWorker) int { return m.given(id) }) <= m.limit() {
		m.evenAt = m.row.Gen
	}
}

// operate changes the limit, or takes it away.
func (m *fleetModel) operate() {
	next := m.row.WithoutLimit()
	if m.r.IntN(5) > 0 {
		next = m.row.WithLimit(m.r.IntN(9))
	}
	next.Gen = m.row.Gen + 1
	m.row, m.evenAt = next, 0
	m.allowed = max(m.allowed, m.limit())
	m.write(m.row, Apportion(m.row, slices.Collect(maps.Values(m.sessions)), m.turn))
}

func (m *fleetModel) limit() int {
	if !m.row.Limited {
		return unbounded
	}
	return m.row.Limit
}

func (m *fleetModel) given(id string) int {
	if calls, limited := m.row.CallsOf(id); limited {
		return calls
	}
	return 0
}

func (m *fleetModel) sum(of func(id string, w *modelWorker) int) int {
	sum := 0
	for id, w := range m.workers {
		sum += of(id, w)
	}
	return sum
}

// check compares what may run with what is allowed.
func (m *fleetModel) check() string {
	kept := m.evenAt > 0
	for _, w := range m.workers {
		kept = kept && w.gen >= m.evenAt && w.running <= w.share
	}
	if kept {
		m.allowed = m.limit()
	}
	may := m.sum(func(_ string, w *modelWorker) int { return max(w.share, w.running) })
	if may > m.allowed && m.allowed < unbounded {
		return fmt.Sprintf("%d calls may run, and %d are allowed: %+v", may, m.allowed, m.row)
	}
	if m.row.Limited && may > m.row.Limit && m.row.Kept(slices.Collect(maps.Values(m.sessions))) {
		return fmt.Sprintf("%d calls may run, and a limit of %d is said to be kept: %+v", may, m.limit(), m.row)
	}
	return ""
}

// calmDown lets everybody hear of everything, and wants the limit to be used.
func (m *fleetModel) calmDown() string {
	m.operate()
	had := map[string]bool{}
	loaded := 0
	for _, w := range m.workers {
		if w.load > 0 {
			loaded++
		}
	}
	for range 10 {
		m.turn++
		for range 5 {
			for id, w := range m.workers {
				w.seen, w.late = []Control{m.row}, nil
				m.work(id, w, 1)
				w.running = min(w.running, w.share)
				if s := m.sessions[id]; s.Alive() {
					m.sessions[id] = Session{ID: id, ShareGen: w.gen, Load: w.load}
				}
			}
			m.plans = [2]*modelPlan{}
			m.plan(0)
			m.plan(0)
			if err := m.check(); err != "" {
				return err
			}
		}
		given := 0
		for id, w := range m.workers {
			given += m.given(id)
			if w.load > 0 && m.given(id) > 0 {
				had[id] = true
			}
		}
		if m.row.Limited && loaded > 0 && given != m.row.Limit {
			return fmt.Sprintf("%d of %d calls are given out when all is calm: %s", given, m.row.Limit, sharesOf(m.row))
		}
		if m.row.Limited && !m.row.Kept(slices.Collect(maps.Values(m.sessions))) {
			return "the limit is not known to be kept when all is calm"
		}
	}
	if m.row.Limited && m.row.Limit > 0 && len(had) != loaded {
		return fmt.Sprintf("%d of %d workers had a turn with a limit of %d", len(had), loaded, m.row.Limit)
	}
	return ""
}

// Two workers share six calls by the shards they hold. When the limit is lowered
// their shares are, and count as what they were until both have answered.
func ExampleApportion() {
	sessions := []Session{{ID: "ant", Load: 4}, {ID: "bee", Load: 2}}
	told := Apportion(Control{}.WithLimit(6), sessions, 0)
	fmt.Println(told.Shares["ant"].Calls, told.Shares["bee"].Calls)

	told = Apportion(told.WithLimit(3), sessions, 0)
	fmt.Println(told.Shares["ant"], told.Shares["bee"], told.Kept(sessions))

	sessions[0].ShareGen, sessions[1].ShareGen = told.Gen, told.Gen
	fmt.Println(told.Kept(sessions))
	// Output:
	// 4 2
	// {2 2 4} {1 2 2} false
	// true
}
