package tape

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// Survey is what a tape has.
type Survey struct {
	// Events is how many there are, Bytes the sum of their payloads and keys, and
	// Largest the most that one has of them.
	Events  int
	Bytes   int64
	Largest int
	// Keys is how many keys there are, up to a million; Unkeyed how many events have
	// none.
	Keys, Unkeyed int
	// First and Last are the earliest and the latest arrival; zero if none is known.
	First, Last time.Time
	// Back is how many events arrived before the one in front of them: they are
	// played without a wait.
	Back int
}

// mostKeys bounds what a survey remembers.
const mostKeys = 1_000_000

// Look reads events to their end, from the one behind the first skip of them.
func Look(next func() (Event, error), skip int) (Survey, error) {
	var s Survey
	keys := map[string]struct{}{}
	var before time.Time
	for n := 0; ; n++ {
		e, err := next()
		if errors.Is(err, io.EOF) {
			if n < skip {
				return s, fmt.Errorf("there are %d events, and %d are to be skipped", n, skip)
			}
			s.Keys = len(keys)
			return s, nil
		}
		if err != nil {
			return s, err
		}
		if n < skip {
			continue
		}
		s.Events++
		size := len(e.Data) + len(e.Key)
		s.Bytes += int64(size)
		s.Largest = max(s.Largest, size)
		if !e.Keyed {
			s.Unkeyed++
		} else if len(keys) < mostKeys {
			keys[e.Key] = struct{}{}
		}
		if e.Arrived.IsZero() {
			continue
		}
		if s.First.IsZero() || e.Arrived.Before(s.First) {
			s.First = e.Arrived
		}
		if e.Arrived.After(s.Last) {
			s.Last = e.Arrived
		}
		if e.Arrived.Before(before) {
			s.Back++
		}
		before = e.Arrived
	}
}

// Takes is how long it takes to play the tape at a pace, if the stream keeps up.
func (s Survey) Takes(p Pace) time.Duration {
	var d time.Duration
	if !p.Unpaced {
		d = p.scaled(s.Last.Sub(s.First))
	}
	if p.Rate > 0 && s.Events > 0 {
		d = max(d, time.Duration(float64(s.Events-1)/p.Rate*float64(time.Second)))
	}
	return d
}
