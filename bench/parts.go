package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/towpath/towpath/bench/measure"
	"github.com/towpath/towpath/bench/ready"
)

// pageOfMany is how many records an answer has where many shards are read: what
// comes to a busy shard between two polls, and no full page, of which a thousand
// shards would hold 10 GB.
const pageOfMany = 1000

// shardsPart measures towpath on few shards and on many.
func (b *bench) shardsPart(ctx context.Context, out io.Writer) error {
	const few, many = 16, 1000
	runs := map[int][]measure.Usage{}
	for run := range b.runs {
		for _, shards := range []int{few, many} {
			t := measure.Task{
				Consumer: "towpath", TLS: true, Stream: ready.Stream{Shards: shards, Records: pageOfMany, Bytes: 1024},
				Batch: b.batch, Lanes: 1, Count: int64(2e6 * b.volume),
			}
			t.Warm = t.Count / 3
			t.Profile = b.profile("shards", shards, run)
			u, err := b.measure(ctx, t)
			if err != nil {
				return err
			}
			fmt.Fprintf(b.log, "run %d/%d: %d shards: %.3g s of CPU for a million records\n", run+1, b.runs, shards, cpu(u))
			runs[shards] = append(runs[shards], u)
		}
	}
	fmt.Fprintf(out, "towpath, 1 KB, TLS, pages of %d: ", pageOfMany)
	for _, shards := range []int{few, many} {
		r := summarize(subject{"towpath", 1024, true}, runs[shards])
		fmt.Fprintf(out, "%d shards %.3g s of CPU a million records (spread %.0f %%), ", shards, r.CPU, 100*r.Spread)
	}
	_, err := fmt.Fprintf(out, "a ratio of %.3f\n", ratio(runs[many], runs[few]))
	return err
}

// profile is the file of a run's profile, if profiles are kept.
func (b *bench) profile(part string, n, run int) string {
	if b.profiles == "" {
		return ""
	}
	return filepath.Join(b.profiles, fmt.Sprintf("towpath-%s-%d-%d.pb.gz", part, n, run+1))
}

// handlerWait is how long the handler of the lanes takes over a record.
const handlerWait = 10 * time.Millisecond

// laneRate is how many records a second so many lanes of one shard handle, with a
// handler that waits over each.
func (b *bench) laneRate(ctx context.Context, lanes int, unordered bool) (float64, error) {
	t := measure.Task{
		Consumer: "towpath", TLS: true, Stream: ready.Stream{Shards: 1, Records: pageOfMany, Bytes: 100},
		Batch: 1, Lanes: lanes, Unordered: unordered, Wait: handlerWait,
		Warm: int64(lanes) * 100, Count: int64(lanes) * 400, // a second, and four
	}
	u, err := b.measure(ctx, t)
	if err != nil {
		return 0, err
	}
	return float64(u.Records) / u.Wall.Seconds(), nil
}

func (b *bench) lanesPart(ctx context.Context, out io.Writer) error {
	for _, unordered := range []bool{false, true} {
		var one float64
		for _, lanes := range []int{1, 4, 16, 64} {
			rate, err := b.laneRate(ctx, lanes, unordered)
			if err != nil {
				return err
			}
			if lanes == 1 {
				one = rate
			}
			if _, err := fmt.Fprintf(out, "towpath, a handler that waits %s over a record, %d lanes, %s: %.0f records/s, %.2f of linear\n",
				handlerWait, lanes, ordering(unordered), rate, rate/one/float64(lanes)); err != nil {
				return err
			}
		}
	}
	return nil
}

func ordering(unordered bool) string {
	if unordered {
		return "unordered"
	}
	return "by key"
}

// idleTask is a stream into which nobody puts anything.
func idleTask(shards int, quiet, idle time.Duration) measure.Task {
	return measure.Task{
		Consumer: "idle", TLS: true, Stream: ready.Stream{Shards: shards}, Batch: 100, Lanes: 1, Quiet: quiet, Idle: idle,
	}
}

// idlePart measures a thousand shards that have been quiet for a minute.
func (b *bench) idlePart(ctx context.Context, out io.Writer) error {
	t := idleTask(1000, time.Minute, 30*time.Second)
	t.Profile = b.profile("idle", t.Stream.Shards, 0)
	u, err := b.measure(ctx, t)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "towpath, %d shards that have been quiet for a minute, TLS: %.3f cores, %.1f KB held for each, %.0f requests a second\n",
		t.Stream.Shards, u.CPU.Seconds()/u.Wall.Seconds(), perShard(u, t), float64(u.Calls)/u.Wall.Seconds())
	return err
}

// perShard is what is held for each shard, in KB.
func perShard(u measure.Usage, t measure.Task) float64 {
	return float64(u.Held) / 1024 / float64(t.Stream.Shards)
}
