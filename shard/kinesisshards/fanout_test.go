package kinesisshards_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest/awsfake/kinesisfake"
)

// events are what was told of subscriptions.
type events struct {
	mu  sync.Mutex
	all []kinesisshards.FanOutEvent
}

func (e *events) tell(f *kinesisshards.FanOut) {
	f.Tell = func(event kinesisshards.FanOutEvent) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.all = append(e.all, event)
	}
}

func (e *events) count(what kinesisshards.FanOutChange) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, event := range e.all {
		if event.What == what {
			n++
		}
	}
	return n
}

// subscribing is inBubble with a source that subscribes, whose consumer there is.
func subscribing(t *testing.T, f func(t *testing.T, w *world, told *events), change func(*kinesisshards.FanOut), options ...kinesisfake.Option) {
	t.Helper()
	inBubble(t, func(t *testing.T, w *world) {
		_, err := w.fake.RegisterConsumer(clicks, application)
		must(t, err)
		told := &events{}
		if change == nil {
			change = func(*kinesisshards.FanOut) {}
		}
		w.source = w.worker("tester", told.tell, change)
		f(t, w, told)
	}, options...)
}

// worker is a source of the stream as another process has it. It polls by three
// records.
func (w *world) worker(name string, change ...func(*kinesisshards.FanOut)) *kinesisshards.Source {
	byThree := func(o *kinesisshards.Options) { o.Limit = 3 }
	return kinesisshards.Open(kinesis.NewFromConfig(w.aws.Config(name)), clicks, fanOut(change...), byThree)
}

// listen opens a reader that is closed at the end, if it is not before.
func (w *world) listen(source *kinesisshards.Source, start shard.Start) *tail {
	start.Stream, start.Shard = w.stream, shard0
	r := &tail{t: w.t, Reader: source.Open(start)}
	w.t.Cleanup(r.close)
	return r
}

func (r *tail) close() {
	r.t.Helper()
	must(r.t, r.Reader.(interface{ Close() error }).Close())
}

// feeding puts records, one every so often, in a goroutine that the result waits
// for.
func (w *world) feeding(n int, every time.Duration) (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range n {
			w.put(1)
			time.Sleep(every)
		}
	}()
	return func() { <-done }
}

func (w *world) count(operation string) int { return w.aws.Count("tester", "kinesis", operation) }

func TestFanOutDeliversWithoutPolling(t *testing.T) {
	subscribing(t, func(t *testing.T, w *world, _ *events) {
		r := w.listen(w.source, shard.Start{After: shard.Latest()})
		r.run(20 * time.Second)
		for range 100 {
			began := time.Now()
			w.put(1)
			r.until(len(w.names))
			if took := time.Since(began); took > 10*time.Millisecond {
				t.Errorf("a record took %s over a line of 1 ms", took)
			}
			time.Sleep(900 * time.Millisecond)
		}
		r.has(w.names...)
		if n := w.count("GetRecords"); n != 0 {
			t.Errorf("%d reads by polling beside a subscription, want none", n)
		}
	}, nil)
}

// A subscription that has lived its five minutes is followed by another one, from
// where it ended, without a call of anything else.
func TestFanOutIsRenewedWithoutLossRepeatOrPause(t *testing.T) {
	subscribing(t, func(t *testing.T, w *world, told *events) {
		wait := w.feeding(600, 6*time.Second) // an hour
		began := time.Now()
		r := w.listen(w.source, shard.Start{})
		var late time.Duration
		for len(r.records) < 600 {
			n := len(r.records)
			must(t, r.step())
			for _, record := range r.records[n:] {
				late = max(late, time.Since(record.ArrivedAt))
			}
		}
		wait()
		r.has(w.names...)
		if took := time.Since(began); took < 59*time.Minute || late > 20*time.Millisecond {
			t.Errorf("an hour of records took %s, the latest %s", took, late)
		}
		if r.skipped > 0 || w.count("GetRecords") > 0 || w.count("SubscribeToShard") != 12 || told.count(kinesisshards.FanOutEnded) != 11 {
			t.Errorf("%d skipped, %d reads by polling, %d subscriptions, %d ends told; want 0, 0, 12, 11", r.skipped,
				w.count("GetRecords"), w.count("SubscribeToShard"), told.count(kinesisshards.FanOutEnded))
		}
	}, nil)
}

