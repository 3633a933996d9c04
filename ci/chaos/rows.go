package main

import (
	"fmt"

	"github.com/towpath/towpath/ci/ledger"
	"github.com/towpath/towpath/shard"
)

// rowAudit holds the writes of the lease table against what they promise: the
// position of a shard goes back only when somebody moved it by hand, and the
// counter never does, and it passes nothing that has not been handled or, if it
// was poison, accepted by the queue. A row that was deleted begins anew, but its
// counter goes on.
type rowAudit struct {
	ledger     *ledger.Audit
	last       map[string]row
	puts       map[string][]put // of each shard in order, that no position has passed
	given      map[string]bool  // what the queue has accepted, by shard and sequence number
	violations []string
}

// put is a record that the stream has.
type put struct {
	key, shard, sequence string
	number               int
	poison               bool // it is to be on the queue, and not in the ledger
}

func newRowAudit(l *ledger.Audit) *rowAudit {
	return &rowAudit{ledger: l, last: map[string]row{}, puts: map[string][]put{}, given: map[string]bool{}}
}

// stored notes a record, in the order of its shard.
func (a *rowAudit) stored(p put) { a.puts[p.shard] = append(a.puts[p.shard], p) }

// enter judges the next write. Whatever the ledger had when it was made has been
// entered there.
func (a *rowAudit) enter(r row) {
	if r.unparseable {
		a.violations = append(a.violations, "a row that cannot be read")
		return
	}
	if r.given != "" {
		a.given[r.shard+"/"+r.given] = true
		return
	}
	was, known := a.last[r.shard]
	if r.deleted {
		was.deleted = true
		a.last[r.shard] = was
		return
	}
	a.passed(r)
	a.last[r.shard] = r
	if !known {
		return
	}
	if r.counter < was.counter {
		a.violate(r, "counter %d after %d", r.counter, was.counter)
	}
	asked := r.checkpoint == was.checkpoint && r.sub == was.sub // nothing moved: an ask leaves the counter as it is
	if r.counter == was.counter && !asked && !was.deleted {
		a.violate(r, "position %s with the counter %d of %s", r.checkpoint, r.counter, was.checkpoint)
	}
	before, after := shard.Position{Sequence: was.checkpoint, Sub: was.sub}, shard.Position{Sequence: r.checkpoint, Sub: r.sub}
	if after.Compare(before) < 0 && r.seek == was.seek && !was.deleted {
		a.violate(r, "position %s.%d after %s.%d", r.checkpoint, r.sub, was.checkpoint, was.sub)
	}
}

// passed holds what lies at or before a position against the ledger.
func (a *rowAudit) passed(r row) {
	at := shard.Position{Sequence: r.checkpoint, Sub: r.sub}
	puts := a.puts[r.shard]
	for ; len(puts) > 0; puts = puts[1:] {
		p := puts[0]
		if at.Compare(shard.After(p.sequence, 0)) < 0 {
			break
		}
		switch {
		case p.poison && !a.given[p.shard+"/"+p.sequence]:
			a.violate(r, "position %s passes %s %d, which is poison and not on the queue", r.checkpoint, p.key, p.number)
		case !p.poison && a.ledger.UpTo(p.key) < p.number:
			a.violate(r, "position %s passes %s %d, which nobody has handled", r.checkpoint, p.key, p.number)
		}
	}
	a.puts[r.shard] = puts
}

func (a *rowAudit) violate(r row, format string, args ...any) {
	a.violations = append(a.violations, fmt.Sprintf("row %s of %s: %s", r.shard, r.holder(), fmt.Sprintf(format, args...)))
}
