package modelcheck

import (
	"fmt"
	"strings"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// Batches is a shard of a few records of two keys, which two lanes hand to a
// handler that may answer anything, with a destination that may refuse, or accept
// without saying so, and a process that may die.
//
// Invariants: Inv-1 and Inv-2, what the position has passed was handled, or
// accepted by the destination before; Inv-6, a key's records are called in order;
// and no record is forgotten when a lane is done.
type Batches struct {
	// Records is how many there are, up to 7.
	Records uint8
	// Crashes is how often the process dies.
	Crashes uint8
	// Policy is what a failure leads to; its attempts are to be bounded.
	Policy batching.Policy
	// Rules are what is looked at; those of the library where they are not set.
	Rules BatchRules
}

// BatchRules are the decisions under which Batches runs.
type BatchRules struct {
	// Decide says what the outcome of a call leads to.
	Decide func(p batching.Policy, s batching.Segment, o batching.Outcome) batching.Verdict
	// Mark is how far the position may go of so many records of which some are
	// done, as bits.
	Mark func(records []shard.Record, done uint8) shard.Position
	// Early has a record finished before its destination has it.
	Early bool
}

func (r BatchRules) withDefaults() BatchRules {
	if r.Decide == nil {
		r.Decide = batching.Policy.Decide
	}
	if r.Mark == nil {
		r.Mark = func(records []shard.Record, done uint8) shard.Position {
			t := checkpoint.NewTracker(checkpoint.Progress{})
			for i := range records {
				t.Begin(&records[i])
			}
			for i := len(records) - 1; i >= 0; i-- {
				if done&(1<<i) != 0 {
					t.Done(int64(i))
				}
			}
			at, _ := t.Mark()
			return at
		}
	}
	return r
}

// part is a segment of a lane's batch in few bytes.
type part struct{ from, to, attempts uint8 }

type batchLane struct {
	parts [8]part // what remains, the next one first
	n     uint8
	base  uint8 // where in the records of the lane its batch begins
	owed  uint8 // records that a destination is to get before the lane goes on, as bits
}

// BatchState is a state of Batches. Bits are records of the shard.
type BatchState struct {
	lanes   [2]batchLane
	begun   bool
	done    uint8 // finished, in this tenure
	handled uint8 // the handler has said so, ever
	sent    uint8 // the destination has it
	saved   uint8 // how many records the position has passed
	crashes uint8
}

// BatchModel looks at Batches.
type BatchModel struct {
	Batches
	records []shard.Record
	of      [2][]uint8 // the records of each lane
	marks   *memo[[2]uint8, uint8]
}

// Model is a new Model of it.
func (b Batches) Model() Model[BatchState] {
	b.Rules = b.Rules.withDefaults()
	m := &BatchModel{Batches: b, marks: newMemo[[2]uint8, uint8](10)}
	lanes := batching.Lanes{Count: 2}
	var keys [2]string
	for i := 0; keys[0] == "" || keys[1] == ""; i++ {
		r := shard.Record{PartitionKey: fmt.Sprint("key-", i)}
		keys[lanes.Of(&r)] = r.PartitionKey
	}
	for i := range b.Records {
		r := shard.Record{Sequence: sequences[i+1], PartitionKey: keys[i&1], Keyed: true}
		m.records = append(m.records, r)
		lane := lanes.Of(&r)
		m.of[lane] = append(m.of[lane], i)
	}
	return m
}

// Starts implements Model.
func (m *BatchModel) Starts() []BatchState { return []BatchState{{}} }

// What may happen in Batches.
const (
	batchBegin uint8 = iota // the records behind the position are read
	batchCall               // lane Who is called: A is what comes of it, B where
	batchSend               // the destination takes a record of lane Who
	batchDoubt              // likewise, but its answer is lost
	batchSave               // the position is written
	batchCrash              // the process dies
)

// What a call comes to.
const (
	allDone uint8 = iota
	allFailed
	failedFrom
	rejected
	rejectedFailed // the one before the last is rejected, the last fails
)

// Moves implements Model.
func (m *BatchModel) Moves(s *BatchState, into []Move) []Move {
	if !s.begun {
		return append(into, Move{Kind: batchBegin})
	}
	for i := range s.lanes {
		l, who := &s.lanes[i], uint8(i)
		switch {
		case l.owed != 0:
			into = append(into, Move{Kind: batchSend, Who: who}, Move{Kind: batchDoubt, Who: who})
		case l.n > 0:
			into = append(into, Move{Kind: batchCall, Who: who, A: allDone}, Move{Kind: batchCall, Who: who, A: allFailed})
			for at := range l.parts[0].to - l.parts[0].from {
				into = append(into, Move{Kind: batchCall, Who: who, A: failedFrom, B: at}, Move{Kind: batchCall, Who: who, A: rejected, B: at})
				if at > 0 {
					into = append(into, Move{Kind: batchCall, Who: who, A: rejectedFailed, B: at})
				}
			}
		}
	}
	if m.mark(s) > s.saved {
		into = append(into, Move{Kind: batchSave})
	}
	if s.crashes < m.Crashes {
		into = append(into, Move{Kind: batchCrash})
	}
	return into
}

// mark is how many records the position may pass.
func (m *BatchModel) mark(s *BatchState) uint8 {
	return m.marks.get([2]uint8{s.saved, s.done}, func(k [2]uint8) uint8 {
		at := m.Rules.Mark(m.records[k[0]:], k[1]>>k[0])
		return max(recordAt(at), k[0])
	})
}

// Step implements Model.
func (m *BatchModel) Step(s *BatchState, move Move) error {
	switch move.Kind {
	case batchBegin:
		s.begun = true
		for i := range s.lanes {
			base := m.before(i, s.saved)
			if n := uint8(len(m.of[i])) - base; n > 0 {
				s.lanes[i] = batchLane{n: 1, base: base, parts: [8]part{{to: n}}}
			}
		}
	case batchCall:
		return m.call(s, move)
	case batchSend, batchDoubt:
		l := &s.lanes[move.Who]
		first := l.owed & -l.owed
		s.sent |= first
		if move.Kind == batchSend {
			l.owed &^= first
			s.done |= first
			return m.over(s, int(move.Who))
		}
	case batchSave:
		s.saved = m.mark(s)
		if lost := (uint8(1)<<s.saved - 1) &^ (s.handled | s.sent); lost != 0 {
			return breach("Inv-1 and 2, no skip: the position passes %08b, which nobody handled and no destination has", lost)
		}
		s.done &^= 1<<s.saved - 1
		s.done |= 1<<s.saved - 1
	case batchCrash:
		*s = BatchState{handled: s.handled, sent: s.sent, saved: s.saved, done: 1<<s.saved - 1, crashes: s.crashes + 1}
	}
	return nil
}

// before is how many of a lane's records the position has passed.
func (m *BatchModel) before(lane int, saved uint8) (n uint8) {
	for _, i := range m.of[lane] {
		if i < saved {
			n++
		}
	}
	return n
}

// outcome is what a call of a part comes to.
func outcome(move Move, n int) batching.Outcome {
	at := int(move.B)
	switch move.A {
	case allFailed:
		return batching.Outcome{Failed: true}
	case failedFrom:
		return batching.Outcome{Failed: true, From: at, Partial: true}
	case rejected:
		return batching.Outcome{Rejects: []batching.Rejection{{Index: at}}}
	case rejectedFailed:
		return batching.Outcome{Failed: true, From: at, Partial: true, Rejects: []batching.Rejection{{Index: at - 1}}}
	}
	return batching.Outcome{}
}

// call makes a call with the next part of a lane, and does what follows from it.
// The batch of a lane begins behind what the position had passed when it was read,
// which is what of it was finished then.
func (m *BatchModel) call(s *BatchState, move Move) error {
	lane := int(move.Who)
	l := &s.lanes[lane]
	first := l.base
	seg := batching.Segment{From: int(l.parts[0].from), To: int(l.parts[0].to), Attempts: int(l.parts[0].attempts)}
	bit := func(i int) uint8 { return 1 << m.of[lane][first+uint8(i)] }
	for i := seg.From; i < seg.To; i++ {
		for later := i + 1; later < len(m.of[lane])-int(first); later++ {
			if s.done&bit(later) != 0 {
				return breach("Inv-6, key order: record %d is called when a later one of its key is finished", m.of[lane][first+uint8(i)])
			}
		}
	}
	o := outcome(move, seg.Len())
	doneTo := seg.Len()
	if o.Failed {
		doneTo = o.From
	}
	for i := range doneTo { // what the handler says of them
		if !(len(o.Rejects) > 0 && o.Rejects[0].Index == i) {
			s.handled |= bit(seg.From + i)
		}
	}
	v := m.Rules.Decide(m.Policy, seg, o)
	owed := uint8(0)
	for i := range v.Handled {
		if len(v.Rejected) > 0 && v.Rejected[0].Index == i {
			owed |= bit(seg.From + i)
		} else {
			s.done |= bit(seg.From + i)
		}
	}
	for i := v.Handled; i < v.Handled+v.GiveUp; i++ {
		owed |= bit(seg.From + i)
	}
	l.owed = owed
	if m.Rules.Early {
		s.done |= owed
	}
	m.settle(l, v)
	return m.over(s, lane)
}

// settle has batching.Work say what remains of a lane's batch.
func (m *BatchModel) settle(l *batchLane, v batching.Verdict) {
	var rest []batching.Segment
	for _, p := range l.parts[:l.n] {
		rest = append(rest, batching.Segment{From: int(p.from), To: int(p.to), Attempts: int(p.attempts)})
	}
	work := batching.NewWork(1)
	work.Settle(batching.Verdict{Next: rest})
	work.Settle(v)
	*l = batchLane{owed: l.owed, base: l.base}
	for s, ok := work.Next(); ok; s, ok = work.Next() {
		l.parts[l.n] = part{uint8(s.From), uint8(s.To), uint8(s.Attempts)}
		l.n++
		work.Settle(batching.Verdict{})
	}
}

// over is that nothing is forgotten: a lane that has nothing left has finished all
// of its records.
func (m *BatchModel) over(s *BatchState, lane int) error {
	if l := &s.lanes[lane]; l.n > 0 || l.owed != 0 {
		return nil
	}
	for _, i := range m.of[lane] {
		if s.done&(1<<i) == 0 {
			return breach("nothing forgotten: the lane is done, and record %d is not", i)
		}
	}
	return nil
}

// Show implements Model.
func (m *BatchModel) Show(s *BatchState) string {
	var b strings.Builder
	fmt.Fprintf(&b, "saved %d done %08b handled %08b sent %08b", s.saved, s.done, s.handled, s.sent)
	for i := range s.lanes {
		fmt.Fprintf(&b, " | lane %d %v", i, s.lanes[i].parts[:s.lanes[i].n])
		if s.lanes[i].owed != 0 {
			fmt.Fprintf(&b, " owes %08b", s.lanes[i].owed)
		}
	}
	return b.String()
}

// Tell implements Model.
func (m *BatchModel) Tell(_ *BatchState, move Move) string {
	switch move.Kind {
	case batchBegin:
		return "the records are read"
	case batchCall:
		return fmt.Sprintf("lane %d: %s", move.Who, outcome(move, 0))
	case batchSend:
		return fmt.Sprintf("lane %d: sent", move.Who)
	case batchDoubt:
		return fmt.Sprintf("lane %d: sent, nobody knows", move.Who)
	case batchSave:
		return "the position is saved"
	}
	return "the process dies"
}
