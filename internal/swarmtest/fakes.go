package swarmtest

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/internal/dice"
	"github.com/towpath/towpath/internal/prooftest"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
)

// fakes is a world over the fakes of the lease table and of the stream.
type fakes struct {
	plan    *Plan
	table   *checkpointtest.Table
	stream  *shardtest.Stream
	checker *prooftest.Checker
	trace   *trace
	start   time.Time

	mu      sync.Mutex // guards what is below; never held while waiting
	workers map[string]*worker
	order   []*worker // as they were started
	put     []prooftest.Item
	at      map[string][]int    // indices of put, by shard
	trimmed map[string]int      // records, by shard
	parents map[string][]string // by shard
	storm   bool
	outage  bool
}

// Fakes is a world over fakes, for one plan. Make it in the bubble.
func Fakes(p *Plan) World {
	w := &fakes{
		plan: p, table: checkpointtest.NewTable(), trace: newTrace(), start: time.Now(), workers: map[string]*worker{},
		at: map[string][]int{}, trimmed: map[string]int{}, parents: map[string][]string{}, storm: true,
	}
	w.stream = shardtest.NewStream(p.Shards, func(o *shardtest.Options) {
		o.Limit, o.Poll, o.BackOff = 100, p.Settings.Poll, p.Settings.Poll/2
	})
	w.checker = prooftest.New(w)
	w.checker.Strict()
	w.table.Interpose(w.beforeTable, w.afterTable)
	w.table.OnWrite(w.wrote)
	w.stream.Interpose(w.beforeStream)
	return w
}

// draw is a number from 0 to 1 that is a function of the seed, of what it is drawn
// for, and of the time.
func (w *fakes) draw(words ...string) float64 {
	return float64(dice.Hash(w.plan.Seed, uint64(time.Now().UnixNano()), words...)>>11) / (1 << 53)
}

// span draws a time of at least least and less than most.
func (w *fakes) span(least, most time.Duration, words ...string) time.Duration {
	return least + time.Duration(w.draw(words...)*float64(most-least))
}

// strikes reports whether a fault of this rate does, while the storm lasts.
func (w *fakes) strikes(rate float64, words ...string) bool {
	if rate == 0 {
		return false
	}
	w.mu.Lock()
	storm := w.storm
	w.mu.Unlock()
	return storm && w.draw(words...) < rate
}

func (w *fakes) worker(name string) *worker {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.workers[name]
}

var errLost = fmt.Errorf("injected: no answer")

// hang waits as a call does that is never answered.
func hang(ctx context.Context) error {
	if err := clock.Sleep(ctx, 20*time.Second); err != nil {
		return err
	}
	return errLost
}

// beforeTable is what a request to the table goes through.
func (w *fakes) beforeTable(ctx context.Context, c checkpointtest.Call) error {
	by := w.worker(c.Caller)
	if by == nil {
		return nil
	}
	by.gate.pass(c.Op, c.Key)
	w.trace.note(c.Op, c.Caller, c.Key)
	if by.isCut("table") {
		return hang(ctx)
	}
	weather := &w.plan.Weather
	took := w.span(time.Millisecond, 12*time.Millisecond, c.Caller, c.Op, c.Key, "took")
	switch {
	case w.strikes(weather.TableLate, c.Caller, c.Op, c.Key, "late") && changes(c.Op):
		return checkpointtest.Late{After: w.span(0, 2*w.plan.Settings.Lease, c.Caller, c.Op, c.Key, "after")}
	case w.strikes(weather.TableFails, c.Caller, c.Op, c.Key, "fails"):
		if err := clock.Sleep(ctx, took); err != nil {
			return err
		}
		return errLost
	case w.strikes(weather.TableSlow, c.Caller, c.Op, c.Key, "slow"):
		took += w.span(0, w.plan.Settings.Lease/2, c.Caller, c.Op, c.Key, "slower")
	}
	return clock.Sleep(ctx, took)
}

