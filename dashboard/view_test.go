package dashboard

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/overview"
	"github.com/towpath/towpath/shard"
)

const canary = "canary-99"

// quoting is an error of a user's that quotes a record.
type quoting struct{ text string }

func (q quoting) Error() string { return q.text }

// told is everything that would go to a browser.
func told(t *testing.T, v *view) string {
	t.Helper()
	v.finish(time.Now(), nil, func(string) (float64, bool) { return 0, false })
	text, err := json.Marshal(v.picture())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestNothingOfARecordIsTold(t *testing.T) {
	var r Recorder
	hooks := r.Hooks(consumer.Hooks{})
	record := shard.Record{Stream: "clicks", Shard: "shardId-000000000000", Sequence: "1", PartitionKey: canary, Data: []byte(canary)}
	err := fmt.Errorf("write %s: %w", canary, errors.Join(quoting{canary}))
	hooks.BatchDone(consumer.BatchEvent{Worker: "a", Shard: "s", Records: 1, Attempt: 1, Err: err})
	hooks.Woken(consumer.WakeEvent{Worker: "a", Shard: "s", Err: err})
	hooks.CommitRefused(consumer.CommitRefusedEvent{Worker: "a", Shard: "s", Err: err})
	hooks.GaveUp(consumer.GaveUpEvent{Worker: "a", Shard: "s", Failure: destination.Failure{Records: []shard.Record{record}, Condition: destination.Rejected, Err: err}})
	hooks.DestinationRefused(consumer.DestinationRefusedEvent{Worker: "a", Shard: "s", Err: err})
	hooks.KeySetAside(consumer.KeySetAsideEvent{Worker: "a", Shard: "s", Err: err})
	hooks.BreakerChanged(consumer.BreakerEvent{Worker: "a", State: 1, Err: err})
	hooks.ReadFailed(consumer.ReadFailedEvent{Worker: "a", Shard: "s", Err: err})
	seen := r.take()
	if len(seen.failures) < 6 {
		t.Fatalf("%d failures are recorded", len(seen.failures))
	}
	status := consumer.Status{Worker: "a", Valid: true, Shards: []consumer.ShardStatus{{Shard: "s", Error: err.Error()}}}

	v := newView()
	v.addStatuses(time.Now(), []consumer.Status{status}, nil)
	v.addRecorded(seen, nil)
	text := told(t, v)
	if strings.Contains(text, canary) {
		t.Errorf("the canary is told: %s", text)
	}
	for _, want := range []string{"dashboard.quoting", "given up", "Rejected"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not told", want)
		}
	}

	v = newView()
	redact := func(text string) string { return strings.ReplaceAll(text, canary, "***") + strings.Repeat("é", 1000) }
	v.addStatuses(time.Now(), []consumer.Status{status}, redact)
	v.addRecorded(seen, redact)
	text = told(t, v)
	if strings.Contains(text, canary) || !strings.Contains(text, "write ***") {
		t.Errorf("what ErrorText makes of an error is not what is told: %s", text)
	}
	for _, f := range v.failures {
		if len(f.Text) > mostText+4 {
			t.Errorf("a text of %d bytes is told", len(f.Text))
		}
	}
}

func TestRecorderIsBoundedAndCountsRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r Recorder
		own := 0
		hooks := r.Hooks(consumer.Hooks{BatchDone: func(consumer.BatchEvent) { own++ }})
		for range 5 {
			hooks.BatchDone(consumer.BatchEvent{Worker: "a", Shard: "s", Records: 2, Attempt: 1, Took: time.Millisecond, Err: quoting{"x"}})
		}
		seen := r.take()
		if own != 5 || len(seen.failures) != 1 || seen.failures[0].Times != 5 || seen.failures[0].Records != 10 || seen.failed != 5 {
			t.Errorf("own hook called %d times; %+v, failed %d: want one entry of 5", own, seen.failures, seen.failed)
		}
		time.Sleep(2 * time.Minute)
		hooks.BatchDone(consumer.BatchEvent{Worker: "a", Shard: "s", Records: 2, Attempt: 1, Err: quoting{"x"}})
		if seen := r.take(); len(seen.failures) != 2 {
			t.Errorf("%d entries, want a new one after a minute", len(seen.failures))
		}
		for i := range 1000 {
			hooks.ReadFailed(consumer.ReadFailedEvent{Worker: "a", Shard: fmt.Sprint("s", i), Err: quoting{"x"}})
			hooks.ShardLeft(consumer.ShardLeftEvent{Worker: "a", Shard: fmt.Sprint("s", i), To: "b"})
		}
		seen = r.take()
		if len(seen.failures) != mostEntries || len(seen.handovers) != mostEntries || seen.failures[mostEntries-1].Shard != "s999" {
			t.Errorf("%d failures and %d hand-overs are kept, want %d of each, the last", len(seen.failures), len(seen.handovers), mostEntries)
		}
	})
}

