package modelcheck

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/shard"
)

// Leases is one lease row and the workers that want it. Nobody's session is looked
// at: every worker may take at any moment, and go on as if it held the lease for
// as long as it does not learn better. A request may be lost, its answer may be,
// it may be applied twice, and long after its caller has given it up.
//
// Invariants: Inv-1 no skip, Inv-3 the position goes forward, Inv-4 every write is
// fenced, Inv-6 no jump, Inv-12 the fence grows.
type Leases struct {
	// Workers is how many there are, 2 or 3.
	Workers int
	// Records is how many records the shard has, up to 7.
	Records uint8
	// Counter is the counter behind which nothing more is asked of the row.
	Counter uint8
	// Orphans is how many requests may be under way that nobody waits for, up
	// to 2.
	Orphans int
	// Seeks is how often somebody moves the position by hand.
	Seeks uint8
	// HandOvers tells whether hand-overs are asked for and withdrawn.
	HandOvers bool
	// Deletes is how often somebody deletes the row by hand.
	Deletes uint8
	// Rules are what is looked at; those of the library where they are not set.
	Rules LeaseRules
}

// LeaseRules are the decisions and conditions under which Leases runs.
type LeaseRules struct {
	// Adopt says what a row means to a worker whose write was refused.
	Adopt func(held, now shard.Lease, me string) checkpoint.Verdict
	// Further reports whether a row that was adopted is ahead of what was to be
	// written.
	Further func(row shard.Lease, p checkpoint.Progress) bool
	// NotBehind is what is written when a lease is given away.
	NotBehind func(row shard.Lease, p checkpoint.Progress) checkpoint.Progress
	// Table is the lease table.
	Table func(*checkpointtest.Table) LeaseTable
}

// LeaseTable is what the workers of Leases write to.
type LeaseTable interface {
	checkpoint.Rows
	// Seek moves a position by hand, as checkpoint.Moves does.
	Seek(ctx context.Context, seen shard.Lease, to shard.Position) (shard.Lease, error)
}

func (r LeaseRules) withDefaults() LeaseRules {
	if r.Adopt == nil {
		r.Adopt = checkpoint.Adopt
	}
	if r.Further == nil {
		r.Further = checkpoint.Further
	}
	if r.NotBehind == nil {
		r.NotBehind = checkpoint.NotBehind
	}
	if r.Table == nil {
		r.Table = func(t *checkpointtest.Table) LeaseTable { return t }
	}
	return r
}

// leaseRow is a row in few bytes. The counter is the epoch in the high half and
// the number within it in the low half; gone is a row that does not exist.
type leaseRow struct {
	owner, holder, counter, at, gen uint8
	gone                            bool
}

// phase is what a worker of Leases is doing with the lease.
type phase uint8

const (
	idle    phase = iota
	running       // handlers run
	leaving       // what runs comes to its end
	giving        // the row has been read, and the lease is given away
	staying       // nobody takes it after all
	putting       // the row is gone, and is put back
)

// answer is how far a worker's request is.
type answerState uint8

const (
	none     answerState = iota
	sent                 // not applied, nor refused
	answered             // applied, and the answer is on its way
	seen                 // refused, or read: the row that stands is on its way
	unknown              // no answer comes
)

// The requests that a worker makes.
const (
	askTake uint8 = iota + 1
	askSave
	askRelease
	askFinish
	askRefuse
	askRead
	askPutBack
)

var requestNames = [...]string{"", "take", "save", "release", "finish", "refuse", "read", "put back"}

// request is a conditional write on its way.
type request struct {
	kind, who uint8
	held      leaseRow
	at, to    uint8
}

type leaseWorker struct {
	phase  phase
	mark   uint8 // the last finished record
	held   leaseRow
	state  answerState
	asked  request
	answer leaseRow
}

// LeaseState is a state of Leases.
type LeaseState struct {
	row      leaseRow
	workers  [3]leaseWorker
	orphans  [2]request
	finished uint8 // a bit a record, of this generation
	ever     uint8 // likewise, of any
	floor    uint8 // records up to here were passed over by hand
	fence    uint8 // counter of the last acquisition
	epoch    uint8
	seeks    uint8
	deletes  uint8
}

// LeaseModel looks at Leases.
type LeaseModel struct {
	Leases
	writes *memo[tableCall, tableAnswer]
	judged *memo[judgement, checkpoint.Verdict]
}

type tableCall struct {
	row   leaseRow
	ask   request
	epoch uint8
}

type tableAnswer struct {
	row leaseRow
	ok  bool
}

type judgement struct {
	held, now leaseRow
	who       uint8
}

// Model is a new Model of it.
func (l Leases) Model() Model[LeaseState] {
	l.Rules = l.Rules.withDefaults()
	return &LeaseModel{
		Leases: l, writes: newMemo[tableCall, tableAnswer](15), judged: newMemo[judgement, checkpoint.Verdict](13),
	}
}

var names = [...]string{"", "A", "B", "C"}

const leaseKey = "shard"

// deep is the number of records of an epoch, as in the row of a real table.
const deep = 1_000_000_000

