package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"time"
)

// workersOfOne is how many workers a fleet has of one kind.
const workersOfOne = 2

// A fleet has begun when it has handled something of every key. KCL 3 needs the
// lock of its leader first, and a new table is looked at for up to 30 s; on a
// machine that is busy with other things, either takes several times as long.
const longestBegin = 5 * time.Minute

// runVersion proves one version of the library.
func runVersion(ctx context.Context, s settings, version string, seed int64) (r result, err error) {
	g, err := newStage(s, version)
	if err != nil {
		return r, err
	}
	defer g.close()
	g.sayf("seed %d, %d switches each way", seed, s.switches)
	random := rand.New(rand.NewPCG(uint64(seed), 1))
	if err := g.stream.Make(ctx, 4); err != nil {
		return r, err
	}
	p := newProducer(g, rand.New(rand.NewPCG(uint64(seed), 2)))
	putting, stop := context.WithCancel(ctx)
	put := make(chan error, 1)
	go func() { put <- p.run(putting) }() // ends with putting; awaited below
	err = g.play(ctx, &r, p, random)
	stop()
	if err = errors.Join(err, <-put); err == nil {
		err = g.drain(ctx, &r, p)
	}
	p.describe(&r)
	r.Repeated, r.RepeatedAfterRelease = g.audit.Repeated, g.audit.AfterRelease
	r.OrderViolations = len(g.audit.Violations)
	for _, v := range g.audit.Violations[:min(20, len(g.audit.Violations))] {
		g.sayf("OUT OF ORDER: %s", v)
	}
	if g.audit.Doubled > 0 {
		g.sayf("%d records were put twice for want of an answer, and are not judged", g.audit.Doubled)
	}
	return r, errors.Join(err, r.faults())
}

// play is the switches, and the fleet of both where the library is one that
// allows it.
func (g *stage) play(ctx context.Context, r *result, p *producer, random *rand.Rand) error {
	now := kcl
	if err := g.begin(ctx, now); err != nil {
		return err
	}
	for i := range 2 * g.switches {
		if now == kcl && r.Refused == 0 {
			if err := g.refused(ctx, r); err != nil {
				return err
			}
		}
		if err := pause(ctx, time.Duration(random.Int64N(int64(2*time.Second)))); err != nil {
			return err
		}
		// Half of the switches come while the stream is changed, half are kills.
		if random.IntN(2) == 0 {
			if err := g.change(ctx, r, random); err != nil {
				return err
			}
		}
		if err := g.endFleet(r, i/2%2 == 0, p); err != nil {
			return err
		}
		now = now.other()
		if err := g.begin(ctx, now); err != nil {
			return fmt.Errorf("switch %d, to %s: %w", i+1, now, err)
		}
		r.Switches++
		if err := g.look(ctx, r, p); err != nil {
			return err
		}
	}
	if g.mixed > 0 && strings.HasPrefix(g.version, "2.") {
		return g.mix(ctx, r, random)
	}
	return nil
}

// begin starts a fleet of one kind and waits until it has handled something of
// every key.
func (g *stage) begin(ctx context.Context, k kind) error {
	began := time.Now()
	for range workersOfOne {
		if _, err := g.start(k, false); err != nil {
			return err
		}
	}
	if err := g.until(ctx, fmt.Sprintf("%s handles every key", k), longestBegin, func() bool { return g.audit.Seen(keyNames()) }); err != nil {
		return err
	}
	g.sayf("%s goes on after %.1fs; %d handled, %d repeated", k, time.Since(began).Seconds(), g.audit.Handled, g.audit.Repeated)
	return nil
}

// endFleet ends all workers, all politely or all by kill, and begins a new phase
// of the audit.
func (g *stage) endFleet(r *result, politely bool, p *producer) error {
	ours := g.workers[0].kind == towpath
	how, verb := syscall.SIGKILL, "killed"
	if politely {
		how, verb = syscall.SIGTERM, "stopped"
	}
	ending := append([]*process{}, g.workers...)
	began := time.Now()
	for _, w := range ending {
		w.cmd.Process.Signal(how) // together, and not one after the other
	}
	for _, w := range ending {
		if err := g.end(w, how); err != nil {
			return err
		}
		if !politely {
			r.Kills++
		}
	}
	if err := g.read(); err != nil {
		return err
	}
	rows, err := g.rows(context.Background())
	if err != nil {
		return err
	}
	inside, owned := 0, 0
	for _, row := range rows {
		if row.Checkpoint.IsRecord() && p.inside(row.Checkpoint.Sequence, row.Checkpoint.Sub) {
			inside++
		}
		if row.Owner != "" && !row.Finished() {
			owned++
		}
	}
	r.MidAggregate += inside
	g.sayf("%s %s in %.1fs, %d of %d rows inside an aggregate, %d owned", ending[0].kind, verb, time.Since(began).Seconds(), inside, len(rows), owned)
	g.audit.Begin(ours && politely)
	return nil
}

// look has both sides read every row.
func (g *stage) look(ctx context.Context, r *result, p *producer) error {
	rows, err := g.rows(ctx)
	if err != nil {
		return err
	}
	r.RowsRead += len(rows)
	return nil
}

// change splits or merges.
func (g *stage) change(ctx context.Context, r *result, random *rand.Rand) error {
	what, err := g.reshard(ctx, random.Float64())
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	r.Reshards++
	g.sayf("%s", what)
	return nil
}

// drain waits until all that was accepted has been handled, stops everybody and
// counts what is missing.
func (g *stage) drain(ctx context.Context, r *result, p *producer) error {
	accepted := p.known()
	err := g.until(ctx, "everything is handled", 90*time.Second, func() bool {
		count, _ := g.audit.Missing(accepted)
		return count == 0
	})
	if ctx.Err() != nil {
		return err
	}
	lost, names := g.audit.Missing(accepted)
	if r.Lost = lost; lost > 0 {
		g.sayf("LOST: %d, such as %s", lost, strings.Join(names, ", "))
	}
	for len(g.workers) > 0 {
		if endErr := g.end(g.workers[0], syscall.SIGTERM); endErr != nil {
			err = errors.Join(err, endErr)
		}
	}
	if _, rowsErr := g.rows(ctx); rowsErr != nil {
		err = errors.Join(err, rowsErr)
	}
	g.sayf("drained: %d handled, %d lost, %d repeated", g.audit.Handled, lost, g.audit.Repeated)
	return errors.Join(err, g.rowsOfJava(), g.read())
}
