package kinesisfake_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/internal/servertest"
	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/kinesisfake"
)

// The probe of enhanced fan-out, against the fake and against servers of others.
// What no server that CI starts does is not in it: a second subscription that is
// refused within five seconds, and the end of a shard. The package comment says
// where those were looked at.

func TestFakeAnswersTheFanOutProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := awsfake.New(awsfake.WithLatency(2*time.Millisecond), awsfake.WithKinesis(kinesisfake.WithConsumerTime(100*time.Millisecond)))
		probeFanOut(t, kinesis.NewFromConfig(a.Config("probe")), true)
	})
}

// The servers called aws are ministack and LocalStack, which can both do it.
func TestServerAnswersTheFanOutProbe(t *testing.T) {
	probeFanOut(t, kinesis.NewFromConfig(servertest.Config(t, "aws")), true)
}

// That called kinesis may be kinesis-local, whose streams of events begin without
// the initial-response that the SDK wants.
func TestServerAnswersTheProbeOfConsumers(t *testing.T) {
	probeFanOut(t, kinesis.NewFromConfig(servertest.Config(t, "kinesis")), false)
}

func probeFanOut(t *testing.T, client *kinesis.Client, subscribes bool) {
	p := probing{t, client, fmt.Sprintf("fanout-%d", time.Now().UnixNano())}
	_, err := client.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: &p.stream, ShardCount: aws.Int32(1)})
	p.must(err)
	t.Cleanup(func() {
		// The test's own context has ended by now.
		_, _ = client.DeleteStream(context.WithoutCancel(t.Context()), &kinesis.DeleteStreamInput{StreamName: &p.stream, EnforceConsumerDeletion: aws.Bool(true)})
	})
	arn := p.settled()
	consumer := p.consumers(arn)
	if subscribes {
		p.subscriptions(consumer)
	}
	_, err = client.DeregisterStreamConsumer(t.Context(), &kinesis.DeregisterStreamConsumerInput{ConsumerARN: &consumer})
	p.must(err)
	for {
		out, err := client.ListStreamConsumers(t.Context(), &kinesis.ListStreamConsumersInput{StreamARN: &arn})
		p.must(err)
		if len(out.Consumers) == 1 {
			same(t, "who is left", *out.Consumers[0].ConsumerName, "other")
			break
		}
		time.Sleep(50 * time.Millisecond) // the server takes its time
	}
}

// consumers registers two, and tells the ARN of one that is ACTIVE.
func (p probing) consumers(arn string) string {
	p.Helper()
	register := func(name string) (*types.Consumer, error) {
		out, err := p.client.RegisterStreamConsumer(p.Context(), &kinesis.RegisterStreamConsumerInput{StreamARN: &arn, ConsumerName: &name})
		if err != nil {
			return nil, err
		}
		return out.Consumer, nil
	}
	c, err := register("app")
	p.must(err)
	same(p.T, "ARN", *c.ConsumerARN, fmt.Sprintf("%s/consumer/app:%d", arn, c.ConsumerCreationTimestamp.Unix()))
	_, err = register("app")
	refused(p.T, "registered twice", err, "ResourceInUseException")
	_, err = register("other")
	p.must(err)
	_, err = p.client.DescribeStreamConsumer(p.Context(), &kinesis.DescribeStreamConsumerInput{StreamARN: &arn, ConsumerName: aws.String("nobody")})
	refused(p.T, "no such consumer", err, "ResourceNotFoundException")
	for {
		out, err := p.client.DescribeStreamConsumer(p.Context(), &kinesis.DescribeStreamConsumerInput{StreamARN: &arn, ConsumerName: aws.String("app")})
		p.must(err)
		d := out.ConsumerDescription
		same(p.T, "description", []string{*d.ConsumerARN, *d.ConsumerName, *d.StreamARN}, []string{*c.ConsumerARN, "app", arn})
		if d.ConsumerStatus == types.ConsumerStatusActive {
			return *c.ConsumerARN
		}
		same(p.T, "until it is ACTIVE", d.ConsumerStatus, types.ConsumerStatusCreating)
		time.Sleep(50 * time.Millisecond) // the server takes its time
	}
}

// subscriptions reads by fan-out what was put before and after.
func (p probing) subscriptions(consumer string) {
	p.Helper()
	put := func(data string) string {
		p.Helper()
		out, err := p.client.PutRecord(p.Context(), &kinesis.PutRecordInput{StreamName: &p.stream, PartitionKey: aws.String("k"), Data: []byte(data)})
		p.must(err)
		return *out.SequenceNumber
	}
	put("a")
	put("b")
	out, err := p.client.SubscribeToShard(p.Context(), &kinesis.SubscribeToShardInput{ConsumerARN: &consumer, ShardId: aws.String(firstShard), StartingPosition: at(types.ShardIteratorTypeTrimHorizon)}, ownProtocol)
	p.must(err)
	l := listening{p.T, out.GetStream()}
	defer l.stream.Close()
	var data []string
	read := func(n int) (last types.SubscribeToShardEvent) {
		p.Helper()
		for len(data) < n {
			e, ok := l.event()
			if !ok {
				p.Fatalf("ended after %v: %v", data, l.stream.Err())
			}
			if e.ContinuationSequenceNumber == nil || e.MillisBehindLatest == nil {
				p.Errorf("event of an open shard: %+v", e)
			}
			data, last = append(data, dataOf(e)...), e
		}
		return last
	}
	read(2)
	sequence := put("c")
	last := read(3)
	same(p.T, "read", data, "[a b c]")
	same(p.T, "sequence number", *last.Records[len(last.Records)-1].SequenceNumber, sequence)
	p.must(l.stream.Close())

	time.Sleep(5500 * time.Millisecond) // before that no other subscription is due
	put("d")
	out, err = p.client.SubscribeToShard(p.Context(), &kinesis.SubscribeToShardInput{ConsumerARN: &consumer, ShardId: aws.String(firstShard), StartingPosition: after(last.ContinuationSequenceNumber)}, ownProtocol)
	p.must(err)
	l = listening{p.T, out.GetStream()}
	defer l.stream.Close()
	read(4)
	same(p.T, "gone on after the continuation", data, "[a b c d]")
}
