package destination

import (
	"context"
	"fmt"

	"github.com/towpath/towpath/batching"
)

// Publisher takes records that handlers emit. Every destination of this module
// is one.
type Publisher interface {
	// Publish delivers the records as messages of their own, those of one key in
	// order, and returns nil only when the service has accepted all of them. A
	// *PublishError tells what it has not. The engine calls it again with those,
	// without limit; a repeat of a record carries the same Emitted.ID.
	Publish(ctx context.Context, records []batching.Emitted) error
	// String names the destination, such as its ARN or its path.
	String() string
}

// PublishError says which records a Publisher has not accepted.
type PublishError struct {
	// Destination is its name.
	Destination string
	// Rest are the records that are still to be accepted, in order.
	Rest []batching.Emitted
	// Err is why.
	Err error
}

// Error says where, how many and why, without what is in the records.
func (e *PublishError) Error() string {
	return fmt.Sprintf("publish to %s: %d records were not accepted: %v", e.Destination, len(e.Rest), e.Err)
}

// Unwrap is why.
func (e *PublishError) Unwrap() error { return e.Err }

// Waves splits records into runs that may each be sent in one call of a service
// that accepts part of a batch: no key stands twice in a run, a record never
// stands in an earlier run than one of its key before it, and no run has more
// than limit records or, if maxBytes is above 0, more than so many bytes as size
// counts them, but always one. So a record that is refused is repeated before
// the next of its key is sent.
func Waves(records []batching.Emitted, limit int, maxBytes int, size func(*batching.Emitted) int) [][]batching.Emitted {
	runs := waves(len(records), limit, maxBytes,
		func(i int) string { return records[i].Key }, func(i int) int { return size(&records[i]) })
	split := make([][]batching.Emitted, len(runs))
	for n, run := range runs {
		for _, i := range run {
			split[n] = append(split[n], records[i])
		}
	}
	return split
}

// waves is Waves over the numbers below n. Without key nothing is kept in order.
func waves(n, limit, maxBytes int, key func(int) string, size func(int) int) [][]int {
	var runs [][]int
	var bytes []int              // of each run
	earliest := map[string]int{} // the first run that a key's next record may join
	open := 0                    // runs before this one are full
	for i := range n {
		length, at := size(i), open
		if key != nil {
			at = max(open, earliest[key(i)])
		}
		for at < len(runs) && (len(runs[at]) >= limit || maxBytes > 0 && bytes[at]+length > maxBytes) {
			at++
		}
		if at == len(runs) {
			runs, bytes = append(runs, nil), append(bytes, 0)
		}
		runs[at] = append(runs[at], i)
		bytes[at] += length
		if key != nil {
			earliest[key(i)] = at + 1
		}
		for open < len(runs) && len(runs[open]) >= limit {
			open++
		}
	}
	return runs
}
