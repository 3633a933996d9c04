package modelcheck

import (
	"testing"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/shard"
)

// Whatever a handler answers and a destination does, the position passes nothing
// that is not settled, and nothing is forgotten.
func TestBatchesHold(t *testing.T) {
	policy := batching.Policy{MaximumRetryAttempts: batching.AtMost(1), CanReject: true}
	holds(t, "retries and rejects", Batches{Records: 5, Crashes: 1, Policy: policy}.Model)
	policy.Bisect = true
	holds(t, "bisecting", Batches{Records: 5, Crashes: 1, Policy: policy}.Model)
	policy.CanReject, policy.MaximumRetryAttempts = false, batching.AtMost(0)
	holds(t, "bisecting, nothing can be rejected", Batches{Records: 6, Crashes: 0, Policy: policy}.Model)
}

// A rule that is wrong is found.
func TestBatchesFind(t *testing.T) {
	decide := func(wrong func(*batching.Verdict, batching.Segment)) func(batching.Policy, batching.Segment, batching.Outcome) batching.Verdict {
		return func(p batching.Policy, s batching.Segment, o batching.Outcome) batching.Verdict {
			v := p.Decide(s, o)
			wrong(&v, s)
			return v
		}
	}
	for name, rules := range map[string]BatchRules{
		"finished before the destination has it": {Early: true},
		"the position goes to the last that is done": {Mark: func(records []shard.Record, done uint8) (at shard.Position) {
			for i := range records {
				if done&(1<<i) != 0 {
					at = records[i].Position()
				}
			}
			return at
		}},
		"half of a range that is split is dropped": {Decide: decide(func(v *batching.Verdict, _ batching.Segment) {
			if len(v.Next) > 1 {
				v.Next = v.Next[:1]
			}
		})},
		"the second half is called first": {Decide: decide(func(v *batching.Verdict, _ batching.Segment) {
			if len(v.Next) > 1 {
				v.Next[0], v.Next[1] = v.Next[1], v.Next[0]
			}
		})},
		"the record that failed counts as handled": {Decide: decide(func(v *batching.Verdict, s batching.Segment) {
			if len(v.Next) > 0 && v.Next[0].From > s.From {
				v.Handled++
				v.Next[0].From++
			}
		})},
		"what is given up is sent nowhere": {Decide: decide(func(v *batching.Verdict, _ batching.Segment) {
			v.Handled, v.GiveUp = v.Handled+v.GiveUp, 0
		})},
	} {
		finds(t, name, Batches{
			Records: 4, Crashes: 1, Rules: rules,
			Policy: batching.Policy{Bisect: true, MaximumRetryAttempts: batching.AtMost(1), CanReject: true},
		}.Model)
	}
}
