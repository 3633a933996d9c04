package kinesisfake_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/schemas"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go/transport/http/protocol/awsjson"

	"github.com/towpath/towpath/streamtest/awsfake/kinesisfake"
)

const firstShard = "shardId-000000000000"

// consumer registers a consumer of the world's stream and tells its ARN.
func (w world) consumer(name string) string {
	w.t.Helper()
	arn, err := w.fake.RegisterConsumer(w.stream, name)
	if err != nil {
		w.t.Fatal(err)
	}
	return arn
}

// listening is a subscription of the SDK's client.
type listening struct {
	t      *testing.T
	stream *kinesis.SubscribeToShardEventStream
}

func at(kind types.ShardIteratorType) *types.StartingPosition {
	return &types.StartingPosition{Type: kind}
}

func after(sequence *string) *types.StartingPosition {
	return &types.StartingPosition{Type: types.ShardIteratorTypeAfterSequenceNumber, SequenceNumber: sequence}
}

// ownProtocol gives a subscription a decoder of its own. The one that the SDK's
// client holds is no use to several streams at a time: it makes and resets what
// they share without a lock (smithy-go v1.28.8), which the race detector tells.
func ownProtocol(o *kinesis.Options) { o.Protocol = awsjson.New11(schemas.Kinesis_20131202) }

func (w world) subscribe(ctx context.Context, consumer, shard string, from *types.StartingPosition) (*kinesis.SubscribeToShardEventStream, error) {
	out, err := w.client.SubscribeToShard(ctx, &kinesis.SubscribeToShardInput{ConsumerARN: &consumer, ShardId: &shard, StartingPosition: from}, ownProtocol)
	if err != nil {
		return nil, err
	}
	w.t.Cleanup(func() { out.GetStream().Close() })
	return out.GetStream(), nil
}

// listen subscribes to the first shard, until the test ends.
func (w world) listen(consumer string, from *types.StartingPosition) listening {
	w.t.Helper()
	stream, err := w.subscribe(w.t.Context(), consumer, firstShard, from)
	if err != nil {
		w.t.Fatal(err)
	}
	return listening{w.t, stream}
}

// event is the next event; ok is false at the end.
func (l listening) event() (types.SubscribeToShardEvent, bool) {
	l.t.Helper()
	e, ok := <-l.stream.Events()
	if !ok {
		return types.SubscribeToShardEvent{}, false
	}
	member, ok := e.(*types.SubscribeToShardEventStreamMemberSubscribeToShardEvent)
	if !ok {
		l.t.Fatalf("got a %T", e)
	}
	return member.Value, true
}

// data is that of the next event that there must be.
func (l listening) data() []string {
	l.t.Helper()
	e, ok := l.event()
	if !ok {
		l.t.Fatalf("the stream has ended: %v", l.stream.Err())
	}
	return dataOf(e)
}

func dataOf(e types.SubscribeToShardEvent) []string {
	data := []string{}
	for _, r := range e.Records {
		data = append(data, string(r.Data))
	}
	return data
}

// ended reports the error at the end of a stream, past what it still held.
func (l listening) ended() error {
	l.t.Helper()
	for {
		if _, ok := l.event(); !ok {
			return l.stream.Err()
		}
	}
}

func TestFanOutDeliversFromEveryPosition(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		arn := w.consumer("app")
		first := w.put("k", "a")
		time.Sleep(10 * time.Second)
		second := w.put("k", "b")
		stamp := time.Now()
		time.Sleep(10 * time.Second)
		w.put("k", "c")
		for _, c := range []struct {
			from *types.StartingPosition
			want string
		}{
			{at(types.ShardIteratorTypeTrimHorizon), "[a b c]"},
			{at(types.ShardIteratorTypeLatest), "[new]"},
			{&types.StartingPosition{Type: types.ShardIteratorTypeAtSequenceNumber, SequenceNumber: &second}, "[b c]"},
			{after(&first), "[b c]"},
			{&types.StartingPosition{Type: types.ShardIteratorTypeAtTimestamp, Timestamp: aws.Time(stamp)}, "[b c]"},
		} {
			l := w.listen(arn, c.from)
			if c.from.Type == types.ShardIteratorTypeLatest {
				w.put("k", "new")
			}
			same(t, string(c.from.Type), l.data(), c.want)
			if err := l.stream.Close(); err != nil {
				t.Error(err)
			}
			time.Sleep(6 * time.Second)
			if c.want == "[new]" { // the others are to end where they ended before
				return
			}
		}
	})
}

