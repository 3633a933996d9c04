package consumer_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard/shardtest"
)

// What a row says is read is what was read, and not what had been put by the time
// the handler was done with it: a record that came in between and is trimmed
// unread would be lost without a word.
func TestRowSaysReadUpToTheLastReadAndNoFurther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(1), checkpointtest.NewTable()
		stream.Put("key", []byte("a"))
		var deaf atomic.Bool // no read succeeds any more
		stream.Fault(func(c shardtest.Call) error {
			if deaf.Load() && c.Op == shardtest.Next {
				return errors.New("the network is down")
			}
			return nil
		})
		cfg := config(stream, table)
		cfg.Handler = consumer.HandlerFunc(func(context.Context, *batching.Batch) error {
			deaf.Store(true)
			time.Sleep(5 * time.Minute)
			return nil
		})
		c, err := consumer.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- c.Run(ctx) }()
		time.Sleep(time.Second)
		heard := time.Now()
		time.Sleep(6 * time.Minute)
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		rows, err := table.List(t.Context())
		if err != nil || len(rows) != 1 || !rows[0].Checkpoint.IsRecord() {
			t.Fatalf("the table holds %v (%v), want one row with the record finished", rows, err)
		}
		if rows[0].ReadUpTo.IsZero() || rows[0].ReadUpTo.After(heard) {
			t.Errorf("the row says read up to %v, want a time before %v, when no read succeeded any more", rows[0].ReadUpTo, heard)
		}
	})
}
