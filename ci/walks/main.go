// Walks makes random walks through the systems of internal/modelcheck, within
// bounds that are too wide to look at every state:
//
//	go run ./ci/walks -seeds 1000000 -first 1
//
// A walk that breaks an invariant is printed step by step, and made again by its
// seed. The last line is a JSON object with the figures.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/internal/modelcheck"
)

// figures are the last line.
type figures struct {
	Walks      uint64  `json:"walks"`
	First      uint64  `json:"first"`
	Violations uint64  `json:"violations"`
	Steps      uint64  `json:"steps"`
	Seconds    float64 `json:"seconds"`
}

func main() {
	seeds := flag.Uint64("seeds", 1_000_000, "how many walks in all, shared out evenly over the systems")
	first := flag.Uint64("first", 1, "the first seed of each system")
	length := flag.Int("length", 100, "how many moves a walk has at most")
	flag.Parse()
	began := time.Now()
	total := figures{First: *first}
	systems := []struct {
		name string
		walk func(seeds uint64) modelcheck.Walked
	}{
		{"leases", func(n uint64) modelcheck.Walked { return modelcheck.Walk(wideLeases.Model, *first, n, *length) }},
		{"sessions", func(n uint64) modelcheck.Walked { return modelcheck.Walk(wideSessions.Model, *first, n, *length) }},
		{"family", func(n uint64) modelcheck.Walked { return modelcheck.Walk(wideFamily.Model, *first, n, *length) }},
		{"batches", func(n uint64) modelcheck.Walked { return modelcheck.Walk(wideBatches.Model, *first, n, *length) }},
	}
	for i, s := range systems {
		n := *seeds / uint64(len(systems))
		if i == 0 {
			n += *seeds % uint64(len(systems))
		}
		at := time.Now()
		w := s.walk(n)
		took := time.Since(at)
		fmt.Printf("%-9s %9d walks, %11d steps, %d violations, %6.1f s, %.0f walks/s\n",
			s.name, w.Walks, w.Steps, w.Violations, took.Seconds(), float64(w.Walks)/took.Seconds())
		if w.Breach != nil {
			fmt.Printf("seed %d: %v\n", w.Seed, w.Breach)
		}
		total.Walks += w.Walks
		total.Steps += w.Steps
		total.Violations += w.Violations
	}
	total.Seconds = time.Since(began).Seconds()
	line, err := json.Marshal(total)
	fmt.Println(string(line))
	if err != nil || total.Violations > 0 {
		os.Exit(1)
	}
}

// The bounds of the walks.
var (
	wideLeases = modelcheck.Leases{
		Workers: 3, Records: 5, Counter: 11, Orphans: 2, Seeks: 2, HandOvers: true, Deletes: 2,
	}
	wideSessions = modelcheck.Sessions{Slow: 4, Fast: 5, Lease: 20, Beats: 60, Releases: 5, Counter: 11}
	wideFamily   = modelcheck.Family{Hosts: 2, Runs: 8}
	wideBatches  = modelcheck.Batches{
		Records: 7, Crashes: 4,
		Policy: batching.Policy{Bisect: true, MaximumRetryAttempts: batching.AtMost(2), CanReject: true},
	}
)
