package consumer

import (
	"context"
	"fmt"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint"
)

// due reports whether a key's records are to be called again: its time has come,
// and nothing of it that belongs before them is on its way, in memory or still to
// be read again.
func (p *parking) due(k *parkedKey, now time.Time) bool {
	if !k.said || k.calling || now.Before(k.notUntil) || p.gate.Paused(k.name) {
		return false
	}
	return p.joinedFirst(k) || !p.behind(k) && p.reached(k)
}

// joinedFirst reports whether records that have joined the key are to be called
// before one that waits and cannot be parked: they are older.
func (p *parking) joinedFirst(k *parkedKey) bool {
	head := p.gate.Peek(k.name, batching.Gathering{Records: 1})
	return k.now.Joined.IsRecord() && !k.joinedGone && !p.parkable(k) && len(head.Records) > 0 &&
		k.before(&head.Records[0]) && head.Records[0].Position().Compare(k.now.Joined) > 0
}

// joined is how many of a key's records have joined it, from their beginning.
func (k *parkedKey) joined(records []checkpoint.ParkedRecord) (n int) {
	for n < len(records) && records[n].Record.Shard == k.now.LastShard && records[n].Record.Position().Compare(k.now.Joined) <= 0 {
		n++
	}
	return n
}

// reached reports whether everything has been read that came before the key was
// parked: after a crash it comes again, and belongs before what is parked.
func (p *parking) reached(k *parkedKey) bool {
	return k.now.LastShard != p.branch.shard || k.now.SeekGen != p.row.SeekGen ||
		p.readTo.Compare(k.now.First) >= 0 || p.ended || p.full || p.behindTip() == 0
}

// behindTip is how far reading is behind, and above 0 before the first read.
func (p *parking) behindTip() time.Duration {
	if p.seenAt.IsZero() {
		return time.Hour
	}
	return p.shardLoop.behind
}

// parkedPage is what was read of a key.
type parkedPage struct {
	key     *parkedKey
	was     checkpoint.ParkedKey // when it was asked for
	records []checkpoint.ParkedRecord
	err     error
}

// read reads the oldest records of a key in the background.
func (p *parking) read(k *parkedKey, now time.Time) {
	n, at := p.gate.Allow(k.name, p.cfg.BatchSize, now)
	if n == 0 {
		k.notUntil = at
		return
	}
	k.reading = true
	p.busy++
	row, key, bytes := p.row, k.now, p.cfg.MaximumBatchBytes
	go func() { // ends with its answer or with the work context; awaited by run
		records, err := tableCall(p.work, p.worker, func(ctx context.Context) ([]checkpoint.ParkedRecord, error) {
			return p.table.ParkedRecords(ctx, row, key, n, bytes)
		})
		p.settled <- settlement{page: &parkedPage{key: k, was: key, records: records, err: err}}
	}()
}

// afterRead takes what was read. If something came meanwhile that belongs before
// it, it is read again.
func (p *parking) afterRead(page *parkedPage, now time.Time) {
	k := page.key
	k.reading = false
	switch {
	case page.err != nil:
		p.worker.note(p.shard, p.handler, fmt.Errorf("read what is parked: %w", page.err))
		k.notUntil = now.Add(time.Second)
		return
	case p.joinedFirst(k) && !k.calling:
		page.records = page.records[:k.joined(page.records)]
		if k.joinedGone = len(page.records) == 0; k.joinedGone {
			return
		}
	case p.behind(k) || k.calling:
		return
	case len(page.records) == 0:
		// Counted too often, as when somebody moved the position back. What is
		// being written now may not have been there yet.
		k.gone = k.now == page.was && (p.write == nil || p.write.key != k) && (p.again == nil || p.again.key != k)
		return
	}
	var bytes int64
	for i := range page.records {
		if page.records[i].Record.Shard != page.records[0].Record.Shard {
			page.records = page.records[:i] // the next batch is of another shard
			break
		}
		bytes += int64(page.records[i].Record.Size())
	}
	// They are counted like records that were read from the stream. A budget
	// that is used up already is overdrawn, which the next releases pay.
	p.memory.bytes += p.worker.budget.settle(0, bytes)
	k.batch, k.done = page.records, make([]bool, len(page.records))
	k.first = p.tickets - 1
	for i := range page.records {
		p.called[k.first-int64(i)] = k
	}
	p.tickets -= int64(len(page.records))
}