// A shard that changes hands is polled for as long as the service keeps it for
// the subscription of its last owner.
func TestFanOutPollsThroughAHandOver(t *testing.T) {
	subscribing(t, func(t *testing.T, w *world, _ *events) {
		former := w.worker("former")
		w.put(2)
		r := w.listen(former, shard.Start{}).until(2)
		time.Sleep(time.Second)
		r.close()
		wait := w.feeding(100, 100*time.Millisecond)
		next := w.listen(w.source, shard.Start{After: r.records[1].Position()})
		var late time.Duration
		for len(next.records) < 100 {
			n := len(next.records)
			must(t, next.step())
			for _, record := range next.records[n:] {
				late = max(late, time.Since(record.ArrivedAt))
			}
		}
		wait()
		next.has(w.names[2:]...)
		if late > 300*time.Millisecond {
			t.Errorf("during the hand-over a record waited %s, want what polling takes", late)
		}
		if n := len(w.fake.Subscriptions(clicks)); n != 1 || w.count("GetRecords") == 0 {
			t.Errorf("%d subscriptions after %d reads by polling, want 1 after some", n, w.count("GetRecords"))
		}
		polled := w.count("GetRecords")
		next.run(time.Minute)
		if w.count("GetRecords") != polled {
			t.Error("it polls on beside the subscription")
		}
	}, nil)
}

// A connection over which nothing comes, not even its end, is given up.
func TestFanOutTearsDownASilentSubscription(t *testing.T) {
	for _, c := range []struct {
		change func(*kinesisshards.FanOut)
		within time.Duration
	}{
		{nil, 36 * time.Second},
		{func(f *kinesisshards.FanOut) { f.Silence = 12 * time.Second }, 13 * time.Second},
		{func(f *kinesisshards.FanOut) { neverPoll(f); f.Silence = 12 * time.Second }, 16 * time.Second},
	} {
		subscribing(t, func(t *testing.T, w *world, told *events) {
			r := w.listen(w.source, shard.Start{})
			w.put(3)
			r.until(3).run(10 * time.Second)
			restore := w.fake.SilenceSubscriptions(clicks, "", "")
			defer restore()
			began := time.Now()
			w.put(3)
			r.until(6).has(w.names...)
			if took := time.Since(began); took > c.within {
				t.Errorf("a silent subscription held records up for %s, want at most %s", took, c.within)
			}
			if n := told.count(kinesisshards.FanOutSilent); n != 1 || len(r.errs) != 1 || r.skipped > 0 {
				t.Errorf("told %d times, errors %v, want once each; %d skipped", n, r.errs, r.skipped)
			}
			r.run(10 * time.Second).has(w.names...)
			if len(w.fake.Subscriptions(clicks)) != 1 || told.count(kinesisshards.FanOutSubscribed) != 2 || r.skipped > 0 {
				t.Errorf("not subscribed again, or some was sent again: %+v, %d skipped", told.all, r.skipped)
			}
		}, c.change)
	}
}

// A handler that is slower than a subscription lives holds the service back and
// loses the subscription, and nothing else.
func TestFanOutGoesOnBehindAHandlerSlowerThanFiveMinutes(t *testing.T) {
	subscribing(t, func(t *testing.T, w *world, told *events) {
		wait := w.feeding(2000, 5*time.Second)
		r := w.listen(w.source, shard.Start{})
		slept := 0 // for so many subscriptions
		for len(r.records) < 2000 {
			n := len(r.records)
			must(t, r.step())
			if made := told.count(kinesisshards.FanOutSubscribed); made > slept && len(r.records) > n {
				slept = made
				time.Sleep(7 * time.Minute)
			}
		}
		wait()
		r.has(w.names...)
		if r.skipped > 0 || len(r.loss) > 0 || told.count(kinesisshards.FanOutSubscribed) < 5 {
			t.Errorf("%d skipped, lost %v, %d subscriptions", r.skipped, r.loss, told.count(kinesisshards.FanOutSubscribed))
		}
	}, nil)
}

// While nobody waits for records the service keeps them: one event is in hand, two
// are decoded by the SDK, and the connection has one at least under way.
func TestFanOutReadsNoFurtherThanItsReaderWants(t *testing.T) {
	subscribing(t, func(t *testing.T, w *world, _ *events) {
		r := w.listen(w.source, shard.Start{After: shard.TrimHorizon()})
		w.put(1)
		r.until(1)
		for range 60 { // a minute of a megabyte a second
			_, _, err := w.fake.Put(clicks, "key", make([]byte, 1<<20))
			must(t, err)
			time.Sleep(time.Second)
		}
		subscriptions := w.fake.Subscriptions(clicks)
		if len(subscriptions) != 1 || subscriptions[0].Events > 6 {
			t.Errorf("subscriptions %+v, want one that has sent the first event and few more", subscriptions)
		}
		r.until(61)
		if w.count("GetRecords") > 0 || r.skipped > 0 {
			t.Errorf("%d reads by polling, %d skipped, want none", w.count("GetRecords"), r.skipped)
		}
	}, nil)
}

