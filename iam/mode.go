package iam

import (
	"fmt"
	"slices"
	"strings"
)

// Mode is one thing that a program does with AWS.
type Mode string

// The modes. A worker has one of the first three and Leases, and what its
// settings bring along.
const (
	// Polling reads a stream of Kinesis with GetRecords.
	Polling Mode = "polling"
	// FanOut reads a stream of Kinesis by enhanced fan-out, with a consumer that
	// is there already (kinesisshards.FanOut, Existing), and polls where that
	// does not go.
	FanOut Mode = "fan-out"
	// Changes reads the stream of a table of DynamoDB.
	Changes Mode = "changes"
	// Leases keeps leases and positions, in tables that are there already.
	Leases Mode = "leases"
	// State keeps what handlers remember beside a lease (consumer.Stateful).
	State Mode = "state"
	// Overflow keeps such states in S3 that are too large for an item
	// (dynamocheckpoint.S3Overflow).
	Overflow Mode = "overflow"
	// Parking keeps the records of keys that are parked.
	Parking Mode = "parking"
	// BesideKCL looks into the tables that KCL 3 had beside its lease table until
	// 3.5. Workers ask for them wherever they start, and take a refusal for an
	// answer; with this mode they see a KCL that stands still, too.
	BesideKCL Mode = "beside-kcl"
	// Once keeps which effects have happened (dynamoonce).
	Once Mode = "once"
	// Send sends to the destinations: what was given up, emitted, handled.
	Send Mode = "send"
	// Redrive takes letters out of the destinations again (redrive): queues of
	// SQS and buckets of S3.
	Redrive Mode = "redrive"
	// Status reads leases, sessions and what the stream lists, and plans moves
	// without carrying them out.
	Status Mode = "status"
	// Doctor looks an application over without writing anything: towpath doctor,
	// with the probes of workers that poll. Probes of other modes need these modes
	// beside it.
	Doctor Mode = "doctor"
	// Cost counts shards and workers: towpath cost -application.
	Cost Mode = "cost"
	// Migrate reads the table of another library: towpath migrate.
	Migrate Mode = "migrate"
	// Tail reads a stream alone: towpath tail and record.
	Tail Mode = "tail"
	// Play puts into a stream of Kinesis: towpath play, and failures redrive into a
	// stream.
	Play Mode = "play"
	// Failures looks at letters in the destinations and leaves them there: towpath
	// failures list and show.
	Failures Mode = "failures"
	// Steer tells a fleet what to leave alone and how many calls to make: towpath
	// pause, resume and limit.
	Steer Mode = "steer"
	// Release has a shard handed over to another worker: towpath release.
	Release Mode = "release"
	// Operator moves positions: seek and reset, with -yes.
	Operator Mode = "operator"
	// Fork makes the tables of an application and gives it the positions of
	// another one, whose table it only reads.
	Fork Mode = "fork"
	// Bootstrap makes the lease tables, once. Not for workers.
	Bootstrap Mode = "bootstrap"
	// BootstrapState makes the state table, and BootstrapParking that of parked
	// records.
	BootstrapState   Mode = "bootstrap-state"
	BootstrapParking Mode = "bootstrap-parking"
	// BootstrapFanOut registers the fan-out consumer, which a worker without
	// FanOut.Existing does itself.
	BootstrapFanOut Mode = "bootstrap-fan-out"
)

// Modes are all modes, in the order of the table.
func Modes() []Mode {
	var all []Mode
	for _, n := range needs {
		if !slices.Contains(all, n.mode) {
			all = append(all, n.mode)
		}
	}
	return all
}

// ParseMode reads a mode. The error of one that is none names all of them.
func ParseMode(s string) (Mode, error) {
	if m := Mode(s); slices.Contains(Modes(), m) {
		return m, nil
	}
	var names []string
	for _, m := range Modes() {
		names = append(names, string(m))
	}
	return "", fmt.Errorf("mode %q is none: want one of %s", s, strings.Join(names, ", "))
}
