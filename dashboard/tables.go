package dashboard

import (
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/towpath/towpath/overview"
)

// tables is what a look at the tables gave, as rows.
type tables struct {
	workers  map[string]workerRow
	shards   map[string]shardRow
	live     map[string]liveRow
	orders   orders
	problems []problemRow
	// owners are who holds each shard that has a row, next who is to have it;
	// ended are those that are finished.
	owners, next map[string]string
	ended        map[string]bool
}

// The states of a shard are those of overview.State, as words; these are treated
// by themselves.
const (
	stateHeld    = string(overview.StateHeld)
	stateHanding = "handing over"
	stateEnded   = string(overview.StateEnded)
)

const kindTowpath = string(overview.KindTowpath)

// readFleet takes what is shown out of a picture of the tables.
func readFleet(f *overview.Fleet, at time.Time) tables {
	t := tables{workers: map[string]workerRow{}, shards: map[string]shardRow{}, live: map[string]liveRow{},
		owners: map[string]string{}, next: map[string]string{}, ended: map[string]bool{}}
	prefixes := map[string]string{} // of the keys of each stream, where there are many
	for _, s := range f.Shards {
		if before, ok := strings.CutSuffix(s.Key, s.ID); ok && before != "" {
			prefixes[s.Stream] = before
		}
	}
	for _, s := range f.Shards {
		prefix := prefixes[s.Stream]
		id := prefix + s.ID
		row := shardRow{Stream: s.Stream, Parents: prefixed(prefix, s.Parents), Children: prefixed(prefix, s.Children)}
		if s.Stream == "" {
			row.Stream = f.Stream.ARN
		}
		row.Lo, row.Hi = partOf(s.FirstHash, s.LastHash)
		t.shards[id] = row
		l := liveRow{State: strings.ReplaceAll(string(s.State), "_", " "), Owner: s.Holder(), Paused: s.Paused, Lag: -1, Rate: -1, KiB: tenth(s.Load),
			Position: s.Position, Counter: s.Counter, Switches: s.Switches, Suspect: s.Suspect != ""}
		if s.State == overview.StateEnded {
			l.KiB = 0 // what it brought when it was read last
		}
		if s.From != "" {
			l.Next = s.Owner
		}
		if s.BehindKnown {
			l.Lag, l.AtMost = s.Behind.Of().Milliseconds(), true
		}
		switch {
		case s.Fault != "":
			l.Note = clean(s.Fault)
		case s.Lost:
			l.Note = "its rest was trimmed before it was read"
		case s.Suspect != "":
			l.Note = fmt.Sprintf("%s on the record at %s", count(s.Crashes, "crash"), s.Suspect)
		case len(s.WaitsFor) > 0:
			l.Note = "waits for " + clean(strings.Join(s.WaitsFor, ", "))
		}
		t.live[id] = l
		if s.Row {
			t.owners[id], t.next[id], t.ended[id] = l.Owner, l.Next, s.State == overview.StateEnded
		}
	}
	for _, w := range f.Workers {
		row := workerRow{Name: w.ID, State: string(w.Life), Kind: string(w.Kind), Leases: w.Leases, Most: w.Most, KiB: tenth(w.Load), Share: -1, Beat: -1}
		if w.Sign != "" {
			row.Beat = at.Add(-w.Still.Of()).UnixMilli()
		}
		if w.Limited {
			row.Share = w.Share
		}
		if w.Leader {
			row.Doing = "gives leases to the others"
		}
		if w.RevokedBy != "" {
			row.Doing = clean("declared dead by " + w.RevokedBy)
		}
		t.workers[w.ID] = row
	}
	t.orders = orders{Limited: f.Control.Limited, Limit: f.Control.Limit, Kept: f.Control.Kept, Move: clean(f.Control.Move), Pauses: []string{}}
	for _, p := range f.Control.Pauses {
		t.orders.Pauses = append(t.orders.Pauses, pauseOf(p.Shard, p.KeyHash))
	}
	for _, p := range f.Problems {
		t.problems = append(t.problems, problemRow{Kind: string(p.Kind), Shard: p.Shard, Text: clean(p.Says)})
	}
	return t
}

// addTables puts what the tables tell in, or told so long ago as stale says: what
// is at most so far behind may be further by that now.
func (v *view) addTables(t tables, stale time.Duration) {
	for id, w := range t.workers {
		v.workers[id] = w
	}
	for id, s := range t.shards {
		v.shards[id] = s
	}
	for id, l := range t.live {
		if l.AtMost && l.State != stateEnded {
			l.Lag += stale.Milliseconds()
		}
		v.live[id] = l
	}
	if t.orders.Pauses != nil {
		v.orders = t.orders
		v.orders.Pauses = append([]string{}, t.orders.Pauses...)
	}
	v.problems = t.problems
}

// pauseOf says what is held back. Of the key's hash as much is shown as tells it
// from others.
func pauseOf(shardID, keyHash string) string {
	what := "every shard"
	if shardID != "" {
		what = "shard " + shardID
	}
	if keyHash != "" {
		what += ", one key (its hash begins with " + cut(keyHash, 12) + ")"
	}
	return clean(what)
}

func prefixed(prefix string, ids []string) (all []string) {
	for _, id := range ids {
		all = append(all, prefix+id)
	}
	return all
}

// partOf is a range of hashes as a part of all, from 0 to 1; both -1 if it cannot
// be read.
func partOf(first, last string) (lo, hi float64) {
	start, ok1 := new(big.Int).SetString(first, 10)
	end, ok2 := new(big.Int).SetString(last, 10)
	if !ok1 || !ok2 || start.Sign() < 0 || start.Cmp(end) > 0 || end.BitLen() > 128 {
		return -1, -1
	}
	all := new(big.Float).SetInt(new(big.Int).Lsh(big.NewInt(1), 128))
	part := func(n *big.Int) float64 {
		f, _ := new(big.Float).Quo(new(big.Float).SetInt(n), all).Float64()
		return f
	}
	return part(start), part(end.Add(end, big.NewInt(1)))
}
