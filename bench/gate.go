package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// verdict is what became of a bound.
type verdict struct {
	bound
	measured float64
	missing  bool // nothing was measured for it
}

func (v verdict) broken() bool { return v.missing || !(v.measured <= v.most) }

// judge holds figures against bounds.
func judge(bounds []bound, figures map[string]float64) []verdict {
	var verdicts []verdict
	for _, b := range bounds {
		measured, ok := figures[b.figure]
		verdicts = append(verdicts, verdict{b, measured, !ok})
	}
	return verdicts
}

// errBroken says that a bound is.
var errBroken = errors.New("a bound is broken")

// report prints every bound with what was measured, and why it is there if it is
// broken.
func report(out io.Writer, verdicts []verdict) error {
	var err error
	for _, v := range verdicts {
		switch {
		case v.missing:
			fmt.Fprintf(out, "BROKEN  %s: nothing was measured, want at most %.3g\n", v.figure, v.most)
		case v.broken():
			fmt.Fprintf(out, "BROKEN  %s: %.3g, want at most %.3g: %s\n", v.figure, v.measured, v.most, v.why)
		default:
			fmt.Fprintf(out, "holds   %s: %.3g, at most %.3g\n", v.figure, v.measured, v.most)
		}
		if v.broken() {
			err = errors.Join(err, fmt.Errorf("%w: %s", errBroken, v.figure))
		}
	}
	return err
}

// figureIdle is the figure that is none of the readers'. What lanes bring is not
// among them: it is a rate by the clock, which a busy machine decides.
const figureIdle = "idle shard, KB held"

// What the gate measures: a few shards, quickly.
const (
	gateShards = 200
	gateQuiet  = 3 * time.Second
	gateIdle   = time.Second
)

// gateRun measures what the bounds are about, and judges it.
func (b *bench) gateRun(ctx context.Context, out io.Writer) error {
	r, err := b.readers(ctx)
	if err != nil {
		return err
	}
	figures := r.gateFigures()
	t := idleTask(gateShards, gateQuiet, gateIdle)
	u, err := b.measure(ctx, t)
	if err != nil {
		return err
	}
	figures[figureIdle] = perShard(u, t)
	if err := r.print(b.log); err != nil {
		return err
	}
	return report(out, judge(bounds, figures))
}

// gateFigures are the figures of the readers, by the names that bounds have.
func (r *results) gateFigures() map[string]float64 {
	figures := map[string]float64{}
	for _, s := range r.order {
		if s.consumer == "sdk" || s.consumer == "floor" {
			continue
		}
		row, size := summarize(s, r.runs[s]), inWords(s.size)
		for _, other := range []string{"sdk", "floor"} {
			if runs := r.runs[subject{other, s.size, s.tls}]; len(runs) > 0 {
				figures[s.consumer+" / "+other+", "+size+", CPU"] = ratio(r.runs[s], runs)
			}
		}
		if row.Allocs != nil {
			figures[s.consumer+", allocations a record, "+size] = *row.Allocs
		}
		figures[s.consumer+", bytes a record, "+size] = row.Bytes
	}
	return figures
}

// inWords is a size as people say it.
func inWords(bytes int) string {
	if bytes >= 1024 && bytes%1024 == 0 {
		return fmt.Sprintf("%d KB", bytes/1024)
	}
	return fmt.Sprintf("%d B", bytes)
}
