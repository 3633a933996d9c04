package awsfake_test

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/smithy-go"

	"github.com/towpath/towpath/streamtest/awsfake"
)

// once is a client of one caller that does not try again.
func once(a *awsfake.AWS, caller string) *kinesis.Client {
	config := a.Config(caller)
	config.RetryMaxAttempts = 1
	return kinesis.NewFromConfig(config)
}

func newStream(t *testing.T, options ...awsfake.Option) *awsfake.AWS {
	t.Helper()
	a := awsfake.New(options...)
	if err := a.Kinesis().CreateStream("clicks", 1); err != nil {
		t.Fatal(err)
	}
	return a
}

func put(ctx context.Context, c *kinesis.Client) error {
	_, err := c.PutRecord(ctx, &kinesis.PutRecordInput{StreamName: aws.String("clicks"), PartitionKey: aws.String("k"), Data: []byte("x")})
	return err
}

func TestFaultDecidesWhatIsAppliedAndWhatIsSeen(t *testing.T) {
	for name, c := range map[string]struct {
		fault   awsfake.Fault
		applied int
		err     error
		code    string
		took    time.Duration
	}{
		"none":                      {applied: 1},
		"Fail":                      {fault: awsfake.Fail("ProvisionedThroughputExceededException", 400), code: "ProvisionedThroughputExceededException"},
		"Lose":                      {fault: awsfake.Lose(), err: syscall.ECONNRESET},
		"LoseAnswer":                {fault: awsfake.LoseAnswer(), applied: 1, err: syscall.ECONNRESET},
		"Delay":                     {fault: awsfake.Delay(time.Second), applied: 1, took: time.Second},
		"Delay, beyond the context": {fault: awsfake.Delay(time.Minute), err: context.DeadlineExceeded, took: 10 * time.Second},
		"DelayAnswer, beyond it":    {fault: awsfake.DelayAnswer(time.Minute), applied: 1, err: context.DeadlineExceeded, took: 10 * time.Second},
		"Hang":                      {fault: awsfake.Hang(), err: context.DeadlineExceeded, took: 10 * time.Second},
		"both delays, answer lost":  {fault: awsfake.Delay(time.Second).And(awsfake.DelayAnswer(2 * time.Second)).And(awsfake.LoseAnswer()), applied: 1, err: syscall.ECONNRESET, took: 3 * time.Second},
		"late and refused":          {fault: awsfake.Delay(time.Second).And(awsfake.Fail("InternalFailure", 500)), code: "InternalFailure", took: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newStream(t)
				var traced []awsfake.Exchange
				a.Trace(func(e awsfake.Exchange) { traced = append(traced, e) })
				a.Intercept(func(_ context.Context, call awsfake.Call) awsfake.Fault {
					if call.Caller != "worker-1" || call.Service != "kinesis" || call.Operation != "PutRecord" || len(call.Body) == 0 {
						t.Errorf("intercepted %+v", call)
					}
					return c.fault
				})
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				begun := time.Now()
				err := put(ctx, once(a, "worker-1"))
				var api smithy.APIError
				switch {
				case c.code != "":
					if !errors.As(err, &api) || api.ErrorCode() != c.code {
						t.Errorf("got %v, want code %s", err, c.code)
					}
				case !errors.Is(err, c.err):
					t.Errorf("got %v, want %v", err, c.err)
				}
				if got := time.Since(begun); got != c.took {
					t.Errorf("took %v, want %v", got, c.took)
				}
				if got := len(a.Kinesis().Records("clicks")); got != c.applied {
					t.Errorf("applied %d times, want %d", got, c.applied)
				}
				if len(traced) != 1 || traced[0].Applied != (c.applied == 1) || (traced[0].Status == 0) != (c.err != nil) || traced[0].Done.Sub(traced[0].Sent) != c.took {
					t.Errorf("traced %+v", traced)
				}
			})
		})
	}
}

func TestRetryerBridgesLostCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newStream(t, awsfake.WithLatency(6*time.Millisecond))
		left := 2
		remove := a.Intercept(func(context.Context, awsfake.Call) awsfake.Fault {
			if left--; left >= 0 {
				return awsfake.LoseAnswer()
			}
			return awsfake.Fault{}
		})
		begun := time.Now()
		if err := put(t.Context(), kinesis.NewFromConfig(a.Config("worker-1"))); err != nil {
			t.Fatal(err)
		}
		if got := len(a.Kinesis().Records("clicks")); got != 3 {
			t.Errorf("two answers lost: applied %d times, want 3", got)
		}
		if got := time.Since(begun); got < 18*time.Millisecond {
			t.Errorf("three calls of 6 ms took %v", got)
		}
		remove()
		left = 1
		if err := put(t.Context(), once(a, "worker-1")); err != nil {
			t.Errorf("after the interceptor was removed: %v", err)
		}
	})
}

func TestCutSeparatesOneCallerFromOneService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newStream(t)
		heal := a.Cut("worker-1", "kinesis")
		healOther := a.Cut("worker-1", "dynamodb")
		if err := put(t.Context(), once(a, "worker-1")); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("cut off: got %v", err)
		}
		if err := put(t.Context(), once(a, "worker-2")); err != nil {
			t.Errorf("the other worker: %v", err)
		}
		heal()
		if err := put(t.Context(), once(a, "worker-1")); err != nil {
			t.Errorf("healed: %v", err)
		}
		healOther()
		if got, want := []int{a.Count("", "", ""), a.Count("worker-1", "", ""), a.Count("", "kinesis", "PutRecord"), a.Count("worker-2", "kinesis", "GetRecords")}, []int{3, 2, 3, 0}; got[0] != want[0] || got[1] != want[1] || got[2] != want[2] || got[3] != want[3] {
			t.Errorf("counted %v, want %v", got, want)
		}
	})
}

func TestBlackholeHoldsCallsUntilTheirContextEndsOrItHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newStream(t)
		heal := a.Blackhole("worker-1", "")
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		begun := time.Now()
		if err := put(ctx, once(a, "worker-1")); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != 3*time.Second {
			t.Errorf("got %v after %v", err, time.Since(begun))
		}
		ended := make(chan error)
		go func() { ended <- put(t.Context(), once(a, "worker-1")) }()
		synctest.Wait()
		heal()
		heal()
		if err := <-ended; !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("call under way when it healed: %v", err)
		}
		if got := len(a.Kinesis().Records("clicks")); got != 0 {
			t.Errorf("applied %d calls from the black hole", got)
		}
		if err := put(t.Context(), once(a, "worker-1")); err != nil {
			t.Errorf("healed: %v", err)
		}
	})
}

func TestPauseHoldsCallsAndAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newStream(t, awsfake.WithLatency(10*time.Millisecond))
		begun := time.Now()
		ended := make(chan time.Duration, 2)
		call := func() {
			if err := put(t.Context(), once(a, "worker-1")); err != nil {
				t.Error(err)
			}
			ended <- time.Since(begun)
		}
		go call()
		time.Sleep(7 * time.Millisecond) // the first call is applied, its answer under way
		resume, resumeToo := a.Pause("worker-1"), a.Pause("worker-1")
		go call()
		time.Sleep(time.Second)
		if got := len(a.Kinesis().Records("clicks")); got != 1 {
			t.Errorf("paused: applied %d calls, want the 1 before", got)
		}
		if err := put(t.Context(), once(a, "worker-2")); err != nil {
			t.Errorf("the other worker: %v", err)
		}
		resume()
		resume() // does nothing more
		time.Sleep(time.Second)
		resumeToo()
		for range 2 {
			if got := <-ended; got < 2*time.Second {
				t.Errorf("a paused caller had its answer after %v", got)
			}
		}
	})
}