// changes reports whether an operation of the table writes.
func changes(op string) bool {
	switch op {
	case "list", "owned", "get", "session", "sessions", "sessionsnow", "control", "neighbours", "state", "prepare":
		return false
	}
	return true
}

// afterTable is what the answer goes through.
func (w *fakes) afterTable(ctx context.Context, c checkpointtest.Call) error {
	by := w.worker(c.Caller)
	if by == nil {
		return nil
	}
	by.gate.pass(c.Op, c.Key, "answer")
	weather := &w.plan.Weather
	if w.strikes(weather.TableLost, c.Caller, c.Op, c.Key, "lost") || by.isCut("table") {
		return hang(ctx)
	}
	if w.strikes(weather.TableSlow, c.Caller, c.Op, c.Key, "slow answer") {
		return clock.Sleep(ctx, w.span(0, w.plan.Settings.Lease, c.Caller, c.Op, c.Key, "slower answer"))
	}
	return nil
}

// beforeStream is what a call to the stream goes through.
func (w *fakes) beforeStream(ctx context.Context, c shardtest.Call) (mood shardtest.Mood, err error) {
	by := w.worker(c.Caller)
	if by == nil {
		return mood, nil
	}
	by.gate.pass(string(c.Op), c.Shard)
	w.trace.note(string(c.Op), c.Caller, c.Shard)
	if by.isCut("stream") {
		return mood, hang(ctx)
	}
	weather, op := &w.plan.Weather, string(c.Op)
	if err := clock.Sleep(ctx, w.span(2*time.Millisecond, 30*time.Millisecond, c.Caller, op, c.Shard, "took")); err != nil {
		return mood, err
	}
	if w.strikes(weather.StreamFails, c.Caller, op, c.Shard, "fails") {
		return mood, errLost
	}
	if c.Op == shardtest.List && w.strikes(weather.StreamStale, c.Caller, "stale") {
		mood.Stale = w.span(0, 5*time.Second, c.Caller, "staler")
	}
	if c.Op == shardtest.Next && w.strikes(weather.StreamShort, c.Caller, c.Shard, "short") {
		mood.Limit = int(w.draw(c.Caller, c.Shard, "shorter")*4) - 1
		if mood.Limit == 0 {
			mood.Limit = -1
		}
	}
	by.gate.pass(string(c.Op), c.Shard, "answer")
	return mood, nil
}

// wrote is told of every write of a lease row.
func (w *fakes) wrote(before, after shard.Lease) {
	if after.Key == "" {
		w.trace.note("row", before.Key, "gone")
		return
	}
	w.trace.note("row", after.String(), "")
	w.checker.Wrote(after)
}

// Count implements prooftest.World.
func (w *fakes) Count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.put)
}

// Records implements prooftest.World.
func (w *fakes) Records(known int) (records []prooftest.Item, count int, all bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clip(w.put[known:]), len(w.put), false
}

// Parents implements prooftest.World.
func (w *fakes) Parents(shardID string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.parents[shardID]
}

// Unlisted implements prooftest.World.
func (w *fakes) Unlisted(string) bool { return false }

// Trimmed implements prooftest.World.
func (w *fakes) Trimmed(r *prooftest.Item) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, i := range w.at[r.Shard][:w.trimmed[r.Shard]] {
		if w.put[i].Sequence == r.Sequence {
			return true
		}
	}
	return false
}

