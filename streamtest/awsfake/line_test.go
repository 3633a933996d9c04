package awsfake_test

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/schemas"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go/transport/http/protocol/awsjson"

	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/kinesisfake"
)

// subscribe opens a stream of events to the first shard.
func subscribe(ctx context.Context, t *testing.T, a *awsfake.AWS, c *kinesis.Client) *kinesis.SubscribeToShardEventStream {
	t.Helper()
	arn, err := a.Kinesis().RegisterConsumer("clicks", fmt.Sprintf("app-%d", a.Count("", "kinesis", "SubscribeToShard")))
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.SubscribeToShard(ctx, &kinesis.SubscribeToShardInput{
		ConsumerARN: &arn, ShardId: aws.String("shardId-000000000000"),
		StartingPosition: &types.StartingPosition{Type: types.ShardIteratorTypeTrimHorizon},
	}, func(o *kinesis.Options) {
		// Streams that are read at one time must not share the client's decoder.
		o.Protocol = awsjson.New11(schemas.Kinesis_20131202)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.GetStream().Close() })
	return out.GetStream()
}

// next is the data of the next event that has some, or the end.
func next(stream *kinesis.SubscribeToShardEventStream) (string, bool) {
	for e := range stream.Events() {
		records := e.(*types.SubscribeToShardEventStreamMemberSubscribeToShardEvent).Value.Records
		data := ""
		for _, r := range records {
			data += string(r.Data)
		}
		if data != "" {
			return data, true
		}
	}
	return "", false
}

func TestCutBreaksOpenStreamsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newStream(t)
		mine, other := subscribe(t.Context(), t, a, once(a, "worker-1")), subscribe(t.Context(), t, a, once(a, "worker-2"))
		heal := a.Cut("worker-1", "kinesis")
		begun := time.Now()
		if data, ok := next(mine); ok || !errors.Is(mine.Err(), syscall.ECONNRESET) || time.Since(begun) != 0 {
			t.Errorf("got %q, %v after %v", data, mine.Err(), time.Since(begun))
		}
		heal()
		a.Kinesis().Put("clicks", "k", []byte("x"))
		if data, _ := next(other); data != "x" {
			t.Errorf("the other worker got %q", data)
		}
		other.Close()
	})
}

func TestBlackholeSilencesOpenStreamsUntilItHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newStream(t)
		stream := subscribe(t.Context(), t, a, once(a, "worker-1"))
		heal := a.Blackhole("worker-1", "")
		begun := time.Now()
		time.AfterFunc(time.Hour, heal)
		a.Kinesis().Put("clicks", "k", []byte("x"))
		data, ok := next(stream)
		if ok || !errors.Is(stream.Err(), syscall.ECONNRESET) || time.Since(begun) != time.Hour {
			t.Errorf("got %q, %v after %v", data, stream.Err(), time.Since(begun))
		}
	})
}

func TestPauseHoldsOpenStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newStream(t)
		stream := subscribe(t.Context(), t, a, once(a, "worker-1"))
		resume := a.Pause("worker-1")
		a.Kinesis().Put("clicks", "k", []byte("x"))
		begun := time.Now()
		time.AfterFunc(time.Hour, resume)
		if data, _ := next(stream); data != "x" || time.Since(begun) != time.Hour {
			t.Errorf("got %q after %v", data, time.Since(begun))
		}
		if data, ok := next(stream); ok || stream.Err() != nil {
			t.Errorf("after its five minutes: %q, %v", data, stream.Err())
		}
	})
}

func TestFaultsMeetSingleEvents(t *testing.T) {
	for name, c := range map[string]struct {
		fault awsfake.Fault
		took  time.Duration
		data  string
		err   error
	}{
		"none":       {took: 3 * time.Millisecond, data: "x"},
		"Delay":      {fault: awsfake.Delay(time.Second), took: time.Second + 3*time.Millisecond, data: "x"},
		"Lose":       {fault: awsfake.Lose(), err: syscall.ECONNRESET},
		"LoseAnswer": {fault: awsfake.LoseAnswer(), err: syscall.ECONNRESET},
		"Fail":       {fault: awsfake.Fail("InternalFailure", 500), err: syscall.ECONNRESET},
		"Hang":       {fault: awsfake.Hang(), took: time.Hour, err: context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newStream(t, awsfake.WithLatency(6*time.Millisecond))
				a.Intercept(func(_ context.Context, call awsfake.Call) awsfake.Fault {
					if call.Operation == "SubscribeToShardEvent" && call.Caller == "worker-1" {
						return c.fault
					}
					return awsfake.Fault{}
				})
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour+6*time.Millisecond)
				defer cancel()
				begun := time.Now()
				stream := subscribe(ctx, t, a, once(a, "worker-1"))
				if took := time.Since(begun); took != 6*time.Millisecond {
					t.Errorf("the head took %v", took)
				}
				begun = time.Now()
				a.Kinesis().Put("clicks", "k", []byte("x"))
				data, _ := next(stream)
				if data != c.data || time.Since(begun) != c.took {
					t.Errorf("got %q after %v, want %q after %v", data, time.Since(begun), c.data, c.took)
				}
				if data == "" && !errors.Is(stream.Err(), c.err) {
					t.Errorf("got %v, want %v", stream.Err(), c.err)
				}
			})
		})
	}
}

