package batching

import (
	"strconv"
	"sync"

	"github.com/towpath/towpath/shard"
)

// Call is what one call of a handler leaves beside its error: records of its
// own, effects that are to be written with the checkpoint, and whether its
// records are finished later. The engine makes one for every call; a batch made
// by hand, such as in a test, gets one when it is first used.
type Call struct {
	mu      sync.Mutex // guards what is below; never held while waiting
	emitted []Emitted
	made    map[shard.Position]int // how many were made of each record
	effects []any
	ack     *Ack
}

// Emitted is a record that a handler sends on. The on-success destination
// accepts it before the checkpoint passes the record it was made of.
type Emitted struct {
	// Of is the record it was made of; nil is the last one of the batch. What
	// was made of a record that failed is not sent: the next attempt makes it
	// anew.
	Of *shard.Record
	// ID names it for ever, so that a repeat is recognised. Empty is Of's id and
	// the number among those made of it, counted from 0, behind a '#'; where a
	// consumer has several handlers, with '@' and the one's name at the end.
	ID string
	// Key is what its order belongs to: the partition key, message group or
	// Kafka key. Empty is Of's partition key.
	Key string
	// Data is the payload.
	Data []byte
	// Attributes go beside it where the service has a place for them.
	Attributes map[string]string
}

// Size is what the record counts towards a limit, in bytes: payload, key, id and
// attributes.
func (e *Emitted) Size() int {
	n := len(e.Data) + len(e.Key) + len(e.ID)
	for name, value := range e.Attributes {
		n += len(name) + len(value)
	}
	return n
}

// Emit sends a record on when the call has succeeded; see Emitted. Several are
// accepted in the order of the records they were made of, and of one record in
// the order of the calls. It keeps e.Data and does not copy it.
func (b *Batch) Emit(e Emitted) {
	if e.Of == nil && len(b.Records) > 0 {
		e.Of = b.Last()
	}
	b.call().emit(e, b.Handler)
}

// Attach adds an effect that is written in one transaction with the checkpoint
// behind this batch: all of it or nothing. What may be attached is the lease
// table's to say; see dynamocheckpoint.Tx.
func (b *Batch) Attach(effect any) {
	c := b.call()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.effects = append(c.effects, effect)
}

// Defer says that the records which this call handles are not finished when it
// returns, but when Done of the answer is called, at any later time and by any
// goroutine. Until then they count as in flight, and nobody gets them again
// unless the shard changes hands. What the call fails or rejects is treated as
// ever, and is none of the answer's.
func (b *Batch) Defer() *Ack {
	c := b.call()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ack == nil {
		c.ack = &Ack{}
	}
	return c.ack
}

func (b *Batch) call() *Call {
	if b.Call == nil {
		b.Call = &Call{}
	}
	return b.Call
}

func (c *Call) emit(e Emitted, handler string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.Of != nil {
		if e.Key == "" {
			e.Key = e.Of.PartitionKey
		}
		if e.ID == "" {
			e.ID = e.Of.ID() + "#" + strconv.Itoa(c.made[e.Of.Position()])
			if handler != "" {
				e.ID += "@" + handler
			}
		}
		if c.made == nil {
			c.made = map[shard.Position]int{}
		}
		c.made[e.Of.Position()]++
	}
	c.emitted = append(c.emitted, e)
}

// Emitted are the records that were emitted so far, in the order of the calls.
func (c *Call) Emitted() []Emitted {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.emitted
}

// Effects are what was attached so far.
func (c *Call) Effects() []any {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.effects
}

// Deferred is the acknowledgement that the handler asked for, nil if it did not.
func (c *Call) Deferred() *Ack {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ack
}

// Ack finishes the records of a batch whose handler deferred them. Only the
// first call counts. It never waits; one that is made after the shard was let go
// or lost does nothing. One that is made while a call of the handler runs counts
// when what that call emits has been accepted.
type Ack struct {
	mu     sync.Mutex // guards what is below; never held while waiting
	over   bool
	err    error
	settle func(error)
}

// Done says that the records are finished and their effects are durable.
func (a *Ack) Done() { a.end(nil) }

// GiveUp says that the records can not be finished: they go to the on-failure
// destination with this error, as rejected ones do. Where there is none they are
// handled again. A nil error is Done.
func (a *Ack) GiveUp(err error) { a.end(err) }

func (a *Ack) end(err error) {
	a.mu.Lock()
	if a.over {
		a.mu.Unlock()
		return
	}
	a.over, a.err = true, err
	settle := a.settle
	a.mu.Unlock()
	if settle != nil {
		settle(err)
	}
}

// OnSettle says what happens when the acknowledgement comes; at once if it has
// come already. It is the engine's to call, once.
func (a *Ack) OnSettle(settle func(err error)) {
	a.mu.Lock()
	a.settle = settle
	over, err := a.over, a.err
	a.mu.Unlock()
	if over {
		settle(err)
	}
}
