package kinesisfake

import "time"

// The limits of a shard, from the service's quotas page:
// https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
const (
	callsPerSecond     = 5       // GetRecords, and GetShardIterator
	readPerSecond      = 2 << 20 // bytes
	recordsPerSecond   = 1000
	writePerSecond     = 1 << 20  // bytes
	maxPageBytes       = 10 << 20 // of one GetRecords answer
	maxPageRecords     = 10000
	maxRecordBytes     = 10 << 20 // data and partition key
	maxPutRecords      = 500
	maxPutBytes        = 10 << 20 // of one PutRecords request
	maxPartitionKey    = 256      // characters
	defaultListMax     = 1000     // shards of a ListShards answer
	tokenTTL           = 300 * time.Second
	minRetention       = 24 * time.Hour
	maxRetention       = 8760 * time.Hour
	defaultDescribeMax = 100     // shards of a DescribeStream answer
	maxConsumers       = 20      // registered with one stream
	maxCreating        = 5       // of them in the state CREATING
	maxListedConsumers = 100     // of a ListStreamConsumers answer
	subscribePerSecond = 1       // calls of SubscribeToShard for one shard by one consumer
	maxEventBytes      = 2 << 20 // of a SubscribeToShardEvent with more than one record
)

// window allows so many events in any one second.
type window struct{ at []time.Time }

// allow reports whether one more event fits, and if so counts it.
func (w *window) allow(now time.Time, perSecond int) bool {
	kept := 0
	for kept < len(w.at) && now.Sub(w.at[kept]) >= time.Second {
		kept++
	}
	w.at = w.at[kept:]
	if len(w.at) >= perSecond {
		return false
	}
	w.at = append(w.at, now)
	return true
}

// budget is a rate in bytes: what was taken is paid back at that rate, and an
// amount larger than a second's worth has to be paid back in full before
// anything more is given. So 10 MiB at 2 MiB a second is followed by 5 s of
// nothing.
type budget struct {
	debt  float64
	at    time.Time // when debt was true
	large bool
}

// open reports whether anything can be taken.
func (b *budget) open(now time.Time, perSecond float64) bool {
	b.debt = max(0, b.debt-now.Sub(b.at).Seconds()*perSecond)
	b.at = now
	if b.large {
		b.large = b.debt > 0
		return !b.large
	}
	return b.debt < perSecond
}

// take takes n bytes from an open budget.
func (b *budget) take(n int, perSecond float64) {
	b.debt += float64(n)
	b.large = float64(n) > perSecond
}

// opens is how long it takes until a budget that is not open is.
func (b *budget) opens(perSecond float64) time.Duration {
	over := b.debt
	if !b.large {
		over -= perSecond
	}
	return time.Duration(max(over, 0)/perSecond*float64(time.Second)) + time.Microsecond
}
