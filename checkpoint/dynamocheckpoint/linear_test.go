package dynamocheckpoint_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/internal/dice"
	"github.com/towpath/towpath/internal/lineartest"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake"
)

var linearSeeds = flag.Int("linearseeds", 4, "how many histories of tables under faults are checked")

// players are the workers of the histories.
var players = []string{"anna", "bert", "cleo", "dora"}

// Requests are lost or arrive late, answers are lost or break off, calls are throttled, refused with a fault of
// the service and slow, and the SDK repeats what it thinks it may: there is one
// order of all attempts that explains what every worker was told. So a write
// that was repeated is applied once, or refuses its own repetition, and the
// parts of a transaction are seen together.
func TestTableIsLinearizableUnderFaults(t *testing.T) {
	for seed := range *linearSeeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			history := new(lineartest.History)
			synctest.Test(t, func(t *testing.T) {
				played(t, uint64(seed), awsfake.New(awsfake.WithLatency(2*time.Millisecond)), history, 100)
			})
			if err := history.Check(2 * time.Minute); err != nil {
				t.Error(err)
			}
			if answered, open := history.Size(); answered < 200 || open < 10 {
				t.Errorf("the history has %d answered calls and %d open requests, which proves little", answered, open)
			}
		})
	}
}

// A history follows from its seed, so that a test that has passed passes again.
func TestHistoriesFollowFromTheirSeeds(t *testing.T) {
	play := func() string {
		history := new(lineartest.History)
		synctest.Test(t, func(t *testing.T) {
			played(t, 3, awsfake.New(awsfake.WithLatency(2*time.Millisecond)), history, 100)
		})
		return history.String()
	}
	if first, second := play(), play(); first != second || len(first) < 10_000 {
		t.Errorf("two plays of one seed differ, or are short:\n%.2000s\n%.2000s", first, second)
	}
}

// A DynamoDB that keeps its word but for one thing is found out through the
// driver and the SDK.
func TestBrokenDynamoDBIsFoundOut(t *testing.T) {
	for name, breaking := range map[string]func(operation string, body map[string]any, random *rand.Rand){
		"it forgets a condition now and then": func(operation string, body map[string]any, random *rand.Rand) {
			if operation == "UpdateItem" && random.IntN(10) == 0 {
				unconditional(body)
			}
		},
		"its strong reads are not": func(operation string, body map[string]any, _ *rand.Rand) {
			if operation == "GetItem" {
				delete(body, "ConsistentRead")
			}
		},
		"its transactions leave a part out": func(operation string, body map[string]any, random *rand.Rand) {
			if parts, ok := body["TransactItems"].([]any); ok && len(parts) > 1 && random.IntN(2) == 0 {
				body["TransactItems"] = parts[:len(parts)-1]
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range 10 {
				history := new(lineartest.History)
				synctest.Test(t, func(t *testing.T) {
					fake := awsfake.New(awsfake.WithLatency(2 * time.Millisecond))
					broken := &distorting{Handler: fake.DynamoDB(), distort: breaking, random: rand.New(rand.NewPCG(uint64(seed), 7))}
					fake.Handle("dynamodb", broken)
					played(t, uint64(seed), fake, history, 60)
				})
				if err := history.Check(5 * time.Second); err != nil {
					t.Logf("seed %d: %.400v", seed, err)
					return
				}
			}
			t.Error("nobody noticed in ten histories")
		})
	}
}

// unconditional takes the condition out of an update, and the words that only it
// named, which DynamoDB would refuse.
func unconditional(body map[string]any) {
	delete(body, "ConditionExpression")
	update, _ := body["UpdateExpression"].(string)
	for _, words := range []string{"ExpressionAttributeValues", "ExpressionAttributeNames"} {
		named, _ := body[words].(map[string]any)
		for word := range named {
			if !strings.Contains(update+" ", word) {
				delete(named, word)
			}
		}
		if len(named) == 0 {
			delete(body, words)
		}
	}
}

// distorting changes requests before they are handled.
type distorting struct {
	http.Handler
	distort func(operation string, body map[string]any, random *rand.Rand)
	mu      sync.Mutex // protects random
	random  *rand.Rand
}

func (d *distorting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	var body map[string]any
	if err := json.NewDecoder(r.Body).Decode(&body); err == nil {
		d.mu.Lock()
		d.distort(operation, body, d.random)
		d.mu.Unlock()
		if changed, err := json.Marshal(body); err == nil {
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(changed)), int64(len(changed))
		}
	}
	d.Handler.ServeHTTP(w, r)
}

// played is a history of four workers upon one pair of tables, each over a
// connection with faults of its own.
func played(t *testing.T, seed uint64, fake *awsfake.AWS, history *lineartest.History, calls int) {
	fake.DynamoDB().Stale(30 * time.Millisecond) // what is not asked for strongly
	if err := opened(fake.Config("setup").HTTPClient, fake, "setup", seed).Prepare(t.Context(), shard.Stream{ARN: "arn:clicks"}); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex // protects what is drawn, should a caller's attempts overlap
	weather := map[string]*rand.Rand{}
	for i, name := range players {
		weather[name] = rand.New(rand.NewPCG(seed, uint64(i)))
	}
	fake.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
		mu.Lock()
		defer mu.Unlock()
		return fault(weather[c.Caller])
	})
	var workers sync.WaitGroup
	for i, name := range players {
		cuts := rand.New(rand.NewPCG(seed, uint64(200+i)))
		view := history.Record(opened(lineartest.Wire(fake.HTTPClient(), func(string) lineartest.Loss {
			mu.Lock()
			defer mu.Unlock()
			if cuts.IntN(30) == 0 {
				return lineartest.AnswerCut
			}
			return lineartest.Arrives
		}), fake, name, seed))
		workers.Go(func() {
			time.Sleep(time.Duration(i) * time.Microsecond) // no two begin at one instant
			view.Play(t.Context(), rand.New(rand.NewPCG(seed, uint64(100+i))), players, i, calls)
		})
	}
	workers.Wait()
}

// fault is what goes wrong with one attempt.
func fault(r *rand.Rand) awsfake.Fault {
	slow := awsfake.Delay(time.Duration(r.Int64N(int64(20 * time.Millisecond)))).
		And(awsfake.DelayAnswer(time.Duration(r.Int64N(int64(20 * time.Millisecond)))))
	switch r.IntN(30) {
	case 0:
		return slow.And(awsfake.Lose())
	case 1, 2:
		return slow.And(awsfake.LoseAnswer())
	case 3:
		return slow.And(awsfake.Fail("ProvisionedThroughputExceededException", http.StatusBadRequest))
	case 4:
		return slow.And(awsfake.Fail("InternalServerError", http.StatusInternalServerError))
	case 5: // until the caller has given up
		return awsfake.DelayAnswer(time.Minute)
	case 6:
		return awsfake.Delay(time.Minute)
	case 7: // when the caller has asked for other things
		return awsfake.ApplyLate(time.Duration(r.Int64N(int64(2 * time.Second))))
	}
	return slow
}

// opened is a worker's way to the tables. What the SDK draws follows from the seed.
func opened(road lineartest.Doer, fake *awsfake.AWS, name string, seed uint64) *dynamocheckpoint.Table {
	config := fake.Config(name)
	streamtest.Seed(&config, dice.Hash(seed, 0, name))
	config.HTTPClient = road
	return dynamocheckpoint.Open(dynamodb.NewFromConfig(config), "clicks", func(o *dynamocheckpoint.Options) {
		o.CreateTables = true
		o.Timeout = 500 * time.Millisecond
	})
}
