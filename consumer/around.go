package consumer

import (
	"context"
	"fmt"

	"github.com/towpath/towpath/batching"
)

// Around is a handler whose calls with records are made by call, which is given the
// handler as next: for spans, timings, a deadline of one's own. Call returns what
// next has returned, or what is to be taken for it.
//
// All else that a handler may be it still is: Waker, Stateful, ShardStarter,
// ShardLoser, ShardEnder, and one that says what is wrong with it (Validate). A
// handler that is nil stays nil.
func Around(next Handler, call func(ctx context.Context, b *batching.Batch, next Handler) error) Handler {
	if next == nil {
		return nil
	}
	a := &around{next: next, call: call}
	waker, wakes := next.(Waker)
	keeper, keeps := next.(Stateful)
	switch {
	case wakes && keeps:
		return &aroundBoth{a, waker, keeper}
	case wakes:
		return &aroundWaker{a, waker}
	case keeps:
		return &aroundStateful{a, keeper}
	}
	return a
}

// around is a handler that is wrapped; what has an effect by being there is in the
// types below.
type around struct {
	next Handler
	call func(ctx context.Context, b *batching.Batch, next Handler) error
}

type aroundWaker struct {
	*around
	Waker
}

type aroundStateful struct {
	*around
	Stateful
}

type aroundBoth struct {
	*around
	Waker
	Stateful
}

// Handle has the call made.
func (a *around) Handle(ctx context.Context, b *batching.Batch) error { return a.call(ctx, b, a.next) }

// ShardStarted passes on the start of a shard, if the handler is told of it.
func (a *around) ShardStarted(ctx context.Context, s ShardStart) error {
	if h, ok := a.next.(ShardStarter); ok {
		return h.ShardStarted(ctx, s)
	}
	return nil
}

// ShardLost passes on the loss of a shard.
func (a *around) ShardLost(shard string, cause error) {
	if h, ok := a.next.(ShardLoser); ok {
		h.ShardLost(shard, cause)
	}
}

// ShardEnded passes on the end of a shard.
func (a *around) ShardEnded(shard string) {
	if h, ok := a.next.(ShardEnder); ok {
		h.ShardEnded(shard)
	}
}

// Validate says what is wrong with the handler.
func (a *around) Validate() error {
	if absent(a.next) {
		return fmt.Errorf("it is around a %T that is nil, want one that was made", a.next)
	}
	if h, ok := a.next.(interface{ Validate() error }); ok {
		return h.Validate()
	}
	return nil
}

func (a *around) wrapped() Handler { return a.next }

// bare is a handler without what is around it.
func bare(h Handler) Handler {
	for {
		a, ok := h.(interface{ wrapped() Handler })
		if !ok {
			return h
		}
		h = a.wrapped()
	}
}
