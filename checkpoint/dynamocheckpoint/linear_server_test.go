package dynamocheckpoint_test

import (
	"flag"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/internal/lineartest"
	"github.com/towpath/towpath/internal/servertest"
	"github.com/towpath/towpath/shard"
)

var serverHistories = flag.Int("serverhistories", 3, "how many histories of each server are checked")

// Before what a server says is believed anywhere else, it shows that its
// conditional updates, its transactions and its strong reads are what DynamoDB
// promises, under clients at once whose requests and answers get lost.
func TestServerIsLinearizable(t *testing.T) {
	for _, name := range []string{"dynamodb", "aws"} {
		t.Run(name, func(t *testing.T) {
			config := servertest.Config(t, name)
			table := open(t, dynamodb.NewFromConfig(config))
			if err := table.Prepare(t.Context(), shard.Stream{ARN: "arn:clicks"}); err != nil {
				t.Fatal(err)
			}
			for seed := range *serverHistories {
				table.empty(t) // and with it who the tables belong to
				history := new(lineartest.History)
				var workers sync.WaitGroup
				for i := range players {
					var mu sync.Mutex
					random := rand.New(rand.NewPCG(uint64(seed), uint64(i)))
					config := config.Copy()
					config.Retryer = func() aws.Retryer { // its waits between attempts are real ones here
						return retry.AddWithMaxBackoffDelay(retry.NewStandard(), 10*time.Millisecond)
					}
					config.HTTPClient = lineartest.Wire(http.DefaultClient, func(string) lineartest.Loss {
						mu.Lock()
						defer mu.Unlock()
						switch random.IntN(30) {
						case 0:
							return lineartest.RequestLost
						case 1, 2:
							return lineartest.AnswerLost
						case 3:
							return lineartest.AnswerCut
						}
						return lineartest.Arrives
					})
					view := history.Record(dynamocheckpoint.Open(dynamodb.NewFromConfig(config), table.name))
					workers.Go(func() {
						view.Play(t.Context(), rand.New(rand.NewPCG(uint64(seed), uint64(100+i))), players, i, 120)
					})
				}
				workers.Wait()
				began := time.Now()
				if err := history.Check(2 * time.Minute); err != nil {
					t.Errorf("history %d: %v", seed, err)
				}
				answered, open := history.Size()
				t.Logf("history %d: %d answered calls, %d open requests, judged in %v", seed, answered, open, time.Since(began).Round(time.Millisecond))
				if answered < 200 {
					t.Errorf("history %d has %d answered calls, which proves little", seed, answered)
				}
			}
		})
	}
}