func (m *LeaseModel) lease(r leaseRow) shard.Lease {
	return shard.Lease{
		Key: leaseKey, Shard: leaseKey, Owner: names[r.owner], CheckpointOwner: names[r.holder],
		Counter: int64(r.counter>>4)*deep + int64(r.counter&15), Checkpoint: positionAt(r.at), SeekGen: int64(r.gen),
	}
}

var sequences = [...]string{"", "1", "2", "3", "4", "5", "6", "7"}

func positionAt(n uint8) shard.Position {
	if n == 0 {
		return shard.TrimHorizon()
	}
	return shard.After(sequences[n], 0)
}

func recordAt(p shard.Position) uint8 {
	if !p.IsRecord() {
		return 0
	}
	return p.Sequence[0] - '0'
}

func nameIndex(id string) uint8 {
	if id == "" {
		return 0
	}
	return id[0] - 'A' + 1
}

func rowOf(l shard.Lease) leaseRow {
	return leaseRow{
		owner: nameIndex(l.Owner), holder: nameIndex(l.CheckpointOwner),
		counter: uint8(l.Counter/deep)<<4 | uint8(l.Counter%deep), at: recordAt(l.Checkpoint), gen: uint8(l.SeekGen),
	}
}

// mayWrite is who holds the lease.
func (r leaseRow) mayWrite() uint8 {
	if r.holder != 0 {
		return r.holder
	}
	return r.owner
}

// ask has a table carry out a request.
func (m *LeaseModel) ask(c tableCall) tableAnswer {
	ctx := context.Background()
	table := checkpointtest.NewTable()
	for range c.epoch {
		_, _ = table.Begin(ctx)
	}
	if !c.row.gone {
		_ = table.Create(ctx, int64(c.epoch), []shard.Lease{m.lease(c.row)})
	}
	_ = table.Register(ctx, shard.Session{ID: names[c.ask.who]})
	rows := m.Rules.Table(table)
	held, me := m.lease(c.ask.held), names[c.ask.who]
	p := checkpoint.Progress{Position: positionAt(c.ask.at)}
	var err error
	switch c.ask.kind {
	case askTake:
		_, err = rows.Take(ctx, held, me, "")
	case askSave:
		_, err = rows.Save(ctx, held, me, p)
	case askRelease:
		_, err = rows.Release(ctx, held, me, p, names[c.ask.to])
	case askFinish:
		_, err = rows.Finish(ctx, held, me, p)
	case askRefuse:
		_, err = rows.Refuse(ctx, held, me)
	case askPutBack:
		held.Checkpoint = p.Position
		_, err = rows.PutBack(ctx, held, me)
	case byHandAsk:
		_, err = rows.Ask(ctx, held, names[c.ask.to])
	case byHandWithdraw:
		_, err = rows.Withdraw(ctx, held)
	case byHandSeek:
		_, err = rows.Seek(ctx, held, p.Position)
	case byHandCreate:
		epoch, _ := table.Begin(ctx)
		err = table.Create(ctx, epoch, []shard.Lease{{Key: leaseKey, CreatedFrom: "repair"}})
	}
	now, gone := table.Get(ctx, leaseKey)
	if gone != nil {
		return tableAnswer{row: leaseRow{gone: true}, ok: err == nil}
	}
	return tableAnswer{row: rowOf(now), ok: err == nil}
}

// What somebody else does to the row, which may happen at any moment: a request of
// theirs that is late is one that is made later.
const (
	byHandAsk uint8 = iota + 20
	byHandWithdraw
	byHandSeek
	byHandCreate
)

var errBroken = errors.New("broken")

func breach(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errBroken, fmt.Sprintf(format, args...))
}

// Show implements Model.
func (m *LeaseModel) Show(s *LeaseState) string {
	var b strings.Builder
	b.WriteString(showRow(s.row))
	for i := range m.Workers {
		w := &s.workers[i]
		fmt.Fprintf(&b, " | %s %s", names[i+1], [...]string{"idle", "runs", "leaves", "gives", "stays", "puts back"}[w.phase])
		if w.phase != idle {
			fmt.Fprintf(&b, " #%s done %d", showCounter(w.held.counter), w.mark)
		}
		if w.state != none {
			fmt.Fprintf(&b, " (%s %s)", requestNames[w.asked.kind], [...]string{"", "sent", "answered", "refused or read", "unknown"}[w.state])
		}
	}
	for i := range s.orphans {
		if o := s.orphans[i]; o.kind != 0 {
			fmt.Fprintf(&b, " | orphan: %s of %s #%s", requestNames[o.kind], names[o.who], showCounter(o.held.counter))
		}
	}
	fmt.Fprintf(&b, " | finished %b", s.finished)
	return b.String()
}

func showRow(r leaseRow) string {
	if r.gone {
		return "no row"
	}
	owner := names[r.owner]
	if owner == "" {
		owner = "free"
	}
	if r.holder != 0 {
		owner = names[r.holder] + "→" + owner
	}
	return fmt.Sprintf("%s #%s at %d gen %d", owner, showCounter(r.counter), r.at, r.gen)
}

func showCounter(c uint8) string {
	if c < 16 {
		return fmt.Sprint(c)
	}
	return fmt.Sprintf("%d·10⁹+%d", c>>4, c&15)
}
