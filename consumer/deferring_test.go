package consumer_test

import (
	"context"
	"errors"
	"fmt"
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
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
)

// shelf defers every batch and keeps the acknowledgements by the first payload.
type shelf struct {
	mu    sync.Mutex
	acks  map[string]*batching.Ack
	calls []string
	after func(b *batching.Batch) error
}

func (s *shelf) Handle(_ context.Context, b *batching.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.acks == nil {
		s.acks = map[string]*batching.Ack{}
	}
	s.calls = append(s.calls, fmt.Sprintf("%s#%d", b.First().Data, b.Attempt))
	s.acks[string(b.First().Data)] = b.Defer()
	if s.after != nil {
		return s.after(b)
	}
	return nil
}

func (s *shelf) ack(data string) *batching.Ack {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acks[data]
}

func (s *shelf) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.calls, " ")
}

// letters is a stream of one shard with the records a, b, c, d.
func letters() *shardtest.Stream {
	stream := shardtest.NewStream(1)
	for _, data := range []string{"a", "b", "c", "d"} {
		stream.Put("key-"+data, []byte(data))
	}
	return stream
}

func at(t *testing.T, table *checkpointtest.Table, r shard.Record) bool {
	t.Helper()
	rows, err := table.List(t.Context())
	return err == nil && len(rows) == 1 && rows[0].Checkpoint.Compare(r.Position()) == 0
}

// Records whose handler defers them hold the checkpoint until they are
// acknowledged, in whatever order that comes, and the lane goes on meanwhile.
func TestDeferredHoldsTheCheckpointUntilDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table, h := letters(), checkpointtest.NewTable(), &shelf{}
		cfg := config(stream, table)
		cfg.Handler, cfg.BatchSize, cfg.CheckpointInterval = h, 1, time.Second
		handled, deferred := 0, 0
		cfg.Hooks.BatchDone = func(e consumer.BatchEvent) { handled += e.Handled; deferred += e.Deferred }
		r := start(t, cfg)
		await(t, "all calls", func() bool { return h.text() == "a#1 b#1 c#1 d#1" })
		h.ack("b").Done()
		h.ack("c").Done()
		time.Sleep(time.Minute)
		if row := onlyRow(t, table); row.Checkpoint.IsRecord() {
			t.Errorf("the checkpoint is %s while a is not finished", row.Checkpoint)
		}
		if s := r.Status().Shards[0]; s.Pending != 2 || s.Deferred != 2 {
			t.Errorf("%d records are pending and %d deferred, want 2 and 2", s.Pending, s.Deferred)
		}
		h.ack("a").Done()
		h.ack("a").GiveUp(errClosed) // only the first counts
		await(t, "the checkpoint behind c", func() bool { return at(t, table, stream.Records()[2]) })
		h.ack("d").Done()
		await(t, "the checkpoint behind d", func() bool { return at(t, table, stream.Records()[3]) })
		r.end()
		if handled != 0 || deferred != 4 {
			t.Errorf("told of %d handled and %d deferred", handled, deferred)
		}
	})
}

// Defer is about what the call handles: what it fails is tried again, and what
// it rejects is given up, whenever the rest is acknowledged.
func TestDeferIsAboutWhatTheCallHandles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table, h, failed := letters(), checkpointtest.NewTable(), &shelf{}, &destinationtest.Recorder{}
		h.after = func(b *batching.Batch) error {
			if len(b.Records) == 4 {
				return errors.Join(batching.Reject(&b.Records[0], errClosed), batching.FailFrom(&b.Records[2], errClosed))
			}
			return nil
		}
		cfg := config(stream, table)
		cfg.Handler, cfg.OnFailure, cfg.CheckpointInterval = h, failed, time.Second
		deferred := 0
		cfg.Hooks.BatchDone = func(e consumer.BatchEvent) { deferred += e.Deferred }
		start(t, cfg)
		await(t, "the second call", func() bool { return h.text() == "a#1 c#2" })
		h.ack("c").Done()
		await(t, "the checkpoint behind a", func() bool { return at(t, table, stream.Records()[0]) })
		time.Sleep(time.Minute)
		if !at(t, table, stream.Records()[0]) || len(failed.Accepted()) != 1 {
			t.Errorf("the checkpoint is %s while b is deferred", onlyRow(t, table).Checkpoint)
		}
		h.ack("a").Done()
		await(t, "the checkpoint behind d", func() bool { return at(t, table, stream.Records()[3]) })
		if deferred != 3 {
			t.Errorf("told of %d deferred records, want b, c and d", deferred)
		}
	})
}

