package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/shard/shardtest"
)

// bare is an error that is one only if it is not nil.
type bare struct{ text string }

func (b *bare) Error() string { return b.text }

// An error that is a nil pointer fails the call like a panic of the handler, with
// where it panicked, and ends neither the process nor other shards' work.
func TestNilPointerAsAnErrorFailsItsCall(t *testing.T) {
	for name, wrong := range map[string]error{
		"of a type of its own": (*bare)(nil), "of the library": (*fs.PathError)(nil), "wrapped": fmt.Errorf("handle: %w", (*fs.PathError)(nil)),
		"among others": errors.Join(errors.New("no"), (*fs.PathError)(nil)),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stream := shardtest.NewStream(1)
				stream.Put("a", []byte("bad"))
				stream.Put("a", []byte("good"))
				gone := &destinationtest.Recorder{}
				var good atomic.Int64
				var told atomic.Pointer[batching.PanicError]
				cfg := config(stream, checkpointtest.NewTable())
				cfg.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
					if string(b.First().Data) == "bad" {
						return wrong
					}
					good.Add(1)
					return nil
				})
				cfg.BatchSize, cfg.MaximumRetryAttempts, cfg.OnFailure, cfg.Until = 1, batching.AtMost(1), gone, consumer.CaughtUp()
				cfg.Hooks.BatchDone = func(e consumer.BatchEvent) {
					var p *batching.PanicError
					if errors.As(e.Err, &p) {
						told.Store(p)
					}
				}
				c, err := consumer.New(cfg)
				if err != nil {
					t.Fatal(err)
				}
				ctx, stop := context.WithTimeout(t.Context(), time.Minute)
				defer stop()
				if err := c.Run(ctx); err != nil {
					t.Fatal(err)
				}
				if p := told.Load(); good.Load() != 1 || p == nil || len(p.Stack) == 0 {
					t.Errorf("%d good records, told %v, want one and a panic with its stack", good.Load(), p)
				}
			})
		})
	}
}
