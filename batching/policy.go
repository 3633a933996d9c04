package batching

import (
	"fmt"
	"strings"
	"time"

	"github.com/towpath/towpath/shard"
)

// Policy is what a failure leads to. Its zero value retries the whole range for
// ever, as Lambda does by default.
type Policy struct {
	// Bisect splits a failing range in two until the record that fails is
	// alone. A split burns no attempt, and attempts count at one record only.
	Bisect bool
	// MaximumRetryAttempts bounds the repeats of a failing call: AtMost(n) is
	// n+1 calls. Default Unlimited.
	MaximumRetryAttempts Limit
	// MaximumRecordAge is the age at which a record is given up unhandled; 0 is
	// never.
	MaximumRecordAge time.Duration
	// MinBackoff and MaxBackoff bound the wait before a repeat: the ceiling is
	// MinBackoff after the first failure, doubles with each, and never exceeds
	// MaxBackoff. Defaults DefaultMinBackoff and DefaultMaxBackoff.
	MinBackoff, MaxBackoff time.Duration
	// CanReject tells whether there is somewhere for a rejected record to go.
	// If not, Reject is FailFrom of the same record.
	CanReject bool
	// SetAside says when a failing record is called again without its lane. The
	// zero value is never.
	SetAside SetAside
}

// The backoff of a Policy that sets none. The lower bound is short, because most
// failures are over in a moment; the upper keeps a shard that is stuck for a
// night from calling its handler more than two or four times a minute.
const (
	DefaultMinBackoff = 100 * time.Millisecond
	DefaultMaxBackoff = 30 * time.Second
)

// Segment is a range of records of a lane's batch that is called together.
type Segment struct {
	// From and To are indexes into the batch; To is not included.
	From, To int
	// Attempts is how many calls that count have failed: with Bisect those with
	// the one record alone, otherwise those with the same first record.
	Attempts int
}

// Len is how many records the segment has.
func (s Segment) Len() int { return s.To - s.From }

// String is the range, half open, with the attempts behind a hash sign.
func (s Segment) String() string {
	if s.Attempts == 0 {
		return fmt.Sprintf("[%d,%d)", s.From, s.To)
	}
	return fmt.Sprintf("[%d,%d)#%d", s.From, s.To, s.Attempts)
}

// Delay is how long to wait before the next call: a time drawn uniformly from
// Min to Max. The zero Delay is none.
type Delay struct{ Min, Max time.Duration }

// String is the time, or the two bounds.
func (d Delay) String() string {
	if d.Min == d.Max {
		return d.Min.String()
	}
	return d.Min.String() + "…" + d.Max.String()
}

// Verdict is what is to be done after a call with a segment. The records of the
// segment are, in order: Handled, then GiveUp, then those of Next.
type Verdict struct {
	// Handled is how many records at the head of the segment are settled: done,
	// except for the Rejected among them.
	Handled int
	// Rejected are the records that go to the destination, by index within the
	// segment. The calls made with them are the segment's Attempts + 1.
	Rejected []Rejection
	// GiveUp is how many records behind the handled ones are given up, because
	// their attempts are exhausted.
	GiveUp int
	// Attempts is how many calls that count have been made with the first
	// record that is not handled, this one included; 0 if this one does not
	// count. With GiveUp it is the envelope's approximateInvokeCount.
	Attempts int
	// Next is what remains, in order, in indexes of the batch.
	Next []Segment
	// Delay is how long to wait before the first of Next is called.
	Delay Delay
	// Aside is set if the first record of Next is to wait without its lane, with
	// what follows of its key: see SetAside.
	Aside bool
}

