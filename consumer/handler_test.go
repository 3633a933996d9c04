package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
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

// script is a handler that notes what it was called with, one line a call: the
// attempt and the payloads.
type script struct {
	mu    sync.Mutex
	calls []string
	do    func(ctx context.Context, b *batching.Batch) error
}

func (s *script) Handle(ctx context.Context, b *batching.Batch) error {
	var data []string
	for _, r := range b.Records {
		data = append(data, string(r.Data))
	}
	s.mu.Lock()
	s.calls = append(s.calls, fmt.Sprintf("#%d %s", b.Attempt, strings.Join(data, " ")))
	s.mu.Unlock()
	return s.do(ctx, b)
}

func (s *script) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.calls, "; ")
}

// run hands the records a, b, c, d to a script in one batch, and returns what
// the destination accepted, by payload and condition.
func (s *script) run(t *testing.T, change func(*consumer.Config)) (accepted string) {
	t.Helper()
	stream := shardtest.NewStream(1)
	for _, data := range []string{"a", "b", "c", "d"} {
		stream.Put("key", []byte(data))
	}
	failed := &destinationtest.Recorder{}
	cfg := config(stream, checkpointtest.NewTable())
	cfg.Handler, cfg.OnFailure = s, failed
	if change != nil {
		change(&cfg)
	}
	runToTip(t, cfg)
	var parts []string
	for _, f := range failed.Accepted() {
		var data []string
		for _, r := range f.Records {
			data = append(data, string(r.Data))
		}
		parts = append(parts, fmt.Sprintf("%s: %s after %d", strings.Join(data, " "), f.Condition, f.Attempts))
	}
	return strings.Join(parts, "; ")
}

func find(b *batching.Batch, data string) *shard.Record {
	for i := range b.Records {
		if string(b.Records[i].Data) == data {
			return &b.Records[i]
		}
	}
	return nil
}

func failOn(data string, f func(r *shard.Record) error) func(context.Context, *batching.Batch) error {
	return func(_ context.Context, b *batching.Batch) error {
		if r := find(b, data); r != nil {
			return f(r)
		}
		return nil
	}
}

// What a handler returns steers what is called next, and what reaches the
// destination.
func TestHandlerSteersWithWhatItReturns(t *testing.T) {
	bad := errors.New("bad")
	twice := func(c *consumer.Config) { c.MaximumRetryAttempts = batching.AtMost(1) }
	bisect := func(c *consumer.Config) {
		c.MaximumRetryAttempts, c.BisectBatchOnError = batching.AtMost(1), true
	}
	tries := 0
	for _, test := range []struct {
		name            string
		do              func(context.Context, *batching.Batch) error
		change          func(*consumer.Config)
		calls, accepted string
	}{
		{"nil finishes the batch",
			func(context.Context, *batching.Batch) error { return nil }, twice,
			"#1 a b c d", ""},
		{"an error fails the batch until attempts are exhausted",
			failOn("c", func(*shard.Record) error { return bad }), twice,
			"#1 a b c d; #2 a b c d", "a b c d: RetryAttemptsExhausted after 2"},
		{"FailFrom finishes what lies before",
			failOn("c", func(r *shard.Record) error { return batching.FailFrom(r, bad) }), twice,
			"#1 a b c d; #2 c d", "c d: RetryAttemptsExhausted after 2"},
		{"bisect finds the record",
			failOn("c", func(*shard.Record) error { return bad }), bisect,
			"#1 a b c d; #1 a b; #1 c d; #1 c; #2 c; #1 d", "c: RetryAttemptsExhausted after 2"},
		{"bisect isolates the record that FailFrom names",
			failOn("c", func(r *shard.Record) error { return batching.FailFrom(r, bad) }), bisect,
			"#1 a b c d; #1 c; #2 c; #1 d", "c: RetryAttemptsExhausted after 2"},
		{"Reject sends one record away and goes on",
			failOn("b", func(r *shard.Record) error { return batching.Reject(r, bad) }), twice,
			"#1 a b c d", "b: Rejected after 1"},
		{"RetryAfter burns no attempt",
			failOn("a", func(*shard.Record) error {
				if tries++; tries <= 5 {
					return batching.RetryAfter(time.Second, bad)
				}
				return nil
			}), twice,
			"#1 a b c d; #1 a b c d; #1 a b c d; #1 a b c d; #1 a b c d; #1 a b c d", ""},
		{"a panic is an error",
			failOn("d", func(*shard.Record) error { panic("ouch") }), bisect,
			"#1 a b c d; #1 a b; #1 c d; #1 c; #1 d; #2 d", "d: RetryAttemptsExhausted after 2"},
		{"runtime.Goexit is an error",
			failOn("d", func(*shard.Record) error { runtime.Goexit(); return nil }), bisect,
			"#1 a b c d; #1 a b; #1 c d; #1 c; #1 d; #2 d", "d: RetryAttemptsExhausted after 2"},
		{"without a destination Reject retries",
			failOn("b", func(r *shard.Record) error {
				if tries++; tries <= 7 {
					return batching.Reject(r, bad)
				}
				return nil
			}), func(c *consumer.Config) { c.OnFailure = nil },
			"#1 a b c d; #2 b c d", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{do: test.do}
				accepted := s.run(t, test.change)
				if s.text() != test.calls {
					t.Errorf("calls\n got %s\nwant %s", s.text(), test.calls)
				}
				if accepted != test.accepted {
					t.Errorf("accepted by the destination\n got %s\nwant %s", accepted, test.accepted)
				}
			})
		})
	}
}

