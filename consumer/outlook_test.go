package consumer

import (
	"testing"
	"time"

	"github.com/towpath/towpath/shard"
)

func TestOutlookSparesTheTableOfALargeFleet(t *testing.T) {
	timing := timingOf(10*time.Second, 30*time.Second)
	never := time.Duration(-1)
	for name, c := range map[string]struct {
		outlook
		want time.Duration
	}{
		"nothing is open":                           {outlook{workers: 50}, never},
		"hand-overs are under way":                  {outlook{workers: 50, planner: true, asked: true}, time.Second},
		"a take was not answered":                   {outlook{workers: 50, failed: true}, time.Second},
		"a young worker is the planner's business":  {outlook{workers: 50, planner: true, young: true}, time.Second},
		"and nobody else's":                         {outlook{workers: 50, young: true}, never},
		"free leases of others, the planner":        {outlook{workers: 50, planner: true, rounds: 1}, 500 * time.Millisecond},
		"four times":                                {outlook{workers: 50, planner: true, rounds: 4}, 500 * time.Millisecond},
		"then less and less often":                  {outlook{workers: 50, planner: true, rounds: 6}, 2 * time.Second},
		"and no more often than without":            {outlook{workers: 50, planner: true, rounds: 1000}, 30 * time.Second},
		"free leases of others, one of fifty":       {outlook{workers: 50, rounds: 1}, 5 * time.Second},
		"one of two":                                {outlook{workers: 2, rounds: 1}, 500 * time.Millisecond},
		"an owner without a session, just found":    {outlook{workers: 2, orphans: true}, 10 * time.Second},
		"an owner without a session, known for 9 s": {outlook{workers: 2, orphans: true, orphan: 9 * time.Second}, time.Second},
		"the first of several reasons counts":       {outlook{workers: 50, rounds: 1, asked: true, orphans: true}, time.Second},
	} {
		got, early := c.next(timing)
		if !early {
			got = never
		}
		if got != c.want {
			t.Errorf("%s: the next plan is in %v, want %v", name, got, c.want)
		}
	}
}

func TestOneHintForEachToWhomLeasesFall(t *testing.T) {
	rows := map[string]shard.Lease{"a": {Counter: 1}, "b": {Counter: 2}, "c": {Counter: 3}}
	hints := firstOffers([]shard.Ask{{Key: "a", To: "w1"}, {Key: "b", To: "w2"}, {Key: "c", To: "w1"}}, rows)
	if len(hints) != 2 || hints["w1"] != (shard.Hint{Kind: shard.HintFree, Key: "a", Counter: 1}) || hints["w2"].Key != "b" {
		t.Errorf("got %v, want one hint for w1, about a, and one for w2, about b", hints)
	}
}

func TestPeersTellWhatIsNews(t *testing.T) {
	p := newPeers(timingOf(10*time.Second, 0))
	session := func(id string, beat int64, change ...func(*shard.Session)) shard.Session {
		s := shard.Session{ID: id, Beat: beat}
		for _, f := range change {
			f(&s)
		}
		return s
	}
	leaving := func(s *shard.Session) { s.Leaving = true }
	revoked := func(s *shard.Session) { s.RevokedBy = "a" }
	for i, c := range []struct {
		rows []shard.Session
		want news
	}{
		{[]shard.Session{session("a", 1), session("b", 1)}, somebodyMoved},
		{[]shard.Session{session("a", 2), session("b", 2)}, nothingNew},
		{[]shard.Session{session("a", 3), session("b", 3, leaving)}, somebodyMoved},
		{[]shard.Session{session("a", 4)}, somebodyLeft},
		{[]shard.Session{session("a", 5), session("c", 1), session("d", 1)}, somebodyMoved},
		{[]shard.Session{session("a", 6), session("c", 1, revoked), session("d", 2, leaving)}, somebodyDied},
		{[]shard.Session{session("a", 7), session("d", 3, leaving)}, nothingNew}, // c was buried
		{[]shard.Session{session("a", 8), session("d", 2)}, nothingNew},          // an older reading
	} {
		if got := p.observe(c.rows, time.Duration(i)*time.Second); got != c.want {
			t.Errorf("reading %d: got %d, want %d", i, got, c.want)
		}
	}
}
