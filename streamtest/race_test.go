package streamtest_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// race is one run of several hosts over one lease, each of which does its steps
// in order while the order among hosts is chosen from outside. Every host works
// as the engine does, but without its clocks: a worker that is declared dead goes
// on until a write of its own is refused, as the worst zombie would.
type race struct {
	t     *testing.T
	table checkpoint.Leases
	ctx   context.Context
	trace []string

	row  shard.Lease      // as it stands, read after every step
	mark map[string]int64 // how far each host has finished
	held map[string]shard.Lease
	lost map[string]bool
	seen map[string]shard.Lease   // what a host has read of the row
	beat map[string]shard.Session // and of the owner's session
	dead map[string]bool          // sessions that were revoked
	sent map[string]sentSave      // a save that is under way for long

	refused, moved int // writes that were refused, times that the lease changed hands
}

// sentSave is a save as it was when it was sent.
type sentSave struct {
	held shard.Lease
	p    checkpoint.Progress
}

func newRace(t *testing.T, table checkpoint.Leases) *race {
	r := &race{
		t: t, table: table, ctx: context.Background(), mark: map[string]int64{}, held: map[string]shard.Lease{},
		lost: map[string]bool{}, seen: map[string]shard.Lease{}, beat: map[string]shard.Session{}, dead: map[string]bool{},
		sent: map[string]sentSave{},
	}
	r.must(table.Prepare(r.ctx, shard.Stream{ARN: "arn:aws:kinesis:us-east-1:000000000000:stream/clicks", CreatedAt: time.Unix(946684800, 0)}))
	for _, id := range []string{"a", "b", "c"} {
		r.must(table.Register(r.ctx, shard.Session{ID: id}))
	}
	epoch, err := table.Begin(r.ctx)
	r.must(err)
	r.must(table.Create(r.ctx, epoch, []shard.Lease{{Key: raced, Shard: raced, Checkpoint: shard.TrimHorizon()}}))
	r.row, err = table.Get(r.ctx, raced)
	r.must(err)
	r.held["a"], err = table.Take(r.ctx, r.row, "a", "")
	r.must(err)
	r.row = r.held["a"]
	return r
}

func (r *race) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// wrote notes the answer to a host's write of the row, and what Adopt makes of a
// refusal.
func (r *race) wrote(me string, row shard.Lease, err error) {
	var conflict *checkpoint.Conflict
	switch {
	case err == nil:
		r.held[me] = row
	case errors.As(err, &conflict):
		r.refused++
		switch checkpoint.Adopt(r.held[me], conflict.Row, me) {
		case checkpoint.Adopted:
			r.held[me] = conflict.Row
		case checkpoint.Lost:
			r.lost[me] = true
		case checkpoint.Restart:
			r.held[me] = conflict.Row
			r.mark[me] = number(conflict.Row.Checkpoint)
		}
	default:
		r.t.Fatalf("%s: %v", me, err)
	}
	if r.held[me].Holder() != me {
		r.lost[me] = true
	}
}

func number(p shard.Position) int64 {
	if !p.IsRecord() {
		return 0
	}
	n, _ := strconv.ParseInt(p.Sequence, 10, 64)
	return n
}

func at(n int64) shard.Position {
	if n == 0 {
		return shard.TrimHorizon()
	}
	return shard.After(strconv.FormatInt(n, 10), 0)
}

