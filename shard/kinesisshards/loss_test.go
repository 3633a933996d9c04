package kinesisshards_test

import (
	"errors"
	"testing"
	"time"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/streamtest/awsfake/kinesisfake"
)

// inBriefBubble is inBubble with a retention of an hour.
func inBriefBubble(t *testing.T, f func(t *testing.T, w *world), options ...kinesisfake.Option) {
	t.Helper()
	inBubble(t, func(t *testing.T, w *world) {
		must(t, w.fake.SetRetention(clicks, time.Hour))
		var err error
		w.stream, err = w.source.Describe(t.Context())
		must(t, err)
		f(t, w)
	}, options...)
}

// wantLoss checks that one loss was told, from record number after to number
// until of those put.
func (r *tail) wantLoss(w *world, after, until int) {
	r.t.Helper()
	if len(r.loss) != 1 {
		r.t.Fatalf("got losses %v, want one", r.loss)
	}
	all := w.fake.Records(clicks)
	got, a, u := r.loss[0], all[after], all[until]
	if got.Shard != shard0 || got.After.Sequence != a.SequenceNumber || got.Until.Sequence != u.SequenceNumber {
		r.t.Errorf("got loss %v, want after %s and before %s", got, a.SequenceNumber, u.SequenceNumber)
	}
	if d := got.LastArrival.Sub(a.Arrival).Abs(); d >= time.Millisecond {
		r.t.Errorf("LastArrival is %s, want %s", got.LastArrival, a.Arrival)
	}
	if d := got.FirstArrival.Sub(u.Arrival).Abs(); d >= time.Millisecond {
		r.t.Errorf("FirstArrival is %s, want %s", got.FirstArrival, u.Arrival)
	}
}

func (r *tail) wantNoLoss() {
	r.t.Helper()
	if len(r.loss) != 0 {
		r.t.Errorf("got losses %v, want none", r.loss)
	}
}

// after is a start behind the last record a reader got.
func (r *tail) after() shard.Start {
	last := r.records[len(r.records)-1]
	return shard.Start{After: last.Position(), LastArrival: last.ArrivedAt}
}

func TestATrimHorizonThatPassedTheCheckpointIsALoss(t *testing.T) {
	for _, told := range []bool{true, false} { // does the row say up to when all was read?
		inBriefBubble(t, func(t *testing.T, w *world) {
			w.put(2)
			r := w.open(shard.Start{}).until(2)
			start := r.after()
			if told {
				start.ReadUpTo = time.Now()
			}
			time.Sleep(5 * time.Minute)
			w.put(3) // nobody reads these
			time.Sleep(time.Hour)
			w.put(3)
			r = w.open(start).until(3).run(time.Minute)
			r.has(w.names[5:]...)
			r.wantLoss(w, 1, 5)
		})
	}
}

func TestAShardIdleForLongerThanRetentionHasLostNothing(t *testing.T) {
	inBriefBubble(t, func(t *testing.T, w *world) {
		w.put(2)
		r := w.open(shard.Start{}).until(2)
		start := r.after()
		r.run(75 * time.Minute) // idle, and watched
		start.ReadUpTo = time.Now()
		w.put(1)
		r.until(3).wantNoLoss()
		r.has(w.names...)

		time.Sleep(25 * time.Minute)
		w.put(1)
		r = w.open(start).until(2)
		r.has(w.names[2:]...)
		r.wantNoLoss()
	})
}

func TestAReaderThatIdlesAtATrimmedCheckpointHasLostNothing(t *testing.T) {
	inBriefBubble(t, func(t *testing.T, w *world) {
		w.put(2)
		start := w.open(shard.Start{}).until(2).after()
		time.Sleep(63 * time.Minute) // the row's own record is trimmed
		start.ReadUpTo = time.Now().Add(-3 * time.Minute)
		r := w.open(start).run(150 * time.Minute) // much longer than the retention
		w.put(1)
		r.until(1).has(w.names[2:]...)
		r.wantNoLoss()
	})
}

func TestALossThatWasNotSeenAtOnceIsToldWithTheNextRecord(t *testing.T) {
	inBriefBubble(t, func(t *testing.T, w *world) {
		w.put(1)
		start := w.open(shard.Start{}).until(1).after()
		start.ReadUpTo = time.Now()
		time.Sleep(time.Second)
		w.put(2)
		time.Sleep(2 * time.Hour) // all is trimmed
		r := w.open(start).run(75 * time.Minute)
		w.put(1)
		r.until(1).has(w.names[3:]...)
		r.wantLoss(w, 0, 3)
	})
}

