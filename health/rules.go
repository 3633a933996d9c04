package health

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
)

// Rules are how long something may be so before it counts. The zero value is the
// defaults.
type Rules struct {
	// Heartbeat is for how long the loop that gives signs of life, and the one that
	// looks into the inbox, may not have turned: default a minute, and never less
	// than ten of the worker's heartbeats. A few seconds would be enough for
	// either; a machine that is starved of processor time needs the rest.
	Heartbeat time.Duration
	// Fleet is the same for the loop that takes shards and lets them go: default
	// ten minutes, as one turn lists the stream and the table, page by page.
	Fleet time.Duration
	// Stalled is for how long a shard may have got nowhere before there is a
	// warning: default 5 minutes, as the default of Config.StallTimeout.
	Stalled time.Duration
	// Retention is how much of the retention the oldest unfinished record may have
	// used up before there is a warning, as a share: default 0.5.
	Retention float64
}

// Defaults of the rules.
const (
	defaultHeartbeat = time.Minute
	defaultFleet     = 10 * time.Minute
	defaultStalled   = 5 * time.Minute
	defaultRetention = 0.5
	leastBeats       = 10
	mostWarnings     = 20
)

func (r Rules) withDefaults(every time.Duration) Rules {
	r.Heartbeat = max(cmp.Or(r.Heartbeat, defaultHeartbeat), leastBeats*every)
	r.Fleet = max(cmp.Or(r.Fleet, defaultFleet), leastBeats*every)
	r.Stalled = cmp.Or(r.Stalled, defaultStalled)
	r.Retention = cmp.Or(r.Retention, defaultRetention)
	return r
}

// Liveness says whether the worker's loops turn, at now. What it needs of the
// status is nothing that lies behind the process. A consumer that does not run,
// because Run was not called yet or has returned, is not a loop that stands still.
func (r Rules) Liveness(s consumer.Status, now time.Time) Report {
	r = r.withDefaults(s.Loops.Every)
	report := r.report(s, now)
	if s.Loops.Begun.IsZero() {
		return report
	}
	stands := func(loop string, at time.Time, most time.Duration) {
		if still := now.Sub(at); still > most {
			report.problem("the loop of the %s has not turned for %s, want %s at most", loop, still.Round(time.Second), most)
		}
	}
	stands("heartbeat", s.Loops.Heartbeat, r.Heartbeat)
	if !s.Stopping {
		stands("mailbox", s.Loops.Mailbox, r.Heartbeat)
		stands("fleet", s.Loops.Fleet, r.Fleet)
	}
	return report
}

// Readiness says whether the worker has a session that is valid and is not about to
// stop, at now.
func (r Rules) Readiness(s consumer.Status, now time.Time) Report {
	r = r.withDefaults(s.Loops.Every)
	report := r.report(s, now)
	switch {
	case s.Loops.Begun.IsZero():
		report.problem("the consumer does not run")
	case s.Worker == "":
		report.problem("the worker has not registered: the stream or the lease table has not answered yet, or another fleet is being watched for")
	case s.Stopping:
		report.problem("the worker stops")
	case !s.Valid:
		report.problem("the worker's session is not valid: the lease table does not answer its signs of life")
	}
	return report
}

// warnings are what somebody should look at, and what no restart helps against.
func (r Rules) warnings(s consumer.Status) (all []string) {
	warn := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if s.Breaker != batching.BreakerClosed {
		warn("the breaker is %s: what lies behind the handler is believed to be down", s.Breaker)
	}
	if s.Limited && s.Limit == 0 {
		warn("the fleet's limit is 0: no handler is called")
	}
	if s.ControlError != "" {
		warn("the control row cannot be read, so that the last limit and pauses known hold")
	}
	if s.StreamsError != "" {
		warn("the list of streams cannot be had")
	}
	if s.Move.ID != "" {
		warn("somebody moves all positions, and every worker stands still for it")
	}
	if n := len(s.Neighbours); n > 0 {
		warn("%d workers of another library are at work on the lease table", n)
	}
	for _, stream := range s.Streams {
		if stream.State != consumer.StreamRead {
			warn("stream %s is %s", stream.Name, stream.State)
		}
	}
	paused := map[string]bool{}
	for _, one := range s.Shards {
		if one.Paused {
			paused[one.Shard] = true
		}
	}
	if len(paused) > 0 {
		warn("paused shards: %d", len(paused))
	}
	// The worst shards first, as there is no room for all.
	shards := slices.Clone(s.Shards)
	slices.SortStableFunc(shards, func(a, b consumer.ShardStatus) int { return cmp.Compare(b.Age, a.Age) })
	for _, one := range shards {
		if one.Still >= r.Stalled {
			warn("%s has got nowhere for %s", named(one), one.Still.Round(time.Second))
		}
		if one.Retention > 0 && float64(one.Age) >= r.Retention*float64(one.Retention) {
			warn("%s has used up %.0f %% of the retention", named(one), 100*float64(one.Age)/float64(one.Retention))
		}
	}
	if n := len(all); n > mostWarnings {
		all = append(all[:mostWarnings], fmt.Sprintf("and %d more", n-mostWarnings))
	}
	return all
}

func named(s consumer.ShardStatus) string {
	if s.Handler == "" {
		return "shard " + s.Shard
	}
	return "handler " + s.Handler + " of shard " + s.Shard
}
