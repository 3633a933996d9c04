package window_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/batching/window"
	"github.com/towpath/towpath/shard"
)

// event is a payload: when it happened, in seconds after the epoch of the test.
type event struct {
	At int `json:"at"`
	N  int `json:"n"`
}

type sum struct {
	N      int   `json:"n"`
	Events []int `json:"events,omitempty"`
}

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func second(n int) time.Time { return epoch.Add(time.Duration(n) * time.Second) }

// results are what Close was called with, one line each.
type results []string

// spec sums N over windows of ten seconds and notes what is given out.
func spec(out *results) window.Spec[event, sum] {
	return window.Spec[event, sum]{
		Size:      10 * time.Second,
		EventTime: func(_ *shard.Record, e event) time.Time { return second(e.At) },
		Add: func(_ context.Context, s *sum, _ *shard.Record, e event) error {
			s.N += e.N
			return nil
		},
		Merge: func(into *sum, from sum) error {
			into.N += from.N
			into.Events = append(into.Events, from.Events...)
			return nil
		},
		Close: func(_ context.Context, c *window.Closed[sum]) error {
			line := fmt.Sprintf("%s %d-%d: %d", c.Key, c.Start.Sub(epoch)/time.Second, c.End.Sub(epoch)/time.Second, c.State.N)
			if c.Version.Revision > 1 {
				line += fmt.Sprintf(" revision %d", c.Version.Revision)
			}
			for _, r := range c.Replaces {
				line += fmt.Sprintf(" replaces %d-%d", r.Start.Sub(epoch)/time.Second, r.End.Sub(epoch)/time.Second)
			}
			*out = append(*out, line)
			c.Emit(batching.Emitted{Data: []byte(line)})
			return nil
		},
	}
}

