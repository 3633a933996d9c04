package batching_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/shard"
)

var tiers = batching.SetAside{After: 2, Delays: []time.Duration{5 * time.Second, time.Minute}}

func TestPolicySetsAsideARecordThatStandsAlone(t *testing.T) {
	p := batching.Policy{Bisect: true, SetAside: tiers, MaximumRetryAttempts: batching.AtMost(4)}
	failed := batching.Outcome{Failed: true}
	for _, c := range []struct {
		name    string
		policy  batching.Policy
		segment batching.Segment
		outcome batching.Outcome
		want    string
	}{
		{"first failure: the lane tries again", p, batching.Segment{To: 1}, failed, "then [0,1)#1 in 0s…100ms"},
		{"second: aside for the first delay", p, batching.Segment{To: 1, Attempts: 1}, failed, "then [0,1)#2 aside in 5s"},
		{"third: for the second", p, batching.Segment{To: 1, Attempts: 2}, failed, "then [0,1)#3 aside in 1m0s"},
		{"fourth: the last delay again", p, batching.Segment{To: 1, Attempts: 3}, failed, "then [0,1)#4 aside in 1m0s"},
		{"attempts are bounded over all of it", p, batching.Segment{To: 1, Attempts: 4}, failed, "give up 1 after 5"},
		{"a range is halved first", p, batching.Segment{To: 4, Attempts: 3}, failed, "then [0,2) [2,4)"},
		{"RetryAfter burns none of it", p, batching.Segment{To: 1, Attempts: 3}, batching.Outcome{Failed: true, Delayed: true, After: time.Hour}, "then [0,1)#3 aside in 1h0m0s"},
		{"RetryAfter before that waits in the lane", p, batching.Segment{To: 1}, batching.Outcome{Failed: true, Delayed: true, After: time.Hour}, "then [0,1) in 1h0m0s"},
		{"a batch that names no record does not stand alone", batching.Policy{SetAside: tiers}, batching.Segment{To: 3, Attempts: 1}, failed, "then [0,3)#2 in 0s…200ms"},
		{"one that is named does", batching.Policy{SetAside: tiers}, batching.Segment{To: 3, Attempts: 1}, batching.Outcome{Failed: true, Partial: true}, "then [0,3)#2 aside in 5s"},
	} {
		if got := c.policy.Decide(c.segment, c.outcome).String(); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	if tiers.Spent(3) || !tiers.Spent(4) || (batching.SetAside{}).Spent(100) {
		t.Error("two delays are spent with the fourth failure and not before")
	}
}

func TestAssemblerTakesBackAndGivesOutInOrder(t *testing.T) {
	a := batching.NewAssembler(batching.Gathering{Records: 10, Window: time.Minute})
	for i, key := range []string{"a", "b", "a", "c"} {
		a.Add(shard.Record{PartitionKey: key, Data: []byte{byte('0' + i)}}, int64(i), 0, gateStart)
	}
	out := a.Extract(func(r *shard.Record) bool { return r.PartitionKey == "a" })
	if got := fmt.Sprint(out.Tickets); got != "[0 2]" || a.Len() != 2 {
		t.Errorf("took out %s and left %d, want [0 2] and 2", got, a.Len())
	}
	a.Return(batching.Gathered{Records: []shard.Record{{PartitionKey: "d"}}, Tickets: []int64{-7}})
	if !a.Due(gateStart) {
		t.Error("what was taken back waits for its window")
	}
	before := a.Bytes()
	all := a.Take()
	if got := fmt.Sprint(all.Tickets); got != "[-7 1 3]" || before != all.Bytes || a.Bytes() != 0 {
		t.Errorf("then there were %s with %d bytes of %d, want [-7 1 3]", got, all.Bytes, before)
	}
}

func TestKeyOfIsWhatOrderBelongsTo(t *testing.T) {
	r := shard.Record{PartitionKey: "k", Keyed: true, Sequence: "7"}
	own := batching.Lanes{Key: func(r *shard.Record) string { return "tenant" }}
	if got := (batching.Lanes{}).KeyOf(&r); got != "k" {
		t.Errorf("the key is %q, want the partition key", got)
	}
	if got := own.KeyOf(&r); got != "tenant" {
		t.Errorf("the key is %q, want the function's", got)
	}
	x, y := shard.Record{Sequence: "7"}, shard.Record{Sequence: "7", Sub: 1}
	if (batching.Lanes{}).KeyOf(&x) == (batching.Lanes{}).KeyOf(&y) {
		t.Error("two records without a key share one")
	}
}

func ExampleSetAside() {
	policy := batching.Policy{
		Bisect:   true,
		SetAside: batching.SetAside{After: 2, Delays: []time.Duration{5 * time.Second, time.Minute}},
	}
	alone := batching.Segment{From: 3, To: 4}
	for range 3 {
		v := policy.Decide(alone, batching.Outcome{Failed: true, Err: errors.New("no such account")})
		fmt.Println(v)
		alone = v.Next[0]
	}
	// Output:
	// then [3,4)#1 in 0s…100ms
	// then [3,4)#2 aside in 5s
	// then [3,4)#3 aside in 1m0s
}
