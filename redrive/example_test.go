package redrive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination/kinesisdestination"
	"github.com/towpath/towpath/destination/s3destination"
	"github.com/towpath/towpath/destination/sqsdestination"
	"github.com/towpath/towpath/redrive"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// What was given up is put back into its stream. Its payload was too large for the
// queue, so that the letter refers to an object. First a dry run says what there
// is; then it is done.
func ExamplePutBack() {
	ctx := context.Background()
	cloud := awsfake.New()
	cfg := cloud.Config("clickstream")
	queue := cloud.SQS().CreateQueue("failed")
	if err := cloud.S3().CreateBucket("payloads"); err != nil {
		log.Fatal(err)
	}
	if err := cloud.Kinesis().CreateStream("clicks", 1); err != nil {
		log.Fatal(err)
	}
	if _, _, err := cloud.Kinesis().Put("clicks", "ada", bytes.Repeat([]byte("x"), 1_000_000)); err != nil {
		log.Fatal(err)
	}
	failing, err := consumer.New(consumer.Config{
		Name: "clickstream", Leases: checkpointtest.NewTable(), Until: consumer.CaughtUp(), Logger: slog.New(slog.DiscardHandler),
		Source: kinesisshards.Open(kinesis.NewFromConfig(cfg), "clicks"),
		Handler: consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			return batching.Reject(b.First(), errors.New("a field is missing"))
		}),
		OnFailure: sqsdestination.Open(sqs.NewFromConfig(cfg), queue, func(o *sqsdestination.Options) {
			o.Store = s3destination.Open(s3.NewFromConfig(cfg), "payloads")
		}),
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := failing.Run(ctx); err != nil {
		log.Fatal(err)
	}

	again := redrive.Config{
		From: sqsdestination.OpenMailbox(sqs.NewFromConfig(cfg), queue, func(o *sqsdestination.MailboxOptions) {
			o.Wait = 0 // so that the example ends at once
		}),
		Load:    s3destination.OpenLoader(s3.NewFromConfig(cfg)),
		Handler: redrive.PutBack(kinesisdestination.Open(kinesis.NewFromConfig(cfg), "clicks")),
		Report: func(f redrive.Fate) {
			fmt.Println(f.Outcome, f.Envelope.Failure.Condition, f.Envelope.Failure.Application)
		},
		DryRun: true,
	}
	if _, err := redrive.Run(ctx, again); err != nil {
		log.Fatal(err)
	}
	again.DryRun = false
	if _, err := redrive.Run(ctx, again); err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(cloud.Kinesis().Records("clicks")), "records on the stream")
	// Output:
	// ready Rejected clickstream
	// handled Rejected clickstream
	// 2 records on the stream
}
