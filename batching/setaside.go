package batching

import "time"

// SetAside says when the records of one key are taken out of the way of the
// others: a record that goes on failing is kept in memory with all that follows
// it of its key, and is called again after a while, alone, while the other keys
// of its lane go on. The zero SetAside never does, so that a failing record
// holds up its whole lane.
//
// The record has to stand alone for that: as what bisecting leaves, as what a
// handler names with FailFrom, or as a batch of one.
type SetAside struct {
	// After is how many failing calls with the record its lane makes, with the
	// backoff of the Policy between them, before the key is set aside. Default
	// DefaultSetAsideAfter. Few calls free the lane sooner; many keep a failure
	// that is over in a moment from parting a key from its batch.
	After int
	// Delays are how long the key waits after each further failure: the first
	// after call After, and so on; the last one again and again. Each is above 0.
	// None is off.
	Delays []time.Duration
}

// DefaultSetAsideAfter is how many failing calls a record has before its key is
// set aside: with the default backoff that is less than a second in which the
// others wait.
const DefaultSetAsideAfter = 3

// On reports whether keys are ever set aside.
func (s SetAside) On() bool { return len(s.Delays) > 0 }

// after is After or its default.
func (s SetAside) after() int {
	if s.After <= 0 {
		return DefaultSetAsideAfter
	}
	return s.After
}

// Delay is how long a key waits when its record has failed so many calls that
// count, and false if its lane is to go on trying.
func (s SetAside) Delay(attempts int) (time.Duration, bool) {
	if !s.On() || attempts < s.after() {
		return 0, false
	}
	return s.Delays[min(attempts-s.after(), len(s.Delays)-1)], true
}

// Spent reports whether a record that has failed so many calls has waited for
// every one of the Delays: the last one is repeated, or the key is parked.
func (s SetAside) Spent(attempts int) bool {
	return s.On() && attempts-s.after() >= len(s.Delays)
}