func aggregate(t *testing.T, s window.Spec[event, sum]) *window.Aggregate[event, sum] {
	t.Helper()
	a, err := window.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

var sequence int

// record arrives a second after it happened.
func record(key string, at, n int) shard.Record {
	sequence++
	return shard.Record{
		Stream: "arn:s", Shard: "shard-0", Sequence: strconv.Itoa(sequence), PartitionKey: key, Keyed: true,
		Data: fmt.Appendf(nil, `{"at":%d,"n":%d}`, at, n), ArrivedAt: second(at + 1),
	}
}

func batchOf(records ...shard.Record) *batching.Batch {
	return &batching.Batch{Stream: "arn:s", Shard: "shard-0", Records: records, Attempt: 1}
}

func handle(t *testing.T, a *window.Aggregate[event, sum], records ...shard.Record) *batching.Batch {
	t.Helper()
	b := batchOf(records...)
	if err := a.Handle(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	return b
}

func same(t *testing.T, got results, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestAggregateGivesOutAWindowWhenTheWatermarkPassesItsEnd(t *testing.T) {
	var out results
	s := spec(&out)
	s.OutOfOrderness = 3 * time.Second
	a := aggregate(t, s)
	handle(t, a, record("a", 1, 1), record("b", 2, 10), record("a", 9, 2), record("a", 12, 4), record("a", 8, 8))
	same(t, out)
	b := handle(t, a, record("b", 13, 20))
	same(t, out, "a 0-10: 11", "b 0-10: 10")
	emitted := b.Call.Emitted()
	if len(emitted) != 2 || emitted[0].Key != "a" || emitted[1].Key != "b" || emitted[0].ID == emitted[1].ID || emitted[0].Of == nil {
		t.Errorf("emitted %+v", emitted)
	}
}

func TestAggregateCountsWhatIsLateWithinLateness(t *testing.T) {
	var out results
	s := spec(&out)
	s.Lateness = 20 * time.Second
	a := aggregate(t, s)
	handle(t, a, record("a", 1, 1), record("a", 10, 2))
	handle(t, a, record("a", 9, 4), record("b", 5, 8), record("a", 29, 0), record("a", 7, 16))
	same(t, out, "a 0-10: 1", "a 0-10: 5 revision 2", "b 0-10: 8", "a 10-20: 2", "a 0-10: 21 revision 3")
}

func TestAggregateRejectsWhatIsTooLate(t *testing.T) {
	var out results
	a := aggregate(t, spec(&out))
	late := record("a", 5, 1)
	b := batchOf(record("a", 11, 1), late, record("a", 12, 1))
	err := a.Handle(t.Context(), b)
	o := batching.Read(b.Records, err)
	// What is behind it is for the next call: no attempt is burnt.
	if !errors.Is(err, window.ErrLate) || len(o.Rejects) != 1 || o.Rejects[0].Index != 1 || !o.Failed || o.From != 2 || !o.Delayed || o.After != 0 {
		t.Errorf("got %v: %v, want record 1 rejected and the next to be handled at once", o, err)
	}
	b = batchOf(late)
	if o := batching.Read(b.Records, a.Handle(t.Context(), b)); o.Failed || len(o.Rejects) != 1 {
		t.Errorf("got %v, want it rejected", o)
	}
	if a.Dropped() != 0 {
		t.Error("what is rejected is not dropped")
	}
}

func TestAggregateDropsWhatIsTooLateOnlyWhenTold(t *testing.T) {
	var out results
	s := spec(&out)
	s.Late = window.LateDrop
	var told []string
	s.OnDrop = func(_ context.Context, r *shard.Record, mark time.Time) {
		told = append(told, fmt.Sprint(r.PartitionKey, mark.Sub(epoch)))
	}
	a := aggregate(t, s)
	handle(t, a, record("a", 11, 1), record("a", 5, 1), record("a", 12, 1))
	if a.Dropped() != 1 || !slices.Equal(told, []string{"a11s"}) {
		t.Errorf("dropped %d, told %v", a.Dropped(), told)
	}
}

func TestAggregateJoinsSessionsThatGrowTogether(t *testing.T) {
	var out results
	s := spec(&out)
	s.Size, s.Gap = 0, 10*time.Second
	s.OutOfOrderness, s.Lateness = 5*time.Second, 30*time.Second
	a := aggregate(t, s)
	handle(t, a, record("a", 0, 1), record("a", 9, 2), record("b", 3, 100)) // a: 0-19, b: 3-13
	handle(t, a, record("a", 21, 4))                                        // a: 21-31, b closes at 18
	handle(t, a, record("a", 18, 8))                                        // joins both: 0-31
	same(t, out, "b 3-13: 100")
	handle(t, a, record("c", 37, 0))
	same(t, out, "b 3-13: 100", "a 0-31: 15")
	handle(t, a, record("a", 45, 16), record("c", 60, 0)) // 45-55 is given out
	handle(t, a, record("a", 36, 32))                     // 36-55, given out anew for 45-55
	same(t, out[2:], "c 37-47: 0", "a 45-55: 16", "a 36-55: 48 revision 2 replaces 45-55")
}

// An Add that fails, that rejects, that panics and that ends its goroutine
// leaves the state as it was before the record.
func TestAggregateForgetsWhatAFailingAddDid(t *testing.T) {
	var out results
	s := spec(&out)
	boom := errors.New("boom")
	mode := ""
	s.Add = func(_ context.Context, sum *sum, r *shard.Record, e event) error {
		sum.N += e.N
		sum.Events = append(sum.Events, e.N)
		if e.N != 100 {
			return nil
		}
		switch mode {
		case "fail":
			return boom
		case "reject":
			return batching.Reject(r, boom)
		case "panic":
			panic(boom)
		case "goexit":
			runtime.Goexit()
		}
		return nil
	}
	for _, mode = range []string{"fail", "reject", "panic", "goexit"} {
		t.Run(mode, func(t *testing.T) {
			out = nil
			a := aggregate(t, s)
			handle(t, a, record("a", 1, 1))
			b := batchOf(record("a", 2, 2), record("a", 3, 100), record("a", 4, 4))
			o := batching.Outcome{Failed: true}
			done := make(chan struct{})
			go func() {
				defer close(done)
				o = batching.Read(b.Records, a.Handle(context.Background(), b))
			}()
			<-done
			want, total := 1, 1+2
			switch mode {
			case "reject":
				want = 2
			case "goexit":
				want, total = 0, 1 // nothing of the call has happened
			}
			if !o.Failed || o.From != want {
				t.Errorf("got %v, want it to fail from %d", o, want)
			}
			handle(t, a, record("z", 30, 0))
			same(t, out, fmt.Sprintf("a 0-10: %d", total))
		})
	}
}

// When Close fails, the record that let the window close is not counted, and
// what was emitted for it is made anew by the next attempt.
func TestAggregateKeepsAWindowWhoseCloseFails(t *testing.T) {
	var out results
	s := spec(&out)
	good := s.Close
	failing := true
	s.Close = func(ctx context.Context, c *window.Closed[sum]) error {
		if failing && c.Key == "b" {
			return errors.New("not now")
		}
		return good(ctx, c)
	}
	a := aggregate(t, s)
	handle(t, a, record("a", 1, 1), record("b", 2, 2))
	b := batchOf(record("a", 3, 4), record("a", 11, 8))
	if o := batching.Read(b.Records, a.Handle(t.Context(), b)); !o.Failed || o.From != 1 {
		t.Fatalf("got %v, want it to fail from 1", o)
	}
	if b.Call != nil && len(b.Call.Emitted()) > 0 {
		t.Errorf("emitted %v of a record that failed", b.Call.Emitted())
	}
	failing, out = false, nil
	handle(t, a, b.Records[1])
	same(t, out, "a 0-10: 5", "b 0-10: 2")
	handle(t, a, record("z", 20, 0))
	same(t, out[2:], "a 10-20: 8")
}

func TestAggregateClosesWhereNothingMoreComes(t *testing.T) {
	var out results
	s := spec(&out)
	s.OutOfOrderness, s.Idle = 2*time.Second, 3*time.Second
	a := aggregate(t, s)
	if _, ok := a.WakeAt("shard-0"); ok {
		t.Error("a shard without windows wants to be woken")
	}
	handle(t, a, record("a", 4, 1))
	at, ok := a.WakeAt("shard-0")
	if want := second(15); !ok || !at.Equal(want) {
		t.Fatalf("wants to be woken at %v, want the window's end, and 5 s", at)
	}
	wake := func(now, read time.Time, why batching.WakeReason) []batching.Emitted {
		w := &batching.Wake{Stream: "arn:s", Shard: "shard-0", Why: why, Now: now, ReadUpTo: read}
		if err := a.Wake(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		if w.Call == nil {
			return nil
		}
		return w.Call.Emitted()
	}
	// The reader was never at the tip; it was, but not long enough ago; the
	// shard is handed over, and ended.
	wake(second(16), time.Time{}, batching.WakeDue)
	if at, _ := a.WakeAt("shard-0"); !at.Equal(second(17)) {
		t.Errorf("wants to be woken at %v again, want a second later", at)
	}
	wake(second(17), second(14), batching.WakeDue)
	wake(second(18), second(18), batching.WakeLeaving)
	wake(second(18), second(18), batching.WakeEnded)
	wake(second(18), second(18), batching.WakePressure)
	same(t, out)
	emitted := wake(second(19), second(15), batching.WakeDue)
	same(t, out, "a 0-10: 1")
	if len(emitted) != 1 || emitted[0].ID == "" || emitted[0].Key != "a" {
		t.Errorf("emitted %+v, want one with an id and the key", emitted)
	}
	if _, ok := a.WakeAt("shard-0"); ok {
		t.Error("a shard without windows wants to be woken")
	}
}

// A clock that is fast lets no window close before its time.
func TestAggregateDoesNotBelieveTheFuture(t *testing.T) {
	var out results
	a := aggregate(t, spec(&out))
	far := record("a", 86_400, 1)
	far.ArrivedAt = second(5)
	handle(t, a, far, record("b", 6, 1))
	same(t, out)
}

func TestAggregateRejectsWhatItCanNotRead(t *testing.T) {
	var out results
	s := spec(&out)
	s.EventTime = func(_ *shard.Record, e event) time.Time { return time.Unix(int64(e.At), 0) }
	a := aggregate(t, s)
	for _, data := range []string{"{", `{"at":-1}`, `{"at":9000000000}`} {
		r := record("a", 1, 1)
		r.Data = []byte(data)
		b := batchOf(r)
		if o := batching.Read(b.Records, a.Handle(t.Context(), b)); o.Failed || len(o.Rejects) != 1 {
			t.Errorf("%s: got %v, want it rejected", data, o)
		}
	}
}

func TestAggregateBoundsItsState(t *testing.T) {
	var out results
	s := spec(&out)
	s.MaxStateBytes = 200
	a := aggregate(t, s)
	handle(t, a, record("a", 1, 1), record("b", 1, 1), record("c", 1, 1))
	b := batchOf(record("a", 2, 1), record("d", 1, 1))
	err := a.Handle(t.Context(), b)
	if o := batching.Read(b.Records, err); !errors.Is(err, window.ErrStateTooLarge) || o.From != 1 {
		t.Errorf("got %v, want ErrStateTooLarge from 1", err)
	}
	handle(t, a, record("d", 11, 1)) // it makes room for itself
	same(t, out, "a 0-10: 2", "b 0-10: 1", "c 0-10: 1")
}

func TestAggregateTellsEverythingThatIsWrongWithItsSpec(t *testing.T) {
	_, err := window.New(window.Spec[event, sum]{
		OutOfOrderness: -1, Lateness: -1, Idle: -1, Late: 7, MaxStateBytes: -1,
		Key:    func(*shard.Record, event) string { return "" },
		OnDrop: func(context.Context, *shard.Record, time.Time) {},
	})
	for _, want := range []string{"Size and Gap", "OutOfOrderness", "Lateness", "Idle", "Late is", "MaxStateBytes", "Merge", "OnDrop", "Add", "Close"} {
		if err == nil || !contains(err, want) {
			t.Errorf("the error does not name %s: %v", want, err)
		}
	}
	_, err = window.New(window.Spec[event, sum]{Size: time.Second, Gap: 400 * 24 * time.Hour})
	for _, want := range []string{"Size is 1s and Gap", "Gap is", "Merge"} {
		if err == nil || !contains(err, want) {
			t.Errorf("the error does not name %s: %v", want, err)
		}
	}
}

func contains(err error, what string) bool { return strings.Contains(err.Error(), what) }
