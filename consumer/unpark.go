package consumer

import (
	"context"
	"fmt"
)

// unpark asks a shard's loop to call a parked key again now.
type unpark struct {
	key    string
	answer chan error
}

// Unpark has the records of a parked key called again now, and not only when
// Park.RetryEvery has passed. The key is what order belongs to, or its SHA-256 in
// hexadecimal, as a Status shows it; of several handlers, all for which it is
// parked get it again. Unpark does not wait for the calls. It is
// ErrNotHeld if this worker does not work the shard, and ErrNotParked if the key
// is not parked there.
func (c *Consumer) Unpark(ctx context.Context, shardID, key string) error {
	t := c.tenureOf(shardID)
	if t == nil {
		return fmt.Errorf("unpark a key of %s: %w", shardID, ErrNotHeld)
	}
	var found error
	for i, unparks := range t.unparks {
		u := unpark{key: key, answer: make(chan error, 1)}
		select {
		case unparks <- u:
		case <-t.done:
			return fmt.Errorf("unpark a key of %s: %w", shardID, ErrNotHeld)
		case <-ctx.Done():
			return fmt.Errorf("unpark a key of %s: %w", shardID, context.Cause(ctx))
		}
		if err := <-u.answer; i == 0 || err == nil {
			found = err
		}
	}
	return found
}

// notParked answers for a loop that has ended, until the loops of the other
// handlers have.
func notParked(unparks <-chan unpark, over <-chan struct{}) {
	for {
		select {
		case u := <-unparks:
			u.answer <- ErrNotParked
		case <-over:
			return
		}
	}
}

// tenureOf is the tenure of a shard, nil if this worker has none.
func (c *Consumer) tenureOf(shardID string) *tenure {
	c.mu.Lock()
	w := c.worker
	c.mu.Unlock()
	if w == nil {
		return nil
	}
	f := w.currentFleet()
	if f == nil {
		return nil
	}
	return f.heldShard(shardID)
}
