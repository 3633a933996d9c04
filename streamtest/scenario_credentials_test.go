package streamtest_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/towpath/towpath/streamtest"
)

// A worker that is given no credentials for a while is like one that is cut off:
// its shards go to another, and it works again, in the same process, once it has
// some.
func TestScenarioCredentialsFailForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failing atomic.Bool
		rig := streamtest.New(t, 4, streamtest.WithClients(func(worker string, cfg *aws.Config) {
			given := cfg.Credentials
			cfg.Credentials = aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
				if worker == "a" && failing.Load() {
					return aws.Credentials{}, errors.New("the role cannot be assumed")
				}
				return given.Retrieve(ctx)
			})
		}))
		defer rig.Close()
		two(rig, 4)
		stop := flow(t, rig, 20*time.Millisecond)
		failing.Store(true)
		rig.Await("b has all", holds(rig, "b", 4))
		failing.Store(false)
		rig.Await("both work again", everyHolder(rig, 4, "a", "b"))
		stop()
		rig.Await("all done", rig.AllDone)
	})
}