// Put implements World.
func (w *fakes) Put(key string, poison bool) {
	data := []byte("sound")
	if poison {
		data = []byte("poison")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.stream.Put(key, data)
	w.at[r.Shard] = append(w.at[r.Shard], len(w.put))
	w.put = append(w.put, prooftest.Item{Shard: r.Shard, Sequence: r.Sequence, Key: key, Keyed: true, Arrival: r.ArrivedAt})
}

// Open implements World.
func (w *fakes) Open() (open []string) {
	listed, err := w.stream.List(context.Background())
	if err != nil {
		return nil
	}
	listed = slices.DeleteFunc(listed, func(s shard.Shard) bool { return !s.Open() })
	slices.SortFunc(listed, func(a, b shard.Shard) int { return shard.CompareSequences(a.Hashes.Start, b.Hashes.Start) })
	for _, s := range listed {
		open = append(open, s.ID)
	}
	return open
}

// Split implements World.
func (w *fakes) Split(shardID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if lower, upper, err := w.stream.Split(shardID); err == nil {
		w.parents[lower], w.parents[upper] = []string{shardID}, []string{shardID}
	}
}

// Merge implements World.
func (w *fakes) Merge(shardID, adjacent string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if child, err := w.stream.Merge(shardID, adjacent); err == nil {
		w.parents[child] = []string{shardID, adjacent}
	}
}

// Trim implements World.
func (w *fakes) Trim(shardID string, n int) {
	w.mu.Lock()
	if w.stream.Trim(shardID, n) == nil {
		w.trimmed[shardID] = min(w.trimmed[shardID]+n, len(w.at[shardID]))
	}
	w.mu.Unlock()
	w.checker.WasTrimmed(shardID)
}

// Rows implements World.
func (w *fakes) Rows() []shard.Lease {
	rows, err := w.table.List(context.Background())
	if err != nil {
		return nil
	}
	return rows
}

// DeleteRow implements World.
func (w *fakes) DeleteRow(key string) {
	w.checker.MayBeginAgain(key)
	w.table.Remove(key)
}

// DeleteSession implements World.
func (w *fakes) DeleteSession(name string) {
	sessions, _ := w.table.Sessions(context.Background())
	for _, s := range sessions {
		if w.Name(s.ID) == name && s.Alive() {
			_ = w.table.Forget(context.Background(), s.ID, s.Inbox)
			_ = w.table.Leave(context.Background(), s.ID) // nobody is in the way
		}
	}
}

// Weather implements World.
func (w *fakes) Weather(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.storm = on
}

// Outage implements World.
func (w *fakes) Outage(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.outage = on
}

// Checker implements World.
func (w *fakes) Checker() *prooftest.Checker { return w.checker }

// Name implements World.
func (w *fakes) Name(id string) string {
	name, _, _ := strings.Cut(id, "/")
	return name
}

// Trace implements World.
func (w *fakes) Trace() uint64 { return w.trace.sum() }

// Close implements World.
func (w *fakes) Close() {
	w.mu.Lock()
	workers := slices.Clone(w.order)
	w.mu.Unlock()
	for _, by := range workers {
		by.wake()
		by.cancel()
	}
	for _, by := range workers {
		<-by.done
	}
	w.table.Settled()
}

// config is that of a worker.
func (w *fakes) config(by *worker) consumer.Config {
	s := &w.plan.Settings
	return consumer.Config{
		Name: "swarm", WorkerPrefix: by.name, Source: w.stream.As(by.name), Leases: w.table.As(by.name),
		Handler: &handler{by}, OnFailure: &dump{by}, Hooks: w.hooks(by), Logger: slog.New(slog.DiscardHandler),
		ParallelizationFactor: s.Lanes, BatchSize: s.Batch, MaximumBatchingWindow: s.Window, BisectBatchOnError: s.Bisect, MaximumRetryAttempts: batching.AtMost(s.Retries),
		MinimumBackoff: 20 * time.Millisecond, MaximumBackoff: 500 * time.Millisecond,
		MaximumInFlight: s.InFlight, CheckpointInterval: s.Interval, LeaseDuration: s.Lease, DrainTimeout: s.Drain, MemoryBudget: 8 << 30,
	}
}

func (w *fakes) hooks(by *worker) consumer.Hooks {
	return consumer.Hooks{
		ShardStarted: func(e consumer.ShardStartedEvent) { w.checker.Started(by.name, e.Worker, e.Shard, e.After, e.Fence) },
		ShardLeft:    func(e consumer.ShardLeftEvent) { w.checker.Left(by.name, e.Shard) },
		Loss:         func(e consumer.LossEvent) { w.checker.Lost(e.Loss) },
		SessionLost: func(e consumer.SessionEvent) {
			if e.Err != consumer.ErrStopping {
				by.lost.Add(1)
			}
		},
	}
}
