package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// result is the last line.
type result struct {
	Minutes float64 `json:"minutes"`
	Seed    int64   `json:"seed"`

	Kills       int `json:"kills"`        // SIGKILLs
	Stops       int `json:"stops"`        // SIGSTOPs
	LongStops   int `json:"long_stops"`   // of these, those longer than a lease
	Cuts        int `json:"cuts"`         // links that were cut, silenced, slowed, …
	Reshards    int `json:"reshards"`     // splits and merges
	Restarts    int `json:"restarts"`     // workers that were told to end while another had started
	Unable      int `json:"unable"`       // of these, those that could not end properly, as they were cut off
	Outages     int `json:"outages"`      // of the queue
	RowsDeleted int `json:"rows_deleted"` // sessions and leases

	Records         int     `json:"records"`          // that the stream accepted
	Lost            int     `json:"lost"`             // neither handled nor on the queue
	OrderViolations int     `json:"order_violations"` // handled before one of the same key that precedes it
	RowViolations   int     `json:"row_violations"`   // positions that went back or passed what was not handled, counters that went back
	FenceRegress    int     `json:"fence_regress"`    // handled in a tenure after a later one had begun to handle
	Repeated        int     `json:"repeated"`         // handled again
	RepeatedPerKill float64 `json:"repeated_per_kill"`
	RepeatedAfter   int     `json:"repeated_after_handover"` // shards that went back although nobody disturbed their hand-over
	GivenUp         int     `json:"given_up"`                // records on the queue
	GivenUpAgain    int     `json:"given_up_again"`          // that came there more than once

	Failovers    int     `json:"failovers"` // shards whose owner died or stood still, and nobody disturbed the next
	FailoverP50  float64 `json:"failover_p50_ms"`
	FailoverP99  float64 `json:"failover_p99_ms"`
	FailoverMax  float64 `json:"failover_max_ms"`
	Disturbed    int     `json:"failovers_disturbed"` // those where something was done to the next owner too
	DisturbedMax float64 `json:"failover_disturbed_max_ms"`
	Handovers    int     `json:"handovers"`
	HandoverP50  float64 `json:"handover_p50_ms"`
	HandoverP99  float64 `json:"handover_p99_ms"`
	HandoverMax  float64 `json:"handover_max_ms"`
	Seconds      float64 `json:"seconds"`
	*usage       `json:",omitempty"`
}

// run plays one run.
func run(ctx context.Context, s settings) (result, error) {
	own := s.folder == ""
	if own {
		folder, err := os.MkdirTemp("", "chaos-")
		if err != nil {
			return result{}, fmt.Errorf("make a folder: %w", err)
		}
		s.folder = folder
	} else if err := os.MkdirAll(s.folder, 0o755); err != nil {
		return result{}, fmt.Errorf("make a folder: %w", err)
	}
	g, err := newStage(ctx, s)
	if err != nil {
		return result{}, err
	}
	defer g.close()
	g.sayf("seed %d, %d workers, %d shards, %v, in %s", s.seed, s.workers, s.shards, s.duration, s.folder)
	err = g.play(ctx)
	err = errors.Join(err, g.tell())
	if own && err == nil {
		os.RemoveAll(s.folder)
	}
	return g.result, err
}

// play starts everybody, lets things happen, and waits until all is handled.
func (g *stage) play(ctx context.Context) error {
	putting, stop := context.WithCancel(ctx)
	defer stop()
	put := make(chan error, 1)
	go func() { put <- g.producer.run(putting) }() // ends with putting; awaited below
	err := g.populate(ctx)
	if err == nil {
		err = g.storm(ctx)
	}
	stop()
	if err = errors.Join(err, <-put); err != nil || ctx.Err() != nil {
		return errors.Join(err, ctx.Err())
	}
	g.sayf("clear: everything that was put is to be handled")
	return g.drain(ctx)
}

// populate starts the workers. The first of KCL makes its tables alone: a second
// one that meets it there ends.
func (g *stage) populate(ctx context.Context) error {
	for i := range g.workers {
		p, err := g.fleet.start()
		if err != nil {
			return err
		}
		p.immortal = i < g.immortals
		for i == 0 && g.kind == "kcl" && g.audit.Handled == 0 {
			if time.Since(g.began) > longestDrain {
				return fmt.Errorf("the first worker has handled nothing within %v", longestDrain)
			}
			if err := errors.Join(g.read(), rest(ctx, 100*time.Millisecond)); err != nil {
				return err
			}
		}
	}
	return nil
}

