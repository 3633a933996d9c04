package dashboard

import (
	"testing"
	"time"

	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/overview"
)

// A shard that is not read, as it is paused or reads fail, is not shown to be at
// its tip for ever.
func TestWhatAReadSaidGrowsOld(t *testing.T) {
	now := time.Now()
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for _, tt := range []struct {
		name   string
		s      consumer.ShardStatus
		want   time.Duration
		atMost bool
	}{
		{"not read yet", consumer.ShardStatus{}, -time.Millisecond, false},
		{"at the tip", consumer.ShardStatus{ReadAt: ago(3 * time.Second)}, 0, false},
		{"behind", consumer.ShardStatus{ReadAt: ago(time.Second), Behind: time.Minute}, time.Minute, false},
		{"full", consumer.ShardStatus{ReadAt: ago(4 * time.Second), Behind: time.Minute, Pending: 9}, 64 * time.Second, false},
		{"paused for an hour, at the tip", consumer.ShardStatus{ReadAt: ago(time.Hour), Paused: true}, time.Hour, true},
		{"reads have failed for a minute", consumer.ShardStatus{ReadAt: ago(time.Minute), Behind: time.Second, Error: "throttled"}, 61 * time.Second, true},
	} {
		got, atMost := lagOf(now, tt.s)
		if got != tt.want.Milliseconds() || atMost != tt.atMost {
			t.Errorf("%s: %d ms, at most %v; want %d, %v", tt.name, got, atMost, tt.want.Milliseconds(), tt.atMost)
		}
	}
	v := newView()
	v.addStatuses(now, []consumer.Status{{Worker: "a", Valid: true, Stopping: true, Shards: []consumer.ShardStatus{
		{Shard: "s", ReadAt: ago(time.Hour), Paused: true}, {Shard: "t", ReadAt: now, Pending: 3, Age: time.Minute},
	}}}, nil)
	v.finish(now, nil, func(string) (float64, bool) { return 0, false })
	if s := v.summary; s.Lag != time.Hour.Milliseconds() || s.LagShard != "s" || !s.AtMost {
		t.Errorf("the longest lag is told as %d of %s, at most %v; want an hour of s at most", s.Lag, s.LagShard, s.AtMost)
	}
	if l := v.live["t"]; l.Age != time.Minute.Milliseconds() {
		t.Errorf("what is in hand is told to be %d ms old, want a minute", l.Age)
	}
	if w := v.workers["a"]; w.State != string(overview.LifeLeaving) {
		t.Errorf("a worker that stops is told to be %s, want leaving", w.State)
	}
}

// What the tables told of is shown while they cannot be read, and is not shown to
// be as young as it was.
func TestRowsThatCannotBeReadAgainGrowOld(t *testing.T) {
	told := readFleet(&overview.Fleet{Shards: []overview.Shard{
		{ID: "s", State: overview.StateHeld, Row: true, BehindKnown: true, Behind: overview.Seconds(5 * time.Second)},
		{ID: "t", State: overview.StateEnded, Row: true, BehindKnown: true},
		{ID: "u", State: overview.StateHeld, Row: true},
	}}, time.Now())
	for _, stale := range []time.Duration{0, time.Hour} {
		v := newView()
		v.addTables(told, stale)
		if s, t0, u := v.live["s"].Lag, v.live["t"].Lag, v.live["u"].Lag; s != (5*time.Second+stale).Milliseconds() || t0 != 0 || u != -1 {
			t.Errorf("rows of %v ago are told to be %d, %d and %d ms behind", stale, s, t0, u)
		}
	}
}

// What is in the list of failures is not what happened of late: an entry may be
// of a day, and what is too many is not kept.
func TestFailuresOfLateAreCountedByThemselves(t *testing.T) {
	var c tally
	at := time.Unix(1_000_000*60, 0)
	for minute := range 24 * 60 { // ten a minute, for a day
		for i := range 10 {
			c.add(at.Add(time.Duration(minute)*time.Minute+time.Duration(i)*time.Second), i == 0)
		}
	}
	now := at.Add(24*time.Hour - time.Second)
	if all, grave := c.sum(now); all != 150 || grave != 15 {
		t.Errorf("%d failures, %d of them grave, are counted in 15 minutes: want 150 and 15", all, grave)
	}
	if all, _ := c.sum(now.Add(10 * time.Minute)); all != 50 {
		t.Errorf("ten minutes later it is %d, want 50", all)
	}
	if all, _ := c.sum(now.Add(time.Hour)); all != 0 {
		t.Errorf("an hour later it is %d, want 0", all)
	}
	var r Recorder
	hooks := r.Hooks(consumer.Hooks{})
	for range mostEntries * 2 {
		hooks.Loss(consumer.LossEvent{Worker: "a"})
	}
	for range 2 { // the count is not used up by a look
		if seen := r.take(); seen.recent != mostEntries*2 || seen.grave != mostEntries*2 {
			t.Errorf("%d failures, %d grave, are told: want %d", seen.recent, seen.grave, mostEntries*2)
		}
	}
}

// A rate that was not there before is shown as it is.
func TestTheFirstRateIsNotWeighedWithNothing(t *testing.T) {
	h := newHistory(10)
	rates := map[string]float64{"s": 90}
	for i := range 3 {
		h.sample(point{}, map[string]float64{"s": 0}, rates)
		if got, ok := h.steady("s"); !ok || got != 90 {
			t.Errorf("after %d samples of 90 a second it is %v", i+1, got)
		}
	}
	h.sample(point{}, map[string]float64{"s": 0}, nil)
	if got, ok := h.steady("s"); ok {
		t.Errorf("a shard that nobody works here has a rate of %v", got)
	}
	h.sample(point{}, map[string]float64{"s": 0}, map[string]float64{"s": 30})
	h.sample(point{}, map[string]float64{"s": 0}, map[string]float64{"s": 60})
	if got, _ := h.steady("s"); got != 40 {
		t.Errorf("after 30 and 60 it is %v, want 40", got)
	}
}
