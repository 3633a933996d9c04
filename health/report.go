package health

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/towpath/towpath/consumer"
)

// Report is what a check found, as it is answered. Times are how long ago something
// was, in seconds by the worker's own clock, and null if it never was.
type Report struct {
	// OK is what the check is about.
	OK bool `json:"ok"`
	// Problems are why it is not OK; none if it is.
	Problems []string `json:"problems,omitempty"`
	// Warnings are what somebody should look at, and what changes nothing about
	// OK.
	Warnings []string `json:"warnings,omitempty"`
	// Worker is the worker's id; empty before it has registered.
	Worker string `json:"worker,omitempty"`
	// Running tells whether the consumer runs, Stopping whether it was told to end.
	Running  bool `json:"running"`
	Stopping bool `json:"stopping,omitempty"`
	// Session is whether the worker may act on its leases.
	Session Session `json:"session"`
	// Loops are when the worker's loops last turned.
	Loops Loops `json:"loops"`
	// Shards are the shards that it works, by id: at most 1000, those whose records
	// are oldest. Omitted is how many more there are.
	Shards  []Shard `json:"shards"`
	Omitted int     `json:"shards_omitted,omitempty"`
}

// Session is whether a worker may act on its leases.
type Session struct {
	// Valid tells that it may, ValidFor for how many seconds without another answer.
	Valid    bool    `json:"valid"`
	ValidFor float64 `json:"valid_for_seconds"`
	// Answered is when a sign of life was last answered.
	Answered *float64 `json:"answered_seconds_ago"`
}

// Loops are when the loops of a worker last turned.
type Loops struct {
	// Heartbeat gives signs of life.
	Heartbeat *float64 `json:"heartbeat_seconds_ago"`
	// Mailbox looks into the worker's inbox.
	Mailbox *float64 `json:"mailbox_seconds_ago"`
	// Fleet takes shards and lets them go.
	Fleet *float64 `json:"fleet_seconds_ago"`
}

// Shard is how one shard fares, or one handler of it.
type Shard struct {
	// Shard is its id, Handler the handler's name where there are several.
	Shard   string `json:"shard"`
	Handler string `json:"handler,omitempty"`
	// Fetched is when something was last read, Progressed when something was last
	// finished, and Checkpointed when the position was last written.
	Fetched      *float64 `json:"last_fetch_seconds_ago"`
	Progressed   *float64 `json:"last_progress_seconds_ago"`
	Checkpointed *float64 `json:"last_checkpoint_seconds_ago"`
	// Behind is how many seconds behind the tip the last read ended, and Age how
	// old the oldest unfinished record is.
	Behind float64 `json:"behind_seconds"`
	Age    float64 `json:"age_seconds"`
	// RetentionLeft is how many seconds are left until that record is trimmed; null
	// if the retention is not known.
	RetentionLeft *float64 `json:"retention_left_seconds"`
	// Still is for how many seconds the shard has got nowhere although it has
	// something to do.
	Still float64 `json:"still_seconds"`
	// Pending is how many records are read and not finished.
	Pending int `json:"pending"`
	// Paused tells that somebody holds it back, Failing that its last read, call or
	// delivery failed. The log says with what.
	Paused  bool `json:"paused,omitempty"`
	Failing bool `json:"failing,omitempty"`
}

// mostShards bounds an answer to some hundred kilobytes.
const mostShards = 1000

func (r *Report) problem(format string, args ...any) {
	r.OK = false
	r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
}

func (r Rules) report(s consumer.Status, now time.Time) Report {
	ago := func(at time.Time) *float64 {
		if at.IsZero() {
			return nil
		}
		passed := toMillis(max(0, now.Sub(at)))
		return &passed
	}
	report := Report{
		OK: true, Warnings: r.warnings(s), Worker: s.Worker, Running: !s.Loops.Begun.IsZero(), Stopping: s.Stopping,
		Session: Session{Valid: s.Valid, ValidFor: toMillis(s.ValidFor), Answered: ago(s.Loops.Answered)},
		Loops:   Loops{Heartbeat: ago(s.Loops.Heartbeat), Mailbox: ago(s.Loops.Mailbox), Fleet: ago(s.Loops.Fleet)},
		Shards:  []Shard{},
	}
	shown := s.Shards
	if over := len(shown) - mostShards; over > 0 {
		report.Omitted = over
		shown = slices.Clone(shown)
		slices.SortStableFunc(shown, func(a, b consumer.ShardStatus) int { return cmp.Compare(b.Age, a.Age) })
		shown = shown[:mostShards]
		slices.SortStableFunc(shown, func(a, b consumer.ShardStatus) int {
			return cmp.Or(cmp.Compare(a.Shard, b.Shard), cmp.Compare(a.Handler, b.Handler))
		})
	}
	for _, one := range shown {
		shard := Shard{
			Shard: one.Shard, Handler: one.Handler, Fetched: ago(one.ReadAt), Progressed: ago(one.ProgressAt), Checkpointed: ago(one.CheckpointAt),
			Behind: toMillis(one.Behind), Age: toMillis(one.Age), Still: toMillis(one.Still), Pending: one.Pending,
			Paused: one.Paused, Failing: one.Error != "",
		}
		if one.Retention > 0 {
			left := toMillis(max(0, one.Retention-one.Age))
			shard.RetentionLeft = &left
		}
		report.Shards = append(report.Shards, shard)
	}
	return report
}

// toMillis is a duration in seconds, to the millisecond.
func toMillis(d time.Duration) float64 { return math.Round(d.Seconds()*1000) / 1000 }
