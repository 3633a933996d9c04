package kinesisfake_test

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/kinesisfake"
)

// BenchmarkPush is the time from a put to its event at the SDK's client, over a
// loopback socket: what a benchmark of a consumer has to take off.
func BenchmarkPush(b *testing.B) {
	a := awsfake.New(awsfake.WithKinesis(kinesisfake.WithReadLimits(false), kinesisfake.WithSubscriptionLife(time.Hour)))
	url, stop, err := a.Serve()
	if err != nil {
		b.Fatal(err)
	}
	defer stop()
	if err := a.Kinesis().CreateStream("clicks", 1); err != nil {
		b.Fatal(err)
	}
	consumer, err := a.Kinesis().RegisterConsumer("clicks", "app")
	if err != nil {
		b.Fatal(err)
	}
	out, err := kinesis.NewFromConfig(awsfake.LoopbackConfig("bench", url)).SubscribeToShard(b.Context(), &kinesis.SubscribeToShardInput{
		ConsumerARN: &consumer, ShardId: aws.String(firstShard), StartingPosition: at(types.ShardIteratorTypeLatest),
	})
	if err != nil {
		b.Fatal(err)
	}
	defer out.GetStream().Close()
	data := make([]byte, 1<<10)
	var took []time.Duration
	for b.Loop() {
		begun := time.Now()
		if _, _, err := a.Kinesis().Put("clicks", "k", data); err != nil {
			b.Fatal(err)
		}
		for got := false; !got; {
			e, ok := <-out.GetStream().Events()
			if !ok {
				b.Fatal(out.GetStream().Err())
			}
			got = len(e.(*types.SubscribeToShardEventStreamMemberSubscribeToShardEvent).Value.Records) > 0
		}
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	for name, part := range map[string]int{"p50-us": 50, "p99-us": 99} {
		b.ReportMetric(float64(took[len(took)*part/100].Microseconds()), name)
	}
}
