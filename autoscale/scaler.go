package autoscale

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Scaler follows a demand without flapping.
type Scaler struct {
	// Settle is for how long less must have been enough before the fleet is made
	// smaller: default 10 minutes. Shorter moves shards about with every wave of
	// the load; each move drains and begins a shard anew. (Kubernetes takes 5
	// minutes for its default, of workloads without state.)
	Settle time.Duration
	// Tolerance is by what part the demand must exceed the workers there are
	// before there are more, and must leave free of those that remain before
	// there are fewer: default 0.1, as in Kubernetes; below 1. Headroom carries
	// what lies between. Without it a fleet follows the noise of what is measured.
	Tolerance Share
	// Step is the largest part of the workers that is taken away at once, and one
	// worker at least: default 0.25. Up there is no bound.
	Step Share
}

const (
	defaultSettle    = 10 * time.Minute
	defaultTolerance = Share(0.1)
	defaultStep      = Share(0.25)
)

func (s Scaler) withDefaults() Scaler {
	s.Settle = cmp.Or(s.Settle, defaultSettle)
	s.Tolerance = cmp.Or(s.Tolerance, defaultTolerance)
	s.Step = cmp.Or(s.Step, defaultStep)
	return s
}

// Validate says everything that is wrong with s.
func (s Scaler) Validate() error {
	var problems []error
	d := s.withDefaults()
	if d.Settle < 0 {
		problems = append(problems, fmt.Errorf("Settle is %s, want more than 0", s.Settle))
	}
	if !(d.Tolerance >= 0 && d.Tolerance < 1) {
		problems = append(problems, fmt.Errorf("Tolerance is %v, want at least 0 and less than 1", float64(s.Tolerance)))
	}
	if !(d.Step > 0 && d.Step <= 1) {
		problems = append(problems, fmt.Errorf("Step is %v, want more than 0 and at most 1", float64(s.Step)))
	}
	if len(problems) == 0 {
		return nil
	}
	return fmt.Errorf("autoscale: scaler: %w", errors.Join(problems...))
}

// History is what a Scaler remembers. Its zero value is that of one that begins,
// which makes no fleet smaller for the time of Settle.
type History struct {
	// Since is since when less has been enough; zero while it is not.
	Since time.Time
	// Most is the largest number that would have been enough since then.
	Most int
}

// Decision is how many workers there are to be.
type Decision struct {
	// Workers is how many, which is the current number if nothing is to change.
	Workers int
	// Why says it in words.
	Why string
}

// String is the decision for a human.
func (d Decision) String() string { return fmt.Sprintf("%d workers: %s", d.Workers, d.Why) }

// Next decides how many workers there are to be, of which there are now
// current. It changes nothing itself: keep the History for the next time. Its
// error is that of Validate.
//
// It goes up as soon as the demand is larger by Tolerance. It goes down when,
// for the whole of Settle, no shard was catching up and less was enough, to the
// most that was needed in that time, by Step at once; then Settle begins anew. It
// goes down at once only where there are more than Demand.Most. Where nothing is
// measured, nothing changes.
func (s Scaler) Next(h History, now time.Time, current int, d Demand) (Decision, History, error) {
	if err := s.Validate(); err != nil {
		return Decision{}, History{}, err
	}
	s = s.withDefaults()
	current = max(0, current)
	enough := max(d.Count, min(d.Most, whole(d.Workers*float64(1+s.Tolerance))))
	switch {
	case d.Shards == 0:
		return Decision{current, "nothing is measured"}, History{}, nil
	case current == 0:
		return Decision{d.Count, "there is none"}, History{}, nil
	case current > d.Most:
		return Decision{d.Most, "more have nothing to do or are not allowed"}, History{}, nil
	case d.Count > current && d.Count > whole(d.Workers):
		return Decision{d.Count, "the least there are to be"}, History{}, nil
	case d.Count > current && d.Workers > float64(current)*float64(1+s.Tolerance):
		return Decision{d.Count, fmt.Sprintf("%.2f are needed", d.Workers)}, History{}, nil
	case d.Count > current:
		return Decision{current, fmt.Sprintf("%.2f are needed, which is within the tolerance", d.Workers)}, History{}, nil
	case enough >= current:
		return Decision{current, "as many as are needed"}, History{}, nil
	case d.CatchingUp:
		return Decision{current, fmt.Sprintf("%s behind, none is taken away", d.Behind.Round(time.Second))}, History{}, nil
	}
	if h.Since.IsZero() || now.Before(h.Since) {
		h = History{Since: now}
	}
	if h.Most = max(h.Most, enough); h.Most >= current { // somebody has taken some away meanwhile
		h = History{Since: now, Most: enough}
	}
	if left := s.Settle - now.Sub(h.Since); left > 0 {
		return Decision{current, fmt.Sprintf("%d are enough, in %s one can be taken away", h.Most, left.Round(time.Second))}, h, nil
	}
	fewer := max(1, int(float64(current)*float64(s.Step)))
	to := max(h.Most, current-fewer)
	return Decision{to, fmt.Sprintf("%d were enough for %s", h.Most, s.Settle)}, History{Since: now, Most: enough}, nil
}
