package consumer

import (
	"context"
	"errors"
	"runtime/debug"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/shard"
)

// invoke calls the handler in a goroutine of its own, so that runtime.Goexit
// ends only that one, and so that a handler which ignores the end of its context
// can be left behind. It waits for it past the context's end by the time that is
// granted to return. The handler's slot is free when the handler has returned,
// however late that is.
func (l *lane) invoke(call func(context.Context) error, first shard.Position) (err error, stuck bool) {
	ctx, cancel := context.WithCancelCause(l.ctx)
	defer cancel(nil)
	if l.cfg.HandlerTimeout > 0 {
		deadline := time.AfterFunc(l.cfg.HandlerTimeout, func() { cancel(ErrHandlerTimeout) })
		defer deadline.Stop()
	}
	over := l.ctx.Done() // ends ctx, too
	if l.cfg.HandlerTimeout > 0 {
		over = ctx.Done()
	}
	hold := l.hold
	l.acks.begin(hold)
	l.running.Add(1)
	answer := make(chan error, 1)
	go func() { // ends when the handler returns; awaited below
		var err error
		returned := false
		defer func() {
			if v := recover(); v != nil {
				err = &batching.PanicError{Value: v, Stack: debug.Stack()}
			} else if !returned {
				err = &batching.PanicError{Value: "runtime.Goexit was called"}
			}
			l.acks.returned(hold)
			l.running.Add(-1)
			l.worker.pace.slots.release()
			answer <- err
		}()
		err = call(ctx)
		sound(err)
		returned = true
	}()
	select {
	case err := <-answer:
		return err, false
	case <-over:
	}
	started := time.Now()
	for {
		warn := time.NewTimer(handlerGrace)
		select {
		case err := <-answer:
			warn.Stop()
			return err, false
		case <-warn.C:
		}
		fire(l.cfg.Hooks.HandlerStuck, HandlerStuckEvent{
			Worker: l.worker.session.id, Shard: l.shard, Handler: l.handler, First: first, For: time.Since(started),
		})
		l.worker.log.Error("handler does not return after its context ended",
			"shard", l.shard, "cause", context.Cause(ctx), "since", time.Since(started))
		if l.ctx.Err() != nil {
			return nil, true
		}
	}
}

// sound asks an error what the engine will ask it. One that is a nil pointer, as of a
// variable of a type of its own that was never set, panics: here, where that is a
// failure of the call, and not where its error is read and all shards would go down.
func sound(err error) {
	if err != nil {
		_ = err.Error()
		_ = errors.Is(err, errNobodys)
	}
}

// errNobodys is no error that anybody has.
var errNobodys = errors.New("nobody's error")

// handlerGrace is how long a handler may take to return after its context has
// ended before it counts as stuck.
const handlerGrace = 2 * time.Second
