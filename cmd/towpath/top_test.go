package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/towpath/towpath/overview"
)

var update = flag.Bool("update", false, "write the golden files anew")

// motley is a fleet with something of everything.
func motley() *overview.Fleet {
	at := time.Date(2026, 5, 4, 12, 30, 15, 0, time.UTC)
	seconds := func(d time.Duration) overview.Seconds { return overview.Seconds(d) }
	shards := []overview.Shard{
		{ID: "shardId-000000000000", State: overview.StateEnded, Part: 0.5, FirstHash: "0", LastHash: "170141183460469231731687303715884105727"},
		{ID: "shardId-000000000001", State: overview.StateHeld, Open: true, Owner: "pod-7/0123456789abcdef", Part: 0.5, FirstHash: "170141183460469231731687303715884105728", LastHash: "340282366920938463463374607431768211455", Behind: seconds(4 * time.Second), BehindKnown: true, Load: 31.5, Still: seconds(2 * time.Second)},
		{ID: "shardId-000000000002", State: overview.StateHeld, Open: true, Owner: "pod-8/0123456789abcdef", Part: 0.25, FirstHash: "0", LastHash: "85070591730234615865843651857942052863", Behind: seconds(26 * time.Minute), BehindKnown: true, Load: 812.2, Still: seconds(8 * time.Second), Crashes: 2},
		{ID: "shardId-000000000003", State: overview.StateHandingOver, Open: true, Owner: "pod-7/0123456789abcdef", From: "pod-8/0123456789abcdef", Part: 0.125, FirstHash: "85070591730234615865843651857942052864", LastHash: "127605887595351923798765477786913079295", Behind: seconds(10 * time.Minute), BehindKnown: true, Load: 4},
		{ID: "shardId-000000000004", State: overview.StateOrphaned, Open: true, Owner: "pod-3/fedcba9876543210", Part: 0.125, FirstHash: "127605887595351923798765477786913079296", LastHash: "170141183460469231731687303715884105727", Behind: seconds(20 * time.Hour), BehindKnown: true, Still: seconds(90 * time.Second)},
		{ID: "shardId-000000000005", State: overview.StateFree, Open: true},
		{ID: "shardId-000000000006", State: overview.StateWaiting, Open: true, WaitsFor: []string{"shardId-000000000005"}},
	}
	for i := range shards {
		shards[i].Key, shards[i].Row, shards[i].Listed = shards[i].ID, true, true
	}
	return &overview.Fleet{
		At: at, Kind: overview.KindTowpath,
		Stream: overview.Stream{ARN: "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks", Name: "clicks", Retention: seconds(24 * time.Hour)},
		Shards: shards,
		Workers: []overview.Worker{
			{ID: "pod-3/fedcba9876543210", Name: "pod-3", Kind: overview.KindTowpath, Life: overview.LifeGone, Leases: 1, Still: seconds(90 * time.Second)},
			{ID: "pod-7/0123456789abcdef", Name: "pod-7", Kind: overview.KindTowpath, Life: overview.LifeAlive, Leases: 1, Load: 31.5, Limited: true, Share: 6},
			{ID: "pod-8/0123456789abcdef", Name: "pod-8", Kind: overview.KindTowpath, Life: overview.LifeLeaving, Leases: 2, Load: 816.2, Limited: true, Share: 4},
		},
		Control: overview.Control{Known: true, Limited: true, Limit: 10, Kept: true},
		Totals: overview.Totals{Shards: 7, Open: 6, Workers: 2, Load: 847.7, By: map[overview.State]int{
			overview.StateHeld: 2, overview.StateHandingOver: 1, overview.StateOrphaned: 1, overview.StateFree: 1, overview.StateWaiting: 1, overview.StateEnded: 1,
		}},
		Problems: []overview.Problem{
			{Kind: overview.TroubleRetention, Shard: "shardId-000000000004", Says: "it may be 20h0m0s behind, and records are kept for 24h0m0s"},
			{Kind: overview.TroubleOrphan, Shard: "shardId-000000000004", Says: "its owner pod-3/fedcba9876543210 has no session that lives"},
			{Kind: overview.TroubleSuspect, Shard: "shardId-000000000002", Says: "2 processes have died on the record 49590338271490256608559692538361571095921575989136588898"},
		},
	}
}

