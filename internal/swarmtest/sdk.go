package swarmtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/sqsdestination"
	"github.com/towpath/towpath/internal/dice"
	"github.com/towpath/towpath/internal/prooftest"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
	"github.com/towpath/towpath/streamtest/awsfake/kinesisfake"
)

// sdk is a world over the drivers and the SDK's clients, which call an AWS in the
// process: all that runs in production but the sockets.
type sdk struct {
	plan  *Plan
	realm realm
	rig   *streamtest.Rig
	sky   *sky
	trace *trace

	storming chan struct{} // closed at the end of the storm
	calmed   sync.WaitGroup

	fenced atomic.Int64 // tenures that ended because the lease was lost

	mu      sync.Mutex // guards what is below; never held while waiting
	workers map[string]*streamtest.Worker
	order   []string // names, as they were started
	storm   bool
	outage  bool
	garbled map[string]dynamofake.Item // rows that were edited by hand, as they were before
}

// SDK is a world over the SDK's clients, for one plan. Make it in the bubble. The
// plan's faults are joined by those that only such a world has.
func SDK(t testing.TB, p *Plan) World {
	w := &sdk{
		plan: p, realm: drawRealm(p), trace: newTrace(), sky: newSky(p.Seed), storming: make(chan struct{}),
		workers: map[string]*streamtest.Worker{}, storm: true, garbled: map[string]dynamofake.Item{},
	}
	options := []streamtest.Option{
		streamtest.WithSeed(p.Seed), streamtest.WithWitness(),
		streamtest.WithAWS(
			awsfake.WithLatency(0), awsfake.WithClock(func() time.Time { return time.Now().Add(w.realm.ahead) }),
			awsfake.WithKinesis(kinesisfake.WithIteratorTTL(w.realm.iterators)),
		),
		streamtest.WithReading(func(o *kinesisshards.Options) {
			o.PollFloor, o.PollCeiling, o.Limit = p.Settings.Poll, 2*p.Settings.Poll, sdkLimit
			// In every second world the memory of payloads is lent, and whoever still
			// looks at it when it has been given back is seen.
			o.Pooled = dice.Hash(p.Seed, 0, "pooled")&1 == 0
			o.Poison = o.Pooled
		}),
	}
	switch w.realm.source {
	case "table":
		w.rig = streamtest.NewTable(t, p.Shards, options...)
		w.rig.AWS.DynamoDB().IteratorsLast(w.realm.iterators)
	case "fan-out":
		w.rig = streamtest.New(t, p.Shards, append(options, streamtest.WithFanOut())...)
	default:
		w.rig = streamtest.New(t, p.Shards, options...)
	}
	w.rig.AWS.SQS().CreateQueue("failed")
	w.rig.Checker().Strict()
	if w.realm.source == "kinesis" {
		w.rig.Checker().Bounded(p.Settings.InFlight + sdkLimit)
	}
	w.rig.AWS.DynamoDB().OnWrite(w.wrote)
	w.rig.AWS.Intercept(w.sky.meets)
	w.rig.AWS.Trace(w.traced)
	if skies := w.realm.skies; len(skies) > 0 { // the first is that of the start
		w.sky.set(skies[0].weather)
		w.realm.skies = skies[1:]
	}
	w.calmed.Go(w.rage) // ends with the storm; awaited by Weather
	return w
}

// sdkLimit is how many records one read of a stream of Kinesis brings at most.
const sdkLimit = 60

const failedQueue = "https://sqs.us-east-1.amazonaws.com/000000000000/failed"

// wrote is told of every effective write.
func (w *sdk) wrote(table string, before, after dynamofake.Item) {
	if table != streamtest.Application {
		return
	}
	w.trace.note("row", before["leaseKey"].Text()+after["leaseKey"].Text(), after["leaseOwner"].Text()+" "+after["checkpointOwner"].Text()+
		" "+after["leaseCounter"].Text()+" "+after["checkpoint"].Text())
}

