package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/shard/shardtest"
)

// outbox is a publisher that keeps what it accepts.
type outbox struct {
	mu       sync.Mutex
	do       func(ctx context.Context, records []batching.Emitted, accept func(...batching.Emitted)) error // nil: accept all
	tries    int
	accepted []batching.Emitted
}

func (o *outbox) Publish(ctx context.Context, records []batching.Emitted) error {
	o.mu.Lock()
	o.tries++
	do := o.do
	o.mu.Unlock()
	accept := func(e ...batching.Emitted) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.accepted = append(o.accepted, e...)
	}
	if do != nil {
		return do(ctx, records, accept)
	}
	accept(records...)
	return nil
}

func (o *outbox) String() string { return "outbox" }

// refuse makes it accept nothing, or everything again.
func (o *outbox) refuse(on bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.do = nil; on {
		o.do = func(context.Context, []batching.Emitted, func(...batching.Emitted)) error { return errClosed }
	}
}

var errClosed = errors.New("the gate is closed")

func (o *outbox) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var parts []string
	for _, e := range o.accepted {
		parts = append(parts, string(e.Data))
	}
	return strings.Join(parts, " ")
}

func (o *outbox) ids() (ids []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range o.accepted {
		ids = append(ids, e.ID)
	}
	return ids
}

func (o *outbox) tried() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.tries
}

// echo emits two records for each it gets, the second ones first.
func echo(_ context.Context, b *batching.Batch) error {
	for _, n := range []string{"2", "1"} {
		for i := range slices.Backward(b.Records) {
			b.Emit(batching.Emitted{Of: &b.Records[i], Data: append(slices.Clip(b.Records[i].Data), n...)})
		}
	}
	return nil
}

// What a handler emits is accepted in the order of the records that it was made
// of, and the checkpoint waits for it.
func TestEmittedIsAcceptedBeforeTheCheckpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table, out := shardtest.NewStream(1), checkpointtest.NewTable(), &outbox{}
		for _, data := range []string{"a", "b", "c"} {
			stream.Put("key-"+data, []byte(data))
		}
		out.refuse(true)
		cfg := config(stream, table)
		cfg.Handler, cfg.EmitTo, cfg.CheckpointInterval = consumer.HandlerFunc(echo), out, time.Second
		published := 0
		cfg.Hooks.Published = func(e consumer.PublishedEvent) {
			if !e.Emitted || e.Destination != "outbox" {
				t.Errorf("told of %+v", e)
			}
			published += e.Records
		}
		r := start(t, cfg)
		await(t, "several tries", func() bool { return out.tried() > 5 })
		time.Sleep(time.Minute)
		if at := onlyRow(t, table).Checkpoint; at.IsRecord() {
			t.Errorf("the checkpoint has gone to %s while nothing was accepted", at)
		}
		out.refuse(false)
		last := stream.Records()[2].Position()
		await(t, "the checkpoint", func() bool { return onlyRow(t, table).Checkpoint.Compare(last) == 0 })
		if got, want := out.text(), "a2 a1 b2 b1 c2 c1"; got != want {
			t.Errorf("accepted %s, want %s", got, want)
		}
		if e := out.accepted[3]; e.ID != stream.Records()[1].ID()+"#1" || e.Key != "key-b" {
			t.Errorf("the second record made of b has the id %s and the key %s", e.ID, e.Key)
		}
		r.end()
		if published != 6 {
			t.Errorf("told of %d published records, want 6", published)
		}
	})
}

// A target that accepts part of what it gets is asked for the rest alone.
func TestPartlyAcceptedIsNotSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, out := shardtest.NewStream(1), &outbox{}
		for i := range 10 {
			stream.Put("key", fmt.Append(nil, i))
		}
		out.do = func(_ context.Context, records []batching.Emitted, accept func(...batching.Emitted)) error {
			accept(records[0])
			if len(records) == 1 {
				return nil
			}
			return &destination.PublishError{Destination: "outbox", Rest: records[1:], Err: errClosed}
		}
		cfg := config(stream, checkpointtest.NewTable())
		cfg.Handler, cfg.EmitTo = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			for i := range b.Records {
				b.Emit(batching.Emitted{Of: &b.Records[i], Data: b.Records[i].Data})
			}
			return nil
		}), out
		began := time.Now()
		runToTip(t, cfg)
		if got, want := out.text(), "0 1 2 3 4 5 6 7 8 9"; got != want {
			t.Errorf("accepted %s, want %s", got, want)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("took %v, though every try came further", took)
		}
	})
}

