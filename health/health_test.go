package health_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/health"
	"github.com/towpath/towpath/shard/shardtest"
	"github.com/towpath/towpath/streamtest"
)

// ask is what a handler answers.
func ask(t *testing.T, h http.Handler) (int, health.Report) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	var r health.Report
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	if r.OK != (w.Code == http.StatusOK) || r.OK != (len(r.Problems) == 0) {
		t.Errorf("ok is %v, the status %d, and the problems %q", r.OK, w.Code, r.Problems)
	}
	return w.Code, r
}

// always asks again and again for as long as it lasts, and fails on another status.
func always(t *testing.T, h http.Handler, want int, during string, lasts time.Duration) {
	t.Helper()
	for began := time.Now(); time.Since(began) < lasts; time.Sleep(5 * time.Second) {
		if code, r := ask(t, h); code != want {
			t.Fatalf("%v into %s: %d, want %d: %q", time.Since(began), during, code, want, r.Problems)
		}
	}
}

func warned(r health.Report, of string) bool {
	return slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.Contains(w, of) })
}

// A worker with real clients lives through minutes without DynamoDB, without Kinesis,
// and with a destination that refuses: no restart would help. It is ready while its
// session is valid.
func TestLiveThroughOutages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 4)
		defer rig.Close()
		patient := func(c *consumer.Config) {
			c.StallTimeout = time.Hour // so that nothing is begun anew
			c.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
				if string(b.First().Data) == "bad" {
					return batching.Reject(b.First(), errors.New("no"))
				}
				return nil
			})
		}
		w := rig.Start("w1", patient)
		// Stricter than the defaults, so that minutes are enough.
		rules := health.Rules{Heartbeat: 15 * time.Second, Fleet: 90 * time.Second, Stalled: time.Minute}
		live, ready := health.Live(w.Consumer.Status, rules), health.Ready(w.Consumer.Status, rules)
		always(t, live, http.StatusOK, "the start", 30*time.Second)
		if code, r := ask(t, ready); code != http.StatusOK || len(r.Shards) != 4 || r.Worker == "" || r.Session.ValidFor < 5 {
			t.Errorf("a worker at work answers %d: %+v", code, r)
		}

		heal := w.Cut("dynamodb")
		time.Sleep(20 * time.Second)
		if code, _ := ask(t, ready); code != http.StatusServiceUnavailable {
			t.Errorf("without DynamoDB it is ready: %d", code)
		}
		always(t, live, http.StatusOK, "the outage of DynamoDB", 5*time.Minute)
		heal()
		rig.Await("the shards again", func() bool { return len(w.Consumer.Status().Shards) == 4 })
		if code, r := ask(t, ready); code != http.StatusOK {
			t.Errorf("after the outage it is not ready: %d, %q", code, r.Problems)
		}

		heal = w.Cut("kinesis")
		always(t, live, http.StatusOK, "the outage of Kinesis", 3*time.Minute)
		heal()

		rig.Failed.Behave(destinationtest.Refuse)
		rig.Put("key", "bad")
		always(t, live, http.StatusOK, "the outage of the destination", 3*time.Minute)
		code, r := ask(t, ready)
		if code != http.StatusOK || !warned(r, "has got nowhere for") {
			t.Errorf("while the destination refuses: %d, warnings %q", code, r.Warnings)
		}
		i := slices.IndexFunc(r.Shards, func(s health.Shard) bool { return s.Failing })
		if i < 0 {
			t.Fatalf("no shard is failing: %+v", r.Shards)
		}
		if s := r.Shards[i]; s.Pending != 1 || s.Age < 175 || s.Still < 160 || *s.RetentionLeft > 86400-s.Age+1 || *s.Fetched > s.Age || s.Progressed != nil {
			t.Errorf("the shard that waits for the destination: %+v", s)
		}
		rig.Failed.Behave(nil)
	})
}

