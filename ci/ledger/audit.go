package ledger

import (
	"fmt"
	"hash/maphash"
	"strconv"
)

// Audit holds what was handled against what at-least-once in order means. Lines
// come in the order in which they happened, whichever worker wrote them.
//
//   - The first times of a key's records are in order: 1, 2, 3, ….
//   - A worker that goes back begins at or before the next record that nobody has
//     handled, and from there handles one after the other: what is repeated is a
//     suffix, from its beginning.
//
// Two workers that believe to have a shard at once may interleave: each is judged
// by itself, and so is who was first. Make one with [NewAudit].
type Audit struct {
	// Handled is how many records have been handled, and Repeated how many times
	// one was handled again.
	Handled, Repeated int
	// Doubled is how many were met at a second place, as the producer had put them
	// twice; they are not judged.
	Doubled int
	// AfterRelease is how many keys went back in a phase that repeats nothing.
	AfterRelease int
	// Regressed is how many were handled in a tenure of a shard after a later
	// tenure of it had handled some.
	Regressed int
	// Violations are what was out of order, in words.
	Violations []string

	skipped  func(key string, number int) bool
	keys     map[string]*keyAudit
	tenures  map[string]int   // the last number of each tenure and key
	fences   map[string]int64 // the largest of each shard
	seed     maphash.Seed
	phase    int
	released bool // nothing may be repeated where this phase goes on
}

// keyAudit is what is known of one key.
type keyAudit struct {
	upTo   int      // 1 to upTo have been handled
	places []uint64 // where each record stands in the stream, as a hash; 0 is unknown
	phase  int      // the last in which one of it was handled
}

// NewAudit makes an audit. skipped names records that no ledger is to have, as
// they are refused and go elsewhere; nil is none.
func NewAudit(skipped func(key string, number int) bool) *Audit {
	if skipped == nil {
		skipped = func(string, int) bool { return false }
	}
	return &Audit{skipped: skipped, keys: map[string]*keyAudit{}, tenures: map[string]int{}, fences: map[string]int64{}, seed: maphash.MakeSeed()}
}

// Begin says that another fleet goes on from here, and whether the one before
// let go in such a way that it repeats nothing.
func (a *Audit) Begin(released bool) {
	a.phase++
	a.released = released
}

// Enter judges the next line, and tells whether it repeats what was handled.
func (a *Audit) Enter(e Entry) (repeats bool) {
	k := a.keys[e.Key]
	if k == nil {
		k = &keyAudit{upTo: a.next(e.Key, 0) - 1}
		a.keys[e.Key] = k
	}
	at := maphash.String(a.seed, e.Sequence+"."+strconv.FormatInt(e.Sub, 10)) | 1
	if !k.place(e.Number, at) {
		a.Doubled++ // the producer put it twice, having had no answer
		return false
	}
	if e.Fence < a.fences[e.Shard] {
		a.Regressed++
	}
	a.fences[e.Shard] = max(e.Fence, a.fences[e.Shard])

	tenure := e.Tenure + " " + e.Key
	last, known := a.tenures[tenure]
	a.tenures[tenure] = e.Number
	switch {
	case known && e.Number != a.next(e.Key, last):
		a.violate(e, "after %d by the same worker", last)
	case !known && e.Number > k.upTo+1:
		a.violate(e, "although only %d were handled before", k.upTo)
	}
	if first := k.phase != a.phase; first && a.released && e.Number <= k.upTo {
		a.AfterRelease++
	}
	k.phase = a.phase
	if e.Number <= k.upTo {
		a.Repeated++
		return true
	}
	a.Handled++
	k.upTo = a.next(e.Key, e.Number) - 1
	return false
}

// next is the number of the first record behind one that a ledger is to have.
func (a *Audit) next(key string, number int) int {
	for number++; a.skipped(key, number); number++ {
	}
	return number
}

// place notes where a record stands; false is that it stands elsewhere too.
func (k *keyAudit) place(number int, at uint64) bool {
	for len(k.places) <= number {
		k.places = append(k.places, 0)
	}
	was := k.places[number]
	if was == 0 {
		k.places[number] = at
	}
	return was == 0 || was == at
}

func (k *keyAudit) has(number int) bool {
	return number < len(k.places) && k.places[number] != 0
}

func (a *Audit) violate(e Entry, format string, args ...any) {
	a.Violations = append(a.Violations, fmt.Sprintf("%s number %d in %s at %s.%d by %s: %s",
		e.Key, e.Number, e.Shard, e.Sequence, e.Sub, e.Tenure, fmt.Sprintf(format, args...)))
}

// Seen is whether every key has been handled in this phase, by a fleet which
// therefore has every shard.
func (a *Audit) Seen(keys []string) bool {
	for _, key := range keys {
		if k := a.keys[key]; k == nil || k.phase != a.phase {
			return false
		}
	}
	return true
}

// UpTo is how far a key has been handled without a hole.
func (a *Audit) UpTo(key string) int {
	if k := a.keys[key]; k != nil {
		return k.upTo
	}
	return 0
}

// Missing is how many of the records that were accepted have not been handled,
// and the first of them by name.
func (a *Audit) Missing(accepted map[string]int) (count int, names []string) {
	for key, last := range accepted {
		k := a.keys[key]
		for number := 1; number <= last; number++ {
			if k != nil && k.has(number) || a.skipped(key, number) {
				continue
			}
			if count++; len(names) < 10 {
				names = append(names, key+" "+strconv.Itoa(number))
			}
		}
	}
	return count, names
}