// A handler that is stuck is told of every two seconds: one entry, with how long it
// has been by now. A session that ends with the run is no failure.
func TestRecorderTellsWhatLastsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r Recorder
		hooks := r.Hooks(consumer.Hooks{})
		for second := range 300 {
			time.Sleep(2 * time.Second)
			hooks.HandlerStuck(consumer.HandlerStuckEvent{Worker: "a", Shard: "s", For: time.Duration(2*second+2) * time.Second})
		}
		hooks.SessionLost(consumer.SessionEvent{Worker: "a", Err: consumer.ErrStopping})
		seen := r.take()
		if len(seen.failures) != 1 || seen.failures[0].Times != 300 || seen.failures[0].Reason != "for 10m0s" {
			t.Errorf("%+v, want one entry of a handler that is stuck for ten minutes", seen.failures)
		}
	})
}

func TestHandOversAreToldWithTheirGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r Recorder
		hooks := r.Hooks(consumer.Hooks{})
		hooks.ShardLeft(consumer.ShardLeftEvent{Worker: "a", Shard: "1", To: "b", Cause: consumer.ErrHandedOver, Took: 20 * time.Millisecond})
		time.Sleep(30 * time.Millisecond)
		hooks.ShardStarted(consumer.ShardStartedEvent{Worker: "b", Shard: "1", From: "a"})
		hooks.ShardLeft(consumer.ShardLeftEvent{Worker: "a", Shard: "2"}) // its end
		hooks.ShardStarted(consumer.ShardStartedEvent{Worker: "b", Shard: "3", From: "z"})
		hooks.ShardLeft(consumer.ShardLeftEvent{Worker: "b", Shard: "3", Cause: fmt.Errorf("save: %w", consumer.ErrLeaseLost)})
		var got []string
		for _, h := range r.take().handovers {
			got = append(got, fmt.Sprintf("%s %s→%s %s %d %d", h.Shard, h.From, h.To, h.How, h.Took, h.Gap))
		}
		want := []string{"1 a→b handed over 20 30", "2 a→ finished 0 -1", "3 z→b taken -1 -1", "3 b→ lost 0 -1"}
		if strings.Join(got, "; ") != strings.Join(want, "; ") {
			t.Errorf("got  %v\nwant %v", got, want)
		}
	})
}

