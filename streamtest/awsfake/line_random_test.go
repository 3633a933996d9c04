package awsfake_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/schemas"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go/transport/http/protocol/awsjson"

	"github.com/towpath/towpath/streamtest/awsfake"
)

// A reader that goes on after the last continuation it saw, and gives up a stream
// that is silent for 20 s, reads each record once, whatever happens to its
// streams. It is the least that a consumer must do, and it is enough.
func TestContinuationsBridgeWhateverBreaksAStream(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { bridge(t, seed) })
		})
	}
}

func bridge(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	a := newStream(t, awsfake.WithLatency(4*time.Millisecond))
	consumer, err := a.Kinesis().RegisterConsumer("clicks", "app")
	if err != nil {
		t.Fatal(err)
	}
	const puts = 2000
	ended := make(chan struct{})
	go func() { // ended by its count
		defer close(ended)
		for i := range puts {
			if _, _, err := a.Kinesis().Put("clicks", "k", []byte(fmt.Sprint(i))); err != nil {
				t.Error(err)
				return
			}
			time.Sleep(time.Duration(random.IntN(1000)) * time.Millisecond)
			if random.IntN(10) == 0 {
				misbehave(a, random)
			}
		}
		if _, _, err := a.Kinesis().Split("clicks", "shardId-000000000000"); err != nil {
			t.Error(err)
		}
	}()

	client, read, streams := once(a, "worker-1"), 0, 0
	from := &types.StartingPosition{Type: types.ShardIteratorTypeTrimHorizon}
	for done := false; !done; {
		out, err := client.SubscribeToShard(t.Context(), &kinesis.SubscribeToShardInput{
			ConsumerARN: &consumer, ShardId: aws.String("shardId-000000000000"), StartingPosition: from,
		}, func(o *kinesis.Options) { o.Protocol = awsjson.New11(schemas.Kinesis_20131202) })
		if err != nil {
			time.Sleep(time.Second)
			continue
		}
		streams++
		stream := out.GetStream()
	events:
		for {
			select {
			case e, ok := <-stream.Events():
				if !ok {
					break events
				}
				event := e.(*types.SubscribeToShardEventStreamMemberSubscribeToShardEvent).Value
				for _, r := range event.Records {
					if string(r.Data) != fmt.Sprint(read) {
						t.Fatalf("record %d is %s", read, r.Data)
					}
					read++
				}
				if event.ContinuationSequenceNumber == nil {
					done = true
					break events
				}
				from = &types.StartingPosition{Type: types.ShardIteratorTypeAfterSequenceNumber, SequenceNumber: event.ContinuationSequenceNumber}
			case <-time.After(20 * time.Second):
				break events
			}
		}
		if err := stream.Close(); err != nil && done {
			t.Error(err)
		}
	}
	<-ended
	if read != puts || streams < 20 {
		t.Errorf("read %d records of %d in %d streams", read, puts, streams)
	}
}

// misbehave does one of what can happen to a stream, some of it for a while.
func misbehave(a *awsfake.AWS, random *rand.Rand) {
	fake := a.Kinesis()
	heal := func() {}
	switch random.IntN(8) {
	case 0:
		heal = a.Cut("worker-1", "kinesis")
	case 1:
		heal = a.Blackhole("worker-1", "kinesis")
	case 2:
		heal = a.Pause("worker-1")
	case 3:
		fake.EndSubscriptions("clicks", "", "")
	case 4:
		fake.FailSubscriptions("clicks", "", "", "InternalFailureException")
	case 5:
		fake.TearSubscriptions("clicks", "", "")
	case 6:
		heal = fake.SilenceSubscriptions("clicks", "", "")
	case 7:
		_ = fake.RefuseSubscribe("clicks", "app", "shardId-000000000000", "ResourceInUseException", 2)
		fake.EndSubscriptions("clicks", "", "")
	}
	time.Sleep(time.Duration(random.IntN(30)) * time.Second)
	heal()
}