// What came of a record that is not handled by the call is not sent: the attempt
// that handles it makes it anew.
func TestWhatWasMadeOfUnhandledRecordsIsDropped(t *testing.T) {
	for _, test := range []struct {
		name string
		do   func(b *batching.Batch) error
		want string
	}{
		{"FailFrom", func(b *batching.Batch) error {
			if r := find(b, "c"); r != nil && b.Attempt == 1 && len(b.Records) > 1 {
				return batching.FailFrom(r, errClosed)
			}
			return nil
		}, "a2 a1 b2 b1 c2 c1 d2 d1"},
		{"Reject", func(b *batching.Batch) error {
			if r := find(b, "b"); r != nil {
				return batching.Reject(r, errClosed)
			}
			return nil
		}, "a2 a1 c2 c1 d2 d1"},
		{"given up", func(b *batching.Batch) error {
			if r := find(b, "c"); r != nil {
				return batching.FailFrom(r, errClosed)
			}
			return nil
		}, "a2 a1 b2 b1 d2 d1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				out := &outbox{}
				h := &script{do: func(ctx context.Context, b *batching.Batch) error {
					_ = echo(ctx, b)
					return test.do(b)
				}}
				h.run(t, func(c *consumer.Config) {
					c.EmitTo, c.BisectBatchOnError, c.MaximumRetryAttempts = out, true, batching.AtMost(1)
				})
				if got := out.text(); got != test.want {
					t.Errorf("accepted %s, want %s; calls were %s", got, test.want, h.text())
				}
			})
		})
	}
}

// A call that emits where nothing takes it fails, and says which field is
// missing.
func TestEmitWithoutATargetNamesTheField(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &script{do: echo}
		var said error
		accepted := h.run(t, func(c *consumer.Config) {
			c.MaximumRetryAttempts = batching.AtMost(0)
			c.Hooks.BatchDone = func(e consumer.BatchEvent) { said = e.Err }
		})
		if accepted != "a b c d: RetryAttemptsExhausted after 1" || said == nil || !strings.Contains(said.Error(), "EmitTo") {
			t.Errorf("the destination has %q, the error is %v", accepted, said)
		}
	})
}

// A target that refuses one key's records holds up that key's lane and no other.
func TestRefusingTargetBlocksOnlyItsLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table, out, h := wide(1), checkpointtest.NewTable(), &outbox{}, &tally{}
		for i := range 200 {
			stream.Put(fmt.Sprint("key-", i%20), fmt.Append(nil, i))
		}
		out.do = func(_ context.Context, records []batching.Emitted, accept func(...batching.Emitted)) error {
			if slices.ContainsFunc(records, func(e batching.Emitted) bool { return e.Key == "key-3" }) {
				return errClosed
			}
			accept(records...)
			return nil
		}
		h.do = func(_ context.Context, b *batching.Batch) error {
			for i := range b.Records {
				b.Emit(batching.Emitted{Of: &b.Records[i], Data: b.Records[i].Data})
			}
			return nil
		}
		cfg := config(stream, table)
		cfg.Handler, cfg.EmitTo, cfg.ParallelizationFactor, cfg.BatchSize, cfg.CheckpointInterval = h, out, 20, 1, time.Second
		r := start(t, cfg)
		time.Sleep(time.Minute)
		third := stream.Records()[3].Position()
		if at := onlyRow(t, table).Checkpoint; at.Compare(third) >= 0 {
			t.Errorf("the checkpoint is %s, which passes the refused record %s", at, third)
		}
		if n := len(out.ids()); n < 150 {
			t.Errorf("%d records of other keys were accepted, want those of all lanes but one", n)
		}
		out.refuse(false)
		await(t, "the rest", func() bool { return len(out.ids()) == 200 })
		r.end()
	})
}

