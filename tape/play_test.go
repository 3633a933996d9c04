package tape_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/kinesisfake"
	"github.com/towpath/towpath/tape"
)

// taped is a tape of events that arrived so long after the first.
func taped(arrivals ...time.Duration) func() (tape.Event, error) {
	n := 0
	return func() (tape.Event, error) {
		if n == len(arrivals) {
			return tape.Event{}, io.EOF
		}
		n++
		e := tape.Event{Key: fmt.Sprint("key-", n%3), Keyed: true, Data: fmt.Append(nil, n)}
		if arrivals[n-1] >= 0 {
			e.Arrived = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).Add(arrivals[n-1])
		}
		return e, nil
	}
}

// noted notes when what was put.
type noted struct {
	began time.Time
	at    []time.Duration
	fail  func(call int, events []batching.Emitted) error
	calls int
}

func (n *noted) String() string { return "a list" }

func (n *noted) Publish(_ context.Context, events []batching.Emitted) error {
	n.calls++
	if n.fail != nil {
		if err := n.fail(n.calls, events); err != nil {
			return err
		}
	}
	for range events {
		n.at = append(n.at, time.Since(n.began).Round(time.Millisecond))
	}
	return nil
}

const sec = time.Second

// Events are put when they are due: as they arrived, at a multiple of it, by a
// bound on their number, or at once; also those that arrived before the one in
// front of them, and those of which that is not known.
func TestPlayKeepsThePace(t *testing.T) {
	for _, c := range []struct {
		pace     tape.Pace
		arrivals []time.Duration
		want     []time.Duration
	}{
		{tape.Pace{}, []time.Duration{0, sec, sec, 10 * sec}, []time.Duration{0, sec, sec, 10 * sec}},
		{tape.Pace{Speed: 10}, []time.Duration{0, sec, 10 * sec}, []time.Duration{0, sec / 10, sec}},
		{tape.Pace{Speed: 0.5}, []time.Duration{0, sec}, []time.Duration{0, 2 * sec}},
		{tape.Pace{Unpaced: true}, []time.Duration{0, 3600 * sec, 7200 * sec}, []time.Duration{0, 0, 0}},
		{tape.Pace{Unpaced: true, Rate: 2}, []time.Duration{0, 0, 0, 0}, []time.Duration{0, sec / 2, sec, 3 * sec / 2}},
		{tape.Pace{Rate: 1}, []time.Duration{0, 0, 10 * sec, 10 * sec}, []time.Duration{0, sec, 10 * sec, 11 * sec}},
		{tape.Pace{}, []time.Duration{0, 5 * sec, 2 * sec, 6 * sec}, []time.Duration{0, 5 * sec, 5 * sec, 6 * sec}},
		{tape.Pace{}, []time.Duration{-1, -1, 60 * sec, 61 * sec, -1}, []time.Duration{0, 0, 0, sec, sec}},
		{tape.Pace{Rate: 1, Speed: 2}, []time.Duration{-1, -1, 60 * sec, 66 * sec}, []time.Duration{0, sec, 2 * sec, 5 * sec}},
	} {
		synctest.Test(t, func(t *testing.T) {
			into := &noted{began: time.Now()}
			played, err := tape.Play(t.Context(), tape.Config{Events: taped(c.arrivals...), Into: into, Pace: c.pace})
			if err != nil || fmt.Sprint(into.at) != fmt.Sprint(c.want) {
				t.Errorf("at %+v: %v were put at %v, want %v; %v", c.pace, c.arrivals, into.at, c.want, err)
			}
			if played.Put != len(c.want) || played.Next != len(c.want) || played.Twice != 0 {
				t.Errorf("got %+v", played)
			}
		})
	}
}

// A stream that is slow for a while is caught up with: what is due is put at once.
func TestPlayCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var arrivals []time.Duration
		for i := range 100 {
			arrivals = append(arrivals, time.Duration(i)*100*time.Millisecond)
		}
		into := &noted{began: time.Now()}
		into.fail = func(call int, _ []batching.Emitted) error {
			if call == 10 {
				time.Sleep(3 * time.Second)
			}
			return nil
		}
		var late time.Duration
		played, err := tape.Play(t.Context(), tape.Config{Events: taped(arrivals...), Into: into, Tell: func(p tape.Played) { late = max(late, p.Late) }})
		if err != nil || into.at[99] != 9900*time.Millisecond || late < 2*time.Second || played.Late != 0 {
			t.Errorf("the last was put at %v, late by %v and then %v: %v", into.at[99], late, played.Late, err)
		}
	})
}

