package main

import (
	"context"
	"math/rand/v2"
	"syscall"
	"time"
)

// mix adds a fleet of the other kind to the one that runs, so that both share the
// stream, and kills workers at random. Each is replaced after a while.
func (g *stage) mix(ctx context.Context, r *result, random *rand.Rand) error {
	// What runs was started to be alone.
	if err := g.endMixed(); err != nil {
		return err
	}
	g.audit.Begin(false)
	for range workersOfOne {
		for _, k := range []kind{kcl, towpath} {
			if _, err := g.start(k, true); err != nil {
				return err
			}
		}
	}
	never := func() bool { return false }
	if err := g.until(ctx, "a fleet of both handles every key", longestBegin, func() bool { return g.audit.Seen(keyNames()) }); err != nil {
		return err
	}
	g.sayf("both share the stream: %v, %d kills", g.mixed, g.kills)
	began, kills := time.Now(), 0
	for time.Since(began) < g.mixed || kills < g.kills {
		share := float64(g.mixed) / float64(max(1, g.kills))
		wait := time.Duration(share * (0.5 + 0.5*random.Float64()))
		if err := g.whileRunning(ctx, wait, never); err != nil {
			return err
		}
		if random.IntN(4) == 0 {
			if err := g.change(ctx, r, random); err != nil {
				return err
			}
		}
		if kills >= g.kills {
			continue
		}
		w := g.workers[random.IntN(len(g.workers))]
		if err := g.end(w, syscall.SIGKILL); err != nil {
			return err
		}
		kills++
		r.Kills++
		if err := g.whileRunning(ctx, time.Duration(random.Int64N(int64(5*time.Second))), never); err != nil {
			return err
		}
		if _, err := g.start(w.kind, true); err != nil {
			return err
		}
		if kills%5 == 0 {
			g.sayf("%d kills; %d handled, %d repeated", kills, g.audit.Handled, g.audit.Repeated)
		}
		rows, err := g.rows(ctx)
		if err != nil {
			return err
		}
		r.RowsRead += len(rows)
	}
	// A phase of its own shows that nobody is stuck after all of it.
	g.audit.Begin(false)
	return g.until(ctx, "a fleet of both handles every key after the kills", longestBegin, func() bool { return g.audit.Seen(keyNames()) })
}

// whileRunning reads the ledger for a while.
func (g *stage) whileRunning(ctx context.Context, d time.Duration, done func() bool) error {
	over := time.Now().Add(d)
	return g.until(ctx, "time passes", d+time.Minute, func() bool { return done() || time.Now().After(over) })
}

func (g *stage) endMixed() error {
	for len(g.workers) > 0 {
		if err := g.end(g.workers[0], syscall.SIGTERM); err != nil {
			return err
		}
	}
	return g.read()
}
