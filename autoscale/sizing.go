package autoscale

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// Shard is what is measured of one shard. What is not a number, or below zero,
// counts as zero.
type Shard struct {
	// ID names it in Demand.Beyond.
	ID string
	// Arrival is how many records come in a second; 0 is none, or not known.
	Arrival float64
	// Behind is how far behind the tip its handler is, in time.
	Behind time.Duration
	// Waiting is how many records wait; 0 is not known. Then they are taken for
	// what arrived in the time Behind: Arrival × Behind.
	Waiting float64
	// PerRecord is how long a handler takes for a record on average: the time of
	// its calls divided by the records in them, retries included; 0 is not known.
	//
	// A shard that is behind and of which PerRecord, or both Arrival and Waiting,
	// is not known asks for all of its lanes once it is Sizing.CatchUp behind, and
	// for proportionally less before.
	PerRecord time.Duration
}

// Sizing says what a worker can do and what is wanted of the fleet.
type Sizing struct {
	// PerWorker is how many handler calls one worker is to run at once, as
	// measured: for a handler that computes the cores, for one that waits many
	// times that. It is required, and consumer.Config.MaximumConcurrency should
	// allow it.
	PerWorker int
	// Lanes is how many handler calls of one shard run at once,
	// consumer.Config.ParallelizationFactor: default 1.
	Lanes int
	// CatchUp is the time in which what waits is to be handled: default 10
	// minutes. Workers come within about a minute (a container's start, one
	// LeaseDuration, one DrainTimeout), so that less than some minutes asks for
	// workers that come too late.
	CatchUp time.Duration
	// Headroom is the share of a worker that is kept free, at least 0 and below
	// 1: default 0.25, with which the rest of four workers can carry what the
	// fourth did. A negative number is refused; NoHeadroom is none.
	Headroom Share
	// CaughtUp is how far behind a shard may be that counts as caught up:
	// default a minute.
	CaughtUp time.Duration
	// Minimum is the least number of workers: default 1. With 2 the loss of one
	// is not an outage for the seconds until another has started.
	Minimum int
	// Maximum is the most workers: default 0, one a shard, which is the most
	// there ever are.
	Maximum int
}

// Share is a part of a whole, between 0 and 1. Its zero value is the default of
// its field.
type Share float64

// NoHeadroom is a Share of nothing, or so little that it makes no difference.
const NoHeadroom Share = 1e-9

const (
	defaultCatchUp  = 10 * time.Minute
	defaultHeadroom = Share(0.25)
	defaultCaughtUp = time.Minute
)

func (s Sizing) withDefaults() Sizing {
	s.Lanes = cmp.Or(s.Lanes, 1)
	s.CatchUp = cmp.Or(s.CatchUp, defaultCatchUp)
	s.Headroom = cmp.Or(s.Headroom, defaultHeadroom)
	s.CaughtUp = cmp.Or(s.CaughtUp, defaultCaughtUp)
	s.Minimum = cmp.Or(s.Minimum, 1)
	return s
}

