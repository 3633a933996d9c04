package overview

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

const (
	ada  = "ada/0123456789abcdef"
	bob  = "bob/fedcba9876543210"
	half = "170141183460469231731687303715884105727"
	last = "340282366920938463463374607431768211455"
)

func row(id, owner string, at shard.Position, change ...func(*shard.Lease)) shard.Lease {
	l := shard.Lease{Key: id, Shard: id, Owner: owner, Counter: 7, Checkpoint: at}
	for _, f := range change {
		f(&l)
	}
	return l
}

func listed(id string, open bool, parents ...string) shard.Shard {
	s := shard.Shard{ID: id, Parents: parents}
	if !open {
		s.LastSequence = "99"
	}
	return s
}

func stream() shard.Stream {
	return shard.Stream{ARN: "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks", Name: "clicks", CreatedAt: noon.Add(-time.Hour), Retention: 24 * time.Hour, Now: noon}
}

// summary is a picture in a few lines: shards with state and owner, workers with
// life and leases, problems by kind.
func summary(f *Fleet) string {
	var b strings.Builder
	for _, s := range f.Shards {
		fmt.Fprintf(&b, "%s %s", s.ID, s.State)
		if s.Owner != "" {
			fmt.Fprintf(&b, " %s", nameOf(s.Owner))
		}
		if s.From != "" {
			fmt.Fprintf(&b, " from %s", nameOf(s.From))
		}
		if s.WaitsFor != nil {
			fmt.Fprintf(&b, " waits for %v", s.WaitsFor)
		}
		b.WriteString("\n")
	}
	for _, w := range f.Workers {
		fmt.Fprintf(&b, "%s %s %s %d\n", w.Name, w.Kind, w.Life, w.Leases)
	}
	for _, p := range f.Problems {
		fmt.Fprintf(&b, "! %s %s%s\n", p.Kind, p.Shard, nameOf(p.Worker))
	}
	return b.String()
}

