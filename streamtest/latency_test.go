package streamtest_test

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// How long after it was put a record is in the handler, over sockets, on the real
// clock. The in-process Kinesis pushes at once, so that this is what the library,
// the SDK and the loopback take; the real service adds its own, about 70 ms on
// average.
//
//	go test ./streamtest -run '^$' -bench 'Latency' -benchtime 2000x
func BenchmarkFanOutLatency(b *testing.B) {
	latency(b, 3*time.Millisecond, func(o *kinesisshards.Options) {
		o.FanOut = &kinesisshards.FanOut{Consumer: streamtest.Application, Fallback: kinesisshards.FallbackNever}
	})
}

// The same by polling, four times a second.
func BenchmarkPollingLatency(b *testing.B) {
	latency(b, 7*time.Millisecond, func(*kinesisshards.Options) {})
}

// latency puts a record every so often.
func latency(b *testing.B, every time.Duration, reading func(*kinesisshards.Options)) {
	cloud := awsfake.New()
	if err := cloud.Kinesis().CreateStream(streamtest.Stream, 1); err != nil {
		b.Fatal(err)
	}
	url, stop, err := cloud.Serve()
	if err != nil {
		b.Fatal(err)
	}
	defer stop()
	cfg := awsfake.LoopbackConfig("worker", url)
	took := make(chan time.Duration, b.N+1)
	c, err := consumer.New(consumer.Config{
		Name:             streamtest.Application,
		Source:           kinesisshards.Open(kinesis.NewFromConfig(cfg), streamtest.Stream, reading),
		Leases:           dynamocheckpoint.Open(dynamodb.NewFromConfig(cfg), streamtest.Application, func(o *dynamocheckpoint.Options) { o.CreateTables = true }),
		StartingPosition: shard.TrimHorizon(),
		OnFailure:        destination.Discard,
		Logger:           slog.New(slog.NewTextHandler(io.Discard, nil)),
		Handler: consumer.HandlerFunc(func(_ context.Context, batch *batching.Batch) error {
			now := time.Now().UnixNano()
			for i := range batch.Records {
				put, err := strconv.ParseInt(string(batch.Records[i].Data), 10, 64)
				if err != nil {
					return err
				}
				took <- time.Duration(now - put)
			}
			return nil
		}),
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	put := func() {
		if _, _, err := cloud.Kinesis().Put(streamtest.Stream, "key", strconv.AppendInt(nil, time.Now().UnixNano(), 10)); err != nil {
			b.Fatal(err)
		}
	}
	put()
	<-took // it reads
	b.ResetTimer()
	for range b.N {
		put()
		time.Sleep(every)
	}
	all := make([]time.Duration, b.N)
	for i := range all {
		all[i] = <-took
	}
	b.StopTimer()
	slices.Sort(all)
	b.ReportMetric(float64(all[b.N/2])/float64(time.Millisecond), "p50-ms")
	b.ReportMetric(float64(all[b.N*99/100])/float64(time.Millisecond), "p99-ms")
	cancel()
	if err := <-ended; err != nil {
		b.Error(err)
	}
}
