package modelcheck

import "hash/maphash"

// memo keeps what a decision answered, as most questions come again and again. A
// decision is a function of what it is asked, so that an answer that is kept is
// the answer. What falls on a slot takes it from what stood there.
type memo[K comparable, V any] struct {
	seed  maphash.Seed
	slots []kept[K, V]
}

type kept[K comparable, V any] struct {
	key   K
	value V
	full  bool
}

func newMemo[K comparable, V any](bits int) *memo[K, V] {
	return &memo[K, V]{seed: maphash.MakeSeed(), slots: make([]kept[K, V], 1<<bits)}
}

// get is the kept answer, or that of ask.
func (m *memo[K, V]) get(key K, ask func(K) V) V {
	slot := &m.slots[maphash.Comparable(m.seed, key)&uint64(len(m.slots)-1)]
	if !slot.full || slot.key != key {
		slot.key, slot.value, slot.full = key, ask(key), true
	}
	return slot.value
}
