package streamtest_test

import (
	"context"
	"flag"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
)

var scaleShards = flag.Int("scale-shards", 0, "how many shards TestTenThousandShards has; default 10,000, and 300 with 20 workers under the race detector")

// Ten thousand shards and fifty workers that start at one instant on an empty
// table, with the real engine, drivers and SDK clients. All shards are owned and
// shared out within a minute. When five workers die, others work on their shards
// within twelve seconds. Meanwhile an idle fleet writes little more than its
// heartbeats, and its row of docs/cost.md is what it was counted to cost.
//
// Quiet shards are polled every ten minutes and not every second: what they ask
// of the stream is not what this is about, and it is most of what a fleet does.
func TestTenThousandShards(t *testing.T) {
	shards, workers, window := 10_000, 50, 90*time.Second
	if raceEnabled {
		shards, workers, window = 300, 20, 30*time.Second // fifteen times slower, and no less interleaved
	}
	whole := shards
	if *scaleShards > 0 {
		shards = *scaleShards
	}
	t.Cleanup(func(percent int) func() { return func() { debug.SetGCPercent(percent) } }(debug.SetGCPercent(400)))
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, shards)
		defer rig.Close()
		held := watchOwners(rig)
		began := time.Now()
		fleet := startQuiet(rig, workers, 10*time.Minute, held.started)
		living := fleet
		defer func() { stopAll(living) }()

		shared := func() bool {
			all, least, most := held.by(fleet)
			return all == shards && most-least <= 1
		}
		owned := awaitAtMost(time.Minute, func() bool { all, _, _ := held.by(fleet); return all == shards })
		even := awaitAtMost(time.Minute-time.Since(began), shared)
		all, least, most := held.by(fleet)
		if !shared() {
			t.Fatalf("after %v %d shards of %d are owned, %d to %d by each worker", time.Since(began), all, shards, least, most)
		}
		t.Logf("%d shards are owned after %v, and shared out after %v, with %s", shards, owned, owned+even, told(calls(rig.AWS)))

		time.Sleep(15 * time.Second) // until nobody is young any more, and the last plan is made
		idle := measure(rig, window)
		t.Logf("idle: %s", idle)
		if beats := idle.per("UpdateItem", streamtest.Application+"-sessions"); beats < 0.9*float64(workers) || beats > 1.12*float64(workers) {
			t.Errorf("%.1f heartbeats a second, want %d with a tenth of jitter", beats, workers)
		}
		if n := idle.writes(); n > 1.2*float64(workers) {
			t.Errorf("an idle fleet writes %.1f times a second, want at most %d", n, workers*6/5)
		}
		if shards == whole && !raceEnabled {
			idle = idle.withReadings(rig, workers)
			checkCost(t, size{shards, workers}, "idle", idle)
			// All of them busy, by what one checkpoint costs: see the document.
			checkCost(t, size{shards, workers}, "busy", idle.withCheckpoints(float64(shards)/checkpointEvery.Seconds()))
		}

		before := calls(rig.AWS)
		died := map[string]bool{}
		living = fleet[:workers-5]
		for _, w := range fleet[workers-5:] {
			w.Kill()
			died[w.Name] = true
		}
		lost := held.begin(died)
		if len(lost) < 5*(shards/workers) {
			t.Fatalf("the dead held %d shards of %d", len(lost), shards)
		}
		took := awaitAtMost(12*time.Second, func() bool { return held.startedAgain(lost) })
		if !held.startedAgain(lost) {
			all, least, most := held.by(living)
			t.Errorf("%v after five workers died, %d shards of %d are owned by the others, %d to %d by each", took, all, shards, least, most)
		}
		t.Logf("the %d shards of five dead workers were worked by others after %v, with %s", len(lost), took, told(minus(calls(rig.AWS), before)))
	})
}

// startQuiet starts workers at one instant whose quiet shards are hardly polled.
func startQuiet(rig *streamtest.Rig, workers int, poll time.Duration, changes ...func(*consumer.Config)) []*streamtest.Worker {
	var fleet []*streamtest.Worker
	for i := range workers {
		name := fmt.Sprintf("w%02d", i)
		client := kinesis.NewFromConfig(rig.AWS.Config(name))
		quiet := func(c *consumer.Config) {
			c.Source = kinesisshards.Open(client, streamtest.Stream, func(o *kinesisshards.Options) { o.PollFloor, o.PollCeiling = poll, poll })
		}
		fleet = append(fleet, rig.Start(name, append(changes, quiet)...))
	}
	return fleet
}