// A stop ends while the target refuses, and the next owner makes the same
// records with the same ids.
func TestStopWhileTheTargetRefusesRepeatsTheSameIDs(t *testing.T) {
	for _, lanes := range []int{1, 4} {
		t.Run(fmt.Sprint(lanes), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stream, table, out := shardtest.NewStream(1), checkpointtest.NewTable(), &outbox{}
				for i := range 8 {
					stream.Put(fmt.Sprint(i), fmt.Append(nil, i))
				}
				var lost []string // accepted, and the answer did not come
				var mu sync.Mutex
				out.do = func(_ context.Context, records []batching.Emitted, _ func(...batching.Emitted)) error {
					mu.Lock()
					defer mu.Unlock()
					for _, e := range records {
						lost = append(lost, e.ID)
					}
					return errClosed
				}
				cfg := config(stream, table)
				cfg.Handler, cfg.EmitTo, cfg.ParallelizationFactor = consumer.HandlerFunc(echo), out, lanes
				r := start(t, cfg)
				await(t, "a try", func() bool { return out.tried() > 3 })
				if took, err := r.end(); err != nil || took > cfg.DrainTimeout+30*time.Second {
					t.Errorf("the stop took %v: %v", took, err)
				}
				if at := onlyRow(t, table).Checkpoint; at.IsRecord() {
					t.Errorf("the checkpoint went to %s", at)
				}
				out.refuse(false)
				runToTip(t, cfg)
				slices.Sort(lost)
				got := out.ids()
				slices.Sort(got)
				if want := slices.Compact(lost); len(got) != 16 || !slices.Equal(got, want) {
					t.Errorf("accepted %v, before %v", got, want)
				}
			})
		})
	}
}

// OnSuccess gets an envelope of what a call has handled, before the checkpoint
// passes it, and nothing of what was rejected.
func TestOnSuccessGetsWhatWasHandled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done := &destinationtest.Recorder{}
		done.Script(destinationtest.Refuse, destinationtest.Refuse)
		h := &script{do: failOn("b", nil)}
		h.do = func(_ context.Context, b *batching.Batch) error {
			if r := find(b, "b"); r != nil {
				return batching.Reject(r, errClosed)
			}
			return nil
		}
		rejected := h.run(t, func(c *consumer.Config) { c.OnSuccess = done })
		if rejected != "b: Rejected after 1" {
			t.Errorf("the on-failure destination has %s", rejected)
		}
		var got []string
		for _, f := range done.Accepted() {
			for _, r := range f.Records {
				got = append(got, string(r.Data))
			}
			if f.Condition != destination.Success || f.Attempts != 1 || f.Err != nil {
				t.Errorf("the envelope says %s after %d: %v", f.Condition, f.Attempts, f.Err)
			}
		}
		if !slices.Equal(got, []string{"a", "c", "d"}) || len(done.Accepted()) != 1 {
			t.Errorf("the on-success destination has %v in %d envelopes", got, len(done.Accepted()))
		}
	})
}

// After the death of a worker the records behind its last checkpoint are handled
// again, and what is made of them has the ids that it had before.
func TestRepeatAfterAKillCarriesTheSameIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table, out := letters(), newMortal(), &outbox{}
		cfg := config(stream, nil)
		cfg.Handler, cfg.EmitTo, cfg.CheckpointInterval = consumer.HandlerFunc(echo), out, time.Hour
		cfg.Leases, cfg.WorkerPrefix = table.As("p1"), "p1"
		r := start(t, cfg)
		await(t, "what the first makes", func() bool { return len(out.ids()) == 8 })
		table.kill("p1") // its last save is not applied
		_, _ = r.end()
		cfg.Leases, cfg.WorkerPrefix = table.As("p2"), "p2"
		runToTip(t, cfg)
		ids := out.ids()
		if len(ids) != 16 || !slices.Equal(ids[:8], ids[8:]) {
			t.Errorf("the first made %v, the second %v", ids[:8], ids[8:])
		}
	})
}
