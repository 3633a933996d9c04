package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/batching/window"
	"github.com/towpath/towpath/shard"
)

// tumbling is the handler of a consumer with a TumblingWindow: the user's, with
// windows around it.
type tumbling struct {
	*window.Tumbling
	handler Handler
}

// defaultTumblingState is Lambda's limit.
const defaultTumblingState = 1 << 20

// inWindows is the user's handler, in windows if it is to have them.
func (c Config) inWindows(h Handler) Handler {
	if c.TumblingWindow == 0 {
		return h
	}
	return &tumbling{window.NewTumbling(c.TumblingWindow, c.TumblingState, h), h}
}

// ShardStarted passes on the start of a shard, if the handler asks for it.
func (t *tumbling) ShardStarted(ctx context.Context, s ShardStart) error {
	if h, ok := t.handler.(ShardStarter); ok {
		return h.ShardStarted(ctx, s)
	}
	return nil
}

// ShardLost passes on the loss of a shard.
func (t *tumbling) ShardLost(shardID string, cause error) {
	t.Forget(shardID)
	if h, ok := t.handler.(ShardLoser); ok {
		h.ShardLost(shardID, cause)
	}
}

// ShardEnded passes on the end of a shard.
func (t *tumbling) ShardEnded(shardID string) {
	t.Forget(shardID)
	if h, ok := t.handler.(ShardEnder); ok {
		h.ShardEnded(shardID)
	}
}

// byWindow is the work of a batch in parts that belong to one window each.
func byWindow(records []shard.Record, size time.Duration) (parts []batching.Segment) {
	for from := 0; from < len(records); {
		to := from + window.Cut(records[from:], size)
		parts = append(parts, batching.Segment{From: from, To: to})
		from = to
	}
	return parts
}

// validateWindows reports what is wrong with the settings of tumbling windows.
func (c Config) validateWindows() (problems []error) {
	add := func(bad bool, format string, args ...any) {
		if bad {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	if c.TumblingWindow == 0 {
		add(!c.TumblingState.IsDefault(), "TumblingState is %s but TumblingWindow is 0, so that there are no windows", c.TumblingState)
		return problems
	}
	add(c.TumblingWindow < time.Second || c.TumblingWindow > 15*time.Minute, "TumblingWindow is %v, want 0, or 1s to 15m", c.TumblingWindow)
	n, limited := c.TumblingState.Max()
	add(limited && n < 1, "TumblingState is %d, want at least 1", n)
	for _, h := range append([]NamedHandler{{Handler: c.Handler}}, c.Handlers...) {
		_, keeps := h.Handler.(Stateful)
		_, wakes := h.Handler.(Waker)
		if keeps || wakes {
			problems = append(problems, errors.New("TumblingWindow is set, and a Handler keeps state (Stateful) or time (Waker) of its own: want one of them"))
			break
		}
	}
	return problems
}
