package streamtest_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/streamtest"
)

// effectStorm is how long the faults last: many short storms find more than few
// long ones, as what happens to an effect happens within one lease.
const effectStorm = 12 * time.Second

var effectSeeds = flag.Int("effectseeds", 200, "how many seeds of the random faults over effects")

// applied is the table of what the handler does.
const applied = "applied"

// Every record has its effect exactly once, in DynamoDB, whatever happens to the
// fleet: deaths, pauses, cuts, lost and late answers, throttling, reshards and
// poison. A failing seed is tried again with -run TestEffectsHappenOnce -seed N
// -effectseeds 1.
func TestEffectsHappenOnce(t *testing.T) { eachEffectSeed(t, effectsOnce) }

// The same where the handler keeps effects and position in a database of its own.
func TestEffectsWithPositionsHappenOnce(t *testing.T) { eachEffectSeed(t, positionsOnce) }

func eachEffectSeed(t *testing.T, run func(*testing.T, *rand.Rand)) {
	n := *effectSeeds
	if raceEnabled {
		n = min(n, 3)
	}
	for i := range n {
		seed := *firstSeed + uint64(i)
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { run(t, rand.New(rand.NewPCG(seed, 9))) })
		})
	}
}

func effectsOnce(t *testing.T, r *rand.Rand) {
	rig := streamtest.New(t, 3)
	var late sync.WaitGroup
	defer late.Wait() // of workers that are being closed, too
	defer rig.Close()
	hand := dynamodb.NewFromConfig(rig.AWS.Config("hand"))
	if _, err := hand.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: aws.String(applied), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
	}); err != nil {
		t.Fatal(err)
	}
	batch, retries := 1+r.IntN(40), r.IntN(2) == 0
	takes := time.Duration(r.IntN(30)) * time.Millisecond
	storm(t, rig, r, effectStorm, "kinesis", reshard, func(name string) func(*consumer.Config) {
		dice := &lateClient{Client: dynamodb.NewFromConfig(rig.AWS.Config(name)), all: &late, dice: rand.New(rand.NewPCG(r.Uint64(), 3))}
		return func(c *consumer.Config) {
			c.LeaseDuration, c.CheckpointInterval, c.BatchSize = 5*time.Second, 2*time.Second, batch
			c.BisectBatchOnError, c.MaximumRetryAttempts = retries, batching.AtMost(1)
			c.Leases = dynamocheckpoint.Open(dice, streamtest.Application, func(o *dynamocheckpoint.Options) { o.CreateTables = true })
			c.Handler = consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error {
				time.Sleep(takes)
				tx := dynamocheckpoint.Tx(b)
				for i := range b.Records {
					if string(b.Records[i].Data) == "poison" {
						if retries {
							return errors.New("poison")
						}
						return batching.FailFrom(&b.Records[i], errors.New("poison"))
					}
					tx.Update(types.Update{
						TableName: aws.String(applied),
						Key:       map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: b.Shard + "/" + b.Records[i].Sequence}},

						UpdateExpression:          aws.String("ADD n :one"),
						ExpressionAttributeValues: map[string]types.AttributeValue{":one": &types.AttributeValueMemberN{Value: "1"}},
					})
				}
				return nil
			})
		}
	})
	rig.Await("every position to be written", func() bool { return settled(rig) })
	n := map[string]string{}
	for _, it := range rig.AWS.DynamoDB().Items(applied) {
		n[it["id"].Text()] = it["n"].Text()
	}
	judge(t, rig, func(id string) string { return n[id] })
}

// lateClient is a DynamoDB some of whose transactions are applied long after
// their caller has given them up.
type lateClient struct {
	dynamocheckpoint.Client
	all *sync.WaitGroup

	mu   sync.Mutex // guards the dice
	dice *rand.Rand
}

func (c *lateClient) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, options ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	c.mu.Lock()
	late, after := c.dice.IntN(20) == 0, time.Duration(c.dice.IntN(300))*time.Millisecond
	c.mu.Unlock()
	if !late {
		return c.Client.TransactWriteItems(ctx, in, options...)
	}
	c.all.Go(func() {
		time.Sleep(after)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		_, _ = c.Client.TransactWriteItems(ctx, in, options...)
	})
	return nil, errors.New("no answer")
}

