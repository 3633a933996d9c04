package kinesisshards_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/kinesisfake"
)

const (
	clicks = "clicks"
	shard0 = "shardId-000000000000"
)

// world is a stream of one shard in a fake AWS, with a source of it.
type world struct {
	t      *testing.T
	aws    *awsfake.AWS
	fake   *kinesisfake.Service
	source *kinesisshards.Source
	stream shard.Stream
	names  []string // what was put, in order
}

// inBubble runs f with a world in virtual time. Reads are of three records.
func inBubble(t *testing.T, f func(t *testing.T, w *world), options ...kinesisfake.Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a := awsfake.New(awsfake.WithKinesis(options...), awsfake.WithLatency(2*time.Millisecond))
		w := &world{t: t, aws: a, fake: a.Kinesis()}
		must(t, w.fake.CreateStream(clicks, 1))
		w.source = kinesisshards.Open(kinesis.NewFromConfig(a.Config("tester")), clicks, func(o *kinesisshards.Options) { o.Limit = 3 })
		var err error
		w.stream, err = w.source.Describe(t.Context())
		must(t, err)
		f(t, w)
	})
}

func (w *world) client() *kinesis.Client { return kinesis.NewFromConfig(w.aws.Config("operator")) }

var deletion = &kinesis.DeleteStreamInput{StreamName: new(clicks)}

func (w *world) put(n int) {
	w.t.Helper()
	for range n {
		name := fmt.Sprint("r", len(w.names))
		_, _, err := w.fake.Put(clicks, "key", []byte(name))
		must(w.t, err)
		w.names = append(w.names, name)
	}
}

func (w *world) open(start shard.Start) *tail {
	start.Stream, start.Shard = w.stream, shard0
	return &tail{t: w.t, Reader: w.source.Open(start)}
}

// tail is a reader with what it has read.
type tail struct {
	shard.Reader
	t       *testing.T
	records []shard.Record
	loss    []shard.Loss
	skipped int
	odd     shard.Aggregates
	ended   bool
	errs    []error
}

// step reads once, when that is due.
func (r *tail) step() error {
	r.t.Helper()
	must(r.t, r.Ready(r.t.Context()))
	chunk, err := r.Next(r.t.Context())
	if err != nil {
		r.errs = append(r.errs, err)
		return err
	}
	r.records = append(r.records, chunk.Records...)
	r.skipped += chunk.Skipped
	r.odd.Malformed += chunk.Aggregates.Malformed
	r.odd.Outside += chunk.Aggregates.Outside
	r.odd.Dropped += chunk.Aggregates.Dropped
	r.ended = r.ended || chunk.Ended
	if chunk.Loss != nil {
		r.loss = append(r.loss, *chunk.Loss)
	}
	return nil
}

// until reads, errors or not, until n records have come.
func (r *tail) until(n int) *tail {
	r.t.Helper()
	for try := 0; len(r.records) < n; try++ {
		if err := r.step(); try > 1000 {
			r.t.Fatalf("%d records after %d reads, want %d: %v", len(r.records), try, n, err)
		}
	}
	return r
}

// run reads for a while, errors or not, or to the end.
func (r *tail) run(d time.Duration) *tail {
	for end := time.Now().Add(d); time.Now().Before(end) && !r.ended; {
		_ = r.step() // kept in errs
	}
	return r
}

func (r *tail) has(want ...string) {
	r.t.Helper()
	var got []string
	for _, record := range r.records {
		got = append(got, string(record.Data))
	}
	if !slices.Equal(got, want) {
		r.t.Errorf("read %q, want %q", got, want)
	}
}

