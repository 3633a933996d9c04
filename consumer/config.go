package consumer

import (
	"log/slog"
	"os"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/batching/filter"
	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/shard"
)

// Config says what to consume and how. Name, Source, Leases and Handler are
// required; every other field's zero value is its default. The fields that
// Lambda's event source mapping has carry its names and mean the same.
type Config struct {
	// Name is the application: all workers of one name share the work. It stands
	// in logs, envelopes and worker ids. Letters, digits, '.', '_' and '-', at
	// most 128.
	Name string
	// Source is the stream, such as kinesisshards.Open(client, "clicks").
	Source shard.Source
	// Leases is the table in which the workers agree, such as
	// dynamocheckpoint.Open(client, "clickstream").
	Leases checkpoint.Leases
	// Positions is where the handler keeps its positions itself, in one
	// transaction with its effects, such as in an SQL database; nil is nowhere
	// but in Leases. It is asked before a shard begins, and is believed before
	// the lease row, which is written as ever. The handler's transactions must
	// carry batch.Fence(), so that a worker that has lost the shard is refused.
	// Such a position is behind all records before it: with it there is one lane,
	// in order, and none of SetAside, KeyLimit, Park and Handlers.
	Positions checkpoint.Positions
	// Handler gets the batches. Several calls may run at once: one a shard and
	// lane. A consumer has one Handler, or several Handlers.
	Handler Handler
	// Handlers, in the place of Handler, are several that share one reading of
	// each shard and its lease: three of them cost as many reads as one, as long
	// as they are near one another. Each has a position, failures and settings of
	// its own; of what they do not set, the Config's holds for each.
	Handlers []NamedHandler
	// OnFailure takes what is given up. Nil is none: nothing is ever given up,
	// so that limits below that would discard records are refused. Set
	// destination.Discard to drop them, counted.
	OnFailure destination.Destination
	// OnSuccess takes an envelope of what each call has handled, with the
	// condition destination.Success, before the checkpoint passes it. It is
	// asked again without limit while it refuses, and holds up its lane
	// meanwhile. Default nil, which is none. Records that the handler makes
	// itself go to EmitTo.
	OnSuccess destination.Destination
	// EmitTo takes the records that the handler emits (batching.Batch.Emit), in
	// order and before the checkpoint passes what they were made of. While it
	// refuses it is asked again without limit with what it has not accepted, and
	// that lane waits; a repeat of a record carries the same id. Default nil:
	// a call that emits then fails, with an error that names this field.
	EmitTo destination.Publisher

	// Filters are patterns in the language of Lambda's event source mappings, at
	// most ten; a record that matches none of them is finished without a call,
	// and counted. Default: none, every record is handled. See package filter.
	Filters []string

	// BatchSize is how many records one call gets at most: 1 to 10,000, default
	// 100. Small batches pay the handler's fixed cost more often; large ones
	// make a failure dearer.
	BatchSize int
	// MaximumBatchBytes is how many bytes of records one call gets at most, each
	// with its payload, its key and 256 bytes for itself (shard.Record.Size):
	// default 6 MiB, Lambda's limit. A single larger record is a batch of its
	// own.
	MaximumBatchBytes int64
	// MaximumBatchingWindow is how long to wait for a batch to fill: 0 to 5
	// minutes, default 0, which hands over what is there as soon as the handler
	// is free.
	MaximumBatchingWindow time.Duration
	// TumblingWindow gives the handler records in windows of this length by their
	// time of arrival, and carries state from call to call of one: see
	// batching.Window. 1 s to 15 minutes; default 0, which is none. It needs
	// Leases that keep states and one lane a shard. The last call for a window
	// has no records; it is made before the first record of a later window, or
	// when the window is over and the shard has been read beyond it, and with
	// Early at the end of the shard, whose children begin with no state. The
	// windows of package window are of event time and go over to the children.
	TumblingWindow time.Duration
	// TumblingState is how many bytes of state a window may have: default
	// 1 MiB, Lambda's limit. A window with more is ended early. What does not
	// fit the lease table's row needs an overflow there, such as
	// dynamocheckpoint.Options.Overflow.
	TumblingState batching.Limit
	// ParallelizationFactor is how many batches of one shard run at once,
	// default 1. Records of one key stay in one lane and in order. There is no
	// cap of ten; each lane is a goroutine while it runs.
	ParallelizationFactor int
	// Key says which key a record's order belongs to; nil is its partition key.
	// It must be quick, and always the same for the same record.
	Key func(*shard.Record) string
	// Unordered gives each batch to whichever lane is free, for streams whose
	// records need no order among them.
	Unordered bool

	// StartingPosition is where a shard begins that has no checkpoint:
	// shard.TrimHorizon() (the default), shard.Latest() or shard.AtTime(t).
	// Latest is pinned to the time of the very first start, and children of a
	// reshard always begin at their first record, so that neither loses any.
	StartingPosition shard.Position

	// BisectBatchOnError splits a failing batch in two until the record at
	// fault stands alone. Splitting consumes no attempt.
	BisectBatchOnError bool
	// MaximumRetryAttempts is how often a failing record (without bisect: a
	// failing batch) is tried again before it is given up: default unlimited;
	// batching.AtMost(0) is one call.
	MaximumRetryAttempts batching.Limit
	// MaximumRecordAge gives records up that are older, by the service's time
	// of arrival: at least a minute, default 0, which is unlimited.
	MaximumRecordAge time.Duration
	// MinimumBackoff and MaximumBackoff bound the wait between attempts, which
	// doubles and is drawn at random below its bound: default 100 ms and 30 s,
	// or the other one if that lies beyond.
	MinimumBackoff, MaximumBackoff time.Duration
	// SetAside takes a record that goes on failing out of the way of other keys:
	// with what follows of its key it waits in memory and is called again, alone,
	// after one of its delays. Default: off, the whole lane waits. It holds the
	// checkpoint back all the same, up to MaximumInFlight. MaximumRetryAttempts
	// and MaximumRecordAge count over all of it. Without BisectBatchOnError the
	// handler has to name the record with batching.FailFrom.
	SetAside batching.SetAside
	// Park keeps a key aside whose record has failed after each of SetAside's
	// delays, or of which more waits than Park.Backlog, with all that follows of
	// it: in a table, so that the checkpoint and the other keys go on. Its records
	// are called again, in order, after Park.RetryEvery and when Consumer.Unpark
	// says so. Default: none is. Leases has to be a checkpoint.Parking.
	Park Park
	// HandlerTimeout ends the context of a call that takes longer: default 0,
	// which is no deadline. A handler that ignores its context keeps its lane.
	HandlerTimeout time.Duration

	// MaximumConcurrency is how many handler calls run at once in this process:
	// default 0, which is shards times ParallelizationFactor.
	MaximumConcurrency int
	// RecordsPerSecond bounds what handlers get in this process, to protect
	// what lies behind them: default 0, which is unbounded.
	RecordsPerSecond float64
	// KeyLimit bounds how much of one key a shard's lanes get, so that a key that
	// chatters (a tenant, with Key) waits and the others do not: default no
	// bound. What waits is in memory, and once MaximumInFlight records are in
	// flight the shard stops reading.
	KeyLimit batching.KeyLimit
	// Breaker stops calling the handler while what lies behind it is down: the
	// zero value never does.
	Breaker Breaker
	// MemoryBudget bounds the bytes of all records that this process holds,
	// from before they are read until they are finished: at least 32 MiB;
	// default a quarter of the process's memory limit (GOMEMLIMIT, or the
	// container's), or 256 MiB where there is none. When it is used up, reading
	// waits. A batch is a view of the read that it came in: until the last batch of
	// a read is done, the whole of it may stay in memory.
	MemoryBudget int64
	// MaximumInFlight is how many records of one shard may be read and not
	// finished before reading waits; a read is taken whole. Default 10,000, or
	// as many as the lanes' batches need. It bounds what is repeated after a
	// crash. When a key is stuck, the shard goes on with others up to here, and
	// then stops reading.
	MaximumInFlight int

	// CheckpointInterval is how often a shard's position is written at most,
	// default 10 s, and only if it moved. Shorter costs writes; longer repeats
	// more after a crash. A lease is never let go without a last write.
	CheckpointInterval time.Duration
	// LeaseDuration is how long a worker may be silent before others take its
	// shards: at least 3 s, default 10 s. The worker itself stops a fifth
	// earlier, so that two never work at once as long as their clocks' rates
	// differ by less than a quarter. All workers of an application must agree.
	LeaseDuration time.Duration
	// BesideKCL2 lets the fleet work beside workers of KCL 2.x on one lease table,
	// for as long as a move takes. Default false: a start that sees any is
	// refused. LeaseDuration must then be their failoverTimeMillis. Every lease is
	// renewed every third of it, by one write each, idle shards too, and is
	// believed only as long as that is answered; leases go from worker to worker by being
	// released, so that a worker that joins gets what is free, and nothing is
	// taken from or given to a worker of KCL. Records that a move of the position by KCL
	// would leave behind are kept nowhere: not with Handlers, Park, Positions,
	// TumblingWindow and a Stateful handler. All workers of the fleet need the
	// same setting. See docs/kcl.md.
	BesideKCL2 bool
	// MaximumLeases is how many shards this worker takes at most, default 0,
	// which is no limit.
	MaximumLeases int
	// DrainTimeout is how long a stop or a hand-over waits for running handlers
	// before it cancels them: default 25 s, below the 30 s that ECS and
	// Kubernetes grant. With several lanes the slowest uses it to come level
	// with the furthest; what it cannot reach is repeated. A smaller
	// MaximumInFlight keeps lanes closer together.
	DrainTimeout time.Duration

	// StallTimeout is how long a shard may get nowhere, while it has something to
	// do and nobody holds it back, before that is told (Hooks.ShardStalled) and,
	// where no lane is at work, its lease is let go and the shard begun anew: at
	// least 10 s, default 5 minutes. A handler that is at work for longer is told
	// of and left alone; HandlerTimeout bounds it.
	StallTimeout time.Duration

	// Until ends the run by itself; the zero value runs until its context ends.
	Until Until
	// OnLoss says what to do when records were trimmed before they were read.
	// The default, ContinueOnLoss, reports the window and goes on.
	OnLoss LossPolicy

	// Hooks are told what happens.
	Hooks Hooks
	// Logger gets what an operator should read: default slog.Default(). Payloads
	// and keys are never logged; what a handler says in its errors is, see
	// RedactError.
	Logger *slog.Logger
	// RedactError turns an error of a handler or a destination into the text that
	// is logged and stands in Status, for handlers whose errors quote records.
	// Default: Error(). Either is cut to 1 KiB. It must be quick and may run in
	// several goroutines. What destinations are sent has a RedactError of its own,
	// in their options; hooks are given the error itself.
	RedactError func(error) string
	// WorkerPrefix stands before the random part of the worker's id: default
	// the host's name. Printable, without '/', at most 128 bytes.
	WorkerPrefix string

	filters *filter.Set // Filters, compiled; nil if there are none
}

