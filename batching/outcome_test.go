package batching

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/shard"
)

func TestReadSaysWhatIsNotDone(t *testing.T) {
	records := recordsOf(6)
	at := func(i int) *shard.Record { r := records[i]; return &r } // a copy is recognised
	foreign := &shard.Record{Shard: "another", Sequence: "1002"}
	later := func(err error) error { return RetryAfter(time.Second, err) }
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"nil", nil, "done"},
		{"an error", errBroken, "failed"},
		{"a wrapped error", fmt.Errorf("x: %w", errBroken), "failed"},
		{"a panic", &PanicError{Value: "x"}, "failed"},
		{"a panic with a verb", &PanicError{Value: FailFrom(at(3), errBroken)}, "failed"},
		{"a join of nothing", fmt.Errorf("%w", errors.Join(nil)), "failed"},

		{"FailFrom", FailFrom(at(3), errBroken), "failed from 3"},
		{"FailFrom without a reason", FailFrom(at(3), nil), "failed from 3"},
		{"FailFrom of the first", FailFrom(at(0), errBroken), "failed from 0"},
		{"FailFrom with a reason of its own kind", FailFrom(at(3), FailFrom(at(2), errBroken)), "failed from 2"},
		{"FailFrom a panic", FailFrom(at(3), &PanicError{Value: "x"}), "failed from 3"},
		{"FailFrom with several reasons", FailFrom(at(3), errors.Join(errBroken, context.Canceled)), "failed from 3"},
		{"words around FailFrom", fmt.Errorf("handling: %w", FailFrom(at(3), errBroken)), "failed from 3"},
		{"two FailFrom", errors.Join(FailFrom(at(4), errBroken), FailFrom(at(2), errBroken)), "failed from 2"},
		{"FailFrom and an error without a place", errors.Join(FailFrom(at(4), errBroken), errBroken), "failed"},
		{"FailFrom behind a second %w", fmt.Errorf("%w: %w", errBroken, FailFrom(at(4), errBroken)), "failed"},
		{"FailFrom a foreign record", FailFrom(foreign, errBroken), "failed"},
		{"FailFrom no record", FailFrom(nil, errBroken), "failed"},
		{"FailFrom and a foreign one", errors.Join(FailFrom(at(3), errBroken), FailFrom(foreign, errBroken)), "failed"},

		{"Reject", Reject(at(2), errBroken), "done, rejected 2"},
		{"Reject without a reason", Reject(at(2), nil), "done, rejected 2"},
		{"Rejects in any order", errors.Join(Reject(at(4), errBroken), Reject(at(1), errBroken)), "done, rejected 1 4"},
		{"Rejects in nested joins", errors.Join(errors.Join(Reject(at(4), errBroken), nil), Reject(at(4), errBroken)), "done, rejected 4"},
		{"Reject a panic", Reject(at(2), &PanicError{Value: "x"}), "done, rejected 2"},
		{"Reject for several reasons", Reject(at(2), errors.Join(errBroken, context.Canceled)), "done, rejected 2"},
		{"Reject what asked to be retried", Reject(at(2), later(errBroken)), "done, rejected 2"},
		{"Reject a foreign record", errors.Join(Reject(at(1), errBroken), Reject(foreign, errBroken)), "failed"},
		{"Reject and an error", errors.Join(Reject(at(1), errBroken), errBroken), "failed"},
		{"Rejects around FailFrom", errors.Join(Reject(at(1), errBroken), FailFrom(at(3), errBroken), Reject(at(3), nil), Reject(at(5), nil)), "failed from 3, rejected 1"},
		{"Reject within FailFrom", FailFrom(at(3), Reject(at(1), errBroken)), "failed from 3, rejected 1"},
		{"FailFrom within Reject", Reject(at(1), FailFrom(at(3), errBroken)), "failed from 3, rejected 1"},

		{"RetryAfter", later(errBroken), "failed, again after 1s"},
		{"RetryAfter without a reason", later(nil), "failed, again after 1s"},
		{"RetryAfter before now", RetryAfter(-time.Second, errBroken), "failed, again after 0s"},
		{"RetryAfter twice", later(RetryAfter(time.Minute, errBroken)), "failed, again after 1m0s"},
		{"RetryAfter from a record on", FailFrom(at(3), later(errBroken)), "failed from 3, again after 1s"},
		{"from a record on, RetryAfter", later(FailFrom(at(3), errBroken)), "failed from 3, again after 1s"},
		{"RetryAfter with a Reject", later(Reject(at(3), errBroken)), "failed, again after 1s"},
		{"RetryAfter beside a Reject", errors.Join(Reject(at(1), nil), later(errBroken)), "failed, again after 1s"},
		{"RetryAfter behind the lowest place", errors.Join(FailFrom(at(4), later(errBroken)), FailFrom(at(2), errBroken)), "failed from 2"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := Read(records, test.err)
			if got := o.String(); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
			if !errors.Is(o.Err, test.err) {
				t.Errorf("the outcome's error %v is not the handler's", o.Err)
			}
		})
	}
}

