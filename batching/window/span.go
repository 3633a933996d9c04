package window

import (
	"math"
	"slices"
	"time"
)

// span is the bounds of a window in nanoseconds since 1970; end is not in it.
type span struct{ start, end int64 }

// overlaps reports whether two windows have a moment in common.
func (s span) overlaps(o span) bool { return s.start < o.end && o.start < s.end }

// join is the window from the earlier start to the later end.
func (s span) join(o span) span { return span{min(s.start, o.start), max(s.end, o.end)} }

// never is a watermark before every window.
const never = math.MinInt64

// earliest and latest bound the times that a record may have, and farthest is
// beyond the end of every window. Nanoseconds since 1970 fit into 64 bits until
// 2262, so that sums of a bound and a few settings do, too.
var (
	earliest = time.Unix(0, 0)
	latest   = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
	farthest = latest.Add(2 * longest).UnixNano()
)

// longest is the longest span of time that may be set.
const longest = 365 * 24 * time.Hour

// nanos is a time as a span counts it, and false for one out of bounds.
func nanos(t time.Time) (int64, bool) {
	if t.Before(earliest) || t.After(latest) {
		return 0, false
	}
	return t.UnixNano(), true
}

func moment(ns int64) time.Time { return time.Unix(0, ns).UTC() }

// tumble is the window of a size that a moment lies in. Windows begin at 1970
// and follow one another, as Lambda's do.
func tumble(at int64, size time.Duration) span {
	start := at - at%int64(size)
	return span{start, start + int64(size)}
}

// sessions puts a session around a moment and joins it with those of windows
// that it grows together with, and these with others in turn. It returns the
// whole and the places of those it swallows, in order.
func sessions(windows []pane, at int64, gap time.Duration) (whole span, swallowed []int) {
	whole = span{at, at + int64(gap)}
	for again := true; again; {
		again = false
		for i := range windows {
			if whole.overlaps(windows[i].span) && !slices.Contains(swallowed, i) {
				whole, again = whole.join(windows[i].span), true
				swallowed = append(swallowed, i)
			}
		}
	}
	slices.Sort(swallowed)
	return whole, swallowed
}
