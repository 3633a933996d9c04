package dynamoshards

import (
	"errors"
	"fmt"
	"time"
)

// Options change how a [Source] reads. The zero value of each field is its
// default.
type Options struct {
	// Limit is how many records one read returns at most, 1 to 1,000. The
	// default is 1,000, the most the service gives; an answer has 1 MB at most
	// whatever it is. Too small a limit holds a backlog back, as the reads in a
	// second are limited too.
	Limit int
	// PollFloor is how soon a shard that has been caught up with is read again
	// while records come to it. The default is 250 ms, which is how often Lambda
	// reads. Above it, records wait longer.
	PollFloor time.Duration
	// PollCeiling is how soon a shard is read again that has been quiet for half
	// a minute. The default is one second. Each read counts on the bill, and a
	// quiet shard is read 86,400 times a day at the default; a record that ends
	// a long silence waits half of the ceiling on average.
	PollCeiling time.Duration
	// ReadsPerSecond is how many reads of one shard are made in any second, with
	// a backlog too. The default is 4, which is Lambda's: at 1,000 records a read
	// it is four times what one partition of a table can write. The service
	// allows two readers of a shard; with more, each should read less often.
	ReadsPerSecond int
}

// The service's limits:
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
const (
	maxLimit       = 1_000
	readsPerSecond = 4
)

func (o Options) withDefaults() Options {
	if o.Limit == 0 {
		o.Limit = maxLimit
	}
	if o.PollFloor == 0 {
		o.PollFloor = 250 * time.Millisecond
	}
	if o.PollCeiling == 0 {
		o.PollCeiling = max(time.Second, o.PollFloor)
	}
	if o.ReadsPerSecond == 0 {
		o.ReadsPerSecond = readsPerSecond
	}
	return o
}

// validate reports all that is wrong with options whose defaults are filled in.
func (o Options) validate() error {
	var problems []error
	problem := func(bad bool, format string, arguments ...any) {
		if bad {
			problems = append(problems, fmt.Errorf(format, arguments...))
		}
	}
	problem(o.Limit < 1 || o.Limit > maxLimit, "Limit is %d, want 1 to %d", o.Limit, maxLimit)
	problem(o.PollFloor < 0, "PollFloor is %s, want more than 0", o.PollFloor)
	problem(o.PollCeiling < o.PollFloor, "PollCeiling is %s, want at least PollFloor, which is %s", o.PollCeiling, o.PollFloor)
	problem(o.ReadsPerSecond < 1, "ReadsPerSecond is %d, want at least 1", o.ReadsPerSecond)
	return errors.Join(problems...)
}