// step does one step of a host. A host that does not hold the lease skips what
// only a holder does.
func (r *race) step(me, what string) {
	holds := r.held[me].Holder() == me && !r.lost[me]
	progress := checkpoint.Progress{Position: at(r.mark[me])}
	switch what {
	case "beat":
		r.table.Heartbeat(r.ctx, shard.Session{ID: me}) // whatever comes of it
	case "finish10": // ten more records are handled
		if holds {
			r.mark[me] += 10
		}
	case "save":
		if holds {
			row, err := r.table.Save(r.ctx, r.held[me], me, progress)
			r.wrote(me, row, err)
		}
	case "send": // a save that its sender gives up waiting for
		if holds {
			r.sent[me] = sentSave{r.held[me], progress}
		}
	case "arrive": // it arrives, and nobody hears of it
		if s, ok := r.sent[me]; ok {
			if _, err := r.table.Save(r.ctx, s.held, me, s.p); err != nil {
				r.refused++
			}
		}
	case "finish arrives": // likewise, of what ends a hand-over
		if _, err := r.table.Finish(r.ctx, r.sent[me].held, me, r.sent[me].p); err != nil {
			r.refused++
		}
	case "reread": // before it lets go: was it asked to hand over?
		if holds {
			row, err := r.table.Get(r.ctx, raced)
			r.must(err)
			if r.lost[me] = checkpoint.Adopt(r.held[me], row, me) != checkpoint.Adopted; !r.lost[me] {
				r.held[me] = row
			}
		}
	case "letgo":
		if !holds {
			return
		}
		row, err := r.held[me], error(nil)
		if row.CheckpointOwner == me {
			row, err = r.table.Finish(r.ctx, row, me, progress)
		} else {
			row, err = r.table.Release(r.ctx, row, me, progress, "")
		}
		r.wrote(me, row, err)
	case "look":
		row, err := r.table.Get(r.ctx, raced)
		r.must(err)
		r.seen[me] = row
		if holds && row.Holder() != me {
			r.lost[me] = true
		}
		if holder := row.Holder(); holder != "" && holder != me {
			r.beat[me], err = r.table.Session(r.ctx, holder)
			r.must(err)
		}
		if row.Owner == me && row.CheckpointOwner == "" && !holds {
			r.began(me, row) // it was handed over
		}
	case "revoke":
		if s := r.beat[me]; s.ID != "" && s.ID != me && s.Alive() {
			if r.table.Revoke(r.ctx, s, me) == nil {
				r.dead[s.ID] = true
			}
		}
	case "take":
		seen := r.seen[me]
		if seen.Key == "" || holds || seen.Holder() == me || seen.Holder() != "" && !r.dead[seen.Holder()] {
			return
		}
		row, err := r.table.Take(r.ctx, seen, me, "")
		if err == nil {
			r.began(me, row)
		}
	case "ask", "ask for a":
		to := "b"
		if what == "ask for a" {
			to = "a"
		}
		if seen := r.seen[me]; seen.Owner != "" && seen.Owner != to && seen.CheckpointOwner == "" {
			if _, err := r.table.Ask(r.ctx, seen, to); err != nil {
				r.refused++
			}
		}
	case "withdraw":
		if row, err := r.table.Get(r.ctx, raced); err == nil && row.CheckpointOwner != "" {
			if _, err := r.table.Withdraw(r.ctx, row); err != nil {
				r.refused++
			}
		}
	default:
		r.t.Fatalf("no such step: %s", what)
	}
}

// began is a tenure that begins: from the row's checkpoint, and from nowhere
// else.
func (r *race) began(me string, row shard.Lease) {
	r.held[me], r.lost[me], r.mark[me] = row, false, number(row.Checkpoint)
}

// check looks at the row after a step of a host.
func (r *race) check(me, what string) {
	was := r.row
	now, err := r.table.Get(r.ctx, raced)
	r.must(err)
	r.row = now
	r.trace = append(r.trace, fmt.Sprintf("%s %s: %s", me, what, now))
	bad := func(rule string) {
		r.t.Fatalf("%s\n%s", rule, strings.Join(r.trace, "\n"))
	}
	same := now.Counter == was.Counter && now.Checkpoint.Compare(was.Checkpoint) == 0
	asked := same && (now.Owner != was.Owner || now.CheckpointOwner != was.CheckpointOwner)
	switch {
	case now.Checkpoint.Compare(was.Checkpoint) < 0:
		bad("the checkpoint went back")
	case now.Counter < was.Counter:
		bad("the counter went back")
	case now.String() != was.String() && now.Counter == was.Counter && !asked:
		bad("the row changed and the counter did not")
	}
	if now.Checkpoint.Compare(was.Checkpoint) != 0 && was.Holder() != me {
		bad("somebody who does not hold the lease moved the checkpoint")
	}
	// A claim is erased by nobody but who holds it, or by a take from the dead.
	if was.Holder() != now.Holder() && now.Holder() != "" {
		r.moved++
	}
	if was.Holder() != now.Holder() && was.Holder() != "" {
		handed := was.Holder() == me && what == "letgo"
		died := r.dead[was.Holder()] && now.Holder() == me && what == "take"
		if !handed && !died {
			bad("a claim was erased")
		}
	}
	// What a host has finished beyond its predecessors begins where they stopped.
	if number(now.Checkpoint) > 0 && number(now.Checkpoint)%10 != 0 {
		bad("the checkpoint is nobody's")
	}
}

func (r *race) run(scripts []script, order []int) {
	next := make([]int, len(scripts))
	for _, i := range order {
		s := scripts[i]
		what := s.steps[next[i]]
		next[i]++
		r.step(s.host, what)
		r.check(s.host, what)
	}
}
