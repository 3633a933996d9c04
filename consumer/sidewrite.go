package consumer

import "time"

// sideWrite is something that is written in one transaction with the position,
// whatever that is by then: it holds only if the lease is still held.
type sideWrite struct {
	effects  []any
	answered chan sideAnswer // capacity 1
}

// sideAnswer is what became of a sideWrite.
type sideAnswer struct {
	// applied is set if it is known to have been written. If not, it may have
	// been, or may still be: it is to be written again as it was.
	applied bool
	// over is set if nothing more can be written in this go at the shard.
	over bool
	err  error
}

// writeBeside has effects written as soon as no other save is under way.
func (k *keeper) writeBeside(effects []any) *sideWrite {
	w := &sideWrite{effects: effects, answered: make(chan sideAnswer, 1)}
	k.mu.Lock()
	k.beside = append(k.beside, w)
	k.mu.Unlock()
	k.keep(time.Now(), false)
	return w
}

// answer tells what a save came to that w was part of. Only one that was answered
// is believed: of two writes of which one was given up, the row does not tell
// which was applied.
func (w *sideWrite) answer(res result, err error) {
	if w == nil {
		return
	}
	a := sideAnswer{applied: err == nil && res.answered, over: err != nil || res.gone, err: err}
	if err == nil {
		a.err = res.refused
	}
	w.answered <- a
}