func TestAFaultAtAnyReadLosesAndRepeatsNothing(t *testing.T) {
	faults := map[string]awsfake.Fault{
		"read throttled": awsfake.Fail("ProvisionedThroughputExceededException", 400),
		"limit exceeded": awsfake.Fail("LimitExceededException", 400),
		"key throttled":  awsfake.Fail("KMSThrottlingException", 400),
		"key denied":     awsfake.Fail("KMSAccessDeniedException", 400),
		"key disabled":   awsfake.Fail("KMSDisabledException", 400),
		"key pending":    awsfake.Fail("KMSInvalidStateException", 400),
		"key gone":       awsfake.Fail("KMSNotFoundException", 400),
		"key opt-in":     awsfake.Fail("KMSOptInRequired", 400),
		"access denied":  awsfake.Fail("AccessDeniedException", 400),
		"token expired":  awsfake.Fail("ExpiredTokenException", 400),
		"expired":        awsfake.Fail("ExpiredIteratorException", 400),
		"internal":       awsfake.Fail("InternalFailure", 500),
		"unavailable":    awsfake.Fail("ServiceUnavailable", 503),
		"not found":      awsfake.Fail("ResourceNotFoundException", 400),
		"lost":           awsfake.Lose(),
		"answer lost":    awsfake.LoseAnswer(),
		"slow":           awsfake.DelayAnswer(time.Minute),
		"hang":           awsfake.Hang(),
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			for _, operation := range []string{"GetShardIterator", "GetRecords"} {
				for at := range 7 { // reads of 15 records by three, and of the end
					inBubble(t, func(t *testing.T, w *world) {
						w.put(15)
						_, _, err := w.fake.Split(clicks, shard0)
						must(t, err)
						calls, failures := 0, 5 // more than the SDK tries by itself
						w.aws.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
							if c.Operation != operation {
								return awsfake.Fault{}
							}
							if calls++; calls <= at || failures == 0 {
								return awsfake.Fault{}
							}
							failures--
							return fault
						})
						r := w.open(shard.Start{})
						for try := 0; !r.ended && try < 100; try++ {
							_ = r.step() // kept in errs
						}
						if !r.ended || r.skipped > 0 || len(r.loss) > 0 {
							t.Errorf("%s at call %d: ended %t, skipped %d, lost %v", operation, at, r.ended, r.skipped, r.loss)
						}
						r.has(w.names...)
					})
				}
			}
		})
	}
}

func TestExpiredIteratorGoesOnFromTheLastRecord(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.put(12)
		r := w.open(shard.Start{})
		for n := 3; n <= 12; n += 3 {
			r.until(n)
			time.Sleep(11 * time.Second)
		}
		w.put(1)
		r.until(13).run(30 * time.Second).has(w.names...)
		if len(r.errs) > 0 || r.skipped > 0 {
			t.Errorf("errors %v, %d skipped; want none: expiry is nothing to tell", r.errs, r.skipped)
		}
	}, kinesisfake.WithIteratorTTL(10*time.Second))
}

func TestAnIteratorIsNotUsedUntilItExpires(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.put(6)
		r := w.open(shard.Start{}).until(3)
		time.Sleep(6 * time.Minute) // a handler that takes its time
		before := w.aws.Count("", "", "GetRecords")
		r.until(6).has(w.names...)
		if n := w.aws.Count("", "", "GetRecords") - before; n != 1 && n != 2 {
			t.Errorf("%d reads for what is left, want one or two: none with the old iterator", n)
		}
	})
}

func TestExpiredIteratorBeforeTheFirstRecordKeepsThePin(t *testing.T) {
	for _, after := range []shard.Position{shard.Latest(), {Sequence: "LATEST", At: time.Date(2000, 1, 1, 0, 1, 0, 0, time.UTC)}} {
		inBubble(t, func(t *testing.T, w *world) {
			w.put(3)
			time.Sleep(time.Minute) // to the time of the pin; the bubble begins with the year 2000
			r := w.open(shard.Start{After: after})
			must(t, r.step())
			w.names = nil
			time.Sleep(time.Second)
			w.put(4)
			time.Sleep(10 * time.Minute)
			r.until(4).run(time.Minute).has(w.names...)
		})
	}
}

func TestADeniedShardIsTriedOnceIn10Seconds(t *testing.T) {
	for _, refusal := range []string{"AccessDeniedException", "KMSAccessDeniedException", "KMSDisabledException", "KMSInvalidStateException", "KMSNotFoundException", "KMSOptInRequired"} {
		inBubble(t, func(t *testing.T, w *world) {
			w.put(3)
			r := w.open(shard.Start{})
			allow := w.aws.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
				if c.Operation == "GetRecords" {
					return awsfake.Fail(refusal, 400)
				}
				return awsfake.Fault{}
			})
			r.run(time.Minute)
			if n := len(r.errs); n < 5 || n > 7 {
				t.Errorf("%s: %d tries in a minute, want 6", refusal, n)
			}
			for _, want := range []string{"kinesis:GetRecords", clicks, shard0, refusal} {
				if got := r.errs[0].Error(); !strings.Contains(got, want) {
					t.Errorf("error %q does not say %q", got, want)
				}
			}
			allow()
			r.until(3).has(w.names...)
		})
	}
}

