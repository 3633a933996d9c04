// Hello prints the clicks on a stream: the smallest whole service. Without a flag
// the stream lies in an AWS inside the process, and the program ends when it has
// caught up; with -stream it is one of yours, and the program works it until it
// is told to stop.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// Click is what stands on the stream, as JSON.
type Click struct{ Visitor, Page string }

// store is the handler: it is called for each click, those of one visitor in
// their order. Nil means that the click is done; an error brings it again.
func store(_ context.Context, click Click) error {
	_, err := fmt.Println(click.Visitor, "is at", click.Page)
	return err
}

func main() {
	stream := flag.String("stream", "", "the stream to work; none is one inside the process")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *stream)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "hello:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, stream string) error {
	if stream == "" {
		cloud := awsfake.New()
		if err := play(cloud); err != nil {
			return err
		}
		return work(ctx, cloud.Config("hello"), "clicks", consumer.CaughtUp())
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	return work(ctx, cfg, stream, consumer.Until{})
}

// work is a worker. All that run with the same name share the shards.
func work(ctx context.Context, cfg aws.Config, stream string, until consumer.Until) error {
	c, err := consumer.New(consumer.Config{
		Name:   "hello",
		Source: kinesisshards.Open(kinesis.NewFromConfig(cfg), stream),
		Leases: dynamocheckpoint.Open(dynamodb.NewFromConfig(cfg), "hello", func(o *dynamocheckpoint.Options) {
			o.CreateTables = true // in production, make them beforehand
		}),
		Handler: consumer.Each(store),
		Until:   until,
	})
	if err != nil {
		return err
	}
	return c.Run(ctx) // until ctx is done and everything has ended
}

// play puts a few clicks on a stream inside the process.
func play(cloud *awsfake.AWS) error {
	if err := cloud.Kinesis().CreateStream("clicks", 2); err != nil {
		return err
	}
	for _, click := range []Click{{"ada", "/lamps"}, {"ben", "/"}, {"ada", "/basket"}, {"ada", "/paid"}} {
		data := fmt.Appendf(nil, `{"Visitor":%q,"Page":%q}`, click.Visitor, click.Page)
		if _, _, err := cloud.Kinesis().Put("clicks", click.Visitor, data); err != nil {
			return err
		}
	}
	return nil
}
