package overview

import (
	"fmt"
	"strings"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// Life is what is known of whether a worker lives.
type Life string

// What is known of a worker.
const (
	// LifeSeen is a worker of which no sign has been seen to change yet, and none
	// has been missed: one look says no more.
	LifeSeen Life = "seen"
	// LifeAlive is a worker whose sign of life was seen to change lately.
	LifeAlive Life = "alive"
	// LifeLeaving is one that lives and is stopping: nothing is given to it.
	LifeLeaving Life = "leaving"
	// LifeSilent is one whose sign of life has not changed for Config.Silence.
	LifeSilent Life = "silent"
	// LifeRevoked is one that others have declared dead.
	LifeRevoked Life = "revoked"
	// LifeGone is one that rows name and that has no session.
	LifeGone Life = "gone"
)

// Worker is one worker, by its session or by the rows that name it.
type Worker struct {
	// ID is its id, and Name the part of it that people know: a host, a pod, a
	// task.
	ID   string `json:"worker"`
	Name string `json:"name"`
	// Kind is whose it is: towpath or kcl.
	Kind Kind `json:"kind"`
	// Life is what is known of whether it lives, and Sign by what: session, leases
	// (their counters) or metrics (of KCL 3); empty if it has none.
	Life Life   `json:"life"`
	Sign string `json:"sign,omitempty"`
	// Still is for how long its sign of life has not been seen to change, over the
	// pictures since the first.
	Still Seconds `json:"still_seconds"`
	// Beat is its heartbeat counter; 0 without a session.
	Beat int64 `json:"beat,omitempty"`
	// RevokedBy is who declared it dead.
	RevokedBy string `json:"revoked_by,omitempty"`
	// Leader tells that it gives leases to the others: the lock of KCL 3 names it.
	Leader bool `json:"leader,omitempty"`
	// Leases is how many shards it works, by the rows; Says how many by its session,
	// and Most how many it takes at most, 0 for no limit.
	Leases int     `json:"leases"`
	Says   float64 `json:"says,omitempty"`
	Most   int     `json:"most,omitempty"`
	// Load is the sum of what its shards bring, in KiB a second.
	Load float64 `json:"load_kib_s"`
	// Behind is the largest of its shards', of those that are known.
	Behind Seconds `json:"behind_at_most_seconds"`
	// Share is how many calls it may make at once while the fleet is limited, and
	// Limited tells whether it is.
	Limited bool `json:"limited,omitempty"`
	Share   int  `json:"share,omitempty"`
	// Version is the version of the protocol it speaks; 0 without a session.
	Version int `json:"version,omitempty"`
}

// Dead reports whether it is known not to live.
func (w Worker) Dead() bool {
	return w.Life == LifeSilent || w.Life == LifeRevoked || w.Life == LifeGone
}

// isOurs reports whether an id is one of this library's: a name, a slash and 16
// hexadecimal digits.
func isOurs(id string) bool {
	_, random, found := strings.Cut(id, "/")
	return found && len(random) == 16 && strings.Trim(random, "0123456789abcdef") == ""
}

// nameOf is the part of an id that people know.
func nameOf(id string) string {
	if isOurs(id) {
		name, _, _ := strings.Cut(id, "/")
		return name
	}
	return id
}

// workers gathers what each worker is known by.
type workers struct {
	byID map[string]*Worker
	// counters are the sums of the counters of each worker's leases, and beats what
	// its sign of life is.
	counters map[string]int64
	beats    map[string]string
}

func newWorkers(sessions []shard.Session, neighbours []checkpoint.Neighbour) *workers {
	ws := &workers{byID: map[string]*Worker{}, counters: map[string]int64{}, beats: map[string]string{}}
	for _, s := range sessions {
		w := ws.of(s.ID)
		w.Kind, w.Sign, w.Beat, w.RevokedBy = KindTowpath, "session", s.Beat, s.RevokedBy
		w.Says, w.Most, w.Version = s.Load, s.MaxLeases, s.Version
		w.Life = LifeSeen
		if s.Leaving {
			w.Life = LifeLeaving
		}
		if !s.Alive() {
			w.Life = LifeRevoked
		}
		ws.beats[s.ID] = fmt.Sprint("session ", s.Beat)
	}
	for _, n := range neighbours {
		if n.Worker == "" || n.Kind == checkpoint.NeighbourMigration {
			continue
		}
		w := ws.of(n.Worker)
		if n.Kind == checkpoint.NeighbourLeader {
			w.Leader = true
		} else if w.Sign == "" {
			w.Sign, w.Life = "metrics", LifeSeen
		}
	}
	return ws
}

// of is the worker with that id, made if nobody has named it yet.
func (ws *workers) of(id string) *Worker {
	w := ws.byID[id]
	if w == nil {
		w = &Worker{ID: id, Name: nameOf(id), Kind: KindKCL, Life: LifeSeen}
		if isOurs(id) {
			w.Kind, w.Life = KindTowpath, LifeGone
		}
		ws.byID[id] = w
	}
	return w
}

// holds notes a row that names a worker as its holder.
func (ws *workers) holds(s Shard) {
	w := ws.of(s.Holder())
	ws.counters[w.ID] += s.Counter
	if s.State == StateEnded {
		return // an owner of KCL's stays named by what it has finished
	}
	w.Leases++
	w.Load += s.Load
	w.Behind = max(w.Behind, s.Behind)
}

// judge says who lives, by what the pictures before have seen, and returns what
// the next one is to be compared with.
func (ws *workers) judge(before map[string]sighting, now time.Time, silence time.Duration) map[string]sighting {
	seen := make(map[string]sighting, len(ws.byID))
	for id, w := range ws.byID {
		sign, ok := ws.beats[id]
		if !ok {
			sign = fmt.Sprint("leases ", ws.counters[id])
			if w.Kind == KindKCL && w.Leases > 0 {
				w.Sign = "leases"
			}
		}
		s := before[id].seen(sign, now)
		seen[id] = s
		w.Still = Seconds(s.still(now))
		if w.Life != LifeSeen && w.Life != LifeLeaving {
			continue
		}
		// The metrics of KCL 3 are written twice a minute.
		patience := silence
		if w.Sign == "metrics" || w.Sign == "" {
			patience = max(silence, 2*time.Minute)
		}
		switch {
		case s.still(now) >= patience:
			w.Life = LifeSilent
		case !s.changed.IsZero() && w.Life == LifeSeen:
			w.Life = LifeAlive
		}
	}
	return seen
}