// What waited in a connection does not tell where the tip is, so that nobody
// concludes that all was read.
func TestAnEventThatWaitedDoesNotTellTheTip(t *testing.T) {
	subscribing(t, func(t *testing.T, w *world, _ *events) {
		r := w.listen(w.source, shard.Start{})
		next := func() shard.Chunk {
			must(t, r.Ready(t.Context()))
			chunk, err := r.Next(t.Context())
			must(t, err)
			return chunk
		}
		w.put(1)
		next()
		if c := next(); c.Behind != 0 {
			t.Errorf("an event that was waited for ends %s behind the tip, want at it", c.Behind)
		}
		time.Sleep(30 * time.Second)
		if c := next(); c.Behind == 0 {
			t.Error("an event that may be 30 s old says that nothing is behind it")
		}
		for range 10 {
			next()
		}
		if c := next(); c.Behind != 0 {
			t.Errorf("events are waited for again, and end %s behind the tip", c.Behind)
		}
	}, nil)
}

// While the trim horizon is near the shard is polled, since only that shows what
// was trimmed, and a loss is told as it is without fan-out.
func TestFanOutPollsAndTellsTheLossWhileRecordsAreBeingTrimmed(t *testing.T) {
	subscribing(t, func(t *testing.T, w *world, told *events) {
		w.put(9)
		all := w.fake.Records(clicks)
		time.Sleep(22*time.Hour + 30*time.Minute)
		w.put(3)
		r := w.listen(w.source, shard.Start{After: shard.After(all[0].SequenceNumber, 0), LastArrival: all[0].Arrival})
		r.until(3) // r1 to r4: by three, of which the first is known
		must(t, w.fake.Trim(clicks, shard0, all[7].SequenceNumber))
		r.until(5)
		if n := told.count(kinesisshards.FanOutSubscribed); n != 0 {
			t.Errorf("%d subscriptions while what comes next is about to be trimmed, want none", n)
		}
		w.put(1)
		r.until(9).run(time.Minute).has(slices.Concat(w.names[1:5], w.names[8:])...)
		if len(r.loss) != 1 || r.loss[0].After != r.records[3].Position() || r.loss[0].Until != r.records[4].Position() {
			t.Errorf("losses %v, want one behind %s", r.loss, r.records[3].Position())
		}
		if n := told.count(kinesisshards.FanOutSubscribed); n != 1 || r.skipped > 0 {
			t.Errorf("%d subscriptions after that, want 1; %d skipped", n, r.skipped)
		}
	}, neverPoll)
}

// What came over a connection in time is delivered, however late that is.
func TestFanOutDeliversWhatWaitedInTheConnection(t *testing.T) {
	subscribing(t, func(t *testing.T, w *world, _ *events) {
		w.put(3)
		r := w.listen(w.source, shard.Start{}).until(3)
		r.run(10 * time.Second)
		w.put(3)
		time.Sleep(23 * time.Hour)
		w.put(3)
		time.Sleep(2 * time.Hour) // now the first six can be read nowhere else
		r.until(9).has(w.names...)
		if len(r.loss) != 1 || r.loss[0].After != r.records[5].Position() {
			t.Errorf("losses %v, want one behind %s: there is nobody to tell that none came between", r.loss, r.records[5].Position())
		}
	}, nil)
}

// What is pushed is unpacked as what is polled is, in parts if it has become too
// large for one.
func TestFanOutDeliversTheUserRecordsOfAggregates(t *testing.T) {
	subscribing(t, func(t *testing.T, w *world, _ *events) {
		r := w.listen(w.source, shard.Start{})
		w.put(1)
		_, sequence, err := w.fake.Put(clicks, "a", aggregated("x", 8).Data)
		must(t, err)
		w.put(1)
		r.until(10).run(10 * time.Second)
		if len(r.records) != 10 || r.records[8].Position() != shard.After(sequence, 7) || w.count("GetRecords") > 0 {
			t.Errorf("%d records, the last of the aggregate is %s; want 10 and %s/7", len(r.records), r.records[8].Position(), sequence)
		}
		within := w.listen(w.worker("other"), shard.Start{After: shard.After(sequence, 4)}).until(4)
		if within.records[0].Position() != shard.After(sequence, 5) {
			t.Errorf("behind the fifth comes %s", within.records[0].Position())
		}
	}, nil)
}