func TestStreamThatBeginsWhileItIsSeveredIsSevered(t *testing.T) {
	for name, sever := range map[string]func(*awsfake.AWS) func(){
		"Cut":       func(a *awsfake.AWS) func() { return a.Cut("worker-1", "kinesis") },
		"Blackhole": func(a *awsfake.AWS) func() { return a.Blackhole("worker-1", "kinesis") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newStream(t, awsfake.WithLatency(10*time.Millisecond))
				time.AfterFunc(2*time.Millisecond, func() { // the call is on its way
					heal := sever(a)
					time.AfterFunc(time.Minute, heal)
				})
				begun := time.Now()
				arn, err := a.Kinesis().RegisterConsumer("clicks", "app")
				if err != nil {
					t.Fatal(err)
				}
				_, err = once(a, "worker-1").SubscribeToShard(t.Context(), &kinesis.SubscribeToShardInput{
					ConsumerARN: &arn, ShardId: aws.String("shardId-000000000000"),
					StartingPosition: &types.StartingPosition{Type: types.ShardIteratorTypeLatest},
				})
				if !errors.Is(err, syscall.ECONNRESET) { // the SDK waits for the first event, which never comes
					t.Errorf("got %v", err)
				}
				if took := time.Since(begun); (took > time.Second) != (name == "Blackhole") {
					t.Errorf("broke after %v", took)
				}
			})
		})
	}
}

func TestEventsDoNotOvertakeEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newStream(t)
		delay := time.Second
		stream := subscribe(t.Context(), t, a, once(a, "worker-1"))
		a.Intercept(func(_ context.Context, call awsfake.Call) awsfake.Fault {
			defer func() { delay = 0 }()
			return awsfake.Delay(delay)
		})
		for _, data := range []string{"a", "b"} {
			a.Kinesis().Put("clicks", "k", []byte(data))
			time.Sleep(100 * time.Millisecond)
		}
		for _, want := range []string{"a", "b"} {
			if data, _ := next(stream); data != want {
				t.Errorf("got %q, want %q", data, want)
			}
		}
	})
}

func TestLostHeadOfAStreamEndsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newStream(t)
		arn, err := a.Kinesis().RegisterConsumer("clicks", "app")
		if err != nil {
			t.Fatal(err)
		}
		var traced []awsfake.Exchange
		a.Trace(func(e awsfake.Exchange) { traced = append(traced, e) })
		remove := a.Intercept(func(context.Context, awsfake.Call) awsfake.Fault { return awsfake.LoseAnswer() })
		in := kinesis.SubscribeToShardInput{
			ConsumerARN: &arn, ShardId: aws.String("shardId-000000000000"),
			StartingPosition: &types.StartingPosition{Type: types.ShardIteratorTypeLatest},
		}
		if _, err := once(a, "worker-1").SubscribeToShard(t.Context(), &in); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("got %v", err)
		}
		remove()
		if got := a.Kinesis().Subscriptions("clicks"); len(got) != 0 {
			t.Errorf("nobody holds %v", got)
		}
		time.Sleep(time.Second)
		_, err = once(a, "worker-1").SubscribeToShard(t.Context(), &in)
		var used *types.ResourceInUseException
		if !errors.As(err, &used) {
			t.Errorf("the lost call had succeeded, and yet: %v", err)
		}
		if len(traced) != 2 || !traced[0].Applied || traced[0].Status != 0 || traced[1].Status != 400 {
			t.Errorf("traced %+v", traced)
		}
	})
}

func TestClosedStreamLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newStream(t)
		stream := subscribe(t.Context(), t, a, once(a, "worker-1"))
		resume := a.Pause("worker-1")
		defer resume()
		a.Kinesis().Put("clicks", "k", []byte("x"))
		begun := time.Now()
		if err := stream.Close(); err != nil || time.Since(begun) != 0 {
			t.Errorf("closed after %v: %v", time.Since(begun), err)
		}
		if got := a.Kinesis().Subscriptions("clicks"); len(got) != 0 {
			t.Errorf("still there: %v", got)
		}
	})
}

func TestStreamsComeOverTheSocket(t *testing.T) {
	a := newStream(t)
	url, stop, err := a.Serve()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	client := kinesis.NewFromConfig(awsfake.LoopbackConfig("worker-1", url))
	stream := subscribe(t.Context(), t, a, client)
	for i := range 100 {
		a.Kinesis().Put("clicks", "k", []byte(fmt.Sprint(i)))
		if data, _ := next(stream); data != fmt.Sprint(i) {
			t.Fatalf("got %q: %v", data, stream.Err())
		}
	}
	heal := a.Cut("worker-1", "kinesis")
	if data, ok := next(stream); ok || !errors.Is(stream.Err(), syscall.ECONNRESET) {
		t.Errorf("cut: got %q, %v", data, stream.Err())
	}
	heal()

	// A torn event is not taken for the end, and a black hole not for anything.
	a.Kinesis().Set(kinesisfake.WithTakeOver(0), kinesisfake.WithReadLimits(false))
	stream = subscribe(t.Context(), t, a, client)
	if _, ok := next(stream); !ok {
		t.Fatal(stream.Err())
	}
	a.Kinesis().TearSubscriptions("clicks", "", "")
	a.Kinesis().Put("clicks", "k", []byte("torn"))
	if data, ok := next(stream); ok || !errors.Is(stream.Err(), syscall.ECONNRESET) {
		t.Errorf("torn: got %q, %v", data, stream.Err())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	stream = subscribe(ctx, t, a, client)
	defer a.Blackhole("worker-1", "")()
	for range stream.Events() {
	}
	if !errors.Is(stream.Err(), context.DeadlineExceeded) {
		t.Errorf("black hole: got %v", stream.Err())
	}
}