// Whatever shards refuse, and however often, the events of each key arrive in their
// order, each once.
func TestPlayKeepsTheOrderOfKeysThroughThrottling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := awsfake.New()
		if err := a.Kinesis().CreateStream("copy", 2); err != nil {
			t.Fatal(err)
		}
		refusals := 0
		defer a.Kinesis().RefuseSome(func(data []byte) bool {
			refusals++
			return refusals%3 != 0
		})()
		const n = 1_000
		number := 0
		played, err := tape.Play(t.Context(), tape.Config{
			Events: func() (tape.Event, error) {
				if number == n {
					return tape.Event{}, io.EOF
				}
				number++
				return tape.Event{Key: fmt.Sprint("key-", number%7), Keyed: true, Data: fmt.Append(nil, number)}, nil
			},
			Into: tape.Into(kinesis.NewFromConfig(a.Config("player")), "copy"), Pace: tape.Pace{Unpaced: true},
		})
		if err != nil || played.Put != n || played.Next != n {
			t.Fatalf("got %+v and %v", played, err)
		}
		came := map[string]int{}
		for _, r := range a.Kinesis().Records("copy") {
			var number int
			if _, err := fmt.Sscan(string(r.Data), &number); err != nil || number <= came[r.PartitionKey] {
				t.Fatalf("of %s came %d behind %d", r.PartitionKey, number, came[r.PartitionKey])
			}
			came[r.PartitionKey] = number
		}
		if got := a.Kinesis().Count("copy"); got != n {
			t.Errorf("%d records came, want %d", got, n)
		}
	})
}

// The real limits of a shard, 1,000 records a second, slow a run down and no more.
func TestPlayWaitsForThrottledShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := awsfake.New()
		a.Kinesis().Set(kinesisfake.WithWriteLimits(true))
		if err := a.Kinesis().CreateStream("copy", 1); err != nil {
			t.Fatal(err)
		}
		number, began := 0, time.Now()
		_, err := tape.Play(t.Context(), tape.Config{
			Events: func() (tape.Event, error) {
				if number == 5_000 {
					return tape.Event{}, io.EOF
				}
				number++
				return tape.Event{Key: fmt.Sprint("key-", number), Keyed: true, Data: []byte("x")}, nil
			},
			Into: tape.Into(kinesis.NewFromConfig(a.Config("player")), "copy"), Pace: tape.Pace{Unpaced: true},
		})
		if took := time.Since(began); err != nil || a.Kinesis().Count("copy") != 5_000 || took < 4*time.Second || took > 30*time.Second {
			t.Errorf("%d records took %v: %v", a.Kinesis().Count("copy"), took, err)
		}
	})
}

// A run that was ended tells where to go on, so that nothing is missing and only
// what it says comes twice.
func TestPlayGoesOnWhereItWasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var put []string
		ctx, cancel := context.WithCancel(t.Context())
		into := &noted{}
		into.fail = func(call int, events []batching.Emitted) error {
			var rest []batching.Emitted
			for i, e := range events {
				if call == 1 && i%2 == 1 { // of three the second
					rest = append(rest, e)
				} else {
					put = append(put, string(e.Data))
				}
			}
			if len(rest) > 0 {
				cancel()
				return &destination.PublishError{Rest: rest, Err: errors.New("busy")}
			}
			return nil
		}
		cfg := tape.Config{Events: taped(0, 0, 0, 10*sec, 20*sec), Into: into}
		played, err := tape.Play(ctx, cfg)
		if !errors.Is(err, context.Canceled) || played.Next != 1 || played.Put != 2 || played.Twice != 1 {
			t.Fatalf("got %+v and %v", played, err)
		}
		cfg.Events, cfg.Skip = taped(0, 0, 0, 10*sec, 20*sec), played.Next
		if played, err = tape.Play(t.Context(), cfg); err != nil || played.Next != 5 || played.Put != 4 {
			t.Errorf("got %+v and %v", played, err)
		}
		if got := strings.Join(put, " "); got != "1 3 2 3 4 5" {
			t.Errorf("put %s", got)
		}
		cfg.Events, cfg.Skip = taped(0), 2
		if _, err := tape.Play(t.Context(), cfg); err == nil || err.Error() != "there are 1 events, and 2 are to be skipped" {
			t.Errorf("got %v", err)
		}
	})
}

