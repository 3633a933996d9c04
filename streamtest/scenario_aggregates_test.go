package streamtest_test

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/shard/kpl"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
)

// userRecords are n user records over so many keys, from number first on.
func userRecords(first, n, keys int) (users []kpl.User) {
	for i := first; i < first+n; i++ {
		users = append(users, kpl.User{PartitionKey: fmt.Sprint("user-", i%keys), Data: fmt.Append(nil, i)})
	}
	return users
}

// noted collects what handlers have finished, by payload.
type noted struct {
	mu     sync.Mutex
	counts map[string]int
	first  map[string]shard.Position // of each worker's first record
}

func newNoted() *noted {
	return &noted{counts: map[string]int{}, first: map[string]shard.Position{}}
}

// handler notes what it is given.
func (n *noted) handler(worker string) func(*consumer.Config) {
	return handling(func(_ context.Context, b *batching.Batch) error {
		n.mu.Lock()
		defer n.mu.Unlock()
		if _, begun := n.first[worker]; !begun {
			n.first[worker] = b.First().Position()
		}
		for i := range b.Records {
			n.counts[string(b.Records[i].Data)]++
		}
		return nil
	})
}

func (n *noted) of(data string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.counts[data]
}

func (n *noted) beginning(worker string) shard.Position {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.first[worker]
}

// disarm has nobody killed any more, and reports whether nobody was.
func (p *points) disarm() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at = 0
	return p.where == ""
}

// A worker is killed at every point of its life while it works off an aggregate of
// fifty user records in batches of four. Whoever takes over goes on within the
// aggregate: every user record is handled, those of a key in order, and no more
// of them again than were in flight or not yet written.
func TestScenario42KillAtEveryPointOfAnAggregate(t *testing.T) {
	t.Run("polling", func(t *testing.T) { killWithinAnAggregate(t, 1) })
	t.Run("fan-out", func(t *testing.T) { killWithinAnAggregate(t, 3, streamtest.WithFanOut()) })
}

// killWithinAnAggregate kills at every so many-th point.
func killWithinAnAggregate(t *testing.T, step int, options ...streamtest.Option) {
	const batch = 4
	within := 0 // takeovers that began within an aggregate
	run := func(t *testing.T, at int) (lived bool) {
		synctest.Test(t, func(t *testing.T) {
			rig := streamtest.New(t, 1, options...)
			defer rig.Close()
			rig.PutN(2, 2)
			rig.PutAggregate(userRecords(2, 50, 6)...)
			rig.PutN(1, 1)
			soon := func(c *consumer.Config) {
				c.LeaseDuration, c.BatchSize, c.ParallelizationFactor = 3*time.Second, batch, 2
				c.CheckpointInterval = 20 * time.Millisecond
			}
			p := &points{at: at}
			p.watch(rig, "dying", handling(lingering(10*time.Millisecond)), soon)
			for began := time.Now(); time.Since(began) < 400*time.Millisecond && p.seen() == ""; {
				time.Sleep(10 * time.Millisecond)
			}
			if lived = p.disarm(); lived {
				return
			}
			for _, row := range rig.Rows() {
				if row.Checkpoint.Sub > 0 && row.Checkpoint.Sub < 49 {
					within++
				}
			}
			rig.Start("next", soon)
			rig.Await(fmt.Sprintf("every record, after a death %s (%d)", p.seen(), at), rig.AllDone)
			if n := rig.Ledger.Repeated(); n > 2*batch*3 {
				t.Errorf("killed %s: %d records were repeated, want at most %d", p.seen(), n, 2*batch*3)
			}
			if n := rig.Ledger.Handled(); n != 53 {
				t.Errorf("killed %s: %d records were handled, want 53", p.seen(), n)
			}
		})
		return lived
	}
	at := 1
	if raceEnabled {
		step *= 7
	}
	for ; !run(t, at); at += step {
		if t.Failed() {
			t.Fatalf("it failed when killed at point %d", at)
		}
	}
	if at < 60 || within < max(1, at/step/10) {
		t.Errorf("there were %d points, and %d takeovers within the aggregate; want many more", at, within)
	}
	t.Logf("%d points, %d takeovers within the aggregate", at-1, within)
}

