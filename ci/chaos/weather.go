package main

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"syscall"
	"time"
)

// climate is how often what happens. Zero is never.
type climate struct {
	kill    time.Duration // SIGKILL of a worker, which is replaced at once
	stop    time.Duration // SIGSTOP of a worker, SIGCONT some time later
	cut     time.Duration // of one link of one worker
	reshard time.Duration // a split or a merge
	restart time.Duration // another worker starts, one ends with SIGTERM
	outage  time.Duration // of the queue, for all
	rows    time.Duration // a row of a session or of a lease is deleted by hand
}

// How long what happens lasts.
const (
	shortestStop, longestStop     = 500 * time.Millisecond, 30 * time.Second
	shortestCut, longestCut       = 500 * time.Millisecond, 20 * time.Second
	shortestOutage, longestOutage = 2 * time.Second, 15 * time.Second
	surge                         = 2 * time.Second // from the start of a worker to the end of the one it replaces
)

// happening is something that is to happen.
type happening struct {
	at time.Duration
	do func(ctx context.Context) error
}

// weather is what happens when. The same seed draws the same; whom it meets
// depends on who is there.
type weather struct {
	*stage
	agenda []happening
	fair   bool // nothing new is begun
}

// forecast has each kind of thing happen again and again.
func (w *weather) forecast(c climate) {
	for i, kind := range []struct {
		every time.Duration
		do    func(ctx context.Context, r *rand.Rand) error
	}{
		{c.kill, w.kill}, {c.stop, w.pause}, {c.cut, w.cut}, {c.reshard, w.reshape}, {c.restart, w.restart}, {c.outage, w.outage}, {c.rows, w.deleteRow},
	} {
		if kind.every == 0 {
			continue
		}
		random := rand.New(rand.NewPCG(uint64(w.seed), uint64(i)+10))
		var again func(ctx context.Context) error
		next := func() { // half of the mean to one and a half of it
			w.after(time.Duration((0.5+random.Float64())*float64(kind.every)), again)
		}
		again = func(ctx context.Context) error {
			if w.fair {
				return nil
			}
			next()
			return kind.do(ctx, random)
		}
		next()
	}
}

// after has something happen after a while.
func (w *weather) after(d time.Duration, do func(ctx context.Context) error) {
	w.agenda = append(w.agenda, happening{now() + d, do})
	slices.SortStableFunc(w.agenda, func(a, b happening) int { return int(a.at - b.at) })
}

// blow does what is due.
func (w *weather) blow(ctx context.Context) error {
	for len(w.agenda) > 0 && w.agenda[0].at <= now() {
		due := w.agenda[0]
		w.agenda = w.agenda[1:]
		if err := due.do(ctx); err != nil {
			return err
		}
	}
	return nil
}

// clear ends all that lasts, and begins nothing new.
func (w *weather) clear(ctx context.Context) error {
	w.fair = true
	for len(w.agenda) > 0 {
		due := w.agenda[0]
		w.agenda = w.agenda[1:]
		if err := due.do(ctx); err != nil {
			return err
		}
	}
	return nil
}

// between draws a duration, short ones more often.
func between(r *rand.Rand, shortest, longest time.Duration) time.Duration {
	return time.Duration(float64(shortest) * math.Pow(float64(longest)/float64(shortest), r.Float64()))
}

func (w *weather) kill(_ context.Context, r *rand.Rand) error {
	p := w.fleet.well(r.Float64(), true)
	if p == nil {
		return nil
	}
	at := now()
	w.fleet.kill(p)
	w.watch.harm(p.name, at)
	w.watch.dies(p.name, at)
	w.result.Kills++
	w.sayf("killed %s", p.name)
	if len(w.fleet.workers) >= w.workers {
		return nil // one that is to take another's place is there already
	}
	_, err := w.fleet.start()
	return err
}

func (w *weather) pause(_ context.Context, r *rand.Rand) error {
	p, d := w.fleet.well(r.Float64(), false), between(r, shortestStop, longestStop)
	if p == nil {
		return nil
	}
	at := now()
	p.cmd.Process.Signal(syscall.SIGSTOP)
	p.stopped = true
	heal := w.watch.harm(p.name, at)
	if d > leaseDuration {
		w.watch.dies(p.name, at)
		w.result.LongStops++
	}
	w.result.Stops++
	w.sayf("stopped %s for %v", p.name, d.Round(time.Millisecond))
	w.after(d, func(context.Context) error {
		p.cmd.Process.Signal(syscall.SIGCONT)
		p.stopped = false
		heal(now())
		return nil
	})
	return nil
}

func (w *weather) cut(_ context.Context, r *rand.Rand) error {
	p, d := w.fleet.well(r.Float64(), false), between(r, shortestCut, longestCut)
	link, how := r.IntN(3), ailment(1+r.IntN(int(truncating)))
	if p == nil {
		return nil
	}
	p.links[link].set(how)
	heal := w.watch.harm(p.name, now())
	w.result.Cuts++
	w.sayf("%s of %s is %v for %v", p.links[link].service, p.name, how, d.Round(time.Millisecond))
	w.after(d, func(context.Context) error {
		p.links[link].set(healthy)
		heal(now())
		return nil
	})
	return nil
}

func (w *weather) reshape(ctx context.Context, r *rand.Rand) error {
	what, err := w.reshard(ctx, r.Float64())
	if err != nil {
		w.sayf("%s: %v", what, err) // it is UPDATING still
		return nil
	}
	w.result.Reshards++
	w.sayf("%s", what)
	return nil
}

func (w *weather) restart(_ context.Context, r *rand.Rand) error {
	choose := r.Float64()
	if _, err := w.fleet.start(); err != nil {
		return err
	}
	w.after(surge, func(context.Context) error {
		if p := w.fleet.well(choose, true); p != nil {
			p.stop()
			w.result.Restarts++
			w.sayf("told %s to end", p.name)
		}
		return nil
	})
	return nil
}

func (w *weather) outage(_ context.Context, r *rand.Rand) error {
	d, how := between(r, shortestOutage, longestOutage), severed
	if r.IntN(2) == 0 {
		how = silent
	}
	w.result.Outages++
	w.sayf("the queue is %v for %v", how, d.Round(time.Millisecond))
	for _, p := range slices.Clone(w.fleet.workers) {
		p.links[toSQS].set(how)
		heal := w.watch.harm(p.name, now())
		w.after(d, func(context.Context) error {
			p.links[toSQS].set(healthy)
			heal(now())
			return nil
		})
	}
	return nil
}
