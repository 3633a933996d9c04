package kinesisshards

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/schemas"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go/transport/http/protocol/awsjson"
)

// subscription is one call of SubscribeToShard, with the connection that its
// events come over. Nothing here reads ahead: the SDK has at most two events
// decoded, what the connection has taken in lies there, and the rest waits at the
// service.
type subscription struct {
	stream *kinesis.SubscribeToShardEventStream
	cancel context.CancelFunc
}

// subscribe makes a subscription. It outlives ctx, which bounds the call alone.
// The second result is the service's time, zero if it gave none.
func (g *registry) subscribe(ctx context.Context, arn, shardID string, at types.StartingPosition) (*subscription, time.Time, error) {
	life, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	end := func() { cancel(nil) }
	abandoned := context.AfterFunc(ctx, func() { cancel(ctx.Err()) })
	late := time.AfterFunc(callTimeout, func() { cancel(errNoAnswer) })
	out, err := g.client.SubscribeToShard(life, &kinesis.SubscribeToShardInput{
		ConsumerARN: &arn, ShardId: &shardID, StartingPosition: &at,
	}, oneTry)
	inTime := late.Stop()
	if !abandoned() || !inTime {
		if err == nil && out.GetStream() != nil {
			_ = out.GetStream().Close() // nobody reads it
		}
		err = errors.Join(context.Cause(life), ctx.Err())
		end()
		return nil, time.Time{}, err
	}
	switch {
	case err == nil && out.GetStream() == nil:
		err = errors.New("the answer has no stream of events")
		fallthrough
	case err != nil:
		end()
		return nil, time.Time{}, err
	}
	said, _ := serverTime(out.ResultMetadata)
	return &subscription{stream: out.GetStream(), cancel: end}, said, nil
}

var errNoAnswer = fmt.Errorf("no answer within %s", callTimeout)

// close ends the subscription. Events that were not read are given up.
func (s *subscription) close() {
	_ = s.stream.Close() // the error of a stream that is not read any more
	s.cancel()
}

// oneTry has a call made once: a repeat of one that was answered is refused for
// five seconds.
func oneTry(o *kinesis.Options) {
	fewTries(o)
	o.RetryMaxAttempts = 1
	ownDecoder(o)
}

// ownDecoder gives a subscription a decoder of events of its own. The one that a
// client of the SDK holds is shared by all its streams, which use it without a
// lock (smithy-go v1.28.8): the race detector tells so of two shards at a time. A
// protocol that the user has put there stays.
func ownDecoder(o *kinesis.Options) {
	if _, ok := o.Protocol.(*awsjson.Protocol); ok {
		o.Protocol = awsjson.New11(schemas.Kinesis_20131202)
	}
}

// continuation is where the service said to go on behind an event. The zero
// continuation is none.
type continuation struct {
	sequence string
	heard    time.Time // when the event came, by the host's clock
}

// usable reports whether reading can go on there: an old one is given up for the
// last record, because only that shows whether something was trimmed.
func (c continuation) usable(now time.Time) bool {
	return c.sequence != "" && now.Sub(c.heard) < maxIteratorAge
}
