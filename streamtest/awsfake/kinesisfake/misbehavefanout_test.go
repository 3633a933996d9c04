package kinesisfake_test

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/streamtest/awsfake/kinesisfake"
)

// quick lets a test subscribe as often as it likes.
func quick(w world) {
	w.fake.Set(kinesisfake.WithTakeOver(0), kinesisfake.WithReadLimits(false))
}

func TestSubscriptionsMisbehaveOnRequest(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		quick(w)
		arn := w.consumer("app")
		latest := at(types.ShardIteratorTypeLatest)

		l := w.listen(arn, latest)
		same(t, "ended", w.fake.EndSubscriptions(w.stream, "", ""), 1)
		if err := l.ended(); err != nil {
			t.Errorf("ended: %v", err)
		}

		for _, code := range []string{"InternalFailureException", "ResourceInUseException", "KMSThrottlingException", "SomeOtherException"} {
			l = w.listen(arn, latest)
			same(t, code, w.fake.FailSubscriptions(w.stream, "app", firstShard, code), 1)
			refused(t, code, l.ended(), code)
		}

		l = w.listen(arn, latest)
		same(t, "torn", w.fake.TearSubscriptions(w.stream, "app", ""), 1)
		w.put("k", "lost in the middle")
		if err := l.ended(); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("torn: %v", err)
		}

		l = w.listen(arn, latest)
		w.fake.RepeatEvents(w.stream, "app", "", 1)
		w.put("k", "a")
		same(t, "first", l.data(), "[a]")
		same(t, "repeated", l.data(), "[a]")
		w.fake.DropEvents(w.stream, "app", "", 1)
		w.put("k", "dropped")
		synctest.Wait()
		w.put("k", "b")
		same(t, "after what was dropped", l.data(), "[b]")
		l.stream.Close()

		if err := w.fake.RefuseSubscribe(w.stream, "app", firstShard, "ResourceInUseException", 2); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			_, err := w.subscribe(t.Context(), arn, firstShard, latest)
			refused(t, "refused", err, "ResourceInUseException")
		}
		w.listen(arn, latest).stream.Close()
	})
}

func TestSilentSubscriptionHasNotEvenAnEnd(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		arn := w.consumer("app")
		l := w.listen(arn, at(types.ShardIteratorTypeLatest))
		restore := w.fake.SilenceSubscriptions(w.stream, "app", "")
		w.put("k", "x")
		begun := time.Now()
		time.AfterFunc(time.Minute, restore)
		same(t, "once it is restored", l.data(), "[x]")
		same(t, "after", time.Since(begun), time.Minute)

		restore = w.fake.SilenceSubscriptions(w.stream, "app", "")
		time.AfterFunc(time.Hour, restore)
		if err := l.ended(); err != nil || time.Since(begun) != time.Hour+time.Minute {
			t.Errorf("ended after %v: %v", time.Since(begun), err)
		}
	})
}

func TestSilencedSubscriptionIsTakenOverAllTheSame(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		arn := w.consumer("app")
		silent := w.listen(arn, at(types.ShardIteratorTypeLatest))
		w.fake.SilenceSubscriptions(w.stream, "", "")
		time.Sleep(6 * time.Second)
		l := w.listen(arn, at(types.ShardIteratorTypeLatest))
		w.put("k", "x")
		same(t, "the new one", l.data(), "[x]")
		select {
		case e := <-silent.stream.Events():
			t.Errorf("the silent one got %v", e)
		case <-time.After(time.Hour):
		}
		silent.stream.Close()
	})
}

