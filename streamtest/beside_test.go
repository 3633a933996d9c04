package streamtest_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
	"github.com/towpath/towpath/streamtest/awsfake/kinesisfake"
)

type kclShard = kinesisfake.Shard

// besideFailover is failoverTimeMillis of the mixed fleets, and their
// LeaseDuration.
const besideFailover = 5 * time.Second

// besideOwners notes since when the rows of a rig name their owners.
type besideOwners struct {
	rig   *streamtest.Rig
	mu    sync.Mutex
	since map[string]ownedSince
	late  []string // calls that began long after the shard had gone to another
}

type ownedSince struct {
	owner string
	at    time.Time
}

// watchOwnersBeside looks at the rows again and again until the end of ctx.
func watchOwnersBeside(ctx context.Context, rig *streamtest.Rig) *besideOwners {
	o := &besideOwners{since: map[string]ownedSince{}}
	o.rig = rig
	go func() { // ends with ctx
		for ctx.Err() == nil {
			o.look()
			time.Sleep(20 * time.Millisecond)
		}
	}()
	return o
}

func (o *besideOwners) look() {
	rows := o.rig.Rows()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, row := range rows {
		if o.since[row.Shard].owner != row.Owner {
			o.since[row.Shard] = ownedSince{row.Owner, time.Now()}
		}
	}
}

// began notes a call that begins: a worker may not have noticed that its shard was
// stolen for as long as it believes its last renewal, and no longer.
func (o *besideOwners) began(worker, shardID string) {
	o.look()
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.since[shardID]
	if s.owner == "" || strings.HasPrefix(s.owner, worker+"/") {
		return
	}
	if over := time.Since(s.at); over > besideFailover*4/5+100*time.Millisecond {
		o.late = append(o.late, fmt.Sprintf("%s began a call of %s %v after %s had got it", worker, shardID, over, s.owner))
	}
}

// A fleet of towpath and KCL 2 on one table lives through a minute of random
// faults: deaths of either kind, pauses, lost answers, throttling, reshards, gentle
// stops. Nothing is lost, no position or counter goes back, each row stays
// readable for KCL, and no worker goes on with a shard that another has got for
// longer than four fifths of the lease duration. A failing seed is tried again with
// -run TestFleetBesideKCL2UnderRandomFaults -seed N -seeds 1.
func TestFleetBesideKCL2UnderRandomFaults(t *testing.T) {
	n := *seeds
	if n == 25 { // not asked for
		n = 8
	}
	if raceEnabled {
		n = min(n, 2)
	}
	var stolen, taken atomic.Int64
	for i := range n {
		seed := *firstSeed + uint64(i)
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, k := besideFaults(t, rand.New(rand.NewPCG(seed, 5)))
				stolen.Add(s)
				taken.Add(k)
			})
		})
	}
	t.Logf("KCL stole %d leases, and handled in %d shards", stolen.Load(), taken.Load())
	if n >= 4 && stolen.Load() == 0 {
		t.Error("KCL has stolen nothing, so that nothing was tried")
	}
}

func besideFaults(t *testing.T, r *rand.Rand) (stolen, held int64) {
	rig := streamtest.New(t, 4)
	defer rig.Close()
	watching, endWatch := context.WithCancel(context.Background())
	defer endWatch()
	owners := watchOwnersBeside(watching, rig)
	takes := time.Duration(r.IntN(30)) * time.Millisecond
	names := 0
	var workers []*streamtest.Worker
	start := func() {
		names++
		name := fmt.Sprint("w", names)
		workers = append(workers, rig.Start(name, func(c *consumer.Config) {
			c.BesideKCL2, c.LeaseDuration, c.CheckpointInterval = true, besideFailover, 2*time.Second
			c.BatchSize = 1 + r.IntN(20)
			c.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
				if b.Valid() { // one that was held up on its way by a pause is not
					owners.began(name, b.Shard)
				}
				time.Sleep(takes)
				return nil
			})
		}))
	}
	var javas, ended []*kcl2
	startJava := func() {
		names++
		javas = append(javas, startKCL2(rig, fmt.Sprint("java", names), besideFailover, r.Uint64()))
	}
	killJava := func() {
		i := r.IntN(len(javas))
		javas[i].kill()
		ended = append(ended, javas[i])
		javas = append(javas[:i], javas[i+1:]...)
	}
	remove := func() *streamtest.Worker {
		i := r.IntN(len(workers))
		w := workers[i]
		workers = append(workers[:i], workers[i+1:]...)
		return w
	}
	defer func() {
		for len(javas) > 0 {
			killJava()
		}
		for _, k := range ended {
			stolen += int64(k.stolen)
		}
	}()
	start()
	start()
	rig.Await("the shards are held", func() bool { return len(rig.Rows()) == 4 })
	startJava()
	startJava()
	sky := newWeather(rig, r.Uint64())
	var heals []func()
	for began := time.Now(); time.Since(began) < 90*time.Second; time.Sleep(time.Duration(r.IntN(900)) * time.Millisecond) {
		rig.PutN(r.IntN(15), 11)
		switch r.IntN(26) {
		case 0:
			remove().Kill()
			start()
		case 1:
			w := remove()
			go w.Stop()
			start()
		case 2:
			heals = append(heals, workers[r.IntN(len(workers))].Pause())
		case 3:
			heals = append(heals, workers[r.IntN(len(workers))].Cut([]string{"dynamodb", "kinesis", ""}[r.IntN(3)]))
		case 4, 5, 6:
			for _, heal := range heals {
				heal()
			}
			heals = nil
		case 7:
			sky.lostAnswers.Store(r.Int64N(60))
		case 8:
			sky.throttled.Store(r.Int64N(200))
		case 9:
			sky.clear()
		case 10:
			reshard(rig, r)
		case 11, 12:
			if len(javas) > 0 {
				killJava()
			}
			startJava()
		case 13:
			if len(javas) > 1 {
				killJava()
			}
		case 14:
			if len(javas) < 3 {
				startJava()
			}
		}
	}
	for _, heal := range heals {
		heal()
	}
	sky.clear()
	for _, k := range javas {
		held += int64(len(k.held()))
	}
	calm := time.Now()
	rig.Await("everything finished", rig.AllDone)
	if took := time.Since(calm); took > 2*time.Minute {
		t.Errorf("everything was finished %v after the last fault, want two minutes at most", took)
	}
	owners.mu.Lock()
	defer owners.mu.Unlock()
	for _, late := range owners.late {
		t.Error(late)
	}
	return stolen, held
}