// String shows the verdict on one line.
func (v Verdict) String() string {
	var parts []string
	if v.Handled > 0 {
		parts = append(parts, fmt.Sprintf("handled %d", v.Handled))
	}
	for _, r := range v.Rejected {
		parts = append(parts, fmt.Sprintf("reject %d", r.Index))
	}
	if v.GiveUp > 0 {
		parts = append(parts, fmt.Sprintf("give up %d after %d", v.GiveUp, v.Attempts))
	}
	if len(v.Next) > 0 {
		next := "then"
		for _, s := range v.Next {
			next += " " + s.String()
		}
		if v.Aside {
			next += " aside"
		}
		if v.Delay != (Delay{}) {
			next += " in " + v.Delay.String()
		}
		parts = append(parts, next)
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// Expired is how many records at the head of a range are older than
// MaximumRecordAge, where now is the service's time. Only a prefix is given up
// for its age: a record behind a younger one waits for its turn. A record whose
// arrival is not known does not expire.
func (p Policy) Expired(records []shard.Record, now time.Time) int {
	if p.MaximumRecordAge <= 0 {
		return 0
	}
	for i := range records {
		arrived := records[i].ArrivedAt
		if arrived.IsZero() || now.Sub(arrived) <= p.MaximumRecordAge {
			return i
		}
	}
	return len(records)
}

// Decide says what the outcome of a call with segment s leads to.
//
// Let i be the first record that is not done and n the records from there on.
// What lies before i is handled. Then, in this order:
//
//   - RetryAfter: all n again after just that time. Nothing else changes.
//   - Bisect, and the segment had more than one record: nothing counts. A
//     record named by FailFrom is called alone, and then what lies behind it;
//     otherwise the range is called in two halves. There is no wait, as each
//     call is with fewer records than the one before.
//   - The call counts. The attempts are those of record i, so that they begin
//     anew if it was not the first of the segment. When they exceed
//     MaximumRetryAttempts, all n are given up; otherwise all n are called
//     again after the backoff. If i stands alone, or was named by FailFrom, and
//     has failed often enough, it is set aside.
//
// A record that was set aside before is set aside by RetryAfter as well, for
// just that time: its lane is not to wait for it.
func (p Policy) Decide(s Segment, o Outcome) Verdict {
	if !p.CanReject {
		o = o.withoutRejects()
	}
	from := s.Len()
	if o.Failed {
		from = min(max(o.From, 0), from)
	}
	v := Verdict{Handled: from, Rejected: o.Rejects}
	rest := Segment{From: s.From + from, To: s.To}
	if from == 0 {
		rest.Attempts = s.Attempts
	}
	switch {
	case rest.Len() <= 0:
		return v
	case o.Delayed:
		v.Next = []Segment{rest}
		v.Delay = Delay{Min: o.After, Max: o.After}
		_, v.Aside = p.SetAside.Delay(rest.Attempts)
		return v
	case p.Bisect && s.Len() > 1:
		cut := rest.From + (rest.Len()+1)/2
		if o.Partial {
			cut = rest.From + 1
		}
		v.Next = append(v.Next, Segment{From: rest.From, To: cut})
		if cut < rest.To {
			v.Next = append(v.Next, Segment{From: cut, To: rest.To})
		}
		return v
	}
	rest.Attempts++
	v.Attempts = rest.Attempts
	if p.MaximumRetryAttempts.Exceeded(rest.Attempts) {
		v.GiveUp = rest.Len()
		return v
	}
	v.Next = []Segment{rest}
	v.Delay = Delay{Max: p.backoff(rest.Attempts)}
	if rest.Len() == 1 || o.Partial {
		if d, aside := p.SetAside.Delay(rest.Attempts); aside {
			v.Delay, v.Aside = Delay{Min: d, Max: d}, true
		}
	}
	return v
}

// withoutRejects is what the outcome means where nothing can be rejected: the
// first rejected record is where the failure begins, unless it begins before.
func (o Outcome) withoutRejects() Outcome {
	if len(o.Rejects) == 0 {
		return o
	}
	first := o.Rejects[0]
	o.Rejects = nil
	if !o.Failed || first.Index < o.From {
		o.Failed, o.From, o.Partial, o.Delayed, o.After = true, first.Index, true, false, 0
	}
	return o
}

// backoff is the longest wait after so many failed attempts.
func (p Policy) backoff(attempts int) time.Duration {
	low, high := p.MinBackoff, p.MaxBackoff
	if low <= 0 {
		low = DefaultMinBackoff
	}
	if high <= 0 {
		high = DefaultMaxBackoff
	}
	for range attempts - 1 {
		if low >= high/2 {
			return high
		}
		low *= 2
	}
	return min(low, high)
}
