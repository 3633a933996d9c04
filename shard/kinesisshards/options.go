package kinesisshards

import (
	"errors"
	"fmt"
	"time"

	"github.com/towpath/towpath/shard/kpl"
)

// Options change how a [Source] reads. The zero value of each field is its
// default.
type Options struct {
	// Limit is how many records one read returns at most, 1 to 10,000. The
	// default is 10,000, the most the service gives. It bounds memory only when
	// records are small: whatever it is, an answer may have 10 MiB of them. Too
	// small a limit holds a backlog back, because a shard is read five times a
	// second at most.
	Limit int
	// PollFloor is how soon a shard that has been caught up with is read again
	// while records come to it. The default is 250 ms: four of the five reads that
	// a shard grants in a second to everybody, so that whoever takes the shard
	// over can read at once. At 200 ms and below, one reader uses up all of them;
	// above it, records wait longer.
	PollFloor time.Duration
	// PollCeiling is how soon an idle shard is read again: one from which nothing
	// has come for a minute, or, where records are usually further apart, for
	// eight times as long as they are, and at most for ten minutes. The default
	// is three seconds. Before that, a shard to which a record comes now and then is
	// read every 400 ms, or as often as PollFloor and PollCeiling allow. A record
	// that ends a long silence waits half of it on average; each read of an idle
	// shard costs some 75 µs of CPU.
	PollCeiling time.Duration
	// ReadsPerSecond is how many reads of one shard are made in any second. The
	// default is 5, the service's limit, which all applications that poll the
	// stream share: with n of them, 5/n leaves each its part.
	ReadsPerSecond int
	// BytesPerSecond is how many bytes are read from one shard in a second. The
	// default is 2,000,000, the service's limit, which is shared likewise. An
	// answer of 10 MiB is thus followed by five seconds without a read; the
	// service would refuse one.
	BytesPerSecond int64
	// Aggregated says what becomes of records in which the Kinesis Producer
	// Library, or whoever writes its format, has put many user records. The
	// default, kpl.Deliver, delivers every user record as a record of its own, with
	// the aggregate's sequence number and its index there as Sub. With kpl.Report
	// and kpl.Drop the user records that do not belong to the shard are counted or
	// dropped; kpl.Whole delivers aggregates as they are, once more whenever the
	// shard changes hands behind one.
	Aggregated kpl.Policy
	// Pooled has the memory that payloads lie in used again for other records as
	// soon as every record of an answer is finished: handled, acknowledged if that
	// was put off, accepted by a destination, filtered or dropped. The default,
	// false, leaves it to the garbage collector, and records are valid for as long
	// as anybody keeps them. Reading 1 KB records takes some 15 % less of the
	// processor with it, all things counted, and makes next to no garbage. What it asks for is that a handler
	// copies what it keeps of a record's Data beyond the end of its call, or its
	// acknowledgement: in its state, in a window, in a goroutine of its own. So
	// must a destination, a publisher, and a parser that gives parts of what it is
	// given. Sequence numbers and keys are strings, which may be kept. Memory is
	// not used again if a handler may still have it that ignored the end of its
	// context, where several handlers share what is read, with fan-out, and where
	// an aggregate was too large for one batch of reading. An answer is kept as a
	// whole until then, in base64 and all, so that it takes up to twice the bytes
	// that consumer.Config.MemoryBudget counts.
	Pooled bool
	// Poison writes 0xDB over the payloads of an answer whose memory could be used
	// again, and does not use it. The default is false. It is for tests: a program
	// that keeps payloads it should have copied sees so at once. It needs Pooled.
	Poison bool
	// CBOR has GetRecords asked, and as a rule answered, in x-amz-cbor-1.1 instead
	// of JSON, which spares the base64: a third of the processor, at 1 KB.
	// The default is false. It is what the Java SDK speaks to Kinesis, and so the
	// KCL, but the service's model names JSON alone; towpath speaks it to its own
	// fake so far, and has not been run with it against AWS. An answer in JSON is
	// read all the same. A client that ignores the options of a call asks in JSON.
	CBOR bool
	// FanOut has shards read by enhanced fan-out, with what is above for the times
	// when they are polled. The default is nil, which polls always.
	FanOut *FanOut
}

// The service's limits, from its quotas page and the reference of GetRecords:
// https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
const (
	maxLimit       = 10_000
	maxAnswer      = 10 << 20 // bytes of one answer of GetRecords
	readsPerSecond = 5
	bytesPerSecond = 2_000_000
)

func (o Options) withDefaults() Options {
	if o.Limit == 0 {
		o.Limit = maxLimit
	}
	if o.PollFloor == 0 {
		o.PollFloor = 250 * time.Millisecond
	}
	if o.PollCeiling == 0 {
		o.PollCeiling = max(3*time.Second, o.PollFloor)
	}
	if o.ReadsPerSecond == 0 {
		o.ReadsPerSecond = readsPerSecond
	}
	if o.BytesPerSecond == 0 {
		o.BytesPerSecond = bytesPerSecond
	}
	o.FanOut = o.FanOut.withDefaults()
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
	problem(o.BytesPerSecond < 1, "BytesPerSecond is %d, want at least 1", o.BytesPerSecond)
	if err := o.Aggregated.Validate(); err != nil {
		problems = append(problems, fmt.Errorf("Aggregated: %w", err))
	}
	problem(o.Poison && !o.Pooled, "Poison is set without Pooled, want both: nothing is released")
	problems = append(problems, o.FanOut.validate())
	return errors.Join(problems...)
}
