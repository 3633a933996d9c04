package towpath_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/destination/sqsdestination"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest/awsfake"
)

type Click struct{ Visitor, Page string }

func store(ctx context.Context, click Click) error {
	_, err := fmt.Println(click.Visitor, click.Page)
	return err
}

// serve is the start that README.md shows.
func serve(ctx context.Context, cfg aws.Config) error {
	c, err := consumer.New(consumer.Config{
		Name:    "clickstream",
		Source:  kinesisshards.Open(kinesis.NewFromConfig(cfg), "clicks"),
		Leases:  dynamocheckpoint.Open(dynamodb.NewFromConfig(cfg), "clickstream"),
		Handler: consumer.Each(store), // func(ctx, Click) error
	})
	if err != nil {
		return err
	}
	return c.Run(ctx) // until ctx is done and everything has ended
}

// bounded is the configuration that docs/failures.md shows.
func bounded(cfg aws.Config, queueURL string) consumer.Config {
	return consumer.Config{
		Name:    "clickstream",
		Source:  kinesisshards.Open(kinesis.NewFromConfig(cfg), "clicks"),
		Leases:  dynamocheckpoint.Open(dynamodb.NewFromConfig(cfg), "clickstream"),
		Handler: consumer.Each(store),

		BisectBatchOnError:   true,
		MaximumRetryAttempts: batching.AtMost(3), // four calls with the record alone
		MaximumRecordAge:     6 * time.Hour,
		OnFailure:            sqsdestination.Open(sqs.NewFromConfig(cfg), queueURL),
	}
}

// The configurations that the texts show are accepted.
func TestShownConfigurationsAreValid(t *testing.T) {
	cfg := awsfake.New().Config("worker")
	if _, err := consumer.New(bounded(cfg, "https://sqs.us-east-1.amazonaws.com/000000000000/failed")); err != nil {
		t.Error(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop() // so that it ends before it has begun
	if err := serve(ctx, cfg); err != nil {
		t.Error(err)
	}
}

// The document that docs/failures.md shows is the one that is sent.
func TestShownEnvelopeIsReal(t *testing.T) {
	at := time.Date(2026, 11, 21, 6, 15, 42, 117e6, time.UTC)
	stream := "arn:aws:kinesis:us-east-1:123456789012:stream/clicks"
	failure := destination.Failure{
		Application: "clickstream", Worker: "web-7/4bf1c2d3e4a5b697", Stream: stream, Shard: "shardId-000000000001",
		Records: []shard.Record{{
			Stream: stream, Shard: "shardId-000000000001", Sequence: "49671246667567228643283430150187087044573112343519756306",
			PartitionKey: "ada", Keyed: true, Data: []byte(`{"Page":"/poison"}`), ArrivedAt: at.Add(-9 * time.Second),
		}},
		Condition: destination.RetryAttemptsExhausted, Attempts: 4, Err: errors.New("no such page"), At: at,
	}
	envelope, err := failure.Envelope(destination.EnvelopeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var shown bytes.Buffer
	if err := json.Indent(&shown, envelope, "", "  "); err != nil {
		t.Fatal(err)
	}
	if text := read(t, "docs/failures.md"); !strings.Contains(text, "```json\n"+shown.String()+"\n```") {
		t.Errorf("docs/failures.md does not show the envelope as it is:\n%s", shown.String())
	}
}

// A worker reads what is on the stream, and ends when it has caught up.
func Example() {
	fake := awsfake.New()
	clicks := fake.Kinesis()
	_ = clicks.CreateStream("clicks", 1)
	_, _, _ = clicks.Put("clicks", "ada", []byte(`{"Visitor":"ada","Page":"/lamps"}`))
	_, _, _ = clicks.Put("clicks", "ada", []byte(`{"Visitor":"ada","Page":"/basket"}`))

	cfg := fake.Config("worker")
	c, err := consumer.New(consumer.Config{
		Name:    "clickstream",
		Source:  kinesisshards.Open(kinesis.NewFromConfig(cfg), "clicks"),
		Leases:  checkpointtest.NewTable(), // dynamocheckpoint.Open in a service
		Handler: consumer.Each(store),
		Until:   consumer.CaughtUp(),
		Logger:  slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Run(context.Background()))
	// Output:
	// ada /lamps
	// ada /basket
	// <nil>
}

// What docs/testing.md shows first: the handler, a stream in the process, and
// virtual time.
func TestEveryClickIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := awsfake.New()
		clicks := fake.Kinesis()
		if err := clicks.CreateStream("clicks", 2); err != nil {
			t.Fatal(err)
		}
		for _, visitor := range []string{"ada", "ben", "ada"} {
			if _, _, err := clicks.Put("clicks", visitor, []byte(`{"Visitor":"`+visitor+`"}`)); err != nil {
				t.Fatal(err)
			}
		}

		stored := make(chan string, 10)
		c, err := consumer.New(consumer.Config{
			Name:   "clickstream",
			Source: kinesisshards.Open(kinesis.NewFromConfig(fake.Config("worker")), "clicks"),
			Leases: checkpointtest.NewTable(),
			Handler: consumer.Each(func(_ context.Context, click Click) error {
				stored <- click.Visitor
				return nil
			}),
			Until: consumer.CaughtUp(),
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := len(stored); got != 3 {
			t.Errorf("%d clicks were stored, want 3", got)
		}
	})
}

// What docs/testing.md shows second: a record that always fails ends in the
// destination, and those around it do not.
func TestPoisonGoesToTheDestination(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := awsfake.New()
		clicks := fake.Kinesis()
		if err := clicks.CreateStream("clicks", 1); err != nil {
			t.Fatal(err)
		}
		for _, page := range []string{"/a", "/b", "/poison", "/c"} {
			if _, _, err := clicks.Put("clicks", "ada", []byte(`{"Page":"`+page+`"}`)); err != nil {
				t.Fatal(err)
			}
		}

		failed := &destinationtest.Recorder{} // its zero value accepts everything
		var handled []string
		c, err := consumer.New(consumer.Config{
			Name:   "clickstream",
			Source: kinesisshards.Open(kinesis.NewFromConfig(fake.Config("worker")), "clicks"),
			Leases: checkpointtest.NewTable(),
			Handler: consumer.Each(func(_ context.Context, click Click) error {
				if click.Page == "/poison" {
					return errors.New("no such page")
				}
				handled = append(handled, click.Page)
				return nil
			}),
			BisectBatchOnError:   true,
			MaximumRetryAttempts: batching.AtMost(2),
			OnFailure:            failed,
			Until:                consumer.CaughtUp(),
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprint(handled), "[/a /b /c]"; got != want {
			t.Errorf("handled %s, want %s", got, want)
		}
		if got := len(failed.Accepted()); got != 1 {
			t.Errorf("%d failures were sent, want 1", got)
		}
	})
}