// stopAll stops workers at one instant: one after the other, each would give all
// it has to the rest.
func stopAll(fleet []*streamtest.Worker) {
	var all sync.WaitGroup
	for _, w := range fleet {
		all.Go(func() { w.Stop() })
	}
	all.Wait()
}

// awaitAtMost lets time pass until cond holds, and returns how long that took. To
// ask costs nothing here.
func awaitAtMost(limit time.Duration, cond func() bool) time.Duration {
	began := time.Now()
	for !cond() && time.Since(began) < limit {
		time.Sleep(50 * time.Millisecond)
	}
	return time.Since(began)
}

// owners is who holds each shard, kept up with every write of the lease table,
// and who has begun to work it: to ask the whole table each time would take
// longer than the fleet does.
type owners struct {
	mu     sync.Mutex
	of     map[string]string // worker's name by shard
	held   map[string]int    // shards by worker
	starts map[string]bool   // shards that were started since begin
}

func watchOwners(rig *streamtest.Rig) *owners {
	o := &owners{of: map[string]string{}, held: map[string]int{}, starts: map[string]bool{}}
	rig.AWS.DynamoDB().OnWrite(func(table string, _, after dynamofake.Item) {
		if table != streamtest.Application || after == nil {
			return
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		key, owner := after["leaseKey"].Text(), nameOf(after["leaseOwner"].Text())
		o.held[o.of[key]]--
		o.of[key] = owner
		o.held[owner]++
	})
	return o
}

// started notes the shards that a worker begins to work, as a change of its config.
func (o *owners) started(c *consumer.Config) {
	c.Hooks.ShardStarted = func(e consumer.ShardStartedEvent) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.starts[e.Shard] = true
	}
}

// by is how many shards these workers hold together, and how many the one with
// the least and the one with the most.
func (o *owners) by(workers []*streamtest.Worker) (all, least, most int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	least = 1 << 30
	for _, w := range workers {
		n := o.held[w.Name]
		all, least, most = all+n, min(least, n), max(most, n)
	}
	return all, least, most
}

// begin forgets what was started before, and returns the shards of some workers.
func (o *owners) begin(workers map[string]bool) (shards []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.starts)
	for id, worker := range o.of {
		if workers[worker] {
			shards = append(shards, id)
		}
	}
	return shards
}

// startedAgain reports whether all these shards have been started since begin.
func (o *owners) startedAgain(shards []string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range shards {
		if !o.starts[id] {
			return false
		}
	}
	return true
}

// The pages of the listing and of the table are refused again and again, because
// a whole fleet asks for them. What has been read is not read a second time, and
// all shards are owned.
func TestScenario13ThrottledPagesAreGoneOnFrom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shards := 2100
		if raceEnabled {
			shards = 1100
		}
		rig := streamtest.New(t, shards)
		defer rig.Close()
		held := watchOwners(rig)
		var mu sync.Mutex
		pages, refused, begun := 0, 0, map[string]int{}
		rig.AWS.Intercept(awsfakeThrottle(&mu, func(operation, body string) bool {
			pages++
			if !strings.Contains(body, "NextToken") && !strings.Contains(body, "ExclusiveStart") {
				begun[operation]++
			}
			if pages%4 == 0 {
				return false
			}
			refused++ // three in a row: more than the SDK repeats by itself
			return true
		}))
		fleet := startQuiet(rig, 3, time.Minute)
		defer stopAll(fleet)
		took := awaitAtMost(time.Minute, func() bool { all, _, _ := held.by(fleet); return all == shards })
		mu.Lock()
		defer mu.Unlock()
		if all, _, _ := held.by(fleet); all != shards {
			t.Errorf("after %v %d shards of %d are owned; %d of %d pages were refused, begun %v", took, all, shards, refused, pages, begun)
		}
		t.Logf("owned after %v, %d of %d pages were refused, first pages %v", took, refused, pages, begun)
	})
}

// awsfakeThrottle refuses the pages of listings and of the lease table that
// refuse says.
func awsfakeThrottle(mu *sync.Mutex, refuse func(operation, body string) bool) func(ctx context.Context, c awsfake.Call) awsfake.Fault {
	return func(_ context.Context, c awsfake.Call) awsfake.Fault {
		code := ""
		switch {
		case c.Operation == "ListShards":
			code = "LimitExceededException"
		case c.Operation == "Scan" && !strings.Contains(string(c.Body), "-sessions"):
			code = "ProvisionedThroughputExceededException"
		default:
			return awsfake.Fault{}
		}
		mu.Lock()
		defer mu.Unlock()
		if refuse(c.Operation, string(c.Body)) {
			return awsfake.Fail(code, 400)
		}
		return awsfake.Fault{}
	}
}
