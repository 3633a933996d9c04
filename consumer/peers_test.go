package consumer

import (
	"testing"
	"time"

	"github.com/towpath/towpath/shard"
)

// beating is the session of a worker at its beat.
func beating(id string, beat int64) []shard.Session { return []shard.Session{{ID: id, Beat: beat}} }

// Sessions are read eventually consistent, so that a reading may show an earlier
// beat than the one before it. It says nothing, and neither does the next that shows
// the same as before: the worker is as silent as it was.
func TestStaleReadingIsNoSignOfLife(t *testing.T) {
	p := newPeers(timingOf(10*time.Second, time.Second))
	p.observe(beating("bert", 5), 0)
	for at, beat := range []int64{5, 4, 5, 3, 5, 4, 5} {
		p.observe(beating("bert", beat), time.Duration(at+1)*time.Second)
	}
	dead, _ := p.silent("anna", 10*time.Second)
	if len(dead) != 1 || dead[0].Beat != 5 {
		t.Errorf("after 10 s at beat 5, seen as 4 and 3 meanwhile: got %v, want bert, to be revoked at 5", dead)
	}
}

// Nobody is taken for dead who beats, however slowly, nor a moment before the lease
// duration is over, which is counted from when the answer arrived.
func TestNobodyIsSilentBeforeTheLeaseDuration(t *testing.T) {
	p := newPeers(timingOf(10*time.Second, time.Second))
	now := time.Duration(0)
	for beat := range int64(5) {
		now += 9 * time.Second
		if dead, _ := p.silent("anna", now); len(dead) != 0 && beat > 0 {
			t.Fatalf("a worker that beats every 9 s is dead before its beat %d", beat)
		}
		p.observe(beating("bert", beat), now)
	}
	dead, next := p.silent("anna", now+10*time.Second-1)
	if len(dead) != 0 || next != now+10*time.Second {
		t.Errorf("a moment before the lease duration: dead %v, look again at %v, want nobody and %v", dead, next, now+10*time.Second)
	}
	if dead, _ := p.silent("anna", now+10*time.Second); len(dead) != 1 {
		t.Errorf("at the lease duration: dead %v, want bert", dead)
	}
}

// A worker that beats may work the shard of a row that somebody has deleted, until it
// has looked for its rows from beginning to end since, or is dead. One that came
// later cannot.
func TestMissingRowWaitsForWhoeverMayWorkItsShard(t *testing.T) {
	p := newPeers(timingOf(10*time.Second, time.Second))
	seen := func(beat, anna, bert int64) {
		p.observe([]shard.Session{{ID: "anna", Beat: beat, Looks: anna}, {ID: "bert", Beat: beat, Looks: bert}, {ID: "dora", Beat: beat, RevokedBy: "bert"}}, time.Duration(beat)*time.Second)
	}
	seen(1, 7, 3)
	a := p.absence(time.Second)
	waits := func(want bool, when string) {
		t.Helper()
		if got := p.working(a) > 0; got != want {
			t.Errorf("%s: it waits is %v, want %v", when, got, want)
		}
	}
	seen(3, 9, 5)
	waits(true, "looks that may have been over before the row was missing")
	seen(4, 9, 5)
	waits(true, "the first reading that is surely later")
	seen(12, 11, 6)
	waits(true, "bert may have begun its look before")
	p.observe([]shard.Session{{ID: "bert", Beat: 13, Looks: 6, RevokedBy: "anna"}, {ID: "cleo", Beat: 1}}, 13*time.Second)
	waits(false, "anna has looked and left, bert is dead, cleo has just come")
}