// What is the case with a shard follows from its row, the rows around it, the
// listing and the sessions.
func TestJoinSaysWhatIsTheCaseWithEachShard(t *testing.T) {
	at := shard.After("42", 0)
	alive := []shard.Session{{ID: ada, Beat: 3, Version: 1}, {ID: bob, Beat: 9, Version: 1, Leaving: true}}
	for _, c := range []struct {
		name string
		p    Parts
		want string
	}{
		{"nothing", Parts{Unlisted: true}, ""},
		{"held and free", Parts{Listed: []shard.Shard{listed("s0", true), listed("s1", true)}, Rows: []shard.Lease{row("s0", ada, at), row("s1", "", at)}, Sessions: alive},
			"s0 held ada\ns1 free\nada towpath seen 1\nbob towpath leaving 0\n"},
		{"handed over", Parts{Listed: []shard.Shard{listed("s0", true)}, Rows: []shard.Lease{row("s0", ada, at, func(l *shard.Lease) { l.CheckpointOwner = bob })}, Sessions: alive},
			"s0 handing over ada from bob\nada towpath seen 0\nbob towpath leaving 1\n"},
		{"a split", Parts{
			Listed: []shard.Shard{listed("s0", false), listed("s1", true, "s0"), listed("s2", true, "s0"), listed("s3", true, "s1")},
			Rows:   []shard.Lease{row("s0", ada, at), row("s1", "", shard.TrimHorizon(), func(l *shard.Lease) { l.Parents = []string{"s0"} })}, Sessions: alive[:1]},
			"s0 held ada\ns1 waiting waits for [s0]\ns2 to come waits for [s0]\ns3 to come waits for [s1]\nada towpath seen 1\n"},
		{"ended and passed", Parts{
			Listed: []shard.Shard{listed("s0", false), listed("s1", false, "s0"), listed("s2", true, "s1")},
			Rows:   []shard.Lease{row("s1", "", shard.End()), row("s2", ada, at)}, Sessions: alive[:1]},
			"s0 passed\ns1 ended\ns2 held ada\nada towpath seen 1\n"},
		{"a hole", Parts{
			Listed: []shard.Shard{listed("s0", false), listed("s1", true, "s0"), listed("s2", true, "s0")},
			Rows:   []shard.Lease{row("s0", "", shard.End()), row("s1", ada, at)}, Sessions: alive[:1]},
			"s0 ended\ns1 held ada\ns2 hole\nada towpath seen 1\n! hole s2\n"},
		{"gone", Parts{Listed: []shard.Shard{listed("s1", true)}, Rows: []shard.Lease{row("s0", ada, at), row("s1", ada, at)}, Sessions: alive[:1]},
			"s0 gone ada\ns1 held ada\nada towpath seen 2\n! shard_gone s0ada\n"},
		{"nothing listed is not believed", Parts{Rows: []shard.Lease{row("s0", ada, at)}, Sessions: alive[:1]}, "s0 held ada\nada towpath seen 1\n"},
		{"an owner without a session", Parts{Unlisted: true, Rows: []shard.Lease{row("s0", ada, at)}},
			"s0 orphaned ada\nada towpath gone 1\n! owner_gone s0ada\n"},
		{"an owner that was revoked", Parts{Unlisted: true, Rows: []shard.Lease{row("s0", ada, at)}, Sessions: []shard.Session{{ID: ada, RevokedBy: bob}}},
			"s0 orphaned ada\nada towpath revoked 1\n! owner_gone s0ada\n"},
		{"a fleet of KCL", Parts{Unlisted: true, NoSessions: true, Rows: []shard.Lease{row("s0", "i-1", at), row("s1", "i-1", shard.End())},
			Neighbours: []checkpoint.Neighbour{{Kind: checkpoint.NeighbourLeader, Worker: "i-1", Sign: "x"}, {Kind: checkpoint.NeighbourWorker, Worker: "i-2", Sign: "1"}}},
			"s0 held i-1\ns1 ended i-1\ni-1 kcl seen 1\ni-2 kcl seen 0\n"},
		{"what cannot be believed", Parts{Unlisted: true, Rows: []shard.Lease{row("s0", ada, shard.Position{Sequence: "?"}, func(l *shard.Lease) { l.Fault = errors.New("row s0: leaseCounter is no number") })}, Sessions: alive[:1]},
			"s0 fault ada\nada towpath seen 1\n! row_not_believed s0ada\n"},
		{"suspects, losses and other streams", Parts{Stream: stream(), Listed: []shard.Shard{listed("s0", true), listed("s1", false)}, Rows: []shard.Lease{
			row("s0", ada, at, func(l *shard.Lease) {
				l.Suspect, l.SuspectCrashes, l.StreamCreated = shard.After("43", 0), 2, noon.Add(-time.Minute)
			}),
			row("s1", "", shard.End(), func(l *shard.Lease) { l.Lost = true }),
		}, Sessions: alive[:1]},
			"s0 held ada\ns1 ended\nada towpath seen 1\n! stream_recreated \n! records_lost s1\n! suspect_record s0ada\n"},
		{"near the end of retention", Parts{Stream: stream(), Listed: []shard.Shard{listed("s0", true), listed("s1", true)}, Rows: []shard.Lease{
			row("s0", ada, at, func(l *shard.Lease) { l.LastArrival = noon.Add(-20 * time.Hour) }),
			row("s1", ada, at, func(l *shard.Lease) { l.LastArrival, l.ReadUpTo = noon.Add(-23*time.Hour), noon.Add(-20*time.Hour) }),
		}, Sessions: alive[:1]},
			"s0 held ada\ns1 held ada\nada towpath seen 2\n! retention s0ada\n"},
		{"a move", Parts{Unlisted: true, ControlKnown: true, Control: shard.Control{Move: shard.Move{ID: "m", What: "seek"}}}, "! move_under_way \n"},
	} {
		if got := summary(Join(c.p, nil, noon, time.Second)); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

// That a worker lives is seen by its sign changing, and that it is silent by the
// sign not changing, over pictures.
func TestLifeIsWhatChangesBetweenPictures(t *testing.T) {
	picture := func(beat, counter int64) Parts {
		return Parts{Unlisted: true, Rows: []shard.Lease{row("s0", ada, shard.After("1", 0)), row("s1", "i-1", shard.After("1", 0), func(l *shard.Lease) { l.Counter = counter })},
			Sessions: []shard.Session{{ID: ada, Beat: beat}}}
	}
	var f *Fleet
	for i, c := range []struct {
		after         time.Duration
		beat, counter int64
		ours, theirs  Life
		still         time.Duration
	}{
		{0, 1, 10, LifeSeen, LifeSeen, 0},
		{time.Second, 1, 10, LifeSeen, LifeSeen, time.Second},
		{time.Second, 2, 10, LifeAlive, LifeSeen, 0},
		{9 * time.Second, 2, 11, LifeAlive, LifeAlive, 9 * time.Second},
		{time.Second, 2, 11, LifeSilent, LifeAlive, 10 * time.Second},
		{time.Second, 3, 11, LifeAlive, LifeAlive, 0},
		{9 * time.Second, 3, 11, LifeAlive, LifeSilent, 9 * time.Second},
	} {
		now := noon
		if f != nil {
			now = f.At.Add(c.after)
		}
		f = Join(picture(c.beat, c.counter), f, now, 10*time.Second)
		if f.Workers[0].Life != c.ours || f.Workers[1].Life != c.theirs || f.Workers[0].Still.Of() != c.still || f.Kind != KindMixed {
			t.Errorf("picture %d: %+v, want %s for %s and %s", i, f.Workers, c.ours, c.still, c.theirs)
		}
	}
	if len(f.Problems) != 1 || f.Problems[0].Kind != TroubleSilent || f.Problems[0].Worker != "i-1" {
		t.Errorf("problems are %+v, want that i-1 is silent", f.Problems)
	}
}

func TestHashRangesAreShownAsParts(t *testing.T) {
	for _, c := range []struct {
		start, end string
		want       float64
	}{
		{"0", last, 1}, {"0", half, 0.5}, {"7", "6", 0}, {"", "", 0}, {"x", last, 0}, {"0", "0", 1.0 / (1 << 64) / (1 << 64)},
	} {
		if got := partOf(shard.HashRange{Start: c.start, End: c.end}); got != c.want {
			t.Errorf("%s to %s is %v, want %v", c.start, c.end, got, c.want)
		}
	}
}

// Nothing is dropped: every shard, row, session and owner is shown, once.
func TestJoinDropsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.SampledFrom([]string{"s0", "s1", "s2", "s3", "s4", "123456789012:clicks:5:s0", "123456789012:clicks:5:s1"})
		worker := rapid.SampledFrom([]string{"", ada, bob, "i-1", "i-2"})
		place := rapid.SampledFrom([]shard.Position{{}, shard.Latest(), shard.End(), shard.After("5", 1), shard.AtTime(noon), {Sequence: "?"}})
		var p Parts
		p.Unlisted, p.NoSessions, p.ControlKnown = rapid.Bool().Draw(t, "unlisted"), rapid.Bool().Draw(t, "no sessions"), rapid.Bool().Draw(t, "control")
		shards, keys, ids := map[string]bool{}, map[string]bool{}, map[string]bool{}
		for range rapid.IntRange(0, 6).Draw(t, "listed") {
			s := listed(id.Draw(t, "id"), rapid.Bool().Draw(t, "open"), rapid.SliceOfN(id, 0, 2).Draw(t, "parents")...)
			p.Listed, shards[s.ID] = append(p.Listed, s), true
		}
		for range rapid.IntRange(0, 6).Draw(t, "rows") {
			l := row(id.Draw(t, "id"), worker.Draw(t, "owner"), place.Draw(t, "place"), func(l *shard.Lease) {
				l.CheckpointOwner, l.Parents = worker.Draw(t, "from"), rapid.SliceOfN(id, 0, 2).Draw(t, "parents")
				if rapid.Bool().Draw(t, "fault") {
					l.Fault = errors.New("no row")
				}
			})
			if keys[l.Key] {
				continue // a table has one row a key
			}
			p.Rows, keys[l.Key], shards[l.Shard] = append(p.Rows, l), true, true
			for _, w := range []string{l.Owner, l.CheckpointOwner} {
				if w != "" {
					ids[w] = true
				}
			}
		}
		for range rapid.IntRange(0, 3).Draw(t, "sessions") {
			if w := worker.Draw(t, "session"); w != "" {
				p.Sessions, ids[w] = append(p.Sessions, shard.Session{ID: w, Beat: 1}), true
			}
		}
		f := Join(p, Join(p, nil, noon, time.Second), noon.Add(time.Second), time.Second)
		n := 0
		for _, s := range f.Shards {
			if s.Row {
				if !keys[s.Key] {
					t.Fatalf("row %s is shown twice, or from nowhere", s.Key)
				}
				delete(keys, s.Key)
			}
			if s.State == "" {
				t.Fatalf("shard %s has no state", s.ID)
			}
			n++
		}
		if len(keys) > 0 || n != len(shards) {
			t.Fatalf("rows %v are not shown, and %d shards of %d are", keys, n, len(shards))
		}
		for _, w := range f.Workers {
			if !ids[w.ID] || w.Life == "" {
				t.Fatalf("worker %s is shown twice, or from nowhere, or without a life", w.ID)
			}
			delete(ids, w.ID)
		}
		if len(ids) > 0 {
			t.Fatalf("workers %v are not shown", ids)
		}
		held := 0
		for _, w := range f.Workers {
			held += w.Leases
		}
		for _, s := range f.Shards {
			if s.Holder() != "" && s.State != StateEnded {
				held--
			}
		}
		if held != 0 {
			t.Fatalf("workers hold %d leases more than shards are held", held)
		}
	})
}