// Beside KCL 2, shards without records stay with workers that live: they are
// renewed. What KCL steals to have its share it steals one by one, and the losers
// drop it within a third of the lease duration.
func TestIdleShardsBesideKCL2StayWhereTheyAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 6)
		defer rig.Close()
		for _, name := range []string{"w1", "w2"} {
			rig.Start(name, func(c *consumer.Config) { c.BesideKCL2, c.LeaseDuration = true, besideFailover })
		}
		rig.Await("the shards are shared", func() bool { n := holdings(rig); return n["w1"] == 3 && n["w2"] == 3 })
		java := startKCL2(rig, "java1", besideFailover, 1)
		defer java.kill()
		rig.Await("KCL has its share", func() bool { return holdings(rig)["java1"] == 2 })
		owners := func() map[string]string {
			of := map[string]string{}
			for _, row := range rig.Rows() {
				of[row.Shard] = row.Owner
			}
			return of
		}
		before := owners()
		time.Sleep(5 * time.Minute)
		if after := owners(); !maps.Equal(before, after) {
			t.Errorf("the idle shards have moved from %v to %v", before, after)
		}
		if java.stolen != 2 {
			t.Errorf("KCL has stolen %d leases, want the two of its share", java.stolen)
		}
		java.kill()
		died := time.Now()
		rig.Await("its shards are taken over", func() bool { n := holdings(rig); return n["w1"] == 3 && n["w2"] == 3 })
		if took := time.Since(died); took < besideFailover*2/3 || took > 3*besideFailover {
			t.Errorf("the shards of a dead worker of KCL were taken over after %v", took)
		}
	})
}

// A fleet of towpath that was started on the rows of KCL and is stopped leaves
// rows that KCL reads and takes, at once, and nothing else in the table: a worker
// of KCL goes on where towpath was, and towpath again where KCL was.
func TestTableGoesFromKCLToTowpathAndBack(t *testing.T) {
	for _, beside := range []bool{false, true} {
		t.Run(fmt.Sprint("beside=", beside), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rig := streamtest.New(t, 3)
				defer rig.Close()
				for turn := range 3 {
					w := rig.Start(fmt.Sprint("w", turn), func(c *consumer.Config) {
						c.BesideKCL2, c.LeaseDuration = beside, besideFailover
					})
					rig.PutN(50, 7)
					if turn == 1 {
						if _, _, err := rig.AWS.Kinesis().Split(streamtest.Stream, shardName(0)); err != nil {
							t.Fatal(err)
						}
						rig.PutN(50, 7)
					}
					rig.Await("the records of towpath's turn", rig.AllDone)
					if _, err := w.Stop(); err != nil {
						t.Fatal(err)
					}
					for _, item := range rig.AWS.DynamoDB().Items(streamtest.Application) {
						row := leftRowOf(item)
						if !strings.HasPrefix(row.key, "shardId-") || row.owner != "" && !row.ended {
							t.Errorf("towpath left %s", item["leaseKey"].Text())
						}
					}
					before := rig.Ledger.Repeated()
					java := startKCL2(rig, fmt.Sprint("java", turn), besideFailover, uint64(turn))
					rig.PutN(50, 7)
					began := time.Now()
					rig.Await("the records of KCL's turn", rig.AllDone)
					if took := time.Since(began); took > 30*time.Second {
						t.Errorf("KCL was done after %v", took)
					}
					if n := rig.Ledger.Repeated() - before; n > 0 {
						t.Errorf("%d records were repeated by KCL after a gentle stop", n)
					}
					time.Sleep(5 * time.Second)
					java.kill()
				}
			})
		})
	}
}

// leftRow is what a stop leaves of a lease.
type leftRow struct {
	key, owner string
	ended      bool
}

func leftRowOf(item dynamofake.Item) leftRow {
	return leftRow{key: item["leaseKey"].Text(), owner: item["leaseOwner"].Text(), ended: item["checkpoint"].Text() == "SHARD_END"}
}
