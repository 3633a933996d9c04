package awsfake_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/streamtest/awsfake"
)

// subscribe opens a stream of events to the first shard.
func subscribe(ctx context.Context, t *testing.T, a *awsfake.AWS, c *kinesis.Client) *kinesis.SubscribeToShardEventStream {
	t.Helper()
	arn, err := a.Kinesis().RegisterConsumer("clicks", fmt.Sprintf("app-%d", len(a.Kinesis().Subscriptions("clicks"))))
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.SubscribeToShard(ctx, &kinesis.SubscribeToShardInput{
		ConsumerARN: &arn, ShardId: aws.String("shardId-000000000000"),
		StartingPosition: &types.StartingPosition{Type: types.ShardIteratorTypeTrimHorizon},
	})
	if err != nil {
		t.Fatal(err)
	}
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
	a.Cut("worker-1", "kinesis")
	if data, ok := next(stream); ok || !errors.Is(stream.Err(), syscall.ECONNRESET) {
		t.Errorf("cut: got %q, %v", data, stream.Err())
	}
}
