package cost

import (
	"fmt"
	"math"
	"time"
)

// What a worker of towpath asks for, by the intervals of package consumer.
// TestCostIsAsDocumented of streamtest counts what engines ask for, and
// TestModelSaysWhatWasCounted of this package holds the sums against that.
const (
	mailboxes   = 4.0    // looks into its own inbox a second
	sweeps      = 1 / 5. // queries of the index for its own leases a second
	sessionRow  = 80.0   // bytes of a session, and of the control row
	ownerEntry  = 60.0   // bytes that the index by owner has of a lease
	plannerLook = 30 * time.Second
	upkeepLook  = 2 * time.Minute
	// mostTurns is by how much less often a worker that is not the planner looks at
	// the lease table, at most.
	mostTurns = 10
)

// Towpath is what a fleet of this library costs.
func Towpath(s Shape, p Prices) Bill {
	s = s.WithDefaults()
	workers := float64(s.Workers)
	beats := 10 / s.LeaseDuration.Seconds()
	b := Bill{Of: "towpath"}
	b.add(p, written("heartbeats", workers*beats))
	if n := s.Checkpoints(); n > 0 {
		b.add(p, written("positions", n))
	}
	b.add(p, read("mailboxes", workers*mailboxes, sessionRow, true))
	b.add(p, read("what the fleet is told", workers*max(beats, 1), sessionRow, true))
	b.add(p, read("the other sessions", workers*beats, (workers+1)*sessionRow, false))
	b.add(p, read("each worker's own leases", workers*sweeps, float64(s.Shards)/workers*ownerEntry, false))
	b.add(p, read("the whole lease table", looks(s.Workers), float64(s.Shards*s.RowBytes), true))
	b.Parts = append(b.Parts, s.reading(p)...)
	return b
}

// looks is how often a second somebody reads the whole lease table: the planner,
// each of the others in its turn, and the maintenance run.
func looks(workers int) float64 {
	others := float64(workers-1) / (plannerLook.Seconds() * float64(min(workers, mostTurns)))
	return 1/plannerLook.Seconds() + others + 1/upkeepLook.Seconds()
}

// What KCL asks of DynamoDB, by arithmetic over its sources with its defaults
// (2.x: https://github.com/awslabs/amazon-kinesis-client/tree/v2.7.0, 3.x: v3.5.1).
const (
	// kclRow is a lease row of a single stream, kclEntry what the index by owner
	// has of it, and kclMetrics a worker's own row.
	kclRow, kclEntry, kclMetrics = 500.0, 100.0, 200.0
	kclEpsilon                   = 0.025 // seconds, epsilonMillis
	reportEvery                  = 30.0  // 3.x: each worker writes its metrics
)

// KCL is what a fleet of the Kinesis Client Library costs, of version 2 or 3, with
// failoverTimeMillis as LeaseDuration and a checkpoint as often as ours.
func KCL(version int, s Shape, p Prices) Bill {
	s = s.WithDefaults()
	leases, workers := float64(s.Shards), float64(s.Workers)
	b := Bill{Of: fmt.Sprintf("KCL %d", version)}
	failover := s.LeaseDuration.Seconds()
	takes := 2 * (failover + kclEpsilon) // 2.x: each worker scans the lease table
	assigns := 2 * failover              // 3.x: the leader scans it, and the workers' metrics
	discovers := assigns/2 - kclEpsilon  // 3.x: each worker asks the index for its leases
	// A lease is renewed three times in a failover time, less 25 ms, idle or not.
	b.add(p, written("renewals", leases/(failover/3-kclEpsilon)))
	if n := s.Checkpoints(); n > 0 {
		b.add(p, written("positions", n))
	}
	table := math.Ceil(leases * kclRow)
	if version == 2 {
		b.add(p, read("the whole lease table", workers/takes, table, false))
	} else {
		b.add(p, written("metrics of the workers", workers/reportEvery))
		b.add(p, read("the whole lease table", 1/assigns, table, false))
		b.add(p, read("metrics of the workers", 1/assigns, workers*kclMetrics, false))
		b.add(p, read("each worker's own leases", workers/discovers, leases/workers*kclEntry, false))
	}
	b.Parts = append(b.Parts, s.reading(p)...)
	return b
}

// Function is how Lambda would be set up for the same load.
type Function struct {
	// BatchSize is how many records an invocation gets, as it turns out; default
	// 100.
	BatchSize int `json:"batch_size"`
	// Duration is how long one takes; default 100 ms.
	Duration time.Duration `json:"-"`
	// Memory is its memory in MB; default 128.
	Memory int `json:"memory_mb"`
}

// WithDefaults is the function with what is not given.
func (f Function) WithDefaults() Function {
	if f.BatchSize <= 0 {
		f.BatchSize = 100
	}
	if f.Duration <= 0 {
		f.Duration = 100 * time.Millisecond
	}
	if f.Memory <= 0 {
		f.Memory = 128
	}
	return f
}

// Lambda is what an event source mapping costs for the same load: its
// invocations, in which the computing is included. To poll the stream costs
// nothing there.
func Lambda(s Shape, f Function, p Prices) Bill {
	s, f = s.WithDefaults(), f.WithDefaults()
	invoked := s.Records / float64(f.BatchSize) * Month.Seconds()
	return Bill{Of: "Lambda", Parts: append([]Part{
		{Name: "invocations", Dollars: invoked / 1e6 * p.MillionInvoked},
		{Name: "computing", Dollars: invoked * f.Duration.Seconds() * float64(f.Memory) / 1024 * p.GBSecond},
	}, s.reading(p)...)}
}
