package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/shard/shardtest"
)

// emitGate is a place for emitted records that may be shut.
type emitGate struct {
	shut  atomic.Bool
	taken atomic.Int64
}

func (g *emitGate) String() string { return "gate" }
func (g *emitGate) Publish(_ context.Context, records []batching.Emitted) error {
	if g.shut.Load() {
		return errors.New("shut")
	}
	g.taken.Add(int64(len(records)))
	return nil
}

// A worker that stops while what its handler emitted is refused does not keep
// the state which the records have changed: the next owner has them again, with
// the state of before, and emits anew.
func TestStateOfWhatWasNotAcceptedIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(1), checkpointtest.NewTable()
		out := &emitGate{}
		cfg := config(stream, table)
		cfg.EmitTo, cfg.BatchSize, cfg.CheckpointInterval, cfg.DrainTimeout = out, 5, time.Minute, 2*time.Second
		h := newCounts()
		h.do = func(_ context.Context, b *batching.Batch) error {
			for i := range b.Records {
				b.Emit(batching.Emitted{Of: &b.Records[i]})
			}
			return nil
		}
		cfg.Handler = h
		put := func(n int) {
			for i := range n {
				stream.Put("k", fmt.Append(nil, i))
			}
		}
		put(10)
		r := start(t, cfg)
		await(t, "the first ten", func() bool { return strings.HasSuffix(stateOf(t, table, zeroShard), " k=10") })
		put(2)
		time.Sleep(2 * time.Second) // they are finished, and not yet written
		out.shut.Store(true)
		put(3)
		time.Sleep(3 * time.Second)
		if _, err := r.end(); err != nil {
			t.Fatal(err)
		}
		if got := stateOf(t, table, zeroShard); !strings.HasSuffix(got, " k=10") {
			t.Errorf("the state is %q, want that of ten: no position has the one of later", got)
		}
		out.shut.Store(false)
		h2 := newCounts()
		h2.do, cfg.Handler = h.do, h2
		runToTip(t, cfg)
		if got := stateOf(t, table, zeroShard); !strings.HasSuffix(got, " k=15") || out.taken.Load() != 17 {
			t.Errorf("the state is %q, and %d were emitted, want 15, and two twice", got, out.taken.Load())
		}
	})
}
