package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"github.com/towpath/towpath/bench/measure"
)

// bench is one run of this program.
type bench struct {
	options
	log    io.Writer
	server *server
	kcl    *kcl
	tasks  int
}

// setUp starts what the measurements need.
func setUp(ctx context.Context, o options, log io.Writer) (*bench, error) {
	b := &bench{options: o, log: log}
	var err error
	if slices.Contains(o.consumers, "kcl") && slices.Contains(o.parts, "readers") {
		b.kcl, err = startKCL(ctx, o.emulators)
		if errors.Is(err, errNotInstalled) {
			fmt.Fprintf(log, "bench: NOT MEASURED: %v\n", err)
			b.consumers = slices.DeleteFunc(slices.Clone(o.consumers), func(c string) bool { return c == "kcl" })
		} else if err != nil {
			return nil, err
		}
	}
	if b.server, err = startServer(o.http2, log); err != nil {
		return nil, errors.Join(err, b.kcl.stop())
	}
	return b, nil
}

func (b *bench) tearDown() error { return errors.Join(b.server.stop(), b.kcl.stop()) }

// all measures what the options choose, and prints it.
func (b *bench) all(ctx context.Context, out io.Writer) error {
	if b.gate {
		return b.gateRun(ctx, out)
	}
	parts := map[string]func(context.Context, io.Writer) error{
		"readers": b.readersPart, "shards": b.shardsPart, "lanes": b.lanesPart, "idle": b.idlePart,
	}
	for _, name := range b.parts {
		if err := parts[name](ctx, out); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) readersPart(ctx context.Context, out io.Writer) error {
	r, err := b.readers(ctx)
	if err != nil {
		return err
	}
	if b.json {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(r.rows())
	}
	return r.print(out)
}

// readers runs each consumer on each size, one after the other, as often as there
// are runs. The order is turned round from run to run, so that none always has the
// same one before it.
func (b *bench) readers(ctx context.Context) (*results, error) {
	var r results
	for run := range b.runs {
		for _, tls := range b.tls {
			for _, size := range b.sizes {
				consumers := slices.Clone(b.consumers)
				if run%2 == 1 {
					slices.Reverse(consumers)
				}
				for _, c := range consumers {
					if err := b.reader(ctx, &r, run, subject{c, size, tls}); err != nil {
						return nil, err
					}
				}
			}
		}
	}
	r.sort(b.options)
	return &r, nil
}

func (b *bench) reader(ctx context.Context, r *results, run int, s subject) error {
	count := b.count(s.size)
	t := measure.Task{
		Consumer: s.consumer, TLS: s.tls, Stream: b.stream(s.size),
		Warm: count / 3, Count: count, Batch: b.batch, Lanes: 1,
	}
	if s.consumer == "kcl" {
		t.Warm = max(2*count, leastWarmKCL)
	}
	if b.profiles != "" && s.consumer != "kcl" {
		t.Profile = filepath.Join(b.profiles, fmt.Sprintf("%s-%d-tls-%s-%d.pb.gz", s.consumer, s.size, onOff(s.tls), run+1))
	}
	began := time.Now()
	u, err := b.measure(ctx, t)
	if err != nil {
		return err
	}
	fmt.Fprintf(b.log, "run %d/%d: %s, %d B, TLS %s: %.3g s of CPU for a million records (%s)\n",
		run+1, b.runs, s.consumer, s.size, onOff(s.tls), cpu(u), time.Since(began).Round(100*time.Millisecond))
	r.add(s, u)
	return nil
}

// bytesInRun is how many bytes one run reads, with what a record costs beside its
// payload: some seconds of the processor for the SDK.
const (
	bytesInRun = 1_500_000_000
	beside     = 300
)

// leastWarmKCL is how many records the KCL reads before it is measured, at least:
// twice as many as are measured, so that what runs is compiled. With half of that
// it took up to twice as much, all of it the compiler's.
const leastWarmKCL = 500_000

// count is how many records of a size are measured in one run: whole pages of
// each shard.
func (b *bench) count(size int) int64 {
	s := b.stream(size)
	round := float64(s.Shards * s.Records)
	rounds := b.volume * bytesInRun / float64(size+beside) / round
	return int64(max(1, rounds+0.5)) * int64(round)
}
