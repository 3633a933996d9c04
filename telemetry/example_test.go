package telemetry_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard/shardtest"
	"github.com/towpath/towpath/telemetry"
)

// A recorder beside one's own hooks, read by hand. The adapters read it the same
// way.
func ExampleRecorder() {
	stream := shardtest.NewStream(1)
	for i := range 3 {
		stream.Put("ada", fmt.Append(nil, i))
	}
	recorder := telemetry.New(telemetry.Options{Application: "clickstream", Stream: "clicks"})
	mine := consumer.Hooks{ShardLeft: func(e consumer.ShardLeftEvent) { fmt.Println("left", e.Shard) }}
	c, err := consumer.New(consumer.Config{
		Name: "clickstream", Source: stream, Leases: checkpointtest.NewTable(), Logger: silent, Until: consumer.CaughtUp(),
		Handler: consumer.HandlerFunc(func(context.Context, *batching.Batch) error { return nil }),
		Hooks:   consumer.JoinHooks(mine, recorder.Hooks()),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	recorder.Watch(c.Status)
	if err := c.Run(context.Background()); err != nil {
		fmt.Println(err)
	}
	for p := range recorder.Points() {
		if strings.HasSuffix(p.Metric.Name, ".records") && p.Value > 0 {
			fmt.Println(p.Metric.Name, p.Value)
		}
	}
	// Output:
	// left shardId-000000000000
	// towpath.read.records 3
	// towpath.handler.records 3
	// towpath.handled.records 3
}

// CloudWatch metrics without an agent: a line of JSON on standard output each
// minute, and one more when the consumer has ended.
func ExampleEMF() {
	stream := shardtest.NewStream(1)
	for i := range 3 {
		stream.Put("ada", fmt.Append(nil, i))
	}
	cfg := consumer.Config{
		Name: "clickstream", Source: stream, Leases: checkpointtest.NewTable(), Logger: silent, Until: consumer.CaughtUp(),
		Handler: consumer.HandlerFunc(func(context.Context, *batching.Batch) error { return nil }),
	}
	recorder := telemetry.New(telemetry.Options{Application: "clickstream", Stream: "clicks"})
	cfg.Hooks = consumer.JoinHooks(cfg.Hooks, recorder.Hooks())
	c, err := consumer.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	recorder.Watch(c.Status)
	var stdout strings.Builder // a service has os.Stdout
	emf := telemetry.EMF{Recorder: recorder, Writer: &stdout}
	if err := emf.While(context.Background(), c.Run); err != nil {
		fmt.Println(err)
	}
	for _, word := range []string{`"application":"clickstream"`, `"towpath.read.records":3`, `"PolledEventCount":3`, `"RecordsProcessed":3`} {
		fmt.Println(word, strings.Contains(stdout.String(), word))
	}
	// Output:
	// "application":"clickstream" true
	// "towpath.read.records":3 true
	// "PolledEventCount":3 true
	// "RecordsProcessed":3 true
}

// On ECS standard output goes to CloudWatch Logs. While sees to it that the
// last line comes after the last record.
func ExampleEMF_While() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	recorder := telemetry.New(telemetry.Options{Application: "clickstream", Stream: "clicks"})
	c, err := consumer.New(consumer.Config{ /* … */ Hooks: recorder.Hooks()})
	if err != nil {
		log.Fatal(err)
	}
	recorder.Watch(c.Status)
	emf := telemetry.EMF{Recorder: recorder, Writer: os.Stdout}
	if err := emf.While(ctx, c.Run); err != nil {
		log.Fatal(err)
	}
}

// The catalogue is data: here are the metrics that Lambda's dashboards know.
func ExampleCatalogue() {
	for _, m := range telemetry.Catalogue() {
		if strings.HasSuffix(m.Lambda, "EventCount") {
			fmt.Println(m.Lambda, "is", m.Name)
		}
	}
	// Output:
	// PolledEventCount is towpath.read.records
	// FilteredOutEventCount is towpath.filtered.records
	// InvokedEventCount is towpath.handler.records
	// FailedInvokeEventCount is towpath.failed.records
	// OnFailureDestinationDeliveredEventCount is towpath.given_up.records
	// DroppedEventCount is towpath.dropped.records
}
