package doctor

import (
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/shard"
)

// Facts are what was seen of an application.
type Facts struct {
	// Application is its name.
	Application string
	// Stream is what it reads, and Kinesis what only streams of Kinesis have; nil
	// of a DynamoDB stream, or if it could not be asked.
	Stream  shard.Stream
	Kinesis *KinesisStream
	// Changes is the table whose stream is read; nil for Kinesis.
	Changes *ChangesOf
	// Shards is the stream's listing.
	Shards []shard.Shard
	// Tables are those of the application, in the order of their roles.
	Tables []Table
	// Claimed is the stream that the tables were first used for; zero for none.
	// ClaimUnread is set if it could not be read, so that zero means nothing.
	Claimed     shard.Stream
	ClaimUnread bool
	// First and Second are two looks at the fleet, Apart from one another; Apart is
	// zero if nobody looked, as the lease table is none, and nothing is concluded.
	First, Second Look
	Apart         time.Duration
	// Others is how many rows of the lease table are of other streams, where the
	// application reads many; the looks have those of this one.
	Others int
	// Attributes counts the rows of the lease table by the attributes that none of
	// the libraries writes.
	Attributes map[string]int
	// Lags are what was read behind positions.
	Lags []Lag
	// Arrivals are what came into shards lately, where that was sampled.
	Arrivals []Arrival
	// Permissions are the calls that were probed.
	Permissions []Permission
	// Unprobed are actions that nobody can probe without doing them, and Unwritten
	// is how many writes were not tried because nobody asked for it.
	Unprobed  []string
	Unwritten int
	// HostNow is this host's clock when the stream answered.
	HostNow time.Time
	// FanOut is the name of the fan-out consumer that the workers are said to use;
	// empty if they poll.
	FanOut string
	// Version is the version of this tool's module.
	Version string
	// Unanswered is what could not be asked.
	Unanswered []Unanswered
}

// KinesisStream is what only streams of Kinesis have.
type KinesisStream struct {
	// Status is ACTIVE where all is well.
	Status string
	// Mode is PROVISIONED or ON_DEMAND.
	Mode string
	// Key is the key of KMS that encrypts it; empty if none does.
	Key string
	// Consumers are those that are registered for enhanced fan-out, and Listed
	// whether they could be asked for.
	Consumers []Consumer
	Listed    bool
}

// Consumer is one that is registered for enhanced fan-out.
type Consumer struct {
	// Name is its name, and Status ACTIVE where all is well.
	Name, Status string
}

// ChangesOf is a table of DynamoDB whose stream is read.
type ChangesOf struct {
	// Enabled is whether the stream still takes changes, and View what of an item
	// stands in a record, such as NEW_AND_OLD_IMAGES.
	Enabled bool
	View    string
}

// Table is one of the application's tables.
type Table struct {
	// Role is what it is for, Name its name, and Made how one is made by hand.
	Role       dynamocheckpoint.TableRole
	Name, Made string
	// There is whether there is such a table. The rest is of one that is there.
	There bool
	// Status is ACTIVE where all is well.
	Status string
	// Misfit says why it cannot be used; nil if it can.
	Misfit error
	// Index is the state of the index by owner; empty if there is none.
	Index string
	// Provisioned tells that it is not billed by request but by WriteUnits and
	// ReadUnits a second.
	Provisioned           bool
	WriteUnits, ReadUnits int64
	// Infrequent is the table class for infrequent access.
	Infrequent bool
	// Protected is protection against deletion.
	Protected bool
	// Recovers is point-in-time recovery, and Expires the attribute by which rows
	// are deleted (TTL); both are known only if Asked.
	Recovers bool
	Expires  string
	Asked    bool
}

// Look is one reading of the tables.
type Look struct {
	// Rows are the leases, Sessions the workers' signs of life, and Neighbours what
	// KCL keeps beside its leases.
	Rows       []shard.Lease
	Sessions   []shard.Session
	Neighbours []checkpoint.Neighbour
	// NeighboursUnread is set if what KCL keeps could not be read, or not wholly.
	NeighboursUnread bool
	// Blind is set if the workers' signs of life could not be read, so that nothing
	// is known of who lives.
	Blind bool
	// Control is what the fleet is told; the zero Control is nothing. ControlFault
	// says why it cannot be believed.
	Control      shard.Control
	ControlFault error
}

// Lag is how far a shard's position is behind its tip.
type Lag struct {
	// Shard is the shard's id.
	Shard string
	// Behind is the time between the position and the tip.
	Behind time.Duration
	// Loss is what was trimmed before it was read; nil for nothing.
	Loss *shard.Loss
}

// Arrival is what came into a shard in a sample.
type Arrival struct {
	// Shard is the shard's id.
	Shard string
	// Records and Bytes are a second's.
	Records, Bytes float64
}

// Permission is one call that was tried.
type Permission struct {
	// Action is the action of IAM, such as kinesis:GetRecords, and On what it was
	// tried on.
	Action, On string
	// Err is why it is not allowed; nil if it is.
	Err error
}

// Unanswered is something that could not be asked.
type Unanswered struct {
	// What is what was asked for, in words.
	What string
	// Err is the answer.
	Err error
}

// table is the one of a role.
func (f Facts) table(role dynamocheckpoint.TableRole) (Table, bool) {
	for _, t := range f.Tables {
		if t.Role == role {
			return t, true
		}
	}
	return Table{}, false
}

// now is the service's time, or the host's where that is not known.
func (f Facts) now() time.Time {
	if !f.Stream.Now.IsZero() {
		return f.Stream.Now
	}
	return f.HostNow
}