// A call that takes too long has its context ended with ErrHandlerTimeout, and
// counts as failed.
func TestHandlerTimeoutEndsTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{do: func(ctx context.Context, b *batching.Batch) error {
			if b.Attempt > 1 {
				return nil
			}
			<-ctx.Done()
			if cause := context.Cause(ctx); cause != consumer.ErrHandlerTimeout {
				t.Errorf("the context ended with %v, want %v", cause, consumer.ErrHandlerTimeout)
			}
			return context.Cause(ctx)
		}}
		s.run(t, func(c *consumer.Config) { c.HandlerTimeout = 3 * time.Second })
		if got, want := s.text(), "#1 a b c d; #2 a b c d"; got != want {
			t.Errorf("calls %s, want %s", got, want)
		}
	})
}

// A destination that refuses is asked again until it accepts, and the checkpoint
// waits for it.
func TestNothingIsDroppedWhileTheDestinationRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{do: failOn("b", func(r *shard.Record) error { return batching.Reject(r, errors.New("bad")) })}
		table := checkpointtest.NewTable()
		failed := &destinationtest.Recorder{}
		failed.Script(destinationtest.Refuse, destinationtest.Refuse, destinationtest.LoseAnswer)
		refused := 0
		s.run(t, func(c *consumer.Config) {
			c.OnFailure, c.Leases = failed, table
			c.Hooks.DestinationRefused = func(consumer.DestinationRefusedEvent) {
				refused++
				rows, err := table.List(t.Context())
				if err != nil || len(rows) != 1 || rows[0].Checkpoint.IsRecord() {
					t.Errorf("the checkpoint is at %v (%v) before the destination accepted", rows, err)
				}
			}
		})
		if refused != 3 || len(failed.Accepted()) != 2 {
			t.Errorf("refused %d times and accepted %d, want 3 and 2 (once with its answer lost)", refused, len(failed.Accepted()))
		}
		if a := failed.Accepted(); a[0].ID() != a[1].ID() {
			t.Errorf("the repeat has the id %s, want the same as before, %s", a[1].ID(), a[0].ID())
		}
	})
}

// A record older than MaximumRecordAge goes to the destination without a call,
// and only the expired prefix of a batch does.
func TestOnlyTheExpiredPrefixIsGivenUpForAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(1)
		stream.Put("key", []byte("old"))
		time.Sleep(2 * time.Minute)
		stream.Put("key", []byte("new"))
		failed := &destinationtest.Recorder{}
		s := &script{do: func(context.Context, *batching.Batch) error { return nil }}
		cfg := config(stream, checkpointtest.NewTable())
		cfg.Handler, cfg.OnFailure, cfg.MaximumRecordAge = s, failed, time.Minute
		runToTip(t, cfg)
		if got, want := s.text(), "#1 new"; got != want {
			t.Errorf("calls %s, want %s", got, want)
		}
		if a := failed.Accepted(); len(a) != 1 || a[0].Condition != destination.RecordAgeExceeded || string(a[0].Records[0].Data) != "old" {
			t.Errorf("accepted %v, want the old record for its age", a)
		}
	})
}

// A record that cannot be decoded is a failed record: it goes to the
// destination, and the others are handled.
func TestUndecodableRecordIsRejectedAndTheRestGoesOn(t *testing.T) {
	type click struct{ Page string }
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(1)
		for _, data := range []string{`{"Page":"home"}`, `{"Page":`, `{"Page":"cart"}`} {
			stream.Put("key", []byte(data))
		}
		failed := &destinationtest.Recorder{}
		var pages []string
		cfg := config(stream, checkpointtest.NewTable())
		cfg.OnFailure = failed
		cfg.Handler = consumer.Each(func(_ context.Context, c click) error {
			pages = append(pages, c.Page)
			return nil
		})
		runToTip(t, cfg)
		if got, want := strings.Join(pages, " "), "home cart"; got != want {
			t.Errorf("handled %s, want %s", got, want)
		}
		if a := failed.Accepted(); len(a) != 1 || string(a[0].Records[0].Data) != `{"Page":` || a[0].Condition != destination.Rejected {
			t.Errorf("accepted %v, want the record that is no JSON", a)
		}
	})
}

// A destination that does not answer is asked again after half a minute, and
// holds nothing but its lane.
func TestDestinationThatHangsIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{do: failOn("b", func(r *shard.Record) error { return batching.Reject(r, errors.New("bad")) })}
		failed := &destinationtest.Recorder{}
		failed.Script(destinationtest.Hang)
		began := time.Now()
		accepted := s.run(t, func(c *consumer.Config) { c.OnFailure = failed })
		if took := time.Since(began); took < 30*time.Second || took > 40*time.Second {
			t.Errorf("the destination was asked again after %v, want 30s", took)
		}
		if len(failed.Accepted()) != 1 {
			t.Errorf("the destination accepted %d failures (%s), want one", len(failed.Accepted()), accepted)
		}
	})
}