func TestFanOutKeepsItsPace(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		a, b := w.consumer("a"), w.consumer("b")
		big := string(make([]byte, 1<<20))
		for range 21 {
			w.put("k", big)
		}
		begun := time.Now()
		l, other := w.listen(a, at(types.ShardIteratorTypeTrimHorizon)), w.listen(b, at(types.ShardIteratorTypeTrimHorizon))
		n := 0
		for n < 21 {
			e, ok := l.event()
			if !ok {
				t.Fatal(l.stream.Err())
			}
			n += len(e.Records)
			for range e.Records {
				// The other consumer has a pace of its own.
			}
		}
		if took := time.Since(begun); took < 9*time.Second || took > 11*time.Second {
			t.Errorf("21 MiB at 2 MiB a second took %v", took)
		}
		if data := other.data(); len(data) == 0 {
			t.Error("the other consumer got nothing")
		}
		l.stream.Close()
		other.stream.Close()
	})
}

func TestPushDelayHoldsRecordsBack(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		l := w.listen(w.consumer("app"), at(types.ShardIteratorTypeLatest))
		begun := time.Now()
		for i := range 3 {
			w.put("k", fmt.Sprint(i))
			time.Sleep(20 * time.Millisecond)
		}
		same(t, "first", l.data(), "[0]")
		same(t, "after", time.Since(begun), 70*time.Millisecond)
		same(t, "second", l.data(), "[1]")
		same(t, "after", time.Since(begun), 90*time.Millisecond)
		l.stream.Close()
	}, kinesisfake.WithPushDelay(70*time.Millisecond))
}

func TestSubscribeRateIsOfTheWholeConsumer(t *testing.T) {
	inBubble(t, 8, func(t *testing.T, w world) {
		arn := w.consumer("app")
		w.fake.Set(kinesisfake.WithSubscribeRate(5))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for i := range 6 {
			_, err := w.subscribe(ctx, arn, fmt.Sprintf("shardId-%012d", i), at(types.ShardIteratorTypeLatest))
			if i < 5 && err != nil {
				t.Fatal(err)
			} else if i == 5 {
				refused(t, "the sixth within a second", err, "LimitExceededException")
			}
		}
		if got := len(w.fake.Subscriptions(w.stream)); got != 5 {
			t.Errorf("%d subscriptions, want 5", got)
		}
		cancel() // the end of the context is the end of the stream
		synctest.Wait()
		if got := w.fake.Subscriptions(w.stream); len(got) != 0 {
			t.Errorf("still there: %v", got)
		}
	})
}

func TestSlowReaderIsWaitedForUntilItsSubscriptionEnds(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		arn := w.consumer("app")
		l := w.listen(arn, at(types.ShardIteratorTypeTrimHorizon))
		piece := string(make([]byte, 100<<10))
		for range 20 {
			w.put("k", piece)
			time.Sleep(time.Second) // each in an event of its own
		}
		time.Sleep(10 * time.Minute)
		if got := w.fake.Subscriptions(w.stream); len(got) != 0 {
			t.Errorf("still there after ten minutes: %v", got)
		}
		n := 0
		var last types.SubscribeToShardEvent
		for {
			e, ok := l.event()
			if !ok {
				break
			}
			n += len(e.Records)
			last = e
		}
		if n == 0 || n >= 20 {
			t.Errorf("got %d records of 20, want what fits in the windows", n)
		}
		for l := w.listen(arn, after(last.ContinuationSequenceNumber)); n < 20; {
			n += len(l.data())
		}
		if n != 20 {
			t.Errorf("got %d records of 20", n)
		}
	})
}

func TestExpiredShardEndsItsSubscription(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		arn := w.consumer("app")
		w.put("k", "x")
		if _, _, err := w.fake.Split(w.stream, firstShard); err != nil {
			t.Fatal(err)
		}
		_, err := w.subscribe(t.Context(), arn, "shardId-000000000009", at(types.ShardIteratorTypeLatest))
		refused(t, "no such shard", err, "ResourceNotFoundException")
		time.Sleep(25 * time.Hour)
		_, err = w.subscribe(t.Context(), arn, firstShard, at(types.ShardIteratorTypeTrimHorizon))
		refused(t, "expired", err, "ResourceNotFoundException")
	})
}
