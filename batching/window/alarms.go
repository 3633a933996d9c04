package window

import (
	"container/heap"
	"slices"
)

// alarm says that a key may have a window that a watermark concerns. It may be
// out of date: whoever it wakes looks for himself.
type alarm struct {
	at  int64
	key string
}

// alarms is a heap by time.
type alarms []alarm

// Len, Less, Swap, Push and Pop are heap.Interface.
func (a alarms) Len() int { return len(a) }

// Less is by time.
func (a alarms) Less(i, j int) bool { return a[i].at < a[j].at }

// Swap swaps two.
func (a alarms) Swap(i, j int) { a[i], a[j] = a[j], a[i] }

// Push adds one at the end.
func (a *alarms) Push(x any) { *a = append(*a, x.(alarm)) }

// Pop takes the last.
func (a *alarms) Pop() any {
	old := *a
	last := old[len(old)-1]
	*a = old[:len(old)-1]
	return last
}

// set notes when a key's windows are next concerned, as far as that was not so
// of the windows it had before.
func (a *alarms) set(key string, before, now []pane, lateness int64) {
	for i := range now {
		at := now[i].alarm(lateness)
		if !slices.ContainsFunc(before, func(p pane) bool { return p.alarm(lateness) == at }) {
			heap.Push(a, alarm{at, key})
		}
	}
}

// alarm is the watermark that concerns the window next: an open one at its end,
// one that was given out when it is to be forgotten.
func (p *pane) alarm(lateness int64) int64 {
	if p.open {
		return p.end
	}
	return p.end + lateness
}

// due takes the alarms up to a watermark.
func (a *alarms) due(mark int64) (rung []alarm) {
	for len(*a) > 0 && (*a)[0].at <= mark {
		rung = append(rung, heap.Pop(a).(alarm))
	}
	return rung
}

// putBack is for alarms that were taken for nothing.
func (a *alarms) putBack(rung []alarm) {
	for _, r := range rung {
		heap.Push(a, r)
	}
}

// next is when the first one rings, and false if there is none.
func (a alarms) next() (int64, bool) {
	if len(a) == 0 {
		return 0, false
	}
	return a[0].at, true
}
