package consumer_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard/shardtest"
)

// A record that matches no filter is finished without a call: the checkpoint
// passes it, a batch counts only what is left, and the events say which pattern
// kept how many.
func TestFilteredRecordsAreFinishedUnhandledAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(1), checkpointtest.NewTable()
		for i := range 40 {
			payload := []string{`{"kind":"buy","n":%d}`, `{"kind":"view","n":%d}`, `plain %d`, `{"kind":"refund","n":%d}`}[i%4]
			stream.Put("key", fmt.Appendf(nil, payload, i))
		}
		stream.Put("vip", []byte("plain, too"))
		last := stream.Put("key", []byte(`{"kind":"view"}`)).Sequence

		var mu sync.Mutex
		var handled []string
		var batches []int
		var total consumer.FilteredEvent
		cfg := config(stream, table)
		cfg.Filters = []string{`{"data":{"kind":["buy"]}}`, `{"data":{"kind":["buy","refund"]}}`, `{"partitionKey":["vip"]}`}
		cfg.BatchSize = 7
		cfg.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			mu.Lock()
			defer mu.Unlock()
			batches = append(batches, len(b.Records))
			for i := range b.Records {
				handled = append(handled, string(b.Records[i].Data))
			}
			return nil
		})
		cfg.Hooks.Filtered = func(e consumer.FilteredEvent) {
			mu.Lock()
			defer mu.Unlock()
			total.Records += e.Records
			total.Dropped += e.Dropped
			total.NotJSON += e.NotJSON
			if total.Matched == nil {
				total.Matched = make([]int, len(e.Matched))
			}
			for i, n := range e.Matched {
				total.Matched[i] += n
			}
		}
		runToTip(t, cfg)

		if len(handled) != 21 || slices.ContainsFunc(handled, func(s string) bool { return strings.Contains(s, "view") }) {
			t.Errorf("handled %q, want the 20 that buy or refund and the one of vip", handled)
		}
		if slices.Max(batches) != 7 {
			t.Errorf("batches of %v, want full ones of 7: BatchSize counts what passes", batches)
		}
		if got := fmt.Sprint(total.Records, total.Matched, total.Dropped, total.NotJSON); got != "42 [10 10 1] 21 10" {
			t.Errorf("records, matched, dropped, not JSON: %s, want 42 [10 10 1] 21 10", got)
		}
		if at := onlyRow(t, table).Checkpoint.Sequence; at != last {
			t.Errorf("the checkpoint is at %s, want behind the last record, which was filtered: %s", at, last)
		}
	})
}

// Memory of what is filtered is given back at once: a stream of which nothing
// matches does not stop.
func TestFilteredRecordsHoldNoMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(1)
		for range 200 {
			stream.Put("key", make([]byte, 1<<20))
		}
		cfg := config(stream, checkpointtest.NewTable())
		cfg.Filters = []string{`{"partitionKey":["nobody"]}`}
		cfg.Handler, cfg.MemoryBudget = &tally{}, 32<<20
		var status consumer.Status
		r := start(t, cfg)
		await(t, "the last record", func() bool {
			status = r.Status()
			return len(status.Shards) == 1 && status.Shards[0].Filtered == 200
		})
		if status.Shards[0].Handled != 200 {
			t.Errorf("%d records are finished, want 200", status.Shards[0].Handled)
		}
		if _, err := r.end(); err != nil {
			t.Error(err)
		}
	})
}

func TestBadFiltersAreRefusedWhereTheyAreWrong(t *testing.T) {
	cfg := config(shardtest.NewStream(1), checkpointtest.NewTable())
	cfg.Filters = []string{`{"data":{"a":[1]}}`, `{"data":["text"]}`, `{"a":[]}`}
	_, err := consumer.New(cfg)
	for _, want := range []string{"Filters: pattern 2, line 1, column 9, at data:", "pattern 3, line 1, column 6, at a:"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}

func ExampleConfig_filters() {
	run(consumer.Config{
		Source:  clicks(`{"event":"view"}`, `{"event":"purchase"}`, `no JSON`),
		Filters: []string{`{"data": {"event": ["purchase"]}}`},
		Handler: consumer.HandlerFunc(show),
	})
	// Output: {"event":"purchase"}
}
