package window

import (
	"context"
	"crypto/sha256"
	"fmt"
	"runtime/debug"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/shard"
)

// step moves the watermark in a draft, gives out what is due, and commits if
// nothing has failed. Of is the record that what is emitted is made of; nil in a
// wake.
func (a *Aggregate[T, S]) step(ctx context.Context, d *draft, to int64, batch *batching.Batch, of *shard.Record) (err error) {
	lateness := int64(a.spec.Lateness)
	due, rung := d.advance(to, lateness)
	done := false
	defer func() {
		if !done {
			d.book.alarms.putBack(rung)
		}
	}()
	if of != nil && d.bytes > a.spec.MaxStateBytes && d.bytes > d.below.bytes {
		return fmt.Errorf("%w: %d bytes, want at most %d", ErrStateTooLarge, d.bytes, a.spec.MaxStateBytes)
	}
	var emitted []batching.Emitted
	for i := range due {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		results, err := a.close(ctx, d, batch, &due[i])
		if err != nil {
			return fmt.Errorf("close a window that ended at %v: %w", moment(due[i].end), err)
		}
		emitted = append(emitted, results...)
	}
	d.commit(lateness)
	done = true
	for _, e := range emitted {
		e.Of = of
		batch.Emit(e)
	}
	return nil
}

// close calls Close and names what it emits.
func (a *Aggregate[T, S]) close(ctx context.Context, d *draft, batch *batching.Batch, c *closing) (emitted []batching.Emitted, err error) {
	defer recovered(&err)
	closed := &Closed[S]{
		Stream: batch.Stream, Shard: batch.Shard, Handler: batch.Handler, Key: c.key, Start: moment(c.start), End: moment(c.end),
		Version: Version{d.book.generation, batch.Token, c.revision},
	}
	for _, g := range c.given {
		if g != c.span {
			closed.Replaces = append(closed.Replaces, Bounds{moment(g.start), moment(g.end)})
		}
	}
	if err := a.spec.StateCodec.Decode(c.state, &closed.State); err != nil {
		return nil, fmt.Errorf("read its state: %w", err)
	}
	if err := a.spec.Close(ctx, closed); err != nil {
		return nil, err
	}
	for i := range closed.emitted {
		e := &closed.emitted[i]
		if e.Key == "" {
			e.Key = c.key
		}
		if e.ID == "" {
			e.ID = fmt.Sprintf("%s/%s/%s%x/%d-%d/%d-%x#%d", batch.Stream, batch.Shard, handlerPart(batch.Handler),
				digest([]byte(c.key)), c.start, c.end, c.revision, digest(c.state), i)
		}
	}
	return closed.emitted, nil
}

// digest stands for bytes in an id, so that ids can be logged and have a bounded
// length. That of the state is in it because a window which was closed by the
// time may have more records when it is closed again after a crash: that is
// another result, and no repeat.
func digest(b []byte) []byte {
	sum := sha256.Sum256(b)
	return sum[:12]
}

func handlerPart(name string) string {
	if name == "" {
		return ""
	}
	return name + "/"
}

func panicked(v any) error { return &batching.PanicError{Value: v, Stack: debug.Stack()} }