// traced is told of every call when it is over. What the queue has accepted is
// seen here, as the queue saw it, and not believed of a worker.
func (w *sdk) traced(e awsfake.Exchange) {
	if e.Service != queueService || !e.Applied || !bytes.Contains(e.Answer, []byte(`"MessageId"`)) {
		return
	}
	var in struct{ MessageBody string }
	if json.Unmarshal(e.Body, &in) != nil {
		return
	}
	envelope, err := destination.ParseEnvelope([]byte(in.MessageBody))
	if err != nil {
		return
	}
	w.rig.Checker().GaveUp(envelope.Failure)
	w.trace.note("gave up", envelope.Failure.Shard+envelope.First, "")
}

// draw is a number from 0 to 1 that is a function of the seed, of what it is drawn
// for, and of the time.
func (w *sdk) draw(words ...string) float64 {
	return float64(dice.Hash(w.plan.Seed, uint64(time.Now().UnixNano()), words...)>>11) / (1 << 53)
}

// strikes reports whether a fault of this rate does, while the storm lasts.
func (w *sdk) strikes(rate float64, words ...string) bool {
	if rate == 0 {
		return false
	}
	w.mu.Lock()
	storm := w.storm
	w.mu.Unlock()
	return storm && w.draw(words...) < rate
}

// Put implements World.
func (w *sdk) Put(key string, poison bool) {
	data := "sound"
	if poison {
		data = "poison"
	}
	w.rig.Put(key, data)
}

// Open implements World.
func (w *sdk) Open() (open []string) {
	if w.realm.source == "table" {
		for _, s := range w.rig.AWS.DynamoDB().StreamShards(streamtest.Table) {
			if s.Ending == "" {
				open = append(open, s.ID)
			}
		}
		return open
	}
	var shards []kinesisfake.Shard
	for _, s := range w.rig.AWS.Kinesis().Shards(streamtest.Stream) {
		if s.EndingSequenceNumber == "" {
			shards = append(shards, s)
		}
	}
	slices.SortFunc(shards, func(a, b kinesisfake.Shard) int { return shard.CompareSequences(a.StartingHashKey, b.StartingHashKey) })
	for _, s := range shards {
		open = append(open, s.ID)
	}
	return open
}

// Split implements World. A fleet of a small plan has ten shards at most.
func (w *sdk) Split(shardID string) {
	if w.realm.source == "table" {
		_ = w.rig.AWS.DynamoDB().SplitShard(streamtest.Table, shardID)
		return
	}
	_, _, _ = w.rig.AWS.Kinesis().Split(streamtest.Stream, shardID)
}

// Merge implements World. Shards of a table's stream never merge: all of them roll
// over instead.
func (w *sdk) Merge(shardID, adjacent string) {
	if w.realm.source == "table" {
		_ = w.rig.AWS.DynamoDB().Rollover(streamtest.Table)
		return
	}
	_, _ = w.rig.AWS.Kinesis().Merge(streamtest.Stream, shardID, adjacent)
}

// Trim implements World.
func (w *sdk) Trim(shardID string, n int) {
	if w.realm.source == "table" {
		_ = w.rig.AWS.DynamoDB().TrimStream(streamtest.Table, shardID, n)
		w.rig.Checker().WasTrimmed(shardID)
		return
	}
	upTo := ""
	for _, r := range w.rig.AWS.Kinesis().Records(streamtest.Stream) {
		if r.ShardID == shardID && !r.Trimmed && n > 0 {
			upTo, n = r.SequenceNumber, n-1
		}
	}
	if upTo != "" {
		_ = w.rig.AWS.Kinesis().Trim(streamtest.Stream, shardID, upTo)
		w.rig.Checker().WasTrimmed(shardID)
	}
}

func (w *sdk) worker(name string) *streamtest.Worker {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.workers[name]
}

// Start implements World.
func (w *sdk) Start(name string, rate float64) {
	ahead := time.Duration(dice.Hash(w.plan.Seed, 0, "boot", name) % uint64(1000*time.Hour))
	started := w.rig.StartOn(streamtest.Clock{Rate: rate, Ahead: ahead}, name, func(c *consumer.Config) { w.configure(name, c) })
	w.mu.Lock()
	defer w.mu.Unlock()
	w.workers[name] = started
	w.order = append(w.order, name)
}