func TestFanOutPushesAtOnceAndBeatsWhenIdle(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		l := w.listen(w.consumer("app"), at(types.ShardIteratorTypeLatest))
		begun := time.Now()
		last := ""
		for range 3 {
			e, _ := l.event()
			if len(e.Records) != 0 || *e.MillisBehindLatest != 0 || len(e.ChildShards) != 0 {
				t.Errorf("got %+v", e)
			}
			if *e.ContinuationSequenceNumber <= last {
				t.Errorf("continuation %s does not move on from %s", *e.ContinuationSequenceNumber, last)
			}
			last = *e.ContinuationSequenceNumber
		}
		same(t, "three heartbeats took", time.Since(begun), 15*time.Second)
		sequence := w.put("k", "x")
		e, _ := l.event()
		same(t, "pushed", dataOf(e), "[x]")
		same(t, "after", time.Since(begun), 15*time.Second)
		if sequence <= last {
			t.Errorf("record %s does not follow continuation %s", sequence, last)
		}
		same(t, "continuation", *e.ContinuationSequenceNumber, sequence)
	})
}

func TestFanOutLivesFiveMinutesAndGoesOnFromItsContinuation(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		arn := w.consumer("app")
		var got []string
		go func() { // ended by its count, within the bubble
			for i := range 150 {
				w.put("k", fmt.Sprint(i))
				time.Sleep(7 * time.Second)
			}
		}()
		begun, from := time.Now(), at(types.ShardIteratorTypeTrimHorizon)
		for len(got) < 150 {
			l := w.listen(arn, from)
			started := time.Now()
			for {
				e, ok := l.event()
				if !ok {
					break
				}
				got = append(got, dataOf(e)...)
				from = after(e.ContinuationSequenceNumber)
			}
			same(t, "life", time.Since(started), 5*time.Minute)
			if err := l.stream.Err(); err != nil {
				t.Errorf("after five minutes: %v", err)
			}
			l.stream.Close()
		}
		for i, data := range got {
			if data != fmt.Sprint(i) {
				t.Fatalf("record %d is %q", i, data)
			}
		}
		same(t, "all of it", time.Since(begun), 20*time.Minute)
	})
}

func TestFanOutTakesOverAfterFiveSeconds(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		arn := w.consumer("app")
		old := w.listen(arn, at(types.ShardIteratorTypeLatest))
		for range 3 {
			time.Sleep(1100 * time.Millisecond)
			_, err := w.subscribe(t.Context(), arn, firstShard, at(types.ShardIteratorTypeLatest))
			refused(t, "within five seconds", err, "ResourceInUseException")
		}
		w.put("k", "x")
		same(t, "refusals leave the first alone", old.data(), "[x]")
		time.Sleep(1700 * time.Millisecond)
		l := w.listen(arn, at(types.ShardIteratorTypeLatest))
		refused(t, "the one before", old.ended(), "ResourceInUseException")
		w.put("k", "y")
		same(t, "the new one", l.data(), "[y]")
		l.stream.Close()
		_, err := w.subscribe(t.Context(), arn, firstShard, at(types.ShardIteratorTypeLatest))
		refused(t, "closed by the client, within a second", err, "LimitExceededException")
		time.Sleep(time.Second)
		_, err = w.subscribe(t.Context(), arn, firstShard, at(types.ShardIteratorTypeLatest))
		refused(t, "closed by the client, within five", err, "ResourceInUseException")
		other := w.consumer("other")
		w.listen(other, at(types.ShardIteratorTypeLatest)).stream.Close()
	})
}