// A consumer that has not begun, one that waits for its first answer and one that
// stops live; none of them is ready. So it is from before Run to after it.
func TestReadyFromRegistrationToStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(1), checkpointtest.NewTable()
		hold := make(chan struct{})
		c, err := consumer.New(consumer.Config{
			Name: "clickstream", Source: stream, Leases: table, DrainTimeout: 20 * time.Minute,
			Handler: consumer.HandlerFunc(func(context.Context, *batching.Batch) error { <-hold; return nil }),
		})
		if err != nil {
			t.Fatal(err)
		}
		live, ready := health.Live(c.Status, health.Rules{}), health.Ready(c.Status, health.Rules{})
		expect := func(when string, wantReady int, why string) {
			t.Helper()
			if code, r := ask(t, live); code != http.StatusOK {
				t.Errorf("%s it does not live: %q", when, r.Problems)
			}
			if code, r := ask(t, ready); code != wantReady || why != "" && !strings.Contains(fmt.Sprint(r.Problems), why) {
				t.Errorf("%s ready is %d: %q, want %d: %s", when, code, r.Problems, wantReady, why)
			}
		}
		expect("before Run", http.StatusServiceUnavailable, "does not run")
		stream.Fault(func(shardtest.Call) error { return errors.New("not yet") })
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- c.Run(ctx) }()
		time.Sleep(30 * time.Second)
		expect("while the stream does not answer", http.StatusServiceUnavailable, "has not registered")
		stream.Fault(nil)
		time.Sleep(30 * time.Second)
		expect("at work", http.StatusOK, "")
		stream.Put("key", []byte("a"))
		time.Sleep(time.Second)
		stop()
		for range 15 {
			time.Sleep(time.Minute)
			expect("while it drains", http.StatusServiceUnavailable, "stops")
		}
		close(hold)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		expect("after Run", http.StatusServiceUnavailable, "does not run")
	})
}

// A start that the table does not answer, after the stream and the tables were found,
// is given up by Run and not by whoever asks for liveness.
func TestLiveUntilAStartIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(1), checkpointtest.NewTable()
		table.Interpose(func(_ context.Context, call checkpointtest.Call) error {
			if call.Op == "sessions" {
				return errors.New("no answer")
			}
			return nil
		}, nil)
		c, err := consumer.New(consumer.Config{
			Name: "clickstream", Source: stream, Leases: table, Logger: slog.New(slog.DiscardHandler),
			Handler: consumer.HandlerFunc(func(context.Context, *batching.Batch) error { return nil }),
		})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- c.Run(t.Context()) }()
		live, began := health.Live(c.Status, health.Rules{}), time.Now()
		for {
			select {
			case err := <-ended:
				if err == nil || time.Since(began) < time.Minute {
					t.Errorf("after %v the start ended with %v", time.Since(began), err)
				}
				return
			default:
				time.Sleep(100 * time.Millisecond)
			}
			if code, r := ask(t, live); code != http.StatusOK {
				t.Fatalf("%v into the start it does not live: %q", time.Since(began), r.Problems)
			}
		}
	})
}

