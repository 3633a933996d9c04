package towpath_test

import (
	"bytes"
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination/s3destination"
	"github.com/towpath/towpath/destination/sqsdestination"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
)

// What docs/deferred.md shows.
var (
	_ = emitting
	_ = collecting
)

func enrich(data []byte) []byte { return bytes.ToUpper(data) }

func emitting(cfg aws.Config, queueURL string) consumer.Config {
	return consumer.Config{
		Name:   "clickstream",
		Source: kinesisshards.Open(kinesis.NewFromConfig(cfg), "clicks"),
		Leases: dynamocheckpoint.Open(dynamodb.NewFromConfig(cfg), "clickstream"),
		Handler: consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			for i := range b.Records {
				r := &b.Records[i]
				b.Emit(batching.Emitted{Of: r, Data: enrich(r.Data)})
			}
			return nil
		}),
		EmitTo: sqsdestination.Open(sqs.NewFromConfig(cfg), queueURL),
	}
}

func lines(records []shard.Record) []byte {
	var b bytes.Buffer
	for i := range records {
		b.Write(records[i].Data)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

func collecting(bucket *s3destination.Bucket) consumer.Config {
	return consumer.Config{
		Handler: &consumer.Collect{
			MaxBytes: 16 << 20,
			MaxAge:   5 * time.Minute,
			Flush: func(ctx context.Context, c *consumer.Collected) error {
				_, err := bucket.Put(ctx, c.Name(), lines(c.Records), "application/x-ndjson")
				return err
			},
		},
		MaximumInFlight: 50_000, // more records than an object has
	}
}
