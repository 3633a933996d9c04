package dynamocheckpoint

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/shard"
)

// crowded is a table of three pages, each of which is refused so many times before
// it is given. It says which pages it was asked for.
type crowded struct {
	Client
	refusals int
	refused  int
	asked    string
}

func (c *crowded) Scan(_ context.Context, in *dynamodb.ScanInput, _ ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	page := (&reading{row: in.ExclusiveStartKey}).text("leaseKey")
	c.asked += page + "."
	if c.refused < c.refusals {
		c.refused++
		return nil, &types.ProvisionedThroughputExceededException{}
	}
	c.refused = 0
	out := &dynamodb.ScanOutput{Items: []item{rowOf(shard.Lease{Key: page + "x", Shard: page + "x", Checkpoint: shard.TrimHorizon()})}}
	if len(page) < 2 {
		out.LastEvaluatedKey = item{"leaseKey": text(page + "x")}
	}
	return out, nil
}

func TestListGoesOnFromThePageThatWasThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &crowded{refusals: 2}
		rows, err := Open(c, "clicks").List(t.Context())
		if err != nil || len(rows) != 3 {
			t.Errorf("got %v, %v, want three rows", rows, err)
		}
		if want := "...x.x.x.xx.xx.xx."; c.asked != want {
			t.Errorf("asked for the pages %s, want %s: each three times, and none again", c.asked, want)
		}
		c.refusals = 1 << 30
		began := time.Now()
		var throttled *types.ProvisionedThroughputExceededException
		if _, err := Open(c, "clicks").List(t.Context()); !errors.As(err, &throttled) || time.Since(began) > 25*time.Second {
			t.Errorf("got %v after %v, want throttling told in half a minute", err, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		if _, err := Open(c, "clicks").List(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > time.Second {
			t.Errorf("got %v after %v, want the end of the context at once", err, time.Since(began))
		}
	})
}
