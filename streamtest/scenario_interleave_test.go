package streamtest_test

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/streamtest/awsfake"
)

const raced = "shardId-000000000000"

// script is what one host does, in order.
type script struct {
	host  string
	steps []string
}

// orders calls run with every order in which the steps of the scripts can be
// mixed, as indices of the scripts.
func orders(scripts []script, run func(order []int)) int {
	left, total := make([]int, len(scripts)), 0
	for i, s := range scripts {
		left[i] = len(s.steps)
		total += left[i]
	}
	n := 0
	var mix func(order []int)
	mix = func(order []int) {
		if len(order) == total {
			n++
			run(order)
			return
		}
		for i := range left {
			if left[i] > 0 {
				left[i]--
				mix(append(order, i))
				left[i]++
			}
		}
	}
	mix(make([]int, 0, total))
	return n
}

// runAll runs every order of the scripts, each over a table of its own.
func runAll(t *testing.T, scripts []script, table func() checkpoint.Leases) {
	refused, moved := 0, 0
	n := orders(scripts, func(order []int) {
		r := newRace(t, table())
		r.run(scripts, order)
		refused, moved = refused+r.refused, moved+r.moved
	})
	t.Logf("%d orders, %d writes refused, the lease changed hands %d times", n, refused, moved)
	if refused == 0 || moved == 0 {
		t.Error("there was no race at all")
	}
}

// raceScripts are the races: renewals, checkpoints and claims, with and without a
// hand-over that is asked for by a third.
var raceScripts = map[string][]script{
	"claim": {
		{"a", []string{"beat", "finish10", "save", "finish10", "save"}},
		{"b", []string{"look", "revoke", "take", "finish10", "save"}},
	},
	"late save": {
		{"a", []string{"finish10", "send", "finish10", "save", "arrive"}},
		{"b", []string{"look", "revoke", "take", "finish10", "save", "letgo"}},
	},
	"late save, there and back": {
		{"a", []string{"finish10", "send", "look", "take", "arrive"}},
		{"b", []string{"look", "revoke", "take", "finish10", "save", "letgo"}},
	},
	"late save, there and straight back": {
		{"a", []string{"finish10", "send", "look", "take", "arrive"}},
		{"b", []string{"look", "revoke", "take", "letgo"}},
	},
	"two claims": {
		{"a", []string{"finish10", "save", "reread", "letgo"}},
		{"b", []string{"look", "revoke", "take", "save"}},
		{"c", []string{"look", "take"}},
	},
	"hand-over": {
		{"a", []string{"finish10", "save", "reread", "letgo"}},
		{"b", []string{"look", "finish10", "save"}},
		{"c", []string{"look", "ask", "withdraw"}},
	},
	"hand-over and death": {
		{"a", []string{"finish10", "save", "reread", "letgo"}},
		{"b", []string{"look", "finish10", "save"}},
		{"c", []string{"look", "ask", "revoke", "take"}},
	},
}

// Renewals, checkpoints, claims, hand-overs and their withdrawal are mixed in
// every order there is, with zombies that stop only when a write of theirs is
// refused. The checkpoint never goes back, nobody but the holder moves it, the
// counter moves with every change but a request, and no claim is erased.
func TestScenario05EveryOrderOfConditionalWrites(t *testing.T) {
	for name, scripts := range raceScripts {
		t.Run(name, func(t *testing.T) {
			runAll(t, scripts, func() checkpoint.Leases { return checkpointtest.NewTable() })
		})
	}
}

// overDynamoDB makes new tables for each race.
func overDynamoDB() func() checkpoint.Leases {
	cloud := awsfake.New()
	client := dynamodb.NewFromConfig(cloud.Config("race"))
	return func() checkpoint.Leases {
		for _, name := range cloud.DynamoDB().Tables() {
			cloud.DynamoDB().DropTable(name)
		}
		return dynamocheckpoint.Open(client, "race", func(o *dynamocheckpoint.Options) { o.CreateTables = true })
	}
}

// The write that ended a hand-over arrives a second time while the same worker,
// which has got the lease back, is asked to hand it over once more. It is
// refused: the counter has moved.
func TestScenario06LateFinishMeetsTheNextHandover(t *testing.T) {
	for name, table := range map[string]func() checkpoint.Leases{
		"memory": func() checkpoint.Leases { return checkpointtest.NewTable() }, "DynamoDB": overDynamoDB(),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRace(t, table())
			for _, s := range [][2]string{
				{"a", "finish10"}, {"c", "look"}, {"c", "ask"}, {"a", "reread"}, {"a", "send"}, {"a", "letgo"},
				{"b", "look"}, {"b", "finish10"}, {"b", "save"}, {"c", "look"}, {"c", "ask for a"}, {"b", "reread"}, {"b", "letgo"},
				{"a", "look"}, {"c", "look"}, {"c", "ask"}, {"a", "finish arrives"},
			} {
				r.step(s[0], s[1])
				r.check(s[0], s[1])
			}
			if r.row.CheckpointOwner != "a" || r.row.Owner != "b" || number(r.row.Checkpoint) != 20 || r.refused != 1 {
				t.Errorf("the row is %s after %d refusals", r.row, r.refused)
			}
		})
	}
}

// Every order again, of the writes as they go to DynamoDB.
func TestScenario05EveryOrderOverDynamoDB(t *testing.T) {
	lease := overDynamoDB()
	for _, name := range []string{"claim", "late save", "late save, there and straight back", "hand-over"} {
		scripts := slices.Clone(raceScripts[name])
		for i, s := range scripts { // with fewer steps: each is a request
			scripts[i].steps = slices.DeleteFunc(slices.Clone(s.steps), func(step string) bool {
				return step == "beat" || s.host == "b" && (step == "finish10" || step == "save")
			})
		}
		t.Run(name, func(t *testing.T) { runAll(t, scripts, lease) })
	}
}