// What can not be put ends the run at once, or when it was tried long enough.
func TestPlayGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := awsfake.New()
		began := time.Now()
		_, err := tape.Play(t.Context(), tape.Config{Events: taped(0), Into: tape.Into(kinesis.NewFromConfig(a.Config("player")), "none")})
		if !errors.Is(err, destination.ErrRefused) || time.Since(began) > time.Second {
			t.Errorf("a stream that is not there: got %v after %v", err, time.Since(began))
		}
		into := &noted{fail: func(int, []batching.Emitted) error { return errors.New("down") }}
		if _, err = tape.Play(t.Context(), tape.Config{Events: taped(0), Into: into}); err == nil || into.calls != 8 {
			t.Errorf("got %v after %d calls", err, into.calls)
		}
		_, err = tape.Play(t.Context(), tape.Config{Pace: tape.Pace{Speed: -1, Rate: -1}, Skip: -1})
		for _, field := range []string{"Events", "Into", "Speed", "Rate", "Skip"} {
			if err == nil || !strings.Contains(err.Error(), field) {
				t.Errorf("got %v, want a word on %s", err, field)
			}
		}
	})
}

// An explicit hash is kept, and payloads are as they were, whatever they look like.
func TestStreamPutsEventsAsTheyAre(t *testing.T) {
	a := awsfake.New()
	if err := a.Kinesis().CreateStream("copy", 2); err != nil {
		t.Fatal(err)
	}
	lines := []string{
		`{"partitionKey":"key","data":"aGk=","explicitHashKey":"0"}`,
		`{"partitionKey":"key","data":"aGk=","explicitHashKey":"340282366920938463463374607431768211455"}`,
		`{"partitionKey":"key","data":"eyJpZCI6IjEiLCJkYXRhIjp7fX0="}`, // reads like a document of an emitted record
		`{"data":"aGk="}`,
	}
	_, err := tape.Play(t.Context(), tape.Config{
		Events: tape.NewReader(strings.NewReader(strings.Join(lines, "\n"))).Next,
		Into:   tape.Into(kinesis.NewFromConfig(a.Config("player")), "copy"),
	})
	if err != nil {
		t.Fatal(err)
	}
	got := a.Kinesis().Records("copy")
	shards := map[string]int{}
	documents := 0
	for _, r := range got {
		shards[r.ShardID]++
		if json.Valid(r.Data) && string(r.Data) == `{"id":"1","data":{}}` {
			documents++
		}
	}
	if len(got) != 4 || len(shards) != 2 || documents != 1 {
		t.Errorf("got %d records in %v", len(got), shards)
	}
}

// Events without a key wait for nobody: they are put together.
func TestEventsWithoutAKeyArePutTogether(t *testing.T) {
	a := awsfake.New()
	if err := a.Kinesis().CreateStream("copy", 2); err != nil {
		t.Fatal(err)
	}
	played, err := tape.Play(t.Context(), tape.Config{
		Events: tape.NewReader(strings.NewReader(strings.Repeat(`{"data":"aGk="}`+"\n", 300))).Next,
		Into:   tape.Into(kinesis.NewFromConfig(a.Config("player")), "copy"),
	})
	keys := map[string]bool{}
	for _, r := range a.Kinesis().Records("copy") {
		keys[r.PartitionKey] = true
	}
	if calls := a.Count("", "kinesis", "PutRecords"); err != nil || played.Put != 300 || calls != 1 || len(keys) != 300 {
		t.Errorf("got %+v, %v, in %d calls under %d keys", played, err, calls, len(keys))
	}
}
