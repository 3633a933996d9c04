package main

import (
	"slices"
	"testing"
	"time"

	"github.com/towpath/towpath/ci/ledger"
)

const second = time.Second

func (w *watch) record(worker, shard, key string, at time.Duration) {
	w.enter(ledger.Entry{Worker: worker, Shard: shard, Key: key, At: at}, false)
}

func TestFailoverIsFromTheDeathToTheFirstRecordOfAnother(t *testing.T) {
	w := newWatch(t.Logf)
	w.record("a", "s1", "k1", 1*second)
	w.record("a", "s1", "k2", 1*second)
	w.record("b", "s2", "k3", 1*second)
	w.harm("a", 2*second)
	w.dies("a", 2*second)
	w.record("a", "s1", "k1", 2*second-time.Millisecond) // entered before the death and read behind it
	w.record("b", "s1", "k2", 12*second)
	w.record("b", "s1", "k1", 13*second) // the same shard
	if want := []time.Duration{10 * second}; !slices.Equal(w.failovers, want) || len(w.handovers) != 0 {
		t.Errorf("fail-overs %v, hand-overs %v, want %v and none", w.failovers, w.handovers, want)
	}
}

func TestFailoverIsFoundThroughTheKeyWhenTheShardIsSplit(t *testing.T) {
	w := newWatch(t.Logf)
	w.record("a", "s1", "k1", 1*second)
	w.dies("a", 2*second)
	w.record("b", "child", "k1", 5*second)
	if want := []time.Duration{3 * second}; !slices.Equal(w.failovers, want) {
		t.Errorf("fail-overs %v, want %v", w.failovers, want)
	}
}

func TestFailoverToADisturbedWorkerIsCountedApart(t *testing.T) {
	w := newWatch(t.Logf)
	w.record("a", "s1", "k1", 1*second)
	w.record("a", "s2", "k2", 1*second)
	w.dies("a", 2*second)
	heal := w.harm("b", 3*second)
	heal(4 * second)
	w.record("b", "s1", "k1", 20*second)
	w.row(row{shard: "s2", owner: "c/1"})
	w.harm("c", 12*second) // it had taken the shard, and handled nothing
	w.record("d", "s2", "k2", 25*second)
	if want := []time.Duration{18 * second, 23 * second}; !slices.Equal(w.disturbed, want) || len(w.failovers) != 0 {
		t.Errorf("disturbed %v, others %v, want %v and none", w.disturbed, w.failovers, want)
	}
}

func TestAStopThatTheOwnerOutlivesIsNoFailover(t *testing.T) {
	w := newWatch(t.Logf)
	w.record("a", "s1", "k1", 1*second)
	w.dies("a", 2*second)
	w.record("a", "s1", "k1", 13*second)
	if len(w.failovers)+len(w.disturbed)+len(w.waiting) != 0 {
		t.Errorf("fail-overs %v, want none", w.failovers)
	}
}

func TestHandoverIsTheGapBetweenTwoWorkersNobodyTouched(t *testing.T) {
	w := newWatch(t.Logf)
	w.record("a", "s1", "k1", 1*second)
	w.record("b", "s1", "k1", 1300*time.Millisecond)
	heal := w.harm("c", 2*second)
	heal(3 * second)
	w.record("c", "s1", "k1", 4*second) // recovering
	w.upset["s1"] = 30 * second
	w.record("d", "s1", "k1", 20*second)
	if want := []time.Duration{300 * time.Millisecond}; !slices.Equal(w.handovers, want) {
		t.Errorf("hand-overs %v, want %v", w.handovers, want)
	}
}

func TestPercentileIsAValueThatWasMeasured(t *testing.T) {
	all := []time.Duration{4 * time.Millisecond, time.Millisecond, 3 * time.Millisecond, 2 * time.Millisecond}
	for share, want := range map[float64]float64{0: 1, 0.5: 2, 0.99: 4, 1: 4} {
		if got := percentile(all, share); got != want {
			t.Errorf("percentile %v is %v, want %v", share, got, want)
		}
	}
	if got := percentile(nil, 0.5); got != 0 {
		t.Errorf("of none it is %v, want 0", got)
	}
}

func TestWhatWasGivenToTheDeadIsNotJudged(t *testing.T) {
	for name, story := range map[string]func(w *watch){
		"given and then killed": func(w *watch) {
			w.row(row{shard: "s1", owner: "b/1", at: 2 * second})
			w.harm("b", 2*second+1)
		},
		"killed and then given": func(w *watch) {
			w.harm("b", 2*second)
			w.row(row{shard: "s1", owner: "b/1", at: 2*second + 1})
		},
		"the row was deleted": func(w *watch) {
			w.row(row{shard: "s1", deleted: true, at: 2 * second})
			w.row(row{shard: "s1", at: 13 * second})
		},
	} {
		w := newWatch(t.Logf)
		w.row(row{shard: "s1", owner: "a/1", at: second})
		w.record("a", "s1", "k1", second)
		story(w)
		w.row(row{shard: "s1", owner: "c/1", at: 13 * second})
		w.record("c", "s1", "k1", 13*second)
		if len(w.handovers) != 0 {
			t.Errorf("%s: hand-overs %v, want none", name, w.handovers)
		}
		w.record("c", "s1", "k1", 59*second)
		w.record("d", "s1", "k1", 60*second)
		if len(w.handovers) != 1 {
			t.Errorf("%s: %d hand-overs long behind it, want one", name, len(w.handovers))
		}
	}
}

func TestKeysOfAShardThatHasEndedMayWaitForItsChildren(t *testing.T) {
	w := newWatch(t.Logf)
	w.record("a", "s1", "k1", second)
	w.dies("a", 2*second)
	w.row(row{shard: "s1", owner: "b/1", checkpoint: "SHARD_END", at: 13 * second})
	w.record("b", "child", "k1", 60*second)
	w.record("c", "s2", "k2", 61*second)
	w.row(row{shard: "s2", owner: "c/1", checkpoint: "SHARD_END", at: 62 * second})
	w.dies("c", 63*second) // which had nothing left to do there
	w.record("b", "child", "k2", 120*second)
	if len(w.failovers) != 0 || len(w.disturbed) != 2 {
		t.Errorf("fail-overs %v, want none, and two that are counted apart: %v", w.failovers, w.disturbed)
	}
}