// Validate says everything that is wrong with s.
func (s Sizing) Validate() error {
	var problems []error
	say := func(wrong bool, format string, args ...any) {
		if wrong {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	say(s.PerWorker < 1, "PerWorker is %d, want how many handler calls one worker runs at once, at least 1", s.PerWorker)
	d := s.withDefaults()
	say(d.Lanes < 1, "Lanes is %d, want at least 1", s.Lanes)
	say(d.CatchUp < time.Second, "CatchUp is %s, want at least 1s", s.CatchUp)
	say(!(d.Headroom >= 0 && d.Headroom < 1), "Headroom is %v, want at least 0 and less than 1", float64(s.Headroom))
	say(d.CaughtUp < 0, "CaughtUp is %s, want more than 0", s.CaughtUp)
	say(d.Minimum < 1, "Minimum is %d, want at least 1", s.Minimum)
	say(d.Maximum < 0, "Maximum is %d, want at least 1, or 0 for one a shard", s.Maximum)
	say(d.Maximum > 0 && d.Maximum < d.Minimum, "Maximum is %d, want at least Minimum, which is %d", s.Maximum, d.Minimum)
	if len(problems) == 0 {
		return nil
	}
	return fmt.Errorf("autoscale: sizing: %w", errors.Join(problems...))
}

// Demand is what some shards ask for.
type Demand struct {
	// Calls is how many handler calls they keep at work on average.
	Calls float64
	// Workers is how many workers run so many, with Headroom and unrounded. Of
	// parts of a fleet it adds up.
	Workers float64
	// Count is the number of workers, rounded up and within the bounds.
	Count int
	// Shards is how many shards were looked at, and Most the number of workers
	// beyond which one has nothing to do or is forbidden by Maximum.
	Shards, Most int
	// Behind is the largest time behind of a shard.
	Behind time.Duration
	// CatchingUp tells whether a shard is further behind than CaughtUp and
	// workers can help it.
	CatchingUp bool
	// Beyond are the shards that need more calls at once than they have lanes,
	// in the order of the input: no number of workers helps them.
	Beyond []string
}

// Demand is what the shards ask for. Its error is that of Validate.
func (s Sizing) Demand(shards []Shard) (Demand, error) {
	if err := s.Validate(); err != nil {
		return Demand{}, err
	}
	s = s.withDefaults()
	d := Demand{Shards: len(shards), Most: max(1, len(shards))}
	for _, one := range shards {
		one = one.clean()
		calls, lanes := s.calls(one), float64(s.Lanes)
		d.Behind = max(d.Behind, one.Behind)
		if calls > lanes {
			d.Beyond = append(d.Beyond, one.ID)
		} else if one.Behind > s.CaughtUp {
			d.CatchingUp = true
		}
		d.Calls += min(lanes, calls)
	}
	d.Workers = d.Calls / (float64(s.PerWorker) * float64(1-s.Headroom))
	if s.Maximum > 0 {
		d.Most = min(d.Most, s.Maximum)
	}
	d.Count = d.Most
	if d.Workers < float64(d.Most) {
		d.Count = min(d.Most, max(s.Minimum, whole(d.Workers)))
	}
	return d, nil
}

// calls is how many calls of its handler a shard keeps at work, as if it had any
// number of lanes.
func (s Sizing) calls(one Shard) float64 {
	waiting := one.Waiting
	if waiting == 0 {
		waiting = one.Arrival * one.Behind.Seconds()
	}
	if one.PerRecord == 0 || waiting == 0 && one.Behind > 0 {
		return float64(s.Lanes) * one.Behind.Seconds() / s.CatchUp.Seconds()
	}
	return (one.Arrival + waiting/s.CatchUp.Seconds()) * one.PerRecord.Seconds()
}

func (one Shard) clean() Shard {
	one.Arrival, one.Waiting = measured(one.Arrival), measured(one.Waiting)
	one.Behind, one.PerRecord = max(0, one.Behind), max(0, one.PerRecord)
	return one
}

// measured is v, or 0 if it is no count.
func measured(v float64) float64 {
	if !(v > 0) || math.IsInf(v, 1) {
		return 0
	}
	return v
}

// whole rounds up, but for what the arithmetic of fractions leaves.
func whole(workers float64) int { return int(math.Ceil(workers - 1e-6)) }

// String is the demand for a human, such as "3 workers (2.40) for 1.8 calls, 4m0s behind".
func (d Demand) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d workers (%.2f) for %.1f calls, %s behind", d.Count, d.Workers, d.Calls, d.Behind.Round(time.Second))
	if d.CatchingUp {
		b.WriteString(", catching up")
	}
	if len(d.Beyond) > 0 {
		fmt.Fprintf(&b, "; too few lanes for %d of %d shards", len(d.Beyond), d.Shards)
	}
	return b.String()
}
