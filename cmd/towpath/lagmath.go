package main

import (
	"time"

	"github.com/towpath/towpath/shard"
)

// amount is how much lies in a part of a stream.
type amount struct {
	Records int64
	Bytes   int64
}

// rate is how much comes or goes in a second; not Known if nobody could tell.
type rate struct {
	Records, Bytes float64
	Known          bool
}

// rateOf is the rate at which an amount came in some time; nothing is known of no
// time.
func rateOf(a amount, in time.Duration) rate {
	if in <= 0 {
		return rate{}
	}
	return rate{Records: float64(a.Records) / in.Seconds(), Bytes: float64(a.Bytes) / in.Seconds(), Known: true}
}

// plus adds rates; the sum is known if both are.
func (r rate) plus(q rate) rate {
	return rate{r.Records + q.Records, r.Bytes + q.Bytes, r.Known && q.Known}
}

// page is what was found behind a position: the amount read, when the first and
// the last record arrived, and how far behind the tip the reading ended; Whole if
// it reached the tip.
type page struct {
	amount
	First, Last time.Time
	Rest        time.Duration
	Whole       bool
}

// behind is how far the position was behind the tip: since its first record
// arrived, or what the service says where none came.
func (p page) behind(now time.Time) time.Duration {
	switch {
	case p.Records > 0 && !p.First.IsZero():
		return max(now.Sub(p.First), p.Rest, 0)
	case p.Whole:
		return 0
	}
	return p.Rest
}

// How a backlog is known.
const (
	byCount    = "counted"   // every record of it was read
	byEstimate = "estimated" // by how fast records come, and since when
	atLeast    = "at least"  // the count was ended before it was done
	unknown    = "unknown"
)

// backlogOf is how much lies behind a position, of which a page was read: all of
// it if that reached the tip, else as much more as comes in the time that is left.
// Where nothing comes now, the page itself tells how dense the records are.
func backlogOf(p page, arrival rate) (amount, string) {
	if p.Whole {
		return p.amount, byCount
	}
	dense := arrival
	if !dense.Known || dense.Records == 0 {
		dense = rateOf(p.amount, p.Last.Sub(p.First))
	}
	if !dense.Known {
		return p.amount, unknown
	}
	return amount{
		p.Records + int64(dense.Records*p.Rest.Seconds()), p.Bytes + int64(dense.Bytes*p.Rest.Seconds()),
	}, byEstimate
}

// How a shard catches up.
const (
	caughtUp  = "caught up"  // nothing is behind
	keepingUp = "keeping up" // what is behind is what came since the position was last written
	inTime    = "in"         // and in how long
	never     = "never"      // as much comes as is handled, or more
)

// freshness is how old a written position may be of a shard that keeps up: workers
// write it every ten seconds, and once more at leisure.
const freshness = 15 * time.Second

// mostCatchUp is the longest time that is told; beyond it is never.
const mostCatchUp = 10 * 365 * 24 * time.Hour

// catchUp is how long a backlog lasts: as many seconds as it has records for each
// that more are handled than come.
func catchUp(backlog int64, behind time.Duration, handling, arrival rate) (time.Duration, string) {
	switch {
	case backlog <= 0:
		return 0, caughtUp
	case behind <= freshness && handling.Known && arrival.Known && handling.Records >= 0.5*arrival.Records && handling.Records > 0:
		return 0, keepingUp
	case !handling.Known || !arrival.Known:
		return 0, unknown
	case handling.Records <= arrival.Records:
		return 0, never
	}
	seconds := float64(backlog) / (handling.Records - arrival.Records)
	if seconds > mostCatchUp.Seconds() {
		return 0, never
	}
	return time.Duration(seconds * float64(time.Second)), inTime
}

// move is a position that was seen to be written, and when it was seen.
type move struct {
	At   time.Time
	From shard.Position // where it stood before
	To   shard.Position
}

// stretch is the part of a shard by which the pace of its handling is measured:
// what lies between the first and the last position that were seen to be written,
// over the time between. Of a single one it is all that was finished while it was
// looked, which is right on average; of none nothing was.
func stretch(moves []move, looked time.Duration) (from, to shard.Position, in time.Duration) {
	switch len(moves) {
	case 0:
		return shard.Position{}, shard.Position{}, looked
	case 1:
		return moves[0].From, moves[0].To, looked
	}
	last := moves[len(moves)-1]
	return moves[0].To, last.To, last.At.Sub(moves[0].At)
}

// worst is the gravest of how shards catch up, and the longest time.
func worst(all []lagging) (time.Duration, string) {
	grave := []string{caughtUp, keepingUp, inTime, unknown, never}
	rank := func(s string) int {
		for i, g := range grave {
			if g == s {
				return i
			}
		}
		return 0
	}
	longest, how := time.Duration(0), caughtUp
	for _, l := range all {
		if rank(l.CatchUp) > rank(how) {
			how = l.CatchUp
		}
		longest = max(longest, l.CatchUpIn.Of())
	}
	if how != inTime {
		longest = 0
	}
	return longest, how
}
