package main

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/shard"
)

// batch makes a batch of records with the given payloads.
func batch(payloads ...string) *batching.Batch {
	b := &batching.Batch{Stream: "clicks", Shard: "shardId-000000000000"}
	for i, data := range payloads {
		b.Records = append(b.Records, shard.Record{Stream: b.Stream, Shard: b.Shard, Sequence: fmt.Sprint(i + 1), Data: []byte(data)})
	}
	return b
}

const good = `{"v":1,"key":"%s","time":"2024-03-13T10:21:14Z","event":"home","n":%d}`

func newTestWorker(t *testing.T) *worker {
	return &worker{name: "w", ledger: newLedger(), tally: newTally(), notef: t.Logf}
}

func TestWhatCannotBeDecodedIsRejectedAndTheRestGoesOn(t *testing.T) {
	w := newTestWorker(t)
	b := batch(fmt.Sprintf(good, "ann", 1), "no event", fmt.Sprintf(good, "ann", 2))
	o := batching.Read(b.Records, w.Handle(t.Context(), b))
	if o.Failed || len(o.Rejects) != 1 || o.Rejects[0].Index != 1 {
		t.Errorf("the answer means %+v, want the second record rejected and the others done", o)
	}
	if s := w.ledger.sums(); s.Read != 3 || s.Handled != 2 {
		t.Errorf("the ledger has %+v", s)
	}
}

func TestANewerVersionIsTriedAgain(t *testing.T) {
	w := newTestWorker(t)
	b := batch("no event", fmt.Sprintf(good, "ann", 1), `{"v":2,"key":"ann"}`, fmt.Sprintf(good, "ann", 2))
	o := batching.Read(b.Records, w.Handle(t.Context(), b))
	if !o.Failed || !o.Partial || o.From != 2 || len(o.Rejects) != 1 {
		t.Errorf("the answer means %+v, want a failure from the third record on", o)
	}
	if s := w.ledger.sums(); s.Read != 3 || s.Handled != 1 {
		t.Errorf("the ledger has %+v", s)
	}
}

func TestADeadWorkerIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTestWorker(t)
		w.die()
		ctx, cancel := context.WithCancelCause(t.Context())
		answered := make(chan error, 1)
		go func() { answered <- w.Handle(ctx, batch(fmt.Sprintf(good, "ann", 1))) }() // ends with ctx
		synctest.Wait()
		select {
		case err := <-answered:
			t.Errorf("it answered %v", err)
		default:
		}
		w.gaveUp(consumer.GaveUpEvent{Failure: destination.Failure{Records: batch("x").Records}})
		w.shardLeft(consumer.ShardLeftEvent{Cause: consumer.ErrStopping, To: "another"})
		if got := w.ledger.sums(); got != (totals{}) || w.tally.handovers != 0 {
			t.Errorf("it wrote: %+v", got)
		}
		cancel(consumer.ErrLeaseLost)
		if err := <-answered; !errors.Is(err, consumer.ErrLeaseLost) {
			t.Errorf("got %v", err)
		}
	})
}

func TestOnlyWhatALivingWorkerPassesOnIsAHandover(t *testing.T) {
	w := newTestWorker(t)
	for _, e := range []consumer.ShardLeftEvent{
		{Cause: consumer.ErrHandedOver, To: "b/1"},
		{Cause: consumer.ErrStopping, To: "b/1"},
		{Cause: consumer.ErrStopping},
		{Cause: consumer.ErrLeaseLost},
		{},
	} {
		w.shardLeft(e)
	}
	var r report
	w.tally.enter(&r)
	if r.Handovers != 2 || r.Reshards != 1 {
		t.Errorf("%+v, want 2 hand-overs and 1 end", r)
	}
}

func TestShardsAreCalledByTheirNumber(t *testing.T) {
	for id, want := range map[string]string{"shardId-000000000000": "0", "shardId-000000000120": "120", "odd": "odd"} {
		if got := short(id); got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
}
