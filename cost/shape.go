package cost

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Shape is an application as far as its costs depend on it.
type Shape struct {
	// Shards is how many shards are leased, finished ones left out; at least 1.
	Shards int `json:"shards"`
	// Workers is how many processes share them; at least 1.
	Workers int `json:"workers"`
	// Records is how many records come in a second, over all shards; 0 is an idle
	// fleet. A shard that gets less than one in each CheckpointInterval is written
	// less often.
	Records float64 `json:"records_per_second"`
	// RecordBytes is the size of one; default 1,024.
	RecordBytes int `json:"record_bytes"`
	// CheckpointInterval is consumer.Config's; default 10 s. KCL is reckoned to
	// checkpoint as often.
	CheckpointInterval time.Duration `json:"-"`
	// LeaseDuration is consumer.Config's, and KCL's failoverTimeMillis; default
	// 10 s.
	LeaseDuration time.Duration `json:"-"`
	// FanOut reads by enhanced fan-out instead of polling.
	FanOut bool `json:"fan_out"`
	// OnDemand is a stream whose readers pay by the gigabyte.
	OnDemand bool `json:"on_demand"`
	// RowBytes is the size of a lease row; default 400.
	RowBytes int `json:"row_bytes"`
}

// Validate says what is wrong with a shape, all at once.
func (s Shape) Validate() error {
	var problems []error
	whole := func(name string, n, least, most int) {
		if n < least || n > most {
			problems = append(problems, fmt.Errorf("%s is %d, want %d to %d", name, n, least, most))
		}
	}
	whole("Shards", s.Shards, 1, 1_000_000)
	whole("Workers", s.Workers, 1, 100_000)
	whole("RecordBytes", s.RecordBytes, 0, 10<<20) // 10 MiB is the largest record of Kinesis
	whole("RowBytes", s.RowBytes, 0, 400_000)      // the largest item of DynamoDB
	if !(s.Records >= 0) || s.Records > 1e9 {
		problems = append(problems, fmt.Errorf("Records is %v a second, want 0 to a thousand million", s.Records))
	}
	for _, d := range []struct {
		name string
		is   time.Duration
	}{{"CheckpointInterval", s.CheckpointInterval}, {"LeaseDuration", s.LeaseDuration}} {
		if d.is != 0 && (d.is < 100*time.Millisecond || d.is > 24*time.Hour) {
			problems = append(problems, fmt.Errorf("%s is %v, want 100 ms to a day", d.name, d.is))
		}
	}
	return errors.Join(problems...)
}

// WithDefaults is the shape with what is not given.
func (s Shape) WithDefaults() Shape {
	s.RecordBytes = cmp.Or(s.RecordBytes, 1024)
	s.CheckpointInterval = cmp.Or(s.CheckpointInterval, 10*time.Second)
	s.LeaseDuration = cmp.Or(s.LeaseDuration, 10*time.Second)
	s.RowBytes = cmp.Or(s.RowBytes, 400)
	return s
}

// Checkpoints is how many positions are written a second: one a shard and
// CheckpointInterval, and never more than there are records.
func (s Shape) Checkpoints() float64 {
	return min(s.Records, float64(s.Shards)/s.WithDefaults().CheckpointInterval.Seconds())
}

// gigabytes is what is read a month. The service bills by 10⁹ bytes or 2³⁰, which
// is less than the size of a record is known to.
func (s Shape) gigabytes() float64 {
	return s.Records * float64(s.RecordBytes) * Month.Seconds() / 1e9
}

// reading is what reading the stream costs beside the stream itself.
func (s Shape) reading(p Prices) []Part {
	switch {
	case s.FanOut && s.OnDemand:
		return []Part{{Name: "enhanced fan-out, by the gigabyte", Dollars: s.gigabytes() * p.OnDemandFanOutGB}}
	case s.FanOut:
		return []Part{
			{Name: "enhanced fan-out, by shard and hour", Dollars: float64(s.Shards) * Month.Hours() * p.FanOutShardHour},
			{Name: "enhanced fan-out, by the gigabyte", Dollars: s.gigabytes() * p.FanOutGB},
		}
	case s.OnDemand:
		return []Part{{Name: "reading the stream, by the gigabyte", Dollars: s.gigabytes() * p.OnDemandGB}}
	}
	return nil
}
