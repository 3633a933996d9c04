package modelcheck

// store is the states of one part of the whole, each with where it was reached
// from. It is an open table over a slice: a map would take three times the room
// and the time.
type store[S comparable] struct {
	states []S
	from   []place
	slots  []uint32 // index into states + 1; a power of two of them
}

// place is where a state stands: in which part, and there at which index.
type place struct{ part, index uint32 }

// nowhere is where the states to begin in were reached from.
var nowhere = place{part: ^uint32(0)}

func newStore[S comparable]() *store[S] { return &store[S]{slots: make([]uint32, 1<<10)} }

// add keeps a state, unless it is known.
func (t *store[S]) add(s S, hash uint64, from place, hashOf func(S) uint64) bool {
	mask := uint64(len(t.slots) - 1)
	i := hash & mask
	for ; t.slots[i] != 0; i = (i + 1) & mask {
		if t.states[t.slots[i]-1] == s {
			return false
		}
	}
	t.states, t.from = append(t.states, s), append(t.from, from)
	t.slots[i] = uint32(len(t.states))
	if len(t.states)*2 > len(t.slots) {
		t.grow(hashOf)
	}
	return true
}

func (t *store[S]) grow(hashOf func(S) uint64) {
	t.slots = make([]uint32, 2*len(t.slots))
	mask := uint64(len(t.slots) - 1)
	for n, s := range t.states {
		i := hashOf(s) & mask
		for t.slots[i] != 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = uint32(n + 1)
	}
}