// settled reports whether every shard's position is behind its last record.
func settled(rig *streamtest.Rig) bool {
	at := map[string]shard.Position{}
	for _, row := range rig.Rows() {
		at[row.Shard] = row.Checkpoint
	}
	for _, record := range rig.AWS.Kinesis().Records(streamtest.Stream) {
		if at[record.ShardID].Compare(shard.After(record.SequenceNumber, 0)) < 0 {
			return false
		}
	}
	return true
}

// judge wants one effect of every record that was handled, and none of poison.
func judge(t *testing.T, rig *streamtest.Rig, count func(id string) string) {
	t.Helper()
	gaveUp := map[string]bool{} // with poison its neighbours, where a batch is not split
	for _, f := range rig.Failed.Accepted() {
		for i := range f.Records {
			gaveUp[f.Shard+"/"+f.Records[i].Sequence] = true
		}
	}
	for _, record := range rig.AWS.Kinesis().Records(streamtest.Stream) {
		id := record.ShardID + "/" + record.SequenceNumber
		n, poison := count(id), string(record.Data) == "poison"
		// A record that was given up may be handled after all, by another owner.
		if n == "1" && !poison || n == "" && (poison || gaveUp[id]) {
			continue
		}
		t.Errorf("%s (poison: %v, given up: %v) was applied %q times", id, poison, gaveUp[id], n)
	}
}

func positionsOnce(t *testing.T, r *rand.Rand) {
	rig := streamtest.New(t, 3)
	defer rig.Close()
	db := checkpointtest.NewPositions()
	var mu sync.Mutex // guards the dice and the counts
	dice := rand.New(rand.NewPCG(r.Uint64(), 4))
	counts := map[string]int{}
	fails := func() bool { mu.Lock(); defer mu.Unlock(); return dice.IntN(15) == 0 }
	fault := func(string) error {
		if fails() {
			return errors.New("the connection broke")
		}
		return nil
	}
	db.Interfere(fault, fault)
	batch, takes := 1+r.IntN(40), time.Duration(r.IntN(30))*time.Millisecond
	storm(t, rig, r, effectStorm, "kinesis", reshard, func(name string) func(*consumer.Config) {
		return func(c *consumer.Config) {
			c.LeaseDuration, c.CheckpointInterval, c.BatchSize = 5*time.Second, 2*time.Second, batch
			c.Positions = reachable{db, rig, name}
			c.BisectBatchOnError = true
			c.Handler = consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error {
				time.Sleep(takes)
				fence := b.Fence()
				// The position stands behind what is done, so that the poison record
				// is given up before a transaction passes it.
				good := b.Records
				var poisoned error
				if i := slices.IndexFunc(good, func(r shard.Record) bool { return string(r.Data) == "poison" }); i == 0 {
					poisoned = batching.Reject(&good[0], errors.New("poison"))
					if len(good) > 1 {
						poisoned = errors.Join(poisoned, batching.FailFrom(&good[1], errors.New("behind poison")))
					}
					return poisoned
				} else if i > 0 {
					poisoned, good = batching.FailFrom(&good[i], errors.New("poison")), good[:i]
				}
				if rig.Dead(name) {
					return errors.New("the process is dead")
				}
				to := good[len(good)-1].Position()
				err := db.Commit(ctx, b.Shard, [2]int64{fence.Stream, fence.Counter}, to, func(after shard.Position) {
					mu.Lock()
					defer mu.Unlock()
					for i := range good {
						if at := good[i].Position(); at.Compare(after) > 0 {
							counts[b.Shard+"/"+at.Sequence]++
							rig.Ledger.Finish(b.Shard, at.Sequence, at.Sub) // should its answer be lost
						}
					}
				})
				if err != nil {
					return err
				}
				return poisoned
			})
		}
	})
	judge(t, rig, func(id string) string {
		mu.Lock()
		defer mu.Unlock()
		if n := counts[id]; n > 0 {
			return fmt.Sprint(n)
		}
		return ""
	})
}

// reachable is a database as one worker reaches it, while it lives.
type reachable struct {
	checkpoint.Positions
	rig  *streamtest.Rig
	name string
}

func (p reachable) Claim(ctx context.Context, c checkpoint.Claim) (shard.Position, bool, error) {
	if p.rig.Dead(p.name) {
		return shard.Position{}, false, errors.New("the process is dead")
	}
	return p.Positions.Claim(ctx, c)
}
