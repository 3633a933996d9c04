package kpl

import "fmt"

// Policy says what becomes of aggregated records, and of those user records in
// them that do not belong to the shard they are read from.
//
// A user record lies outside when its producer put it under the hash of another
// shard: the shard was split or merged while the aggregate was on its way, or
// the producer aggregates without a look at the shards. The Producer Library
// puts such records again, into the shard that owns them; other producers do
// not, and to drop them is to lose them.
type Policy int

const (
	// Deliver unpacks aggregates and delivers every user record, without a look
	// at its hash: nothing is lost, and what the Producer Library has put again is
	// delivered twice. It is the default.
	Deliver Policy = iota
	// Report does so too, and tells how many lie outside. It costs an MD5 for each
	// user record.
	Report
	// Drop unpacks aggregates and drops the user records that lie outside, one by
	// one, and tells how many. It is for streams whose only producer is the
	// Producer Library. The Kinesis Client Library does more: it drops the whole
	// aggregate when one of its user records lies outside.
	Drop
	// Whole delivers aggregates as they are.
	Whole
)

var policies = [...]string{"deliver", "report", "drop", "whole"}

// Validate says what is wrong with a policy.
func (p Policy) Validate() error {
	if p < 0 || int(p) >= len(policies) {
		return fmt.Errorf("the policy is %d, want Deliver, Report, Drop or Whole", int(p))
	}
	return nil
}

// String is the policy in one word.
func (p Policy) String() string {
	if p.Validate() != nil {
		return fmt.Sprintf("Policy(%d)", int(p))
	}
	return policies[p]
}
