package shard_test

import (
	"flag"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/towpath/towpath/shard"
)

// property checks a property in so many cases.
func property(t *testing.T, cases int, prop func(*rapid.T)) {
	t.Helper()
	for name, value := range map[string]string{"rapid.checks": strconv.Itoa(cases), "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	rapid.Check(t, prop)
}

// However the leases lie, rounds of plans come to rest: every runnable lease has an
// owner, each worker has ⌊n/w⌋ or ⌈n/w⌉, no more leases are moved than are too many
// somewhere, and nothing is moved after that.
func TestPlanComesToRestWithTheFewestMoves(t *testing.T) {
	property(t, 10_000, func(t *rapid.T) {
		w := rapid.IntRange(1, 6).Draw(t, "workers")
		v := shard.View{HandoverTimeout: time.Minute}
		for i := range w {
			v.Workers = append(v.Workers, shard.WorkerView{ID: fmt.Sprint("w", i), Age: time.Hour})
		}
		n := rapid.IntRange(0, 30).Draw(t, "leases")
		held := make([]int, w)
		for i := range n {
			l := shard.LeaseView{Key: fmt.Sprint("shard-", i), Runnable: true}
			switch o := rapid.IntRange(-1, w).Draw(t, "owner"); {
			case o == w:
				l.Owner, l.Free = "dead", true
			case o >= 0:
				l.Owner = v.Workers[o].ID
				held[o]++
			}
			v.Leases = append(v.Leases, l)
		}
		// What the quotas leave over: the larger ones go to those that hold most.
		slices.SortFunc(held, func(a, b int) int { return b - a })
		tooMany := 0
		for i, h := range held {
			quota := n / w
			if i < n%w {
				quota++
			}
			tooMany += max(0, h-quota)
		}
		moved := 0
		for round := 0; ; round++ {
			if round > n+3 {
				t.Fatalf("no rest after %d rounds", round)
			}
			changed := false
			takenBy := map[string]string{}
			var asks []shard.Ask
			for _, worker := range v.Workers {
				v.Me = worker.ID
				m := shard.Plan(v)
				for _, key := range m.Take {
					if other, twice := takenBy[key]; twice {
						t.Fatalf("%s and %s both take %s", other, worker.ID, key)
					}
					takenBy[key] = worker.ID
				}
				if len(m.Ask) > 0 && asks != nil {
					t.Fatalf("two workers ask: %v and %v", asks, m.Ask)
				}
				asks = append(asks, m.Ask...)
				if len(m.Withdraw)+len(m.Even)+len(m.Unplaced) > 0 {
					t.Fatalf("%s: %s, unplaced %v", worker.ID, m, m.Unplaced)
				}
			}
			for i := range v.Leases {
				l := &v.Leases[i]
				if by, ok := takenBy[l.Key]; ok {
					l.Owner, l.Free, changed = by, false, true
				}
				for _, a := range asks {
					if a.Key == l.Key {
						if l.Owner != a.From {
							t.Fatalf("%s is asked for, and it is %q's", a, l.Owner)
						}
						l.Owner, changed = a.To, true
						moved++
					}
				}
			}
			if !changed {
				break
			}
		}
		count := map[string]int{}
		for _, l := range v.Leases {
			count[l.Owner]++
		}
		for _, worker := range v.Workers {
			if has := count[worker.ID]; has < n/w || has > (n+w-1)/w {
				t.Fatalf("%s has %d of %d leases among %d", worker.ID, has, n, w)
			}
		}
		if moved != tooMany {
			t.Fatalf("%d leases were moved, and %d were too many", moved, tooMany)
		}
	})
}

// The workers never run more calls than the limit of the fleet, whatever they are
// told when; and at rest they may run all of it, each with shards at least one.
func TestApportionNeverExceedsAndNeverStarves(t *testing.T) {
	property(t, 10_000, func(t *rapid.T) {
		limit := rapid.IntRange(1, 12).Draw(t, "limit")
		c := shard.Control{Limited: true, Limit: limit}
		sessions := map[string]*shard.Session{}
		calls := map[string]int{} // what each worker goes by
		list := func() (all []shard.Session) {
			for _, s := range sessions {
				all = append(all, *s)
			}
			return all
		}
		ids := 0
		for step, op := range rapid.SliceOfN(rapid.IntRange(0, 9), 1, 40).Draw(t, "ops") {
			var id string
			if len(sessions) > 0 {
				all := list()
				slices.SortFunc(all, func(a, b shard.Session) int {
					if a.ID < b.ID {
						return -1
					}
					return 1
				})
				id = all[rapid.IntRange(0, len(all)-1).Draw(t, "who")].ID
			}
			switch {
			case op <= 1 || id == "":
				id = fmt.Sprint("w", ids)
				ids++
				sessions[id] = &shard.Session{ID: id, Load: float64(rapid.IntRange(0, 5).Draw(t, "load"))}
			case op <= 3:
				sessions[id].Load = float64(rapid.IntRange(0, 5).Draw(t, "load"))
			case op <= 5: // it reads the control row and says so with its next beat
				calls[id] = c.Shares[id].Calls
				sessions[id].ShareGen = c.Gen
			case op == 6:
				sessions[id].Leaving = true
			case op == 7: // it has stopped before it goes
				delete(sessions, id)
				delete(calls, id)
			default:
				c = shard.Apportion(c, list(), int64(step))
			}
			running := 0
			for _, n := range calls {
				running += n
			}
			if running > limit {
				t.Fatalf("%d calls, want at most %d: %v", running, limit, c.Shares)
			}
		}
		for id := range sessions {
			sessions[id].Leaving = false
		}
		for turn := range 20 {
			c = shard.Apportion(c, list(), 7)
			for id, s := range sessions {
				calls[id], s.ShareGen = c.Shares[id].Calls, c.Gen
			}
			_ = turn
		}
		running, busy := 0, 0
		for id, s := range sessions {
			running += calls[id]
			if s.Load > 0 {
				busy++
			}
		}
		if busy > 0 && running != limit {
			t.Fatalf("at rest %d calls of %d: %v", running, limit, c.Shares)
		}
		for id, s := range sessions {
			if s.Load > 0 && busy <= limit && calls[id] == 0 {
				t.Fatalf("%s has shards and no call: %v", id, c.Shares)
			}
		}
	})
}
