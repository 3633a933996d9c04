package streamtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/batching/window"
)

// count is the payload of the tests of windows: when it happened, in
// milliseconds, and how much it counts.
type count struct {
	At int64 `json:"at"`
	N  int   `json:"n"`
}

// tally is what a window adds up to: how much, of how many records.
type tally struct {
	N       int `json:"n"`
	Records int `json:"records"`
}

func (a tally) plus(n int) tally { return tally{a.N + n, a.Records + 1} }

// result is a window's result as it is sent on.
type result struct {
	Key      string         `json:"key"`
	Start    int64          `json:"start"`
	End      int64          `json:"end"`
	Replaces []int64        `json:"replaces"`
	Version  window.Version `json:"version"`
	Tally    tally          `json:"tally"`
}

// sink is a database behind EmitTo: of the results of one key and start it keeps
// the one that is right.
type sink struct {
	mu      sync.Mutex
	kept    map[string]result
	given   int
	refuses atomic.Int64 // in a thousand
	loses   atomic.Int64 // answers, in a thousand
	dice    *rand.Rand
}

var errRefused = errors.New("refused")

// end is a worker's connection to the sink; dead when the worker is.
type end struct {
	*sink
	dead atomic.Bool
}

func (e *end) String() string { return "sink" }

func (e *end) Publish(ctx context.Context, records []batching.Emitted) error {
	time.Sleep(3 * time.Millisecond)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.dead.Load() || ctx.Err() != nil || e.dice.Int64N(1000) < e.refuses.Load() {
		return errRefused
	}
	for i := range records {
		var r result
		if err := json.Unmarshal(records[i].Data, &r); err != nil {
			return err
		}
		e.given++
		at := fmt.Sprint(r.Key, "@", r.Start)
		if old, ok := e.kept[at]; !ok || r.Version.Compare(old.Version) >= 0 {
			e.kept[at] = r
		}
		for _, start := range r.Replaces {
			at := fmt.Sprint(r.Key, "@", start)
			if e.kept[at].Version.Compare(r.Version) <= 0 {
				e.kept[at] = result{Version: r.Version} // a later one may still come
			}
		}
	}
	if e.dice.Int64N(1000) < e.loses.Load() {
		return errRefused // accepted, and the answer is lost
	}
	return nil
}

// whole are the results of windows that have counted anything.
func (s *sink) whole() map[string]tally {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := map[string]tally{}
	for at, r := range s.kept {
		if r.Key != "" {
			got[at] = r.Tally
		}
	}
	return got
}

func differences(got, want map[string]tally) (lines []string) {
	for at, w := range want {
		if got[at] != w {
			lines = append(lines, fmt.Sprintf("%s is %+v, want %+v", at, got[at], w))
		}
	}
	for at, g := range got {
		if _, ok := want[at]; !ok {
			lines = append(lines, fmt.Sprintf("%s is %+v, want none", at, g))
		}
	}
	return lines
}

// Windows of a fleet that lives through random faults (deaths, pauses,
// partitions, lost answers, throttling, reshards, gentle stops, a sink that
// refuses, callbacks that fail) add up to what was put: each record is counted
// once, and each window has one last result. A failing seed is tried again with
// -run TestWindowsAddUpUnderRandomFaults -seed N -seeds 1.
func TestWindowsAddUpUnderRandomFaults(t *testing.T) {
	n := max(*seeds, windowSeeds)
	if raceEnabled {
		n = 4
	}
	if explicit("seeds") {
		n = *seeds
	}
	for i := range n {
		seed := *firstSeed + uint64(i)
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := rand.New(rand.NewPCG(seed, 77))
				w := &windowRun{t: t, r: r, sink: &sink{kept: map[string]result{}, dice: rand.New(rand.NewPCG(seed, 78))}}
				w.kind = []windowKind{fixed, sessions, lambda}[seed%3]
				w.run()
			})
		})
	}
}

// windowSeeds is how many seeds a run without flags has: each takes half a second
// of a processor.
const windowSeeds = 60

const (
	fixed windowKind = iota
	sessions
	lambda
)

const (
	windowSize = 4 * time.Second
	sessionGap = 700 * time.Millisecond
)

var errTransient = errors.New("transient")

// explicit reports whether a flag was given.
func explicit(name string) (given bool) {
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	return given
}