func screenOf() screen {
	s := screen{Application: "clickstream", Fleet: motley(), Sort: byBehind, Keys: true, Probed: map[string]time.Duration{
		"shardId-000000000001": 300 * time.Millisecond, "shardId-000000000002": 25*time.Minute + 12*time.Second, "shardId-000000000005": 0,
	}}
	for i := range 40 {
		s.Past = append(s.Past, time.Duration((i*7)%23)*time.Hour)
	}
	return s
}

// What top draws, at the sizes that terminals have.
func TestTopDrawsAFrame(t *testing.T) {
	for _, size := range []struct{ width, height int }{{80, 24}, {120, 36}, {40, 12}, {39, 24}} {
		name := filepath.Join("testdata", "top", fmt.Sprintf("%dx%d.txt", size.width, size.height))
		got := frame(screenOf(), size.width, size.height, false) + "\n"
		if *update {
			if err := os.WriteFile(name, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s (go test -run TopDraws -update writes it anew): got\n%s\nwant\n%s", name, got, want)
		}
	}
}

var escapes = regexp.MustCompile("\x1b\\[[0-9;]*m")

// A frame has as many lines as the terminal, none is wider, and nothing in it is
// obeyed but colours, whatever names say.
func TestTopStaysWithinTheTerminal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := screenOf()
		name := rapid.StringOf(rapid.SampledFrom([]rune("aé漢\x1b[2J\n\t\u202e\u0301 /"))).Draw(t, "name")
		s.Application, s.Trouble, s.Fleet.Stream.Name = name, name, name
		for i := range s.Fleet.Shards {
			s.Fleet.Shards[i].ID, s.Fleet.Shards[i].Owner = name+s.Fleet.Shards[i].ID, name
		}
		for i := range s.Fleet.Workers {
			s.Fleet.Workers[i].ID, s.Fleet.Workers[i].Name = name, name
		}
		for range rapid.IntRange(0, 30).Draw(t, "more shards") {
			s.Fleet.Shards = append(s.Fleet.Shards, s.Fleet.Shards[1])
			s.Fleet.Workers = append(s.Fleet.Workers, s.Fleet.Workers[1])
		}
		s.Fleet.Problems[0].Says = name
		s.Skip, s.Ended = rapid.IntRange(-5, 50).Draw(t, "skip"), rapid.Bool().Draw(t, "ended")
		width, height, color := rapid.IntRange(1, 200).Draw(t, "width"), rapid.IntRange(1, 60).Draw(t, "height"), rapid.Bool().Draw(t, "color")
		lines := strings.Split(frame(s, width, height, color), "\n")
		if len(lines) != height {
			t.Fatalf("%d lines, want %d", len(lines), height)
		}
		for _, line := range lines {
			bare := escapes.ReplaceAllString(line, "")
			if n := utf8.RuneCountInString(bare); n > width {
				t.Fatalf("%q is %d wide, want at most %d", bare, n, width)
			}
			if strings.ContainsFunc(bare, func(r rune) bool { return r < ' ' || r == '\u202e' || r == '漢' || r == '\u0301' }) {
				t.Fatalf("%q has what a terminal obeys", bare)
			}
		}
	})
}

func TestKeysSteerTop(t *testing.T) {
	got := pressesOf([]byte("bs\x1b[A\x1b[B\x1b[6~jkge q"))
	want := []press{"b", "s", pressUp, pressDown, pressBelow, pressDown, pressUp, pressHome, pressEnded, pressPause, pressQuit}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	s := screenOf()
	for _, c := range []struct {
		p    press
		sort string
		skip int
		on   bool
	}{
		{pressDown, byBehind, 1, true}, {pressBelow, byBehind, 5, true}, {pressUp, byBehind, 4, true}, {pressHome, byBehind, 0, true},
		{pressUp, byBehind, 0, true}, {"s", byShard, 0, true}, {"t", byStill, 0, true}, {"x", byStill, 0, true}, {"q", byStill, 0, false},
	} {
		var on bool
		if s, on = s.pressed(c.p, 20); s.Sort != c.sort || s.Skip != c.skip || on != c.on {
			t.Errorf("after %q: sorted by %s, skips %d, goes on %v; want %s, %d, %v", c.p, s.Sort, s.Skip, on, c.sort, c.skip, c.on)
		}
	}
	if s, _ = s.pressed(pressEnded, 20); !s.Ended || len(s.sorted()) != 7 {
		t.Error("ended shards are not shown")
	}
	if s, _ = s.pressed(pressPause, 20); !s.Paused {
		t.Error("it does not pause")
	}
}
