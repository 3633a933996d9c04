package kinesisshards_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest/awsfake/kinesisfake"
)

var cutSeeds = flag.Int("fanout.seeds", 3, "how many seeds of a thousand cuts each TestFanOutSurvivesAThousandCuts tries")

// Whatever happens to subscriptions, a thousand times over, every record comes
// once and in order. The reader is sometimes slow, now and then slower than a
// subscription lives.
func TestFanOutSurvivesAThousandCuts(t *testing.T) {
	for seed := range uint64(*cutSeeds) {
		var change func(*kinesisshards.FanOut)
		if seed%3 == 2 {
			change = neverPoll
		}
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			subscribing(t, func(t *testing.T, w *world, told *events) {
				c := &cutter{world: w, rng: rand.New(rand.NewPCG(seed, 1))}
				over := make(chan struct{})
				var acting, feeding sync.WaitGroup
				acting.Go(func() {
					defer close(over)
					c.run(1000)
				})
				feeding.Go(func() {
					rng := rand.New(rand.NewPCG(seed, 2))
					for {
						select {
						case <-over:
							w.put(1)
							return
						case <-time.After(time.Duration(rng.IntN(2000)) * time.Millisecond):
							w.put(1 + rng.IntN(4))
						}
					}
				})
				reads := rand.New(rand.NewPCG(seed, 3))
				r := w.listen(w.source, shard.Start{})
				for {
					_ = r.step() // kept in errs
					switch n := reads.IntN(1000); {
					case n == 0:
						time.Sleep(6 * time.Minute)
					case n < 200:
						time.Sleep(time.Duration(reads.IntN(3000)) * time.Millisecond)
					}
					select {
					case <-over:
					default:
						continue
					}
					break
				}
				acting.Wait()
				feeding.Wait()
				r.until(len(w.names))
				r.run(10 * time.Second).has(w.names...)
				if len(r.loss) > 0 || c.hit < 900 {
					t.Errorf("losses %v; %d of 1000 cuts hit a subscription, want most", r.loss, c.hit)
				}
				t.Logf("%d records, %d errors, %d skipped; %d cuts hit; subscribed %d, ended %d, cut %d, silent %d, refused %d, in use %d; %d reads by polling",
					len(r.records), len(r.errs), r.skipped, c.hit, told.count(kinesisshards.FanOutSubscribed), told.count(kinesisshards.FanOutEnded),
					told.count(kinesisshards.FanOutCut), told.count(kinesisshards.FanOutSilent), told.count(kinesisshards.FanOutRefused),
					told.count(kinesisshards.FanOutInUse), w.count("GetRecords"))
			}, change, kinesisfake.WithConsumerTime(2*time.Second))
		})
	}
}

// cutter does harm to the subscriptions of a world.
type cutter struct {
	*world
	rng    *rand.Rand
	hit    int // how often there was a subscription to harm
	healed sync.WaitGroup
}

// run does harm n times, each when there is a subscription to harm or there was
// none for long, and heals it all.
func (c *cutter) run(n int) {
	for range n {
		began := time.Now()
		for len(c.fake.Subscriptions(clicks)) == 0 && time.Since(began) < 10*time.Minute {
			time.Sleep(500 * time.Millisecond)
		}
		if len(c.fake.Subscriptions(clicks)) > 0 {
			c.hit++
		}
		time.Sleep(time.Duration(c.rng.IntN(10_000)) * time.Millisecond)
		c.harm()
	}
	c.healed.Wait()
}

func (c *cutter) harm() {
	short := time.Duration(c.rng.IntN(5000)) * time.Millisecond
	long := time.Duration(c.rng.IntN(60)) * time.Second
	codes := []string{
		"InternalFailureException", "KMSThrottlingException", "KMSDisabledException", "ResourceInUseException", "LimitExceededException", "ResourceNotFoundException",
	}
	code := codes[c.rng.IntN(len(codes))]
	switch c.rng.IntN(11) {
	case 0:
		c.fake.EndSubscriptions(clicks, "", "")
	case 1:
		c.fake.FailSubscriptions(clicks, "", "", code)
	case 2, 3:
		c.fake.TearSubscriptions(clicks, "", "")
	case 4:
		c.after(long, c.fake.SilenceSubscriptions(clicks, "", ""))
	case 5:
		c.fake.EndSubscriptions(clicks, "", "")
		// It may be refused because the consumer is gone.
		_ = c.fake.RefuseSubscribe(clicks, application, shard0, code, 1+c.rng.IntN(3))
	case 6, 7:
		c.after(short, c.aws.Cut("tester", "kinesis"))
	case 8:
		c.after(long, c.aws.Blackhole("tester", "kinesis"))
	case 9:
		c.fake.RepeatEvents(clicks, "", "", 1+c.rng.IntN(2))
	case 10:
		c.healed.Go(func() {
			rival := c.listen(c.worker("rival"), shard.Start{After: shard.Latest()})
			rival.run(short)
			rival.close()
		})
	}
	if c.rng.IntN(100) == 0 {
		_ = c.fake.DeregisterConsumer(clicks, application) // or it has just been
	}
}

func (c *cutter) after(d time.Duration, heal func()) {
	c.healed.Go(func() {
		time.Sleep(d)
		heal()
	})
}
