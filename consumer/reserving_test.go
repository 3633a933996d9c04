package consumer

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// watchedReader notes what the budget held whenever it was read.
type watchedReader struct {
	shard.Reader
	budget *budget
	held   []int64
}

func (r *watchedReader) MaxBytes() int64 { return 600 }

func (r *watchedReader) Next(context.Context) (shard.Chunk, error) {
	r.held = append(r.held, r.budget.inUse())
	return shard.Chunk{Records: []shard.Record{{Sequence: "1", Data: make([]byte, 300)}}}, nil
}

// Memory for all that a read can bring is reserved before it: a bound that is looked
// at after reading is no bound. What it did not bring is given back.
func TestMemoryIsReservedBeforeTheRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &worker{budget: newBudget(1000), session: &session{id: "anna"}}
		r := &watchedReader{budget: w.budget}
		f := &fetcher{worker: w, reader: r}
		first, err := f.next(t.Context())
		if err != nil || len(r.held) != 1 || r.held[0] != 600 {
			t.Fatalf("error %v; the budget held %v while it was read, want 600", err, r.held)
		}
		if held := w.budget.inUse(); held != first.held || held >= 600 {
			t.Fatalf("the budget holds %d after a read that brought %d", held, first.held)
		}
		w.budget.release(first.held)
		if _, err := w.budget.reserve(t.Context(), 500); err != nil {
			t.Fatal(err)
		}
		read := make(chan error, 1)
		go func() { // ends when there is room; awaited below
			_, err := f.next(t.Context())
			read <- err
		}()
		time.Sleep(time.Hour)
		if len(r.held) != 1 {
			t.Errorf("it was read while 500 of 1000 bytes were free, and a read can bring 600")
		}
		w.budget.release(500)
		if err := <-read; err != nil || len(r.held) != 2 {
			t.Errorf("error %v, %d reads, want the second when there is room", err, len(r.held))
		}
	})
}

// A process that died while one handler had a record alone says nothing of another
// handler that is given the same record.
func TestCrashCountsForTheHandlerThatHadTheRecord(t *testing.T) {
	r := &shard.Record{Sequence: "7"}
	for handler, want := range map[string]int{"mail": 3, "sums": 1} {
		k := &keeper{over: true} // nothing is written
		l := &shardLoop{
			seat: k.sit(handler, checkpoint.Progress{}, nil), handler: handler, tracker: checkpoint.NewTracker(checkpoint.Progress{}),
			suspect: r.Position(), suspectOf: "mail", crashes: 2, mark: &suspectMark{record: r},
		}
		l.askMark()
		if got := l.seat.suspect; got.SuspectCrashes != want || got.SuspectHandler != handler || got.Suspect != r.Position() {
			t.Errorf("%s, where mail has had it twice: %d crashes of %s, want %d", handler, got.SuspectCrashes, got.SuspectHandler, want)
		}
	}
}
