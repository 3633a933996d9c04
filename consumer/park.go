package consumer

import "time"

// Park says how much may be kept aside of keys whose records cannot be handled,
// so that the checkpoint and the other keys go on: in a table, durably and in
// order. The zero Park is none; SetAside or KeyLimit say what is parked.
type Park struct {
	// Keys is how many keys of one shard may be parked at once; 0 is off. When as
	// many are, the next key that fails holds the checkpoint as without Park: so
	// that it is a bound on how much may be wrong before somebody has to look.
	Keys int
	// Records and Bytes bound what is parked of one shard: default 100,000
	// records and 256 MiB. A write to the table costs one or more units a KiB, a
	// transaction twice that.
	Records int
	Bytes   int64
	// Backlog is how many records of one key wait in memory before it is parked
	// for that alone: default a tenth of MaximumInFlight, but one at least. It is
	// also how many new ones wait in memory while the parked ones are handled.
	Backlog int
	// RetryEvery is how long a key that failed stays parked before its first
	// record is called again: default the last of SetAside's Delays.
	// Consumer.Unpark calls it at once.
	RetryEvery time.Duration
}

// Defaults of Park.
const (
	defaultParkRecords = 100_000
	defaultParkBytes   = 256 << 20
	defaultRetryEvery  = 5 * time.Minute
)

// on reports whether keys are ever parked.
func (p Park) on() bool { return p.Keys > 0 }

func (p Park) withDefaults(c *Config) Park {
	if p == (Park{}) {
		return p
	}
	p.Records = or(p.Records, defaultParkRecords)
	p.Bytes = or(p.Bytes, defaultParkBytes)
	p.Backlog = or(p.Backlog, max(1, c.MaximumInFlight/10))
	if p.RetryEvery == 0 {
		p.RetryEvery = defaultRetryEvery
		if n := len(c.SetAside.Delays); n > 0 {
			p.RetryEvery = c.SetAside.Delays[n-1]
		}
	}
	return p
}