func TestThrottlingBacksOffAndSaysSo(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.aws.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
			if c.Operation == "GetRecords" {
				return awsfake.Fail("ProvisionedThroughputExceededException", 400)
			}
			return awsfake.Fault{}
		})
		r := w.open(shard.Start{}).run(10 * time.Minute)
		for _, err := range r.errs {
			if !errors.Is(err, shard.ErrThrottled) {
				t.Fatalf("got %v, want ErrThrottled", err)
			}
		}
		if n := len(r.errs); n < 60 || n > 300 {
			t.Errorf("%d tries in 10 minutes of throttling, want about 150", n)
		}
	})
}

func TestABacklogIsReadAtTheServicesRateWithoutThrottling(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.source = kinesisshards.Open(kinesis.NewFromConfig(w.aws.Config("tester")), clicks)
		data := make([]byte, 1<<20-100)
		for range 60 {
			_, _, err := w.fake.Put(clicks, "key", data)
			must(t, err)
		}
		began := time.Now()
		r := w.open(shard.Start{}).until(60)
		if took := time.Since(began); took < 25*time.Second || took > 32*time.Second {
			t.Errorf("60 MiB took %s, want about 31 s at 2 MB/s less the last answer", took)
		}
		r.run(time.Minute)
		if len(r.errs) > 0 {
			t.Errorf("throttled: %v", r.errs)
		}
	})
}

func TestPollingFollowsTheTraffic(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		r := w.open(shard.Start{}).run(time.Minute)
		before := w.aws.Count("", "", "GetRecords")
		r.run(10 * time.Minute)
		if n := w.aws.Count("", "", "GetRecords") - before; n < 190 || n > 205 {
			t.Errorf("an idle shard is read %d times in 10 minutes, want 200", n)
		}
		before = w.aws.Count("", "", "GetRecords")
		for range 60 {
			w.put(1)
			r.run(time.Second)
		}
		if n := w.aws.Count("", "", "GetRecords") - before; n < 200 || n > 245 {
			t.Errorf("a busy shard is read %d times in a minute, want 240: four of the five reads a second", n)
		}
		r.has(w.names...)
		if len(r.errs) > 0 {
			t.Errorf("errors: %v", r.errs)
		}
	})
}

func TestReadyEndsWithItsContext(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		r := w.open(shard.Start{})
		must(t, r.step())
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if err := r.Ready(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's error", err)
		}
	})
}

func TestNoCallHangsForEver(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		heal := w.aws.Blackhole("tester", "kinesis")
		defer heal()
		began := time.Now()
		_, describeErr := w.source.Describe(t.Context())
		_, listErr := w.source.List(t.Context())
		nextErr := w.open(shard.Start{}).step()
		for _, err := range []error{describeErr, listErr, nextErr} {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want a deadline", err)
			}
		}
		if took := time.Since(began); took > 2*time.Minute {
			t.Errorf("three calls into nothing took %s", took)
		}
	})
}

func TestEmptyPagesAreNoEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.put(4)
		_, _, err := w.fake.Split(clicks, shard0)
		must(t, err)
		must(t, w.fake.EmptyPages(clicks, shard0, 20))
		r := w.open(shard.Start{}).until(4)
		r.has(w.names...)
		if !r.ended {
			t.Error("the shard did not end")
		}
	})
}

func TestAClosedShardWithoutChildrenIsAskedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.put(4)
		must(t, w.fake.CloseShard(clicks, shard0))
		r := w.open(shard.Start{}).run(time.Minute)
		r.has(w.names...)
		if r.ended || len(r.errs) > 0 || r.skipped > 0 {
			t.Errorf("ended %t, skipped %d, errors %v; want none of it", r.ended, r.skipped, r.errs)
		}
	})
}

func TestAStartInTheFutureIsWaitedFor(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		at := time.Now().Add(time.Hour)
		w.put(2)
		r := w.open(shard.Start{After: shard.AtTime(at)}).run(time.Until(at) + 5*time.Second)
		w.names = nil
		w.put(2)
		r.until(2).has(w.names...)
		if len(r.errs) > 0 {
			t.Errorf("errors: %v", r.errs)
		}
	})
}
