package swarmtest

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/internal/clock"
)

// task is what a worker's records are handled by.
type task struct {
	world *sdk
	by    string
}

// Handle takes a time and fails as the plan says, and always on poison.
func (h *task) Handle(ctx context.Context, b *batching.Batch) error {
	w, first := h.world, b.First().Sequence
	w.trace.note("call", h.by+b.Shard+first, b.Last().Sequence)
	weather := &w.plan.Weather
	took := time.Duration(w.draw(h.by, b.Shard, first, "handle") * float64(w.plan.Settings.Handle))
	if w.strikes(weather.HandlerSlow, h.by, b.Shard, first, "slow") {
		took *= 10
	}
	if err := clock.Sleep(ctx, took); err != nil {
		return err
	}
	if w.strikes(weather.HandlerPanics, h.by, b.Shard, first, "panics") {
		panic(errHandler)
	}
	for i := range b.Records {
		if bytes.Contains(b.Records[i].Data, []byte("poison")) {
			if w.draw(b.Shard, first, "names it") < 0.5 {
				return batching.FailFrom(&b.Records[i], errHandler)
			}
			return errHandler
		}
	}
	if w.strikes(weather.HandlerFails, h.by, b.Shard, first, "fails") {
		return errHandler
	}
	return nil
}

// bin is where a worker's failures go if not to a queue.
type bin struct {
	world *sdk
	by    string
}

// String names it.
func (d *bin) String() string { return "bin" }

var errBin = errors.New("injected: the bin gives no answer")

// Send takes a time, and accepts as the plan says.
func (d *bin) Send(ctx context.Context, f destination.Failure) error {
	w, first := d.world, f.Records[0].Sequence
	if err := clock.Sleep(ctx, time.Millisecond+time.Duration(w.draw(d.by, f.Shard, first, "send")*float64(40*time.Millisecond))); err != nil {
		return err
	}
	w.mu.Lock()
	outage := w.outage
	w.mu.Unlock()
	if outage || w.rig.Dead(d.by) || w.strikes(w.plan.Weather.DestinationFails, d.by, f.Shard, first, "refuses") {
		return errBin
	}
	w.rig.Checker().GaveUp(f)
	w.trace.note("gave up", f.Shard+first, "")
	if w.strikes(w.plan.Weather.DestinationLost, d.by, f.Shard, first, "lost") {
		return errBin
	}
	return nil
}
