package window_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/batching/window"
	"github.com/towpath/towpath/shard"
)

// handler is a handler of windows that sums "n", and notes its calls.
type handler struct {
	calls results
	fail  func(b *batching.Batch) error
}

func (h *handler) Handle(_ context.Context, b *batching.Batch) error {
	w := b.Window
	line := fmt.Sprintf("%d-%d %q", w.Start.Sub(epoch)/time.Second, w.End.Sub(epoch)/time.Second, w.State)
	for i := range b.Records {
		line += " " + string(b.Records[i].Data)
		w.State = append(append([]byte{}, w.State...), b.Records[i].Data...)
	}
	if w.Final {
		line += " final"
		b.Emit(batching.Emitted{Data: w.State})
	}
	if w.Early {
		line += " early"
	}
	h.calls = append(h.calls, line)
	if h.fail != nil {
		return h.fail(b)
	}
	return nil
}

// arrived is a record that arrived at a second.
func arrived(at int, data string) shard.Record {
	r := record("a", 0, 0)
	r.ArrivedAt, r.Data = second(at), []byte(data)
	return r
}

const tumblingSize = 10 * time.Second

func TestTumblingCarriesStateFromCallToCall(t *testing.T) {
	h := &handler{}
	w := window.NewTumbling(tumblingSize, batching.AtMost(100), h)
	for _, b := range []*batching.Batch{
		batchOf(arrived(1, "a"), arrived(9, "b")),
		batchOf(arrived(5, "c")),
		batchOf(arrived(12, "d"), arrived(8, "e")), // e is counted in the window that is open
	} {
		if err := w.Handle(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	same(t, h.calls, `0-10 "" a b`, `0-10 "ab" c`, `0-10 "abc" final`, `10-20 "" d e`)
}

func TestTumblingLeavesTheNextWindowToTheNextCall(t *testing.T) {
	h := &handler{}
	w := window.NewTumbling(tumblingSize, batching.AtMost(100), h)
	b := batchOf(arrived(1, "a"), arrived(11, "b"), arrived(12, "c"), arrived(25, "d"))
	if n := window.Cut(b.Records, tumblingSize); n != 1 {
		t.Errorf("cut behind %d, want 1", n)
	}
	if n := window.Cut(b.Records[1:], tumblingSize); n != 2 {
		t.Errorf("cut behind %d, want 2", n)
	}
	o := batching.Read(b.Records, w.Handle(t.Context(), b))
	if !o.Failed || o.From != 1 || !o.Delayed || o.After != 0 {
		t.Errorf("got %v, want the rest at once", o)
	}
	b = batchOf(b.Records[1:]...)
	o = batching.Read(b.Records, w.Handle(t.Context(), b))
	if !o.Failed || o.From != 2 {
		t.Errorf("got %v, want the rest at once", o)
	}
	// What the last call emits goes with the first record of the next window.
	e := b.Call.Emitted()
	if len(e) != 1 || e[0].Of == nil || e[0].Of.Sequence != b.Records[0].Sequence || e[0].Key != "shard-0" || !strings.HasPrefix(e[0].ID, "arn:s/shard-0/window/") {
		t.Errorf("emitted %+v", e)
	}
	same(t, h.calls, `0-10 "" a`, `0-10 "a" final`, `10-20 "" b c`)
}

// A call that fails leaves the state as it was; one that failed from a record on
// leaves what it has set. A last call that emitted is made again when the record
// that it went with has failed, as what it emitted was not sent.
func TestTumblingForgetsWhatAFailedCallDid(t *testing.T) {
	h := &handler{}
	w := window.NewTumbling(tumblingSize, batching.AtMost(100), h)
	bad := errors.New("bad")
	h.fail = func(b *batching.Batch) error {
		switch {
		case len(b.Records) == 0:
			return nil
		case string(b.Records[0].Data) == "x":
			return bad
		case len(b.Records) == 3:
			b.Window.State = b.Records[0].Data
			return batching.FailFrom(&b.Records[1], bad)
		}
		return nil
	}
	try := func(want batching.Outcome, records ...shard.Record) {
		t.Helper()
		b := batchOf(records...)
		o := batching.Read(b.Records, w.Handle(t.Context(), b))
		if o.Failed != want.Failed || o.From != want.From {
			t.Errorf("got %v, want %v", o, want)
		}
	}
	try(batching.Outcome{Failed: true}, arrived(1, "x"))
	try(batching.Outcome{Failed: true, From: 1}, arrived(1, "a"), arrived(2, "b"), arrived(3, "c"))
	try(batching.Outcome{}, arrived(2, "b"))
	try(batching.Outcome{Failed: true}, arrived(11, "x"))
	try(batching.Outcome{}, arrived(11, "y"))
	same(t, h.calls, `0-10 "" x`, `0-10 "" a b c`, `0-10 "a" b`,
		`0-10 "ab" final`, `10-20 "" x`, `0-10 "ab" final`, `10-20 "" y`)
}

func TestTumblingEndsAWindowEarlyThatGrowsTooLarge(t *testing.T) {
	h := &handler{}
	w := window.NewTumbling(tumblingSize, batching.AtMost(3), h)
	for _, b := range []*batching.Batch{
		batchOf(arrived(1, "ab"), arrived(1, "cd")),
		batchOf(arrived(2, "e")),
		batchOf(arrived(12, "f")),
	} {
		if err := w.Handle(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	same(t, h.calls, `0-10 "" ab cd`, `0-10 "abcd" final early`, `0-10 "" e`, `0-10 "e" final`, `10-20 "" f`)
	// If its end fails, its records have not been handled.
	h = &handler{fail: func(b *batching.Batch) error {
		if b.Window.Early {
			return errors.New("no")
		}
		return nil
	}}
	w = window.NewTumbling(tumblingSize, batching.AtMost(3), h)
	b := batchOf(arrived(1, "ab"), arrived(1, "cd"))
	for range 2 {
		if o := batching.Read(b.Records, w.Handle(t.Context(), b)); !o.Failed || o.From != 0 {
			t.Errorf("got %v, want all of it to have failed", o)
		}
	}
	same(t, h.calls, `0-10 "" ab cd`, `0-10 "abcd" final early`, `0-10 "" ab cd`, `0-10 "abcd" final early`)
}

func TestTumblingEndsAWindowWithoutRecords(t *testing.T) {
	for _, c := range []struct {
		why   batching.WakeReason
		read  time.Time
		final string
	}{
		{batching.WakeDue, second(11), `0-10 "a" final`},
		{batching.WakeDue, second(10), ""}, // its last record may still be read
		{batching.WakeDue, time.Time{}, ""},
		{batching.WakeEnded, time.Time{}, `0-10 "a" final early`},
		{batching.WakeLeaving, second(20), ""},
		{batching.WakePressure, second(20), ""},
	} {
		h := &handler{}
		w := window.NewTumbling(tumblingSize, batching.AtMost(100), h)
		if err := w.Handle(t.Context(), batchOf(arrived(1, "a"))); err != nil {
			t.Fatal(err)
		}
		if at, ok := w.WakeAt("shard-0"); !ok || !at.Equal(second(11)) {
			t.Errorf("wants to be woken at %v, want a second after the end", at)
		}
		wake := &batching.Wake{Stream: "arn:s", Shard: "shard-0", Why: c.why, Now: second(30), ReadUpTo: c.read, Call: &batching.Call{}}
		if err := w.Wake(t.Context(), wake); err != nil {
			t.Fatal(err)
		}
		if c.final == "" {
			same(t, h.calls, `0-10 "" a`)
			if at, _ := w.WakeAt("shard-0"); !at.Equal(second(31)) {
				t.Errorf("%v: wants to be woken at %v, want a second later", c.why, at)
			}
			continue
		}
		same(t, h.calls, `0-10 "" a`, c.final)
		if e := wake.Call.Emitted(); len(e) != 1 || e[0].ID == "" {
			t.Errorf("%v: emitted %+v, want one with an id", c.why, e)
		}
		if c.why == batching.WakeDue {
			// It does not come back.
			if err := w.Handle(t.Context(), batchOf(arrived(9, "b"))); err != nil {
				t.Fatal(err)
			}
			same(t, h.calls[2:], `10-20 "" b`)
		}
	}
}

func TestTumblingGoesOnWithWhatWasKept(t *testing.T) {
	h := &handler{}
	w := window.NewTumbling(tumblingSize, batching.AtMost(100), h)
	if err := w.Handle(t.Context(), batchOf(arrived(11, "a"))); err != nil {
		t.Fatal(err)
	}
	state, err := w.State("shard-0")
	if err != nil {
		t.Fatal(err)
	}
	next := window.NewTumbling(tumblingSize, batching.AtMost(100), h)
	if err := next.Restore(t.Context(), batching.Restored{Shard: "shard-0", State: state}); err != nil {
		t.Fatal(err)
	}
	if err := next.Handle(t.Context(), batchOf(arrived(12, "b"))); err != nil {
		t.Fatal(err)
	}
	same(t, h.calls, `10-20 "" a`, `10-20 "a" b`)
	for i := range state {
		broken := append([]byte{}, state...)
		broken[i] ^= 1
		if err := next.Restore(t.Context(), batching.Restored{Shard: "shard-0", State: broken}); !errors.Is(err, window.ErrState) {
			t.Errorf("byte %d: error %v, want ErrState", i, err)
		}
	}
	// A child begins with nothing.
	if err := next.Restore(t.Context(), batching.Restored{Shard: "shard-1", Inherited: map[string][]byte{"shard-0": state}}); err != nil {
		t.Fatal(err)
	}
	if state, err := next.State("shard-1"); err != nil || state != nil {
		t.Errorf("state %q, error %v", state, err)
	}
}

// What the last call for a window emits goes with a record that is handled: with
// one that is rejected it would be dropped.
func TestTumblingEmitsWithWhatIsHandled(t *testing.T) {
	h := &handler{fail: func(b *batching.Batch) error {
		if len(b.Records) > 0 && string(b.Records[0].Data) == "x" {
			return batching.Reject(&b.Records[0], nil)
		}
		return nil
	}}
	w := window.NewTumbling(tumblingSize, batching.AtMost(100), h)
	for _, records := range [][]shard.Record{
		{arrived(1, "a")},
		{arrived(11, "x")},
		{arrived(11, "x"), arrived(21, "y")}, // y is left for the next call
		{arrived(11, "x"), arrived(11, "b")},
	} {
		b := batchOf(records...)
		o := batching.Read(b.Records, w.Handle(t.Context(), b))
		if o.Failed != (string(b.Last().Data) == "y") {
			t.Fatal(o)
		}
		if b.Call == nil {
			continue
		}
		for _, e := range b.Call.Emitted() {
			if string(e.Of.Data) != "b" {
				t.Errorf("emitted with %s", e.Of.Data)
			}
		}
		if len(b.Call.Emitted()) != 1 && string(b.Last().Data) == "b" {
			t.Errorf("emitted %v", b.Call.Emitted())
		}
	}
	same(t, h.calls, `0-10 "" a`, `0-10 "a" final`, `10-20 "" x`, `0-10 "a" final`, `10-20 "" x`, `0-10 "a" final`, `10-20 "" x b`)
}

func TestTumblingRefusesToDefer(t *testing.T) {
	h := &handler{fail: func(b *batching.Batch) error { b.Defer(); return nil }}
	w := window.NewTumbling(tumblingSize, batching.AtMost(100), h)
	b := batchOf(arrived(1, "a"))
	if o := batching.Read(b.Records, w.Handle(t.Context(), b)); !o.Failed {
		t.Errorf("got %v, want a failure", o)
	}
}
