package consumer

import (
	"fmt"
	"slices"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// parkWrite is a write that is under way, or to be made again.
type parkWrite struct {
	key     *parkedKey
	becomes checkpoint.ParkedKey
	effects []any
	tickets []int64 // of the records that it parks
	handled int     // how many of the batch it deletes
	settles bool    // it is the end of a batch
	side    *sideWrite
}

// next does what is to be done now: one write at a time, the oldest batches
// first, and reads of what is due.
func (p *parking) next(now time.Time, leaving bool) {
	if p == nil || p.lost || len(p.order) == 0 || p.work.Err() != nil {
		return
	}
	if p.write == nil && !now.Before(p.retryAt) {
		p.nextWrite(now, leaving)
	}
	if leaving || !p.right.valid() {
		return
	}
	for _, k := range p.order {
		if k.batch == nil && !k.reading && !k.gone && p.due(k, now) {
			p.read(k, now)
		}
	}
}

// nextWrite begins the next write: what was handled before what is to be parked.
func (p *parking) nextWrite(now time.Time, leaving bool) {
	if p.again != nil {
		w := p.again
		p.again = nil
		p.begin(w)
		return
	}
	for i, k := range p.order {
		switch {
		case k.gone || k.batch != nil && !k.calling && (k.handled() > 0 || k.failed != nil):
			p.settleBatch(k)
		case !leaving && p.spills(k, now):
			p.writePark(k)
		}
		if p.write != nil {
			// Behind the others the next time.
			p.order = append(append(p.order[:i:i], p.order[i+1:]...), k)
			return
		}
	}
}

// spills reports whether what waits of a key is to be parked now. While its
// records are called again new ones may wait in memory, but none that belong
// before what is parked. Nothing is parked while some that were in memory are
// called: what is parked counts as all there is up to it (ParkedKey.Joined).
func (p *parking) spills(k *parkedKey, now time.Time) bool {
	n := p.gate.Len(k.name)
	if n == 0 || !p.parkable(k) || k.calling && k.batch == nil {
		return false
	}
	active := k.batch != nil || k.reading || p.due(k, now)
	return !active || n > p.cfg.Park.Backlog || p.behind(k)
}

// behind reports whether a record waits in the gate that belongs before the last
// that is parked.
func (p *parking) behind(k *parkedKey) bool {
	head := p.gate.Peek(k.name, batching.Gathering{Records: 1})
	return len(head.Records) > 0 && k.before(&head.Records[0])
}

// before reports whether a record belongs before the last that is parked.
func (k *parkedKey) before(r *shard.Record) bool {
	return k.said && r.Shard == k.now.LastShard && r.Position().Compare(k.now.Last) <= 0
}

// parkable reports whether what waits of a key can be parked.
func (p *parking) parkable(k *parkedKey) bool {
	head := p.gate.Peek(k.name, batching.Gathering{Records: 1})
	return !k.full && len(head.Records) > 0 && p.room(&head.Records[0])
}

// What one write parks at most: far below the 100 items and 4 MB of a
// transaction, of which a large record takes several.
const (
	parkAtOnce      = 40
	parkBytesAtOnce = 1 << 20
	unparkAtOnce    = 60
)

// writePark begins to park what waits of a key.
func (p *parking) writePark(k *parkedKey) {
	bounds := batching.Gathering{
		Records: min(parkAtOnce, p.cfg.Park.Records-p.total.records), Bytes: min(parkBytesAtOnce, p.cfg.Park.Bytes-p.total.bytes),
	}
	for {
		waiting := p.gate.Peek(k.name, bounds)
		becomes := k.now.With(waiting.Records, p.row.SeekGen)
		effects, err := p.table.Park(p.row, becomes, waiting.Records)
		if err == nil {
			p.begin(&parkWrite{key: k, becomes: becomes, effects: effects, tickets: waiting.Tickets})
			return
		}
		p.worker.note(p.shard, p.handler, err)
		if len(waiting.Records) == 1 {
			k.full = true // it waits until what is parked before it is handled
			return
		}
		bounds.Records = 1
	}
}

// settleBatch writes what a batch that was called again came to.
func (p *parking) settleBatch(k *parkedKey) {
	n, parts := 0, 0
	for n < k.handled() && (n == 0 || parts+k.batch[n].Parts <= unparkAtOnce) {
		parts += k.batch[n].Parts
		n++
	}
	records := k.batch[:n]
	becomes := k.now.Without(records)
	last := n == k.handled()
	switch {
	case last && k.failed != nil:
		becomes.Attempts = k.failed.attempts
		becomes.Due = p.worker.serviceNow().Add(k.failed.wait)
	case k.gone || n == len(k.batch) && k.now.Records <= n:
		becomes = becomes.Emptied()
	}
	effects, err := p.table.Unpark(p.row, becomes, records)
	if err != nil {
		p.worker.note(p.shard, p.handler, err)
		p.retryAt = time.Now().Add(time.Second)
		return
	}
	p.begin(&parkWrite{key: k, becomes: becomes, effects: effects, handled: n, settles: last})
}

func (p *parking) begin(w *parkWrite) {
	p.write = w
	w.side = p.seat.writeBeside(w.effects)
}

// written is where the answer to the write under way comes; nil if there is none.
func (p *parking) written() <-chan sideAnswer {
	if p == nil || p.write == nil {
		return nil
	}
	return p.write.side.answered
}

// afterWrite takes the answer. A write that is not known to have been made is
// made again: it says the same.
func (p *parking) afterWrite(a sideAnswer, now time.Time) {
	w := p.write
	p.write = nil
	if a.over {
		p.lost = true
		return
	}
	if !a.applied {
		p.again = w
		p.tries++
		p.retryAt = now.Add(backoff(p.worker.dice, p.tries, 50*time.Millisecond, 5*time.Second, "park", p.shard))
		if a.err != nil {
			p.worker.note(p.shard, p.handler, fmt.Errorf("write what is parked: %w", a.err))
		}
		return
	}
	p.tries, p.retryAt = 0, time.Time{}
	k, began := w.key, !w.key.said
	k.said = true
	p.become(k, w.becomes)
	if accepted := p.gate.Remove(k.name, w.tickets); len(accepted.Tickets) > 0 {
		p.settle(settlement{tickets: accepted.Tickets, bytes: accepted.Bytes})
	}
	if began {
		fire(p.cfg.Hooks.KeyParked, KeyParkedEvent{
			Worker: p.worker.session.id, Shard: p.shard, Handler: p.handler, Key: k.now.Hash, Attempts: k.now.Attempts, Records: k.now.Records + p.gate.Len(k.name),
		})
	}
	if w.handled > 0 || w.settles {
		p.handledNow(k, w, now)
	}
}

// handledNow goes on behind records that are not kept any more.
func (p *parking) handledNow(k *parkedKey, w *parkWrite, now time.Time) {
	for i := range w.handled {
		delete(p.called, k.first-int64(i))
	}
	k.batch, k.done = k.batch[w.handled:], k.done[w.handled:]
	k.first -= int64(w.handled)
	if !w.settles {
		return
	}
	p.forgetBatch(k)
	if w.becomes.Records > 0 {
		return
	}
	delete(p.keys, k.name)
	p.order = slices.DeleteFunc(p.order, func(o *parkedKey) bool { return o == k })
	fire(p.cfg.Hooks.KeyReleased, KeyReleasedEvent{
		Worker: p.worker.session.id, Shard: p.shard, Handler: p.handler, Key: k.now.Hash, For: p.worker.serviceNow().Sub(k.now.Since),
	})
	p.gate.Unpark(k.name, now)
}

// forgetBatch lets go of what is left of a batch: it is read again.
func (p *parking) forgetBatch(k *parkedKey) {
	var bytes int64
	for i := range k.batch {
		delete(p.called, k.first-int64(i))
		if !k.done[i] {
			bytes += int64(k.batch[i].Record.Size())
		}
	}
	p.memory.release(bytes)
	if k.failed != nil {
		k.notUntil = time.Now().Add(k.failed.wait)
	}
	k.batch, k.done, k.failed, k.gone, k.full = nil, nil, nil, false, false
}
