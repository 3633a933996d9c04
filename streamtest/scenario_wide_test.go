package streamtest_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
)

// A stream of more shards than one answer lists, whose token for the next page
// expires the first time it is used, and a lease table that is larger than one
// answer can be. Every shard is found, leased and read.
func TestScenario13MoreThanOneAnswerHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shards := 2100
		if raceEnabled {
			shards = 1100
		}
		rig := streamtest.New(t, shards)
		defer rig.Close()
		// Rows of another kind, which fill up more than an answer's megabyte.
		operator := rig.Config("operator")
		stream, err := operator.Source.Describe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := operator.Leases.Prepare(t.Context(), stream); err != nil {
			t.Fatal(err)
		}
		for i := range 4 {
			row := dynamofake.Item{
				"leaseKey": dynamofake.S(shardName(1_000_000 + i)), "entityType": dynamofake.S("NOTE"),
				"text": dynamofake.S(strings.Repeat("x", 300_000)),
			}
			if err := rig.AWS.DynamoDB().Put(streamtest.Application, row); err != nil {
				t.Fatal(err)
			}
		}
		listed, scanned, expired := 0, 0, false
		rig.AWS.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
			switch {
			case c.Operation == "Scan" && strings.Contains(string(c.Body), "ExclusiveStartKey"):
				scanned++
			case c.Operation == "ListShards":
				listed++
				if !expired && strings.Contains(string(c.Body), "NextToken") {
					expired = true
					return awsfake.Fail("ExpiredNextTokenException", 400)
				}
			}
			return awsfake.Fault{}
		})
		rig.PutN(100, 100)
		rig.Start("a")
		time.Sleep(2 * time.Second)
		if n := holdings(rig)["a"]; n != shards {
			t.Errorf("after two seconds %d shards of %d were leased", n, shards)
		}
		if !rig.AllDone() {
			t.Error("there are records that were not handled")
		}
		if listed < 3 || !expired || scanned == 0 {
			t.Errorf("%d calls for the listing, a token expired: %t, %d further pages of the table", listed, expired, scanned)
		}
	})
}