// The row names the user record that was finished last, as rows of the Kinesis
// Client Library do: one that is found in the table is gone on from, and one that
// is left behind says all there is to know.
func TestScenario42RowsNameUserRecords(t *testing.T) {
	for _, c := range []struct {
		name string
		sub  int64
		want int // the first that is handled
	}{
		{"the first user record", 0, 1}, {"within", 22, 23}, {"the last but one", 48, 49}, {"the last", 49, 50}, {"beyond the last", 70, 50},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rig := streamtest.New(t, 1)
				defer rig.Close()
				// A row as the library finds it that an earlier application left.
				first := rig.Start("first")
				rig.Await("a row", func() bool { return len(rig.Rows()) == 1 })
				if _, err := first.Stop(); err != nil {
					t.Fatal(err)
				}
				shardID, sequence := rig.PutAggregate(userRecords(0, 50, 7)...)
				_, plain := rig.Put("user-3", "50")
				for i := range c.want {
					rig.Ledger.Finish(shardID, sequence, int64(i)) // by the earlier one
				}
				row, ok := rig.AWS.DynamoDB().Item(streamtest.Application, dynamofake.Item{"leaseKey": dynamofake.S(shardID)})
				if !ok {
					t.Fatal("there is no row")
				}
				row["checkpoint"], row["checkpointSubSequenceNumber"] = dynamofake.S(sequence), dynamofake.N(c.sub)
				row["ownerSwitchesSinceCheckpoint"] = dynamofake.N(0)
				rig.PutRow(row)

				seen := newNoted()
				next := rig.Start("next", seen.handler("next"))
				rig.Await("every record", rig.AllDone)
				for i := range 51 {
					want := 1
					if i < c.want {
						want = 0
					}
					if got := seen.of(fmt.Sprint(i)); got != want {
						t.Errorf("record %d was handled %d times, want %d", i, got, want)
					}
				}
				want := shard.After(sequence, int64(c.want))
				if c.want == 50 {
					want = shard.After(plain, 0)
				}
				if got := seen.beginning("next"); got != want {
					t.Errorf("the first record was %s, want %s", got, want)
				}
				_, lastOf := rig.PutAggregate(userRecords(51, 5, 5)...)
				rig.Await("the aggregate behind it", rig.AllDone)
				if _, err := next.Stop(); err != nil {
					t.Fatal(err)
				}
				if at := rig.Rows()[0].Checkpoint; at != shard.After(lastOf, 4) {
					t.Errorf("the row stands at %s, want the last user record, %s/4", at, lastOf)
				}
			})
		})
	}
}

// Records that only look like aggregates are handled as they are: one of them
// cannot be understood by the handler, which rejects it, and it alone goes to the
// destination. The records around it are handled, and those with the right digest
// are told of.
func TestScenario43MalformedAggregatesAreDeliveredWhole(t *testing.T) {
	framed := func(message string) string {
		sum := md5.Sum([]byte(message))
		return "\xF3\x89\x9A\xC2" + message + string(sum[:])
	}
	wrong := []byte(framed("\x0a\x01k\x1a\x05\x08\x00\x1a\x01x"))
	wrong[len(wrong)-1]++
	for name, c := range map[string]struct {
		bad       string
		malformed int
	}{
		"digest":   {string(wrong), 0},
		"protobuf": {framed("this is no message"), 1},
		"index":    {framed("\x0a\x01k\x1a\x05\x08\x07\x1a\x01x"), 1},
		"cut":      {framed("\x0a\x01k\x1a\x05\x08\x00"), 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rig := streamtest.New(t, 1)
				defer rig.Close()
				rig.PutN(3, 3)
				rig.PutAggregate(userRecords(3, 10, 4)...)
				_, bad := rig.Put("user-1", c.bad)
				rig.PutAggregate(userRecords(14, 10, 4)...)
				rig.PutN(3, 3)
				var mu sync.Mutex
				malformed := 0
				w := rig.Start("w", func(cfg *consumer.Config) {
					cfg.BisectBatchOnError = true
					cfg.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
						var refused error
						for i := range b.Records {
							if !utf8.Valid(b.Records[i].Data) {
								refused = errors.Join(refused, batching.Reject(&b.Records[i], errors.New("no text")))
							}
						}
						return refused
					})
					cfg.Hooks.OddAggregates = func(e consumer.OddAggregatesEvent) {
						mu.Lock()
						defer mu.Unlock()
						malformed += e.Aggregates.Malformed
					}
				})
				rig.Await("every record", rig.AllDone)
				status := w.Consumer.Status().Shards[0]
				mu.Lock()
				defer mu.Unlock()
				if malformed != c.malformed || status.Malformed != int64(c.malformed) {
					t.Errorf("%d malformed were told and %d counted, want %d", malformed, status.Malformed, c.malformed)
				}
				if n := rig.Ledger.Handled(); n != 26 || rig.Ledger.Repeated() != 0 {
					t.Errorf("%d records were handled, %d of them again; want 26, none", n, rig.Ledger.Repeated())
				}
				given := rig.Failed.Accepted()
				if len(given) != 1 || len(given[0].Records) != 1 || given[0].Records[0].Sequence != bad || string(given[0].Records[0].Data) != c.bad {
					t.Fatalf("the destination has %d failures, want one, of the bad record as it was", len(given))
				}
			})
		})
	}
}

