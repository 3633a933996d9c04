package lineartest

import (
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"strings"

	"github.com/towpath/towpath/shard"
)

// row is a lease row, as far as it is compared.
type row struct {
	owner, checkpointOwner string
	counter                int64
	sequence               string // of the checkpoint
	sub                    int64
	seekGen, switches      int64
	children               string
	lost                   bool
}

// rowOf is what is compared of a lease.
func rowOf(l shard.Lease) row {
	return row{
		owner: l.Owner, checkpointOwner: l.CheckpointOwner, counter: l.Counter,
		sequence: sequenceOf(l.Checkpoint), sub: l.Checkpoint.Sub, seekGen: l.SeekGen, switches: l.OwnerSwitches,
		children: strings.Join(slices.Sorted(slices.Values(l.Children)), " "), lost: l.Lost,
	}
}

// sequenceOf is what stands in a row: the zero Position is written as a word.
func sequenceOf(p shard.Position) string {
	if p.Sequence == "" {
		return shard.TrimHorizon().Sequence
	}
	return p.Sequence
}

func (r row) finished() bool { return r.sequence == shard.End().Sequence }

// held reports whether the row is as its writer held it, and the writer its holder.
func (r row) held(as shard.Lease, me string) bool {
	return r.counter == as.Counter && r.sequence == sequenceOf(as.Checkpoint) &&
		(r.owner == me && r.checkpointOwner == "" || r.checkpointOwner == me)
}

// seen reports whether counter and owners are as somebody saw them.
func (r row) seen(as shard.Lease) bool {
	return r.counter == as.Counter && r.owner == as.Owner && r.checkpointOwner == as.CheckpointOwner
}

// session is a worker's session, as far as it is compared.
type session struct {
	beat      int64
	revokedBy string
}

// world is the whole table at one instant. It is never changed in place.
type world struct {
	rows     map[string]row
	sessions map[string]session
	epoch    int64
	over     bool // the history has ended: what is not applied now never was
}

func (w world) withRow(key string, r row) world {
	w.rows = maps.Clone(w.rows)
	if w.rows == nil {
		w.rows = map[string]row{}
	}
	w.rows[key] = r
	return w
}

func (w world) withoutRow(key string) world {
	w.rows = maps.Clone(w.rows)
	delete(w.rows, key)
	return w
}

func (w world) withSession(id string, s session) world {
	w.sessions = maps.Clone(w.sessions)
	if w.sessions == nil {
		w.sessions = map[string]session{}
	}
	w.sessions[id] = s
	return w
}

func (w world) withoutSession(id string) world {
	w.sessions = maps.Clone(w.sessions)
	delete(w.sessions, id)
	return w
}

// live reports whether there is such a session and nobody has revoked it.
func (w world) live(id string) bool {
	s, there := w.sessions[id]
	return there && s.revokedBy == ""
}

func (w world) equal(v world) bool {
	return w.epoch == v.epoch && w.over == v.over && maps.Equal(w.rows, v.rows) && maps.Equal(w.sessions, v.sessions)
}

var hashSeed = maphash.MakeSeed()

// hash is the same for equal worlds, whatever the order of their maps.
func (w world) hash() uint64 {
	sum := uint64(w.epoch)
	for key, r := range w.rows {
		sum += maphash.String(hashSeed, key) ^ maphash.Comparable(hashSeed, r)
	}
	for id, s := range w.sessions {
		sum += maphash.String(hashSeed, id) ^ maphash.Comparable(hashSeed, s)
	}
	return sum
}

// String shows the world to whoever has to find out what went wrong.
func (w world) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "epoch %d", w.epoch)
	for _, key := range slices.Sorted(maps.Keys(w.rows)) {
		fmt.Fprintf(&b, "; %s %s", key, w.rows[key])
	}
	for _, id := range slices.Sorted(maps.Keys(w.sessions)) {
		fmt.Fprintf(&b, "; %s %s", id, w.sessions[id])
	}
	return b.String()
}

func (r row) String() string {
	owner := r.owner
	if owner == "" {
		owner = "free"
	}
	if r.checkpointOwner != "" {
		owner = r.checkpointOwner + "→" + owner
	}
	s := fmt.Sprintf("%s #%d at %s", owner, r.counter, r.sequence)
	if r.sub > 0 {
		s += fmt.Sprintf("/%d", r.sub)
	}
	return s + fmt.Sprintf(" (sought %d, switched %d, children %q, lost %v)", r.seekGen, r.switches, r.children, r.lost)
}

func (s session) String() string {
	if s.revokedBy != "" {
		return fmt.Sprintf("beat %d, revoked by %s", s.beat, s.revokedBy)
	}
	return fmt.Sprintf("beat %d", s.beat)
}
