package kinesisshards

import (
	"fmt"
	"time"
)

// From the API reference of SubscribeToShard: a subscription ends after five
// minutes, another one of the same consumer to the same shard within five
// seconds is refused, and calls are made once a second at most.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_SubscribeToShard.html
const (
	subscriptionLife = 5 * time.Minute
	subscribeAgain   = 5 * time.Second
	subscribeEvery   = time.Second

	// inUseFor is how long a refusal as in use is what a hand-over looks like:
	// twice what it can last.
	inUseFor = 2 * subscribeAgain
	// subscribeMost is the longest wait between two calls that fail.
	subscribeMost = 30 * time.Second
)

// attempts decides when a shard is subscribed to. It is a value, as pace is.
type attempts struct {
	due    time.Time // when to subscribe next
	why    string    // that reason
	began  time.Time // when the last subscription did, zero if there was none
	failed int       // failures in a row
	inUse  time.Time // since when calls are refused as in use, zero if not
}

func newAttempts(now time.Time) attempts { return attempts{due: now, why: "begin"} }

// subscribed is after a call that succeeded.
func (a attempts) subscribed(now time.Time) attempts {
	a.began, a.why, a.inUse = now, "subscribed", time.Time{}
	return a
}

// flowing is after an event: whatever failed before works.
func (a attempts) flowing() attempts {
	a.failed = 0
	return a
}

// ended is after a subscription that the service ended without an error. One
// that lived its life is renewed at once. An earlier end may be the shard's, if
// the server does not tell that, so that there is time to poll first.
func (a attempts) ended(now time.Time, luck float64) attempts {
	a.due, a.why = now, "ended"
	if now.Sub(a.began) < subscriptionLife-subscriptionLife/10 {
		a.due = a.place(now.Add(a.spread(subscribeEvery, luck)))
	}
	return a
}

// cut is after a subscription that broke, t being how.
func (a attempts) cut(now time.Time, t trouble, luck float64) attempts {
	a = a.refused(now, t, luck)
	if t == troubleInUse {
		// Somebody has just made another one.
		a.inUse = time.Time{}
		a.due = now.Add(a.spread(subscribeAgain, luck))
	}
	a.due = a.place(a.due)
	return a
}

// refused is after a call that failed. luck is a random number from 0 to 1.
func (a attempts) refused(now time.Time, t trouble, luck float64) attempts {
	if t == troubleInUse {
		if a.inUse.IsZero() {
			a.inUse = now
		}
		// A refused call does not begin the five seconds anew.
		a.due, a.why = now.Add(a.spread(subscribeEvery, luck)), t.String()
		if a.contested(now) {
			a.due = now.Add(a.spread(subscribeAgain, luck))
		}
		return a
	}
	a.failed++
	a.inUse, a.why = time.Time{}, t.String()
	first := subscribeEvery
	if t == troubleDenied {
		first = deniedWait
	}
	a.due = now.Add(a.spread(doubled(first, subscribeMost, a.failed), luck))
	return a
}

// postponed is when there is nothing to subscribe to for a while.
func (a attempts) postponed(now time.Time, wait time.Duration, why string) attempts {
	a.due, a.why = now.Add(min(wait, postponement)), why
	return a
}

// contested reports whether the shard is in use for longer than a hand-over
// explains: somebody else subscribes with the same consumer.
func (a attempts) contested(now time.Time) bool {
	return !a.inUse.IsZero() && now.Sub(a.inUse) > inUseFor
}

// place is t, or later if the service would refuse a call then.
func (a attempts) place(t time.Time) time.Time {
	if a.began.IsZero() {
		return t
	}
	return later(t, a.began.Add(subscribeAgain))
}

// spread is d and up to half of it more, so that whoever was refused together
// does not come back together.
func (attempts) spread(d time.Duration, luck float64) time.Duration {
	return d + time.Duration(luck*float64(d)/2)
}

// String says when the next call is due, and why.
func (a attempts) String() string {
	return fmt.Sprintf("%s: next subscription at %s", a.why, a.due.UTC().Format("15:04:05.000"))
}