func TestFanOutEndsAShardWithItsChildren(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		arn := w.consumer("app")
		w.put("k", "a")
		l := w.listen(arn, at(types.ShardIteratorTypeTrimHorizon))
		same(t, "before", l.data(), "[a]")
		w.put("k", "b")
		lower, upper, err := w.fake.Split(w.stream, firstShard)
		if err != nil {
			t.Fatal(err)
		}
		var data []string
		for {
			e, ok := l.event()
			if !ok {
				t.Fatal("the stream ended without the children")
			}
			data = append(data, dataOf(e)...)
			if e.ContinuationSequenceNumber != nil {
				continue
			}
			var children []string
			for _, c := range e.ChildShards {
				children = append(children, *c.ShardId)
				same(t, "parents", c.ParentShards, []string{firstShard})
			}
			same(t, "children", children, []string{lower, upper})
			break
		}
		same(t, "records before the end", data, "[b]")
		if _, ok := l.event(); ok || l.stream.Err() != nil {
			t.Errorf("after the end: %v, %v", ok, l.stream.Err())
		}
		if got := w.fake.Subscriptions(w.stream); len(got) != 0 {
			t.Errorf("still there: %v", got)
		}

		// An ended shard that is read again, and a merge that takes its time.
		time.Sleep(6 * time.Second)
		again := w.listen(arn, at(types.ShardIteratorTypeTrimHorizon))
		e, _ := again.event()
		same(t, "again", dataOf(e), "[a b]")
		if e.ContinuationSequenceNumber != nil || len(e.ChildShards) != 2 {
			t.Errorf("got %+v", e)
		}
		w.fake.Set(kinesisfake.WithReshardTime(time.Second))
		stream, err := w.subscribe(t.Context(), arn, lower, at(types.ShardIteratorTypeTrimHorizon))
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if _, err := w.client.MergeShards(t.Context(), &kinesis.MergeShardsInput{StreamName: &w.stream, ShardToMerge: &lower, AdjacentShardToMerge: &upper}); err != nil {
			t.Fatal(err)
		}
		e, _ = listening{t, stream}.event()
		same(t, "the merge took", time.Since(begun), time.Second)
		if e.ContinuationSequenceNumber != nil || len(e.ChildShards) != 1 || len(e.ChildShards[0].ParentShards) != 2 {
			t.Errorf("got %+v", e)
		}
	})
}

func TestFanOutTellsTheEndOfAnIdleShardAtOnce(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		l := w.listen(w.consumer("app"), at(types.ShardIteratorTypeTrimHorizon))
		time.Sleep(time.Second)
		if _, _, err := w.fake.Split(w.stream, firstShard); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		e, _ := l.event()
		if len(e.ChildShards) != 2 || e.ContinuationSequenceNumber != nil || time.Since(begun) != 0 {
			t.Errorf("after %v: %+v", time.Since(begun), e)
		}
	})
}

func TestFanOutTellsTheChildrenInTheLastEventAlone(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		for range 7 {
			w.put("k", string(make([]byte, 1<<20)))
		}
		if _, _, err := w.fake.Split(w.stream, firstShard); err != nil {
			t.Fatal(err)
		}
		l := w.listen(w.consumer("app"), at(types.ShardIteratorTypeTrimHorizon))
		n, events := 0, 0
		for {
			e, ok := l.event()
			if !ok {
				break
			}
			n, events = n+len(e.Records), events+1
			if last := n == 7; last != (len(e.ChildShards) == 2) || last != (e.ContinuationSequenceNumber == nil) {
				t.Errorf("after %d records: children %v, continuation %v", n, e.ChildShards, e.ContinuationSequenceNumber)
			}
		}
		if n != 7 || events < 3 {
			t.Errorf("got %d records in %d events", n, events)
		}
	})
}

func TestFanOutOfAShardThatVanishesIsNotFound(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		last := ""
		for range 7 {
			last = w.put("k", string(make([]byte, 1<<20)))
		}
		if _, _, err := w.fake.Split(w.stream, firstShard); err != nil {
			t.Fatal(err)
		}
		l := w.listen(w.consumer("app"), at(types.ShardIteratorTypeTrimHorizon))
		l.data()
		if err := w.fake.Trim(w.stream, firstShard, last); err != nil {
			t.Fatal(err)
		}
		refused(t, "what is left", l.ended(), "ResourceNotFoundException")
	})
}

func TestFanOutSkipsWhatIsTrimmed(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		first := w.put("k", "a")
		w.put("k", "b")
		if err := w.fake.Trim(w.stream, firstShard, first); err != nil {
			t.Fatal(err)
		}
		l := w.listen(w.consumer("app"), &types.StartingPosition{Type: types.ShardIteratorTypeAtSequenceNumber, SequenceNumber: &first})
		same(t, "data", l.data(), "[b]")
	})
}

func TestFanOutEndsForAReaderThatDoesNotReadToo(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		arn := w.consumer("app")
		old := w.listen(arn, at(types.ShardIteratorTypeTrimHorizon))
		for range 10 {
			w.put("k", string(make([]byte, 100<<10)))
			time.Sleep(time.Second) // each in an event of its own; they do not fit in the window
		}
		w.listen(arn, at(types.ShardIteratorTypeLatest))
		time.Sleep(2 * time.Second)
		begun := time.Now()
		refused(t, "at the end", old.ended(), "ResourceInUseException")
		same(t, "time to the end", time.Since(begun), time.Duration(0))
	})
}
