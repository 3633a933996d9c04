package deploy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard/shardtest"
	"github.com/towpath/towpath/telemetry"
)

// What a worker writes is what alarms, the dashboard and the scaler look for: the
// namespace, the dimensions, the names.
func TestWorkersWriteWhatAlarmsLookFor(t *testing.T) {
	stream := shardtest.NewStream(1)
	for range 10 {
		if _, err := stream.PutTo("shardId-000000000000", "key", []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	handled := make(chan struct{})
	var lines bytes.Buffer
	failed := false
	err := work(ctx, consumer.Config{
		Name: "clickstream", Source: stream, Leases: checkpointtest.NewTable(),
		Handler: consumer.HandlerFunc(func(context.Context, *batching.Batch) error {
			if !failed {
				failed = true
				return fmt.Errorf("once")
			}
			close(handled)
			return nil
		}),
		MinimumBackoff: time.Millisecond, BatchSize: 100,
		Until:  consumer.CaughtUp(),
		Logger: slog.New(slog.DiscardHandler),
	}, "clicks", "127.0.0.1:0", &lines)
	if err != nil {
		t.Fatal(err)
	}
	<-handled
	want := map[string]bool{"towpath.handler.failures": true, "towpath.handler.retries": true, "towpath.read.records": true, "towpath.handler.duration": true}
	for line := range strings.Lines(lines.String()) {
		var one struct {
			AWS struct {
				CloudWatchMetrics []struct {
					Namespace  string
					Dimensions [][]string
					Metrics    []struct{ Name string }
				}
			} `json:"_aws"`
			Application string `json:"application"`
			Stream      string `json:"stream"`
		}
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		for _, sheet := range one.AWS.CloudWatchMetrics {
			if sheet.Namespace != "towpath" {
				continue // KCL's names
			}
			if got := fmt.Sprint(sheet.Dimensions); got != "[[application stream]]" || one.Application != "clickstream" || one.Stream != "clicks" {
				t.Errorf("dimensions %s of %s and %s", got, one.Application, one.Stream)
			}
			for _, m := range sheet.Metrics {
				delete(want, m.Name)
			}
		}
	}
	if len(want) > 0 {
		t.Errorf("nothing is written of %v in\n%s", want, lines.String())
	}
}

// Leases that were lost with their session are counted by the name, namespace and
// dimension of the alarm, and those that were let go are not.
func TestLostLeasesAreCountedWhereTheAlarmLooks(t *testing.T) {
	recorder := telemetry.New(telemetry.Options{Application: "clickstream", Stream: "clicks"})
	hooks := recorder.Hooks()
	for _, cause := range []error{consumer.ErrLeaseLost, consumer.ErrStopping, consumer.ErrHandedOver, consumer.ErrLeaseLost} {
		hooks.ShardLeft(consumer.ShardLeftEvent{Shard: "shardId-1", Cause: cause})
	}
	var lines bytes.Buffer
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := (telemetry.EMF{Recorder: recorder, Writer: &lines}).Run(ctx); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(lines.String()) {
		if strings.Contains(line, `"Namespace":"clickstream"`) && strings.Contains(line, `"Dimensions":[["Operation"]]`) &&
			strings.Contains(line, `"Operation":"RenewAllLeases"`) && strings.Contains(line, `"LostLeases":2`) {
			return
		}
	}
	t.Errorf("no line has 2 LostLeases of RenewAllLeases in the namespace clickstream:\n%s", lines.String())
}