func TestTablesTellOfHandOversOfOthers(t *testing.T) {
	at := time.UnixMilli(1_000_000)
	held := func(by string) tables { return tables{owners: map[string]string{"1": by}} }
	var p passings
	p.see(time.Time{}, at, tables{}, held("a")) // the first look tells of none
	p.see(at, at.Add(time.Second), held("a"), held("b"))
	p.see(at.Add(time.Second), at.Add(2*time.Second), held("b"), held(""))
	p.see(at.Add(2*time.Second), at.Add(5*time.Second), held(""), held("c"))
	var got []string
	for _, h := range p.with(nil) {
		got = append(got, fmt.Sprintf("%s→%s %s %d", h.From, h.To, h.How, h.Gap))
	}
	if want := "a→b taken -1; b→c let go 3000"; strings.Join(got, "; ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
	// What a hook told of is not told twice.
	if all := p.with([]handover{{At: at.Add(time.Second).UnixMilli(), Shard: "1", From: "a", To: "b"}}); len(all) != 2 {
		t.Errorf("%d are told, want 2", len(all))
	}
	// Not either where the tables are read once a minute, as nobody looks.
	var rare passings
	rare.see(at, at.Add(time.Minute), held("a"), held("b"))
	if all := rare.with([]handover{{At: at.Add(2 * time.Second).UnixMilli(), Shard: "1", From: "a", To: "b", How: howHanded}}); len(all) != 1 || all[0].How != howHanded {
		t.Errorf("a hand-over that a hook told of 58 s before the tables did is told as %+v, want once", all)
	}
	if all := rare.with([]handover{{At: at.Add(-time.Minute).UnixMilli(), Shard: "1", From: "a", To: "b"}}); len(all) != 2 {
		t.Errorf("one of before the earlier look is taken for it: %+v", all)
	}
}

func TestStatusOfThisProcessStandsOverTheTables(t *testing.T) {
	now := time.Now()
	v := newView()
	v.about.HasTables, v.about.HasHere = true, true
	v.addTables(readFleet(&overview.Fleet{
		Shards: []overview.Shard{
			{Key: "s", ID: "s", State: overview.StateHandingOver, From: "a", Owner: "b", Row: true, Counter: 7, Load: 3, BehindKnown: true, Behind: overview.Seconds(time.Hour), FirstHash: "0", LastHash: "170141183460469231731687303715884105727"},
			{Key: "t", ID: "t", State: overview.StateEnded, Row: true, BehindKnown: true, Behind: overview.Seconds(9 * time.Hour), Load: 9},
		},
		Workers: []overview.Worker{{ID: "a", Life: overview.LifeAlive}, {ID: "b", Life: overview.LifeSilent}},
	}, now), 0)
	finished := v.addStatuses(now, []consumer.Status{{Worker: "a", Valid: true, Shards: []consumer.ShardStatus{
		{Shard: "s", Handler: "one", Pending: 3, Busy: 1, Handled: 10, ReadAt: now, Behind: time.Second},
		{Shard: "s", Handler: "two", Pending: 4, Busy: 1, Handled: 20, ReadAt: now, Behind: 2 * time.Second},
	}}}, nil)
	v.finish(now, map[string]float64{"s": 15}, func(string) (float64, bool) { return 15, true })
	l := v.live["s"]
	if l.State != "handing over" || l.Owner != "a" || l.Next != "b" || l.Lag != 2000 || l.AtMost || l.Pending != 7 || l.Busy != 2 || l.Counter != 7 || len(l.Handlers) != 2 {
		t.Errorf("the shard is told as %+v", l)
	}
	if s := v.shards["s"]; s.Lo != 0 || math.Abs(s.Hi-0.5) > 1e-9 {
		t.Errorf("its range is %v to %v, want 0 to 0.5", s.Lo, s.Hi)
	}
	if s := v.summary; s.Lag != 2000 || s.LagShard != "s" || s.Rate != 15 || s.KiB != 3 || s.Alive != 1 || s.Workers != 2 || s.States["ended"] != 1 {
		t.Errorf("the sums are %+v", s)
	}
	if len(finished) != 2 {
		t.Errorf("tenures: %v", finished)
	}
}

func TestChangesAddUpToThePicture(t *testing.T) {
	a, b := picture{}, picture{}
	a.put("live", "1", liveRow{State: "held"})
	a.put("live", "2", liveRow{State: "held"})
	a.put("failures", "9", failure{ID: 9})
	b.put("live", "1", liveRow{State: "held"})
	b.put("live", "3", liveRow{State: "free"})
	c := changed(a, b)
	if len(c.Set["live"]) != 1 || len(c.Gone["live"]) != 1 || c.Gone["failures"][0] != "9" {
		t.Fatalf("the change is %+v", c)
	}
	for section, rows := range c.Set {
		for id, row := range rows {
			a[section][id] = row
		}
	}
	for section, ids := range c.Gone {
		for _, id := range ids {
			delete(a[section], id)
		}
	}
	if len(a["live"]) != 2 || string(a["live"]["3"]) != string(b["live"]["3"]) || len(a["failures"]) != 0 {
		t.Errorf("it leads to %v, want %v", a, b)
	}
	c.Set.put("one", "text", "two\nlines\u2028 and </script>")
	event, err := c.event()
	if err != nil || strings.Count(string(event), "\n") != 4 || !strings.HasSuffix(string(event), "\n\n") || strings.Contains(string(event), "</script>") {
		t.Errorf("the event is %q (%v), want three lines and an empty one", event, err)
	}
}

func TestRatesFollowTenures(t *testing.T) {
	h, now := newHistory(10), time.Now()
	key := func(w string) tenureKey { return tenureKey{w, "s", ""} }
	if r := h.rates(now, map[tenureKey]int64{key("a"): 100}); r != nil {
		t.Errorf("from one look follows %v", r)
	}
	for _, tt := range []struct {
		finished map[tenureKey]int64
		want     float64
	}{
		{map[tenureKey]int64{key("a"): 120}, 10},
		{map[tenureKey]int64{key("a"): 6}, 3}, // another tenure
		{map[tenureKey]int64{key("b"): 8}, 4}, // by another worker
		{map[tenureKey]int64{key("b"): 8}, 0},
	} {
		now = now.Add(2 * time.Second)
		if got := h.rates(now, tt.finished)["s"]; got != tt.want {
			t.Errorf("%v: %v a second, want %v", tt.finished, got, tt.want)
		}
	}
}

func TestHistoryIsBounded(t *testing.T) {
	h := newHistory(5)
	for i := range 12 {
		h.sample(point{float64(i)}, map[string]float64{fmt.Sprint("s", i%3): float64(i)}, nil)
	}
	all := h.all()
	if len(all) != 5 || all[0][0] != 7 || all[4][0] != 11 {
		t.Errorf("the points are %v, want 7 to 11", all)
	}
	text, ok := h.ofShard("s2")
	if want := `{"lag":[null,8,null,null,11],"rate":[null,null,null,null,null],"t":[7,8,9,10,11]}`; !ok || string(text) != want {
		t.Errorf("the curves are %s, want %s", text, want)
	}
	for i := range 6 {
		h.sample(point{float64(12 + i)}, nil, nil)
	}
	if _, ok := h.ofShard("s2"); ok {
		t.Error("curves of a shard that is long gone are kept")
	}
	for i := range mostSeries + 10 {
		h.sample(point{}, map[string]float64{fmt.Sprint("x", i): 1}, nil)
		if len(h.shards) > mostSeries {
			t.Fatalf("%d series", len(h.shards))
		}
	}
}

func TestQuantilesAreATenthOffAtMost(t *testing.T) {
	var l latencies
	if _, ok := l.quantile(0.5); ok {
		t.Error("a quantile of nothing")
	}
	for i := 1; i <= 1000; i++ {
		l.add(time.Duration(i) * time.Millisecond)
	}
	for _, part := range []float64{0.1, 0.5, 0.9, 0.99} {
		got, _ := l.quantile(part)
		if want := time.Duration(part*1000) * time.Millisecond; math.Abs(float64(got-want)) > 0.11*float64(want) {
			t.Errorf("%v: %v, want about %v", part, got, want)
		}
	}
	var odd latencies
	odd.add(-time.Second)
	odd.add(1000 * time.Hour)
	if got, ok := odd.quantile(1); !ok || got < time.Hour {
		t.Errorf("the longest is %v", got)
	}
}

func TestShardsOfManyStreamsAreKeptApart(t *testing.T) {
	got := readFleet(&overview.Fleet{Shards: []overview.Shard{
		{Key: "1:a:7:shardId-0", ID: "shardId-0", Stream: "a", Row: true, Children: []string{"shardId-1"}},
		{ID: "shardId-1", Stream: "a", Parents: []string{"shardId-0"}},
		{Key: "1:b:7:shardId-0", ID: "shardId-0", Stream: "b", Row: true},
	}}, time.Now())
	if len(got.live) != 3 || got.shards["1:a:7:shardId-1"].Parents[0] != "1:a:7:shardId-0" {
		t.Errorf("the shards are %v", got.shards)
	}
}