// An aggregate is on its way while its shard is split, and comes to one of the
// children with user records of the other in it. Its producer puts those again,
// into the shard that owns them, as the Kinesis Producer Library does. With every
// policy each user record is handled. What lies outside is handled twice by those
// that deliver it, and told of by those that look.
func TestScenario28AggregatesThatSpanAReshard(t *testing.T) {
	for _, policy := range []kpl.Policy{kpl.Deliver, kpl.Report, kpl.Drop} {
		t.Run(policy.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rig := streamtest.New(t, 1, streamtest.WithReading(func(o *kinesisshards.Options) { o.Aggregated = policy }))
				defer rig.Close()
				rig.Ledger.Unordered() // what is put again comes behind what was put later
				seen := newNoted()
				var mu sync.Mutex
				var odd shard.Aggregates
				rig.Start("w", seen.handler("w"), func(cfg *consumer.Config) {
					cfg.Hooks.OddAggregates = func(e consumer.OddAggregatesEvent) {
						mu.Lock()
						defer mu.Unlock()
						odd.Outside += e.Aggregates.Outside
						odd.Dropped += e.Aggregates.Dropped
					}
				})
				rig.PutAggregate(userRecords(0, 40, 40)...)
				rig.Await("what came before the split", rig.AllDone)
				splitShard(t, rig, firstShard)
				users := userRecords(40, 40, 40)
				shardID, _ := rig.PutAggregate(users...)
				home := hashesOf(t, rig, shardID)
				outside := slices.DeleteFunc(slices.Clone(users), func(u kpl.User) bool { return home.Holds(&u) })
				if len(outside) == 0 || len(outside) == len(users) {
					t.Fatalf("%d of %d user records lie outside, want some", len(outside), len(users))
				}
				again, _ := rig.PutAggregate(outside...)
				if again == shardID {
					t.Fatalf("what lies outside %s went there again", shardID)
				}
				rig.Await("every record", rig.AllDone)
				parentsFirst(t, rig)
				for i := range 80 {
					want := 1
					if policy != kpl.Drop && slices.ContainsFunc(outside, func(u kpl.User) bool { return string(u.Data) == fmt.Sprint(i) }) {
						want = 2
					}
					if got := seen.of(fmt.Sprint(i)); got != want {
						t.Errorf("user record %d was handled %d times, want %d", i, got, want)
					}
				}
				want := map[kpl.Policy]shard.Aggregates{
					kpl.Report: {Outside: len(outside)}, kpl.Drop: {Outside: len(outside), Dropped: len(outside)},
				}[policy]
				mu.Lock()
				defer mu.Unlock()
				if odd != want {
					t.Errorf("%+v was told, want %+v", odd, want)
				}
			})
		})
	}
}

// An aggregate that a producer without a look at the shards has put, and does not
// put again, comes in whole by default.
func TestScenario28NothingIsDroppedUnlessAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 8)
		defer rig.Close()
		rig.Ledger.Unordered() // keys of one shard are in aggregates of another
		for i := range 20 {
			rig.PutAggregate(userRecords(10*i, 10, 200)...)
		}
		rig.Start("w")
		rig.Await("every record", rig.AllDone)
		exactly(t, rig, 200)
	})
}

// The last record of a shard is an aggregate without user records: the shard ends
// all the same, and its children are worked.
func TestAShardEndsBehindAnEmptyAggregate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 1)
		defer rig.Close()
		rig.PutN(5, 3)
		keys := "\x0a\x01k" // nothing but a key, which no user record has
		sum := md5.Sum([]byte(keys))
		rig.Put("user-1", "\xF3\x89\x9A\xC2"+keys+string(sum[:]))
		rig.Start("w")
		rig.Await("every record", rig.AllDone)
		// At the tip its position is that of the record before, and it is not
		// taken for pending.
		time.Sleep(time.Minute)
		splitShard(t, rig, firstShard)
		rig.PutN(10, 5)
		rig.Await("the children", rig.AllDone)
		rig.Await("the parent's end", func() bool {
			return slices.ContainsFunc(rig.Rows(), func(l shard.Lease) bool { return l.Shard == firstShard && l.Finished() })
		})
		parentsFirst(t, rig)
		exactly(t, rig, 15)
	})
}

func hashesOf(t *testing.T, rig *streamtest.Rig, id string) kpl.Range {
	t.Helper()
	for _, s := range rig.AWS.Kinesis().Shards(streamtest.Stream) {
		if s.ID == id {
			return kpl.NewRange(shard.HashRange{Start: s.StartingHashKey, End: s.EndingHashKey})
		}
	}
	t.Fatalf("there is no shard %s", id)
	return kpl.Range{}
}