// A call that fails as a whole defers nothing.
func TestFailedCallDefersNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table, h := letters(), checkpointtest.NewTable(), &shelf{}
		var first *batching.Ack
		h.after = func(b *batching.Batch) error {
			if b.Attempt == 1 {
				first = h.acks["a"]
				return errClosed
			}
			return nil
		}
		cfg := config(stream, table)
		cfg.Handler, cfg.CheckpointInterval = h, time.Second
		start(t, cfg)
		await(t, "the second call", func() bool { return h.text() == "a#1 a#2" })
		first.Done()
		time.Sleep(time.Minute)
		if onlyRow(t, table).Checkpoint.IsRecord() {
			t.Error("the acknowledgement of a failed call counted")
		}
		h.ack("a").Done()
		await(t, "the checkpoint behind d", func() bool { return at(t, table, stream.Records()[3]) })
	})
}

// Records whose acknowledgement gives them up go to OnFailure before they are
// finished; where there is none, they are handled again.
func TestGiveUpOfDeferredRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table, h, failed := letters(), checkpointtest.NewTable(), &shelf{}, &destinationtest.Recorder{}
		cfg := config(stream, table)
		cfg.Handler, cfg.OnFailure, cfg.CheckpointInterval = h, failed, time.Second
		failed.Behave(destinationtest.Refuse)
		start(t, cfg)
		await(t, "the call", func() bool { return h.text() == "a#1" })
		h.ack("a").GiveUp(errClosed)
		time.Sleep(time.Minute)
		if onlyRow(t, table).Checkpoint.IsRecord() || len(failed.Asked()) < 2 {
			t.Error("the checkpoint did not wait for the destination")
		}
		failed.Behave(destinationtest.Accept)
		await(t, "the checkpoint behind d", func() bool { return at(t, table, stream.Records()[3]) })
		if f := failed.Accepted()[0]; len(f.Records) != 4 || f.Condition != destination.Rejected || f.Attempts != 1 || !errors.Is(f.Err, errClosed) {
			t.Errorf("the destination has %+v", f)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		stream, table, h := letters(), checkpointtest.NewTable(), &shelf{}
		cfg := config(stream, table)
		cfg.Handler, cfg.CheckpointInterval, cfg.OnFailure = h, time.Second, nil
		start(t, cfg)
		await(t, "the call", func() bool { return h.text() == "a#1" })
		h.ack("a").GiveUp(errClosed)
		await(t, "the second call", func() bool { return h.text() == "a#1 a#2" })
		h.ack("a").Done()
		await(t, "the checkpoint behind d", func() bool { return at(t, table, stream.Records()[3]) })
	})
}

// A stop waits for what is deferred, for DrainTimeout at most; then the
// checkpoint is what is acknowledged, and later acknowledgements do nothing.
func TestStopWaitsForWhatIsDeferred(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table, h := letters(), checkpointtest.NewTable(), &shelf{}
		cfg := config(stream, table)
		cfg.Handler, cfg.BatchSize, cfg.DrainTimeout = h, 1, 20*time.Second
		r := start(t, cfg)
		await(t, "all calls", func() bool { return h.text() == "a#1 b#1 c#1 d#1" })
		time.AfterFunc(5*time.Second, h.ack("a").Done)
		time.AfterFunc(10*time.Second, h.ack("b").Done)
		took, err := r.end()
		if err != nil || took < 20*time.Second || took > 21*time.Second {
			t.Errorf("the stop took %v: %v", took, err)
		}
		if !at(t, table, stream.Records()[1]) {
			t.Errorf("the checkpoint is %s, want that of b", onlyRow(t, table).Checkpoint)
		}
		late := []*batching.Ack{h.ack("c"), h.ack("d")}
		r = start(t, cfg)
		await(t, "the calls of the next", func() bool { return h.text() == "a#1 b#1 c#1 d#1 c#1 d#1" })
		late[0].Done()
		late[1].GiveUp(errClosed)
		time.Sleep(time.Minute)
		if !at(t, table, stream.Records()[1]) {
			t.Errorf("acknowledgements of the tenure before moved the checkpoint to %s", onlyRow(t, table).Checkpoint)
		}
		time.AfterFunc(time.Second, h.ack("c").Done)
		time.AfterFunc(2*time.Second, h.ack("d").Done)
		if took, err := r.end(); err != nil || took > 3*time.Second {
			t.Errorf("the stop took %v though all was acknowledged: %v", took, err)
		}
		if !at(t, table, stream.Records()[3]) {
			t.Errorf("the checkpoint is %s, want that of d", onlyRow(t, table).Checkpoint)
		}
	})
}