// Until is when a run ends by itself.
type Until struct {
	caughtUp bool
	arrival  bool // by Arrival, whatever its time is
	at       time.Time
}

// CaughtUp ends the run when every shard has been handled up to its tip. Shards
// of other workers that are seen to live are left to them.
func CaughtUp() Until { return Until{caughtUp: true} }

// Arrival ends the run when every shard has been handled up to the records that
// arrived at t or later, which are left for the next run.
func Arrival(t time.Time) Until { return Until{caughtUp: true, arrival: true, at: t} }

// LossPolicy is what to do about records that were trimmed unread.
type LossPolicy int

const (
	// ContinueOnLoss reports the window and goes on behind it.
	ContinueOnLoss LossPolicy = iota
	// StopOnLoss reports the window and ends the run with an error, the position
	// where it was.
	StopOnLoss
)

// Defaults of the fields whose zero value means them.
const (
	defaultBatchSize          = 100
	defaultBatchBytes         = 6 << 20
	defaultInFlight           = 10_000
	defaultCheckpointInterval = 10 * time.Second
	defaultLeaseDuration      = 10 * time.Second
	defaultDrainTimeout       = 25 * time.Second
	defaultStallTimeout       = 5 * time.Minute
	defaultCooldown           = 10 * time.Second
	leastMemoryBudget         = 32 << 20
)