// configure sets what a plan is about.
func (w *sdk) configure(name string, c *consumer.Config) {
	s := &w.plan.Settings
	c.ParallelizationFactor, c.BatchSize, c.MaximumBatchingWindow, c.BisectBatchOnError, c.MaximumRetryAttempts = s.Lanes, s.Batch, s.Window, s.Bisect, batching.AtMost(s.Retries)
	c.MaximumInFlight, c.CheckpointInterval, c.LeaseDuration, c.DrainTimeout = s.InFlight, s.Interval, s.Lease, s.Drain
	c.MinimumBackoff, c.MaximumBackoff, c.MemoryBudget = 20*time.Millisecond, 500*time.Millisecond, 8<<30
	c.Logger = slog.New(slog.DiscardHandler)
	c.Hooks.ShardLeft = func(e consumer.ShardLeftEvent) {
		if errors.Is(e.Cause, consumer.ErrLeaseLost) {
			w.fenced.Add(1)
		}
	}
	c.Handler = &task{w, name}
	c.OnFailure = &bin{w, name}
	if w.realm.queue {
		c.OnFailure = sqsdestination.Open(sqs.NewFromConfig(w.rig.Clients(name)), failedQueue)
	}
	if verbose != nil {
		c.Logger = verbose.With("w", name)
	}
}

// verbose gets the workers' logs, if a test wants them.
var verbose *slog.Logger

// Stop implements World.
func (w *sdk) Stop(name string) {
	by := w.worker(name)
	go by.Stop() // ends with the worker; awaited by Close
}

// Ended implements World.
func (w *sdk) Ended(name string) bool {
	select {
	case <-w.worker(name).Done():
		return true
	default:
		return w.rig.Dead(name)
	}
}

// Kill implements World.
func (w *sdk) Kill(name string) { w.worker(name).Kill() }

// Pause implements World.
func (w *sdk) Pause(name string) (resume func()) { return w.worker(name).Pause() }

// Cut implements World.
func (w *sdk) Cut(name, service string) (heal func()) {
	signed := map[string]string{"table": tableService, "stream": w.realm.sourceService()}[service]
	if dice.Hash(w.plan.Seed, uint64(time.Now().UnixNano()), "how", name)%2 == 0 {
		return w.rig.AWS.Blackhole(name, signed)
	}
	return w.worker(name).Cut(signed)
}

// Rows implements World.
func (w *sdk) Rows() []shard.Lease { return w.rig.Table() }

// DeleteRow implements World.
func (w *sdk) DeleteRow(key string) {
	w.rig.MayBeginAgain(key)
	_ = w.rig.AWS.DynamoDB().Delete(streamtest.Application, dynamofake.Item{"leaseKey": dynamofake.S(key)})
}

// sessions is the table of the workers' signs of life.
const sessions = streamtest.Application + "-sessions"

// DeleteSession implements World.
func (w *sdk) DeleteSession(name string) {
	for _, row := range w.rig.AWS.DynamoDB().Items(sessions) {
		if id := row["id"].Text(); w.Name(id) == name && id != name {
			_ = w.rig.AWS.DynamoDB().Delete(sessions, row)
		}
	}
}

// Weather implements World.
func (w *sdk) Weather(on bool) {
	w.mu.Lock()
	ends := w.storm && !on
	w.storm = on
	w.mu.Unlock()
	if !ends {
		return
	}
	close(w.storming)
	w.calmed.Wait()
	w.sky.clear()
	w.mend()
}

// Outage implements World.
func (w *sdk) Outage(on bool) {
	w.mu.Lock()
	w.outage = on
	w.mu.Unlock()
	w.sky.shut(queueService, on)
}

// Checker implements World.
func (w *sdk) Checker() *prooftest.Checker { return w.rig.Checker() }

// Name implements World.
func (w *sdk) Name(id string) string {
	name, _, _ := strings.Cut(id, "/")
	return name
}

// Trace implements World.
func (w *sdk) Trace() uint64 { return w.trace.sum() }

// Close implements World.
func (w *sdk) Close() { w.rig.End() }