// A loop that does not turn again, as a call to the table never returns whatever
// its context says, is found: the heartbeat's after a minute, the fleet's after ten.
func TestLiveFindsALoopThatIsStuck(t *testing.T) {
	for op, c := range map[string]struct {
		loop   string
		within time.Duration
	}{"heartbeat": {"heartbeat", 70 * time.Second}, "session": {"mailbox", 70 * time.Second}, "owned": {"fleet", 610 * time.Second}} {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stream, table := shardtest.NewStream(1), checkpointtest.NewTable()
				consumed, err := consumer.New(consumer.Config{
					Name: "clickstream", Source: stream, Leases: table,
					Handler: consumer.HandlerFunc(func(context.Context, *batching.Batch) error { return nil }),
				})
				if err != nil {
					t.Fatal(err)
				}
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan error)
				go func() { ended <- consumed.Run(ctx) }()
				live := health.Live(consumed.Status, health.Rules{})
				always(t, live, http.StatusOK, "the start", time.Minute)
				free := make(chan struct{})
				table.Interpose(func(_ context.Context, call checkpointtest.Call) error {
					if call.Op == op {
						<-free // deaf to its context
					}
					return nil
				}, nil)
				began, found := time.Now(), ""
				for time.Since(began) < c.within && found == "" {
					time.Sleep(time.Second)
					if code, r := ask(t, live); code != http.StatusOK {
						found = fmt.Sprint(r.Problems)
					}
				}
				if !strings.Contains(found, "loop of the "+c.loop+" has not turned") {
					t.Errorf("after %v Live says %q, want that the loop of the %s is stuck", time.Since(began), found, c.loop)
				}
				if least := c.within - 20*time.Second; time.Since(began) < least {
					t.Errorf("it was found after %v, want not before %v", time.Since(began), least)
				}
				table.Interpose(nil, nil)
				close(free)
				stop()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// The answers carry no text of an error, are not kept by anybody, and are given to
// GET and HEAD alone.
func TestAnswersAreReadOnlyAndBare(t *testing.T) {
	status := consumer.Status{Worker: "w/1", Loops: consumer.Loops{Begun: time.Now(), Heartbeat: time.Now(), Mailbox: time.Now(), Fleet: time.Now()}, Valid: true,
		ControlError: "secret", StreamsError: "secret", Neighbours: []string{"secret"},
		Streams: []consumer.StreamStatus{{Name: "clicks", State: consumer.StreamMissing, Error: "secret"}},
		Breaker: batching.BreakerOpen}
	for i := range 1500 {
		status.Shards = append(status.Shards, consumer.ShardStatus{
			Shard: fmt.Sprintf("shardId-%012d", i), Error: "secret", Age: time.Duration(i) * time.Minute, Retention: 24 * time.Hour, Still: time.Hour, Paused: true,
		})
	}
	h := health.Ready(func() consumer.Status { return status }, health.Rules{})
	for method, want := range map[string]int{"GET": 200, "HEAD": 200, "POST": 405, "DELETE": 405} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, "/?shards=secret", strings.NewReader("secret")))
		if w.Code != want || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s is answered %d with %v", method, w.Code, w.Header())
		}
		if strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s shows the text of an error: %s", method, w.Body)
		}
		if (method == "HEAD") != (w.Body.Len() == 0) {
			t.Errorf("%s has a body of %d bytes", method, w.Body.Len())
		}
		if want == 405 && w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s is answered with Allow %q", method, w.Header().Get("Allow"))
		}
		if w.Body.Len() > 600_000 {
			t.Errorf("%d bytes for 1500 shards", w.Body.Len())
		}
	}
	_, r := ask(t, h)
	if len(r.Shards) != 1000 || r.Omitted != 500 || r.Shards[0].Shard != "shardId-000000000500" || r.Shards[999].Shard != "shardId-000000001499" {
		t.Errorf("%d shards and %d omitted, want the thousand oldest by id", len(r.Shards), r.Omitted)
	}
	if len(r.Warnings) != 21 || !warned(r, "shard shardId-000000001499 has used up 104 %") || !warned(r, "more") || !warned(r, "paused shards: 1500") {
		t.Errorf("the warnings are %q, want twenty, the worst shards first", r.Warnings)
	}
}

// A worker with long leases gives its signs of life seldom, and is not taken for
// stuck.
func TestRulesGoByTheWorkersOwnPace(t *testing.T) {
	now := time.Now()
	s := consumer.Status{Loops: consumer.Loops{Begun: now.Add(-time.Hour), Every: time.Minute, Heartbeat: now.Add(-9 * time.Minute), Mailbox: now, Fleet: now}}
	if r := (health.Rules{}).Liveness(s, now); !r.OK {
		t.Errorf("with a heartbeat a minute: %q", r.Problems)
	}
	s.Loops.Every = time.Second
	if r := (health.Rules{}).Liveness(s, now); r.OK {
		t.Error("with a heartbeat a second nine minutes without one are fine")
	}
	if r := (health.Rules{Heartbeat: 10 * time.Minute}).Liveness(s, now); !r.OK {
		t.Errorf("with a rule of ten minutes: %q", r.Problems)
	}
}
