package kinesisshards

import (
	"fmt"
	"slices"
	"time"
)

// How fast polling relaxes with silence, and how errors back off.
const (
	busyFor   = 5 * time.Second  // after a record the shard is polled at the floor
	quietFrom = 30 * time.Second // after so much silence, every quietPoll

	// quietPoll is how often a shard is read to which a record comes now and then.
	// What comes between two reads waits half of it on average and never longer,
	// so that with the read itself half of all records are with the handler within
	// 250 ms, and nearly all within 500 ms.
	quietPoll = 400 * time.Millisecond
	// idleFrom is the silence after which a shard counts as idle and is read at
	// the ceiling, if nothing is known of it; for one whose records are further
	// apart it is idleGaps times what is usual there, up to idleMost.
	idleFrom = time.Minute
	idleMost = 10 * time.Minute
	// idleGaps makes it unlikely to be taken for idle wrongly: of records that come
	// at random, one in three thousand lies so many average gaps behind the last.
	idleGaps = 8

	throttleFirst = 500 * time.Millisecond
	throttleMost  = 8 * time.Second
	errorFirst    = 100 * time.Millisecond
	errorMost     = 5 * time.Second
	deniedWait    = 10 * time.Second

	postponement = 5 * time.Minute // at most, while the start lies in the future
)

// pace decides when a shard is read next. It is a value: every event gives a new
// one, and now is always told.
type pace struct {
	limits Options
	reads  []time.Time   // when the last reads ended, the oldest first; at most ReadsPerSecond
	paid   time.Time     // when the bytes read so far are paid back
	active time.Time     // when a record last came, or the reader began
	gap    time.Duration // how long the silence between records usually lasts; 0: not known
	due    time.Time     // when there is reason to read again
	why    string        // that reason
	failed int           // failures in a row
}

// newPace is the pace of a reader that begins now: it may read at once.
func newPace(limits Options, now time.Time) pace {
	if limits.validate() != nil {
		limits = Options{}.withDefaults() // every read will tell what is wrong with them
	}
	return pace{limits: limits, active: now, due: now, why: "begin"}
}

// next is when the next read is due: there is a reason for it and the limits
// allow it.
func (p pace) next() time.Time {
	due := p.due
	if len(p.reads) >= p.limits.ReadsPerSecond {
		due = later(due, p.reads[0].Add(time.Second))
	}
	return later(due, p.paid)
}

// answer is what the pace has to know of a read that succeeded.
type answer struct {
	records int
	bytes   int64
	behind  bool // there is more to read
}

// answered is the pace after an answer.
func (p pace) answered(now time.Time, a answer) pace {
	p = p.count(now)
	p.failed = 0
	// Bytes are paid back at the shard's rate before the next read. The service
	// is laxer in the short run and the same in the long one: it refuses for
	// five seconds after 10 MiB.
	owed := time.Duration(float64(a.bytes) / float64(p.limits.BytesPerSecond) * float64(time.Second))
	p.paid = later(p.paid, now).Add(owed)
	if a.records > 0 {
		p = p.heard(now)
	}
	if a.behind {
		p.due, p.why = now, "behind"
		return p
	}
	p.due, p.why = now.Add(p.interval(now)), "caught up"
	return p
}

// heard is the pace after records came. A silence that they end counts for a
// quarter of what is usual; between records that come together there is none.
func (p pace) heard(now time.Time) pace {
	if gap := min(now.Sub(p.active), idleMost); gap > busyFor {
		if p.gap == 0 {
			p.gap = gap
		}
		p.gap += (gap - p.gap) / 4
	}
	p.active = now
	return p
}

// interval is how long a shard that has been caught up with is left alone: the
// floor while records come, then longer, and the ceiling once the silence is
// longer than there is reason to expect.
func (p pace) interval(now time.Time) time.Duration {
	silent, floor := now.Sub(p.active), p.limits.PollFloor
	if silent >= p.idleAfter() {
		return p.limits.PollCeiling
	}
	quiet := min(max(quietPoll, floor), p.limits.PollCeiling)
	share := float64(silent-busyFor) / float64(quietFrom-busyFor)
	return floor + time.Duration(min(max(share, 0), 1)*float64(quiet-floor))
}

// idleAfter is how long a silence makes the shard count as idle.
func (p pace) idleAfter() time.Duration { return min(max(idleFrom, idleGaps*p.gap), idleMost) }

// refused is the pace after a failure. luck is a random number from 0 to 1.
func (p pace) refused(now time.Time, t trouble, luck float64) pace {
	p = p.count(now)
	p.failed++
	var wait time.Duration
	switch t {
	case troubleThrottled:
		// Jitter: whoever was throttled together does not come back together.
		// Not before the service has a place free again, as it has had when the
		// shard's last owner stopped reading.
		place := time.Second / time.Duration(p.limits.ReadsPerSecond)
		most := doubled(throttleFirst, throttleMost, p.failed)
		wait = place + time.Duration(luck*float64(max(0, most-place)))
	case troubleDenied:
		wait = deniedWait + time.Duration(luck*float64(time.Second))
	default:
		wait = time.Duration((1 + luck) / 2 * float64(doubled(errorFirst, errorMost, p.failed)))
		wait = max(wait, errorFirst)
	}
	p.due, p.why = now.Add(wait), t.String()
	return p
}

// postponed is the pace when there is nothing to read for a while.
func (p pace) postponed(now time.Time, wait time.Duration) pace {
	p = p.count(now)
	p.failed = 0
	p.due, p.why = now.Add(min(wait, postponement)), "postponed"
	return p
}

// at is the pace of a reader that has reason to read at once.
func (p pace) at(now time.Time) pace {
	p.due, p.why = now, "no subscription"
	return p
}

// woken is the pace after records came in another way.
func (p pace) woken(now time.Time) pace {
	p.failed = 0
	return p.heard(now)
}

// count counts a read against the limit. The time of its end is taken: the
// service saw it before that, so that no second of the service's has more reads
// in it than one of ours.
func (p pace) count(now time.Time) pace {
	reads := append(slices.Clone(p.reads), now)
	p.reads = reads[max(0, len(reads)-p.limits.ReadsPerSecond):]
	return p
}

// String says when the next read is due, and why.
func (p pace) String() string {
	return fmt.Sprintf("%s: next read at %s", p.why, p.next().UTC().Format("15:04:05.000"))
}

// doubled is first, doubled for every failure after the first, up to most.
func doubled(first, most time.Duration, failures int) time.Duration {
	for ; failures > 1 && first < most; failures-- {
		first *= 2
	}
	return min(first, most)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
