package consumer

import (
	"sync"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/shard"
)

// keyPauses is which keys are paused, as an operator has said, for every shard
// of this process.
type keyPauses struct {
	mu       sync.Mutex // guards what is below; never held while waiting
	pauses   []shard.Pause
	watchers map[chan struct{}]struct{}
}

// set replaces what is paused. Pauses without a key are left out: they are of
// whole shards.
func (p *keyPauses) set(pauses []shard.Pause) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pauses = nil
	for _, one := range pauses {
		if one.KeyHash != "" {
			p.pauses = append(p.pauses, one)
		}
	}
	for changed := range p.watchers {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
}

// watch is a channel that has something in it when the pauses have changed, and
// at the beginning if there are any.
func (p *keyPauses) watch() chan struct{} {
	changed := make(chan struct{}, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.watchers == nil {
		p.watchers = map[chan struct{}]struct{}{}
	}
	p.watchers[changed] = struct{}{}
	if len(p.pauses) > 0 {
		changed <- struct{}{}
	}
	return changed
}

func (p *keyPauses) unwatch(changed chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.watchers, changed)
}

// of tells which keys of a shard are paused, by their hash; nil is none.
func (p *keyPauses) of(shardID string) func(hash string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	hashes := map[string]bool{}
	for _, one := range p.pauses {
		if one.Shard == "" || one.Shard == shardID {
			hashes[one.KeyHash] = true
		}
	}
	if len(hashes) == 0 {
		return nil
	}
	return func(hash string) bool { return hashes[hash] }
}

// pauseKeys has the gate hold the keys that are paused now, with what the lanes
// have gathered of them. A call that runs ends as it would.
func (l *shardLoop) pauseKeys(now time.Time) {
	paused := l.worker.keyPauses.of(l.shard)
	l.gate.SetPaused(paused, now)
	if paused == nil {
		return
	}
	for i := range l.lanes {
		out := l.lanes[i].gather.Extract(func(r *shard.Record) bool { return paused(batching.HashKey(l.keyOf(r))) })
		byKey := map[string]batching.Gathered{}
		for j := range out.Records {
			key := l.keyOf(&out.Records[j])
			g := byKey[key]
			g.Records, g.Tickets, g.Behind = append(g.Records, out.Records[j]), append(g.Tickets, out.Tickets[j]), out.Behind
			byKey[key] = g
		}
		for key, records := range byKey {
			l.gate.Return(key, records, now)
		}
	}
}