// calls gives what was read to its lanes, where they are free.
func (p *parking) calls(now time.Time) {
	if p == nil {
		return
	}
	for _, k := range p.order {
		switch {
		case k.calling || p.isolate && p.busy > 0 || p.gate.Paused(k.name):
		case k.batch != nil && k.handled() == 0 && k.failed == nil:
			p.call(k, now)
		case k.batch == nil && !k.reading && !now.Before(k.notUntil) && p.behind(k) && !p.parkable(k) && !p.joinedFirst(k):
			p.callWaiting(k, now)
		}
	}
}

// callWaiting calls records from memory that belong before what is parked and can
// not be parked themselves.
func (p *parking) callWaiting(k *parkedKey, now time.Time) {
	waiting := p.gate.Peek(k.name, batching.Gathering{Records: p.cfg.BatchSize, Bytes: p.cfg.MaximumBatchBytes})
	n := 0
	for n < len(waiting.Records) && k.before(&waiting.Records[n]) {
		n++
	}
	i, free := p.freeFor(&waiting.Records[0], now)
	if !free {
		return
	}
	own := &ownBatch{key: k.name, parked: k, waited: true}
	if waiting.Records[0].Position().Compare(k.waitedAt) == 0 {
		own.attempts = k.waitedAttempts
	}
	k.calling = true
	p.start(i, p.gate.Remove(k.name, waiting.Tickets[:n]), own)
}

// call gives a batch to its lane, if that is free.
func (p *parking) call(k *parkedKey, now time.Time) {
	if p.behind(k) && k.joined(k.batch) < len(k.batch) {
		p.forgetBatch(k) // something that its lane had goes before
		return
	}
	i, free := p.freeFor(&k.batch[0].Record, now)
	if !free {
		return
	}
	g := batching.Gathered{Behind: p.shardLoop.behind}
	for j := range k.batch {
		g.Records, g.Tickets = append(g.Records, k.batch[j].Record), append(g.Tickets, k.first-int64(j))
	}
	k.calling = true
	p.start(i, g, &ownBatch{key: k.name, attempts: k.now.Attempts, parked: k})
}

// finished notes records that were called again.
func (p *parking) finished(s settlement) {
	for _, ticket := range s.tickets {
		if k := p.called[ticket]; k != nil {
			k.done[k.first-ticket] = true
			if k.handled() == len(k.batch) {
				k.calling = false
			}
		}
	}
	p.memory.release(s.bytes)
}

// fails notes that the rest of a batch waits.
func (p *parking) fails(own *ownBatch, s *asideBatch, now time.Time) {
	k := own.parked
	if !s.asked {
		s.wait = p.cfg.Park.RetryEvery
	}
	s.wait = p.untilTooOld(&s.rest.Records[0], s.wait)
	k.calling = false
	if own.waited {
		p.gate.Return(own.key, s.rest, now)
		k.waitedAt, k.waitedAttempts, k.notUntil = s.rest.Records[0].Position(), s.attempts, now.Add(s.wait)
		return
	}
	k.failed = s
}

// failsBefore notes that a record failed that its lane had when the key was
// parked, and that belongs before all that is parked. The gate has it.
func (p *parking) failsBefore(name string, s *asideBatch, now time.Time) {
	k := p.keys[name]
	k.now.Attempts = s.attempts
	k.notUntil = now.Add(s.wait)
	k.now.Due = p.worker.serviceNow().Add(s.wait)
	if k.batch != nil && !k.calling && k.handled() == 0 && k.failed == nil {
		p.forgetBatch(k) // one that is being written is forgotten then
	}
}

// deferred is how many records that were called again their handler finishes
// later.
func (p *parking) deferred() (n int) {
	if p == nil {
		return 0
	}
	for _, k := range p.order {
		if k.calling {
			n += len(k.batch) - k.handled()
		}
	}
	return n
}

// retry is when a write that failed is to be made again; nil if none is.
func (p *parking) retry() <-chan time.Time {
	if p == nil || p.lost || p.write != nil {
		return nil
	}
	if wait := time.Until(p.retryAt); wait > 0 {
		return time.After(wait)
	}
	return nil
}

// nextAt is when next has something to do though nothing happens.
func (p *parking) nextAt(now time.Time) (at time.Time, ok bool) {
	if p == nil {
		return time.Time{}, false
	}
	sooner := func(t time.Time) {
		if !ok || t.Before(at) {
			at, ok = t, true
		}
	}
	if p.write == nil && p.retryAt.After(now) {
		sooner(p.retryAt)
	}
	for _, k := range p.order {
		if k.said && k.batch == nil && !k.reading && k.notUntil.After(now) {
			sooner(k.notUntil)
		}
	}
	return at, ok
}
