package prooftest

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/shard"
)

// paper is a world on paper: the records of one shard, whose child is another.
type paper struct{ records []Item }

func (p *paper) Count() int                        { return len(p.records) }
func (p *paper) Records(n int) ([]Item, int, bool) { return p.records[n:], len(p.records), false }
func (p *paper) Parents(string) []string           { return nil }
func (p *paper) Unlisted(string) bool              { return false }
func (p *paper) Trimmed(*Item) bool                { return false }
func (p *paper) Children(id string) []string       { return map[string][]string{"s": {"child"}}[id] }

// A checker that sees nothing wrong is worth what it would see: each of these
// courses breaks one promise, or none.
func TestCheckerSeesWhatATenureDoes(t *testing.T) {
	fence := batching.Fence{Counter: 1}
	type step struct {
		given  []int // records of the shard, by number
		failed bool
	}
	for name, c := range map[string]struct {
		after int // the position at which the tenure begins, 0 is the trim horizon
		steps []step
		bound int
		want  string
	}{
		"in order":                      {steps: []step{{given: []int{1, 2}}, {given: []int{3, 4}}}},
		"again after a failure":         {steps: []step{{given: []int{1, 2}, failed: true}, {given: []int{1, 2}}}},
		"again after a success":         {steps: []step{{given: []int{1, 2}}, {given: []int{2}}}, want: "again in tenure"},
		"from behind the position":      {after: 2, steps: []step{{given: []int{3}}}},
		"over a record of the key":      {after: 1, steps: []step{{given: []int{2}}, {given: []int{6}}}, want: "was never given the one before"},
		"over records of another key":   {steps: []step{{given: []int{1}}, {given: []int{3}}, {given: []int{5}}}},
		"no further ahead than allowed": {steps: []step{{given: []int{1}, failed: true}, {given: []int{2}}, {given: []int{4}}}, bound: 4},
		"further ahead than is allowed": {steps: []step{{given: []int{1}, failed: true}, {given: []int{2}}, {given: []int{4}}}, bound: 3, want: "Inv-14"},
	} {
		t.Run(name, func(t *testing.T) {
			world := &paper{}
			for i := range 8 { // odd and even numbers are two keys
				world.records = append(world.records, Item{Shard: "s", Sequence: string(rune('1' + i)), Key: []string{"odd", "even"}[i%2], Keyed: true})
			}
			checker := New(world)
			checker.Strict()
			checker.Bounded(c.bound)
			for i := range world.records {
				checker.Ledger.records[world.records[i].place()] = &entry{handled: 1} // by some tenure before
			}
			after := shard.TrimHorizon()
			if c.after > 0 {
				after = world.records[c.after-1].Position()
			}
			checker.Started("w", "w/1", "s", after, fence)
			for _, step := range c.steps {
				b := &batching.Batch{Shard: "s", Token: fence}
				for _, n := range step.given {
					r := &world.records[n-1]
					b.Records = append(b.Records, shard.Record{Shard: r.Shard, Sequence: r.Sequence, PartitionKey: r.Key, Keyed: true})
				}
				call := checker.Began("w", b)
				var err error
				if step.failed {
					err = batching.FailFrom(&b.Records[0], errPaper)
				}
				checker.Ended(call, b, err)
			}
			got := strings.Join(checker.Violations(), "\n")
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("the checker says %q, want %q", got, c.want)
			}
		})
	}
}

type paperError string

func (e paperError) Error() string { return string(e) }

const errPaper = paperError("it fails")

// The children of a shard have rows as soon as the write is over that ends it.
func TestCheckerSeesAChildWithoutARow(t *testing.T) {
	for _, has := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			checker := New(&paper{})
			checker.Strict()
			checker.Wrote(shard.Lease{Key: "s", Shard: "s", Owner: "w/1", Counter: 1, Checkpoint: shard.TrimHorizon()})
			checker.Wrote(shard.Lease{Key: "s", Shard: "s", Owner: "w/1", Counter: 2, Checkpoint: shard.End()})
			if has {
				checker.Wrote(shard.Lease{Key: "child", Shard: "child", Checkpoint: shard.TrimHorizon()})
			}
			time.Sleep(time.Nanosecond)
			checker.Wrote(shard.Lease{Key: "other", Shard: "other", Checkpoint: shard.TrimHorizon()})
			if got := strings.Join(checker.Violations(), "\n"); strings.Contains(got, "Inv-9") == has {
				t.Errorf("with a row of the child %v, the checker says %q", has, got)
			}
		})
	}
}