// A shard does not end before what is deferred is finished, however long that
// takes.
func TestEndOfAShardWaitsForWhatIsDeferred(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table, h := letters(), checkpointtest.NewTable(), &shelf{}
		if _, _, err := stream.Split("shardId-000000000000"); err != nil {
			t.Fatal(err)
		}
		cfg := config(stream, table)
		cfg.Handler = h
		r := start(t, cfg)
		await(t, "the call", func() bool { return h.text() == "a#1" })
		time.Sleep(time.Hour)
		if s := r.Status().Shards; len(s) != 1 || s[0].Shard != "shardId-000000000000" {
			t.Errorf("an hour later the worker has %v", s)
		}
		h.ack("a").Done()
		await(t, "the children", func() bool { return r.holds() == 2 })
	})
}

// After the lease is lost an acknowledgement finishes nothing.
func TestAckAfterTheLeaseIsLostDoesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table, h := letters(), checkpointtest.NewTable(), &shelf{}
		cfg := config(stream, table)
		cfg.Handler, cfg.CheckpointInterval = h, time.Second
		r := start(t, cfg)
		await(t, "the call", func() bool { return h.text() == "a#1" })
		s, err := table.Session(t.Context(), r.Status().Worker)
		if err == nil {
			err = table.Revoke(t.Context(), s, "somebody")
		}
		if err != nil {
			t.Fatal(err)
		}
		old := h.ack("a")
		await(t, "the call of the next session", func() bool { return h.text() == "a#1 a#1" })
		old.Done()
		time.Sleep(time.Minute)
		if onlyRow(t, table).Checkpoint.IsRecord() {
			t.Error("the acknowledgement of a lost tenure counted")
		}
		h.ack("a").Done()
		await(t, "the checkpoint behind d", func() bool { return at(t, table, stream.Records()[3]) })
	})
}

// What is acknowledged within a call is finished when what the call emits is
// accepted, and not before.
func TestAckWithinACallWaitsForWhatItEmits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table, out := letters(), checkpointtest.NewTable(), &outbox{}
		h := newCollecting()
		acknowledge := h.wake
		h.wake = func(ctx context.Context, w *batching.Wake) error {
			w.Batch().Emit(batching.Emitted{ID: "sum", Data: []byte("abcd")})
			return acknowledge(ctx, w)
		}
		h.at = func(string) (time.Time, bool) { h.mu.Lock(); defer h.mu.Unlock(); return time.Now(), len(h.held) > 0 }
		cfg := config(stream, table)
		cfg.Handler, cfg.EmitTo, cfg.CheckpointInterval = h, out, time.Second
		out.refuse(true)
		start(t, cfg)
		await(t, "a try", func() bool { return out.tried() > 3 })
		time.Sleep(time.Minute)
		if onlyRow(t, table).Checkpoint.IsRecord() {
			t.Error("the records are finished before what was made of them is accepted")
		}
		out.refuse(false)
		await(t, "the checkpoint behind d", func() bool { return at(t, table, stream.Records()[3]) })
		if got := out.text(); got != "abcd" {
			t.Errorf("accepted %s", got)
		}
	})
}

// OnSuccess hears of deferred records when they are acknowledged.
func TestOnSuccessHearsOfDeferredRecordsWhenTheyAreDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table, h, done := letters(), checkpointtest.NewTable(), &shelf{}, &destinationtest.Recorder{}
		cfg := config(stream, table)
		cfg.Handler, cfg.OnSuccess = h, done
		r := start(t, cfg)
		await(t, "the call", func() bool { return h.text() == "a#1" })
		time.Sleep(time.Minute)
		if n := len(done.Accepted()); n != 0 {
			t.Errorf("%d envelopes before the acknowledgement", n)
		}
		h.ack("a").Done()
		await(t, "the envelope", func() bool { return len(done.Accepted()) == 1 })
		if f := done.Accepted()[0]; len(f.Records) != 4 || f.Condition != destination.Success {
			t.Errorf("the envelope is %+v", f)
		}
		r.end()
	})
}