// storm lets things happen for as long as it is to last.
func (g *stage) storm(ctx context.Context) error {
	keys := g.producer.keys
	w := &weather{stage: g}
	begun := false // every key has been handled once, so that every shard has an owner
	told := time.Now()
	for end := time.Now().Add(g.duration); !begun || time.Now().Before(end); {
		if err := g.read(); err != nil {
			return err
		}
		if !begun && g.audit.Seen(keys) {
			begun = true
			g.sayf("every key has been handled")
			end = time.Now().Add(g.duration)
			w.forecast(g.climate)
		}
		if !begun && time.Since(g.began) > longestDrain {
			return fmt.Errorf("not every key was handled within %v of the start", longestDrain)
		}
		if err := w.blow(ctx); err != nil {
			return err
		}
		if time.Since(told) > 30*time.Second {
			told = time.Now()
			g.sayf("%d handled, %d repeated, %d kills, %d stops, %d cuts, %d out of order, %d wrong rows",
				g.audit.Handled, g.audit.Repeated, g.result.Kills, g.result.Stops, g.result.Cuts, len(g.audit.Violations), len(g.rowAudit.violations))
		}
		if g.kind != "kcl" && len(g.audit.Violations)+len(g.rowAudit.violations) > 100 {
			return errors.New("so much is wrong that the run ends here")
		}
		if err := rest(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return w.clear(ctx)
}

// drain waits until all that was accepted has been handled, stops everybody and
// counts what is missing.
func (g *stage) drain(ctx context.Context) error {
	accepted := g.producer.known()
	for deadline := time.Now().Add(longestDrain); ; {
		if err := g.read(); err != nil {
			return err
		}
		if g.complete(accepted) {
			if err := g.receive(ctx); err != nil {
				return err
			}
			if g.allGivenUp() {
				break
			}
		}
		if time.Now().After(deadline) {
			g.sayf("not everything was handled within %v", longestDrain)
			break
		}
		if err := rest(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	err := g.fleet.endAll(45 * time.Second)
	err = errors.Join(err, g.read(), g.receive(ctx))
	lost, names := g.audit.Missing(accepted)
	if g.result.Lost = lost; lost > 0 {
		g.sayf("LOST: %d, such as %v", lost, names)
	}
	return errors.Join(err, g.judgeGivenUp())
}

// complete is whether every key has been handled to its end.
func (g *stage) complete(accepted map[string]int) bool {
	for key, number := range accepted {
		if g.audit.UpTo(key) < number {
			return false
		}
	}
	return true
}

// allGivenUp is whether all poison is on the queue.
func (g *stage) allGivenUp() bool {
	for at := range g.producer.refusals() {
		if g.givenUp[at] == 0 {
			return false
		}
	}
	return true
}

// tell puts the result together, and says what is wrong with it.
func (g *stage) tell() error {
	r, a, w := &g.result, g.audit, g.watch
	r.Unable = g.fleet.unable
	r.Minutes, r.Seed = g.duration.Minutes(), g.seed
	for _, n := range g.producer.known() {
		r.Records += n
	}
	r.OrderViolations, r.RowViolations, r.FenceRegress = len(a.Violations), len(g.rowAudit.violations), a.Regressed
	r.Repeated = a.Repeated
	if r.Kills > 0 {
		r.RepeatedPerKill = float64(a.Repeated*10/r.Kills) / 10
	}
	r.RepeatedAfter = w.repeatedAfterGiving
	r.Failovers, r.FailoverP50, r.FailoverP99, r.FailoverMax = len(w.failovers), percentile(w.failovers, 0.5), percentile(w.failovers, 0.99), percentile(w.failovers, 1)
	r.Disturbed, r.DisturbedMax = len(w.disturbed), percentile(w.disturbed, 1)
	r.Handovers, r.HandoverP50, r.HandoverP99, r.HandoverMax = len(w.handovers), percentile(w.handovers, 0.5), percentile(w.handovers, 0.99), percentile(w.handovers, 1)
	r.Seconds = time.Since(g.began).Round(time.Second).Seconds()
	for _, list := range [][]string{a.Violations, g.rowAudit.violations} {
		for _, v := range list[:min(20, len(list))] {
			g.sayf("WRONG: %s", v)
		}
	}
	if a.Doubled > 0 {
		g.sayf("%d records were put twice for want of an answer, and are not judged", a.Doubled)
	}
	var problems []error
	for name, n := range map[string]int{"lost": r.Lost, "out of order": r.OrderViolations, "wrong rows": r.RowViolations} {
		if n > 0 {
			problems = append(problems, fmt.Errorf("%s: %d", name, n))
		}
	}
	if r.FenceRegress > r.LongStops {
		// A worker can be stopped between asking whether it may and entering.
		problems = append(problems, fmt.Errorf("handled after a later tenure had begun: %d, with %d long stops", r.FenceRegress, r.LongStops))
	}
	if g.soak {
		u, err := g.usage()
		r.usage = u
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

func rest(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