func TestARunningReaderThatWasAwayTooLongTellsTheLoss(t *testing.T) {
	inBriefBubble(t, func(t *testing.T, w *world) {
		w.put(3)
		r := w.open(shard.Start{}).until(3)
		w.put(3)
		time.Sleep(57 * time.Minute)
		w.put(3)
		time.Sleep(5 * time.Minute)
		r.until(6).run(time.Minute).has(append(w.names[:3:3], w.names[6:]...)...)
		r.wantLoss(w, 2, 6)
	})
}

// The iterator lives, the reader reads now and then, and the backlog's tail is
// trimmed before it.
func TestATrimHorizonThatOvertakesABacklogIsALoss(t *testing.T) {
	inBriefBubble(t, func(t *testing.T, w *world) {
		for range 30 {
			w.put(3)
			time.Sleep(time.Minute)
		}
		r := w.open(shard.Start{}) // half an hour behind
		for range 5 {
			must(t, r.step())
			time.Sleep(time.Minute)
		}
		for try := 0; len(r.loss) == 0 && try < 60; try++ {
			must(t, r.step())
			time.Sleep(4 * time.Minute) // falls behind
		}
		n := len(r.records)
		if len(r.loss) != 1 {
			t.Fatalf("got losses %v after %d records, want one", r.loss, n)
		}
		// Every record that was not delivered lies in a window that was told.
		r.run(time.Minute)
		delivered := map[string]bool{}
		for _, record := range r.records {
			delivered[record.Sequence] = true
		}
		for _, put := range w.fake.Records(clicks) {
			in := false
			for _, l := range r.loss {
				in = in || shard.CompareSequences(put.SequenceNumber, l.After.Sequence) > 0 && shard.CompareSequences(put.SequenceNumber, l.Until.Sequence) < 0
			}
			if in == delivered[put.SequenceNumber] {
				t.Errorf("record %s: delivered %t, in a window %t", put.Data, delivered[put.SequenceNumber], in)
			}
		}
	}, kinesisfake.WithIteratorTTL(300*time.Hour))
}

func TestARecordTrimmedBeforeItsTimeIsALoss(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.put(2)
		start := w.open(shard.Start{}).until(2).after()
		start.ReadUpTo = time.Now()
		w.put(2)
		must(t, w.fake.Trim(clicks, shard0, w.fake.Records(clicks)[2].SequenceNumber))
		r := w.open(start).until(1)
		r.has(w.names[3:]...)
		r.wantLoss(w, 1, 3)
	})
}

func TestAShortenedRetentionIsALoss(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.put(2)
		start := w.open(shard.Start{}).until(2).after()
		start.ReadUpTo, start.LastArrival = time.Now(), time.Time{}
		time.Sleep(time.Second)
		w.put(2)
		time.Sleep(3 * time.Hour)
		must(t, w.fake.SetRetention(clicks, time.Hour))
		w.put(2)
		r := w.open(start).until(2)
		r.has(w.names[4:]...)
		if len(r.loss) != 1 {
			t.Errorf("got losses %v, want one", r.loss)
		}
	})
}

func TestAShardThatExpiredUnreadIsErrNoShard(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.put(4)
		_, _, err := w.fake.Split(clicks, shard0)
		must(t, err)
		r := w.open(shard.Start{}).until(3)
		time.Sleep(48 * time.Hour)
		if err := r.step(); !errors.Is(err, shard.ErrNoShard) {
			t.Errorf("a running reader got %v, want ErrNoShard", err)
		}
		if err := w.open(shard.Start{}).step(); !errors.Is(err, shard.ErrNoShard) {
			t.Errorf("a new reader got %v, want ErrNoShard", err)
		}
	})
}

func TestAStreamCreatedAgainIsErrNoStream(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.put(2)
		r := w.open(shard.Start{}).until(2)
		again := func() {
			client := w.client()
			_, err := client.DeleteStream(t.Context(), deletion)
			must(t, err)
			time.Sleep(time.Minute)
			must(t, w.fake.CreateStream(clicks, 1))
			w.put(1)
		}
		again()
		if err := r.step(); !errors.Is(err, shard.ErrNoStream) {
			t.Errorf("a running reader got %v, want ErrNoStream", err)
		}
		if err := w.open(r.after()).step(); !errors.Is(err, shard.ErrNoStream) {
			t.Errorf("a reader with an old position got %v, want ErrNoStream", err)
		}
	})
}