func TestReadNamesWhatIsForeign(t *testing.T) {
	o := Read(recordsOf(2), FailFrom(&shard.Record{Shard: "s", Sequence: "77", Sub: 3}, errBroken))
	if o.Err == nil || !strings.Contains(o.Err.Error(), "s/77/3") || !errors.Is(o.Err, errBroken) {
		t.Errorf("error %v does not name s/77/3, or hides its reason", o.Err)
	}
}

// Whatever is said of a record that is not in the batch fails all of it, without a
// reason as with one: nothing is known to be done.
func TestReadFailsAllForAForeignRecord(t *testing.T) {
	foreign := &shard.Record{Shard: "s", Sequence: "77"}
	for _, err := range []error{
		FailFrom(foreign, nil), FailFrom(foreign, errBroken), Reject(foreign, nil), Reject(foreign, errBroken),
		FailFrom(foreign, RetryAfter(time.Second, nil)), FailFrom(&shard.Record{}, nil),
	} {
		if o := Read(recordsOf(3), err); !o.Failed || o.From != 0 || len(o.Rejects) != 0 {
			t.Errorf("%v: %s, want failed from 0", err, o)
		}
	}
}

func TestReadTellsUserRecordsOfOneAggregateApart(t *testing.T) {
	records := recordsOf(3)
	for i := range records {
		records[i].Sequence, records[i].Sub = "7", int64(i)
	}
	if o := Read(records, FailFrom(&records[2], errBroken)); o.From != 2 {
		t.Errorf("%s, want failed from 2", o)
	}
}

func TestVerbsKeepTheirReason(t *testing.T) {
	r := &recordsOf(1)[0]
	for _, err := range []error{
		FailFrom(r, errBroken), Reject(r, errBroken), RetryAfter(time.Second, errBroken),
		FailFrom(r, RetryAfter(time.Second, errBroken)), &PanicError{Value: errBroken},
	} {
		if !errors.Is(err, errBroken) {
			t.Errorf("%q hides its reason", err)
		}
		if !strings.Contains(err.Error(), "broken") {
			t.Errorf("%q does not say its reason", err)
		}
	}
	if err := (&PanicError{Value: 7}); err.Unwrap() != nil || !strings.Contains(err.Error(), "7") {
		t.Errorf("%q", err)
	}
	for _, err := range []error{FailFrom(nil, nil), Reject(nil, nil), RetryAfter(0, nil)} {
		if err.Error() == "" {
			t.Errorf("%T says nothing", err)
		}
	}
}

func ExampleFailFrom() {
	records := []shard.Record{{Sequence: "101"}, {Sequence: "102"}, {Sequence: "103"}}
	handle := func(records []shard.Record) error {
		for i := range records {
			if records[i].Sequence == "102" {
				return FailFrom(&records[i], errors.New("no such account"))
			}
		}
		return nil
	}
	fmt.Println(Read(records, handle(records)))
	// Output: failed from 1
}

func ExampleReject() {
	records := []shard.Record{{Sequence: "101"}, {Sequence: "102"}, {Sequence: "103"}}
	err := errors.Join(
		Reject(&records[0], errors.New("not JSON")),
		Reject(&records[2], errors.New("not JSON")),
	)
	fmt.Println(Read(records, err))
	// Output: done, rejected 0 2
}