// withDefaults is c with every zero field that has a default set to it.
func (c Config) withDefaults() Config {
	c.BatchSize = or(c.BatchSize, defaultBatchSize)
	c.MaximumBatchBytes = or(c.MaximumBatchBytes, defaultBatchBytes)
	c.ParallelizationFactor = or(c.ParallelizationFactor, 1)
	c.MaximumInFlight = or(c.MaximumInFlight, max(defaultInFlight, c.mostBatch()))
	// A bound that is set moves the default of the other, if need be.
	if c.MinimumBackoff == 0 {
		c.MinimumBackoff = batching.DefaultMinBackoff
		if c.MaximumBackoff > 0 {
			c.MinimumBackoff = min(c.MinimumBackoff, c.MaximumBackoff)
		}
	}
	if c.MaximumBackoff == 0 {
		c.MaximumBackoff = max(batching.DefaultMaxBackoff, c.MinimumBackoff)
	}
	c.Park = c.Park.withDefaults(&c)
	c.CheckpointInterval = or(c.CheckpointInterval, defaultCheckpointInterval)
	c.LeaseDuration = or(c.LeaseDuration, defaultLeaseDuration)
	if c.Breaker.Failures != 0 {
		c.Breaker.Cooldown = or(c.Breaker.Cooldown, defaultCooldown)
	}
	c.DrainTimeout = or(c.DrainTimeout, defaultDrainTimeout)
	c.StallTimeout = or(c.StallTimeout, defaultStallTimeout)
	if c.MemoryBudget == 0 {
		c.MemoryBudget = max(memoryLimit()/4, leastMemoryBudget)
	}
	if c.TumblingWindow != 0 {
		c.TumblingState = c.TumblingState.Or(batching.AtMost(defaultTumblingState))
	}
	if c.StartingPosition.Sequence == "" {
		c.StartingPosition = shard.TrimHorizon()
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.WorkerPrefix == "" {
		c.WorkerPrefix = hostName()
	}
	return c
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func hostName() string {
	name, err := os.Hostname()
	if err != nil || validPrefix(name) != nil {
		return "worker"
	}
	return name
}
