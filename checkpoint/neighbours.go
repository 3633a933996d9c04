package checkpoint

import (
	"context"
	"time"

	"github.com/towpath/towpath/shard"
)

// Neighbours may be offered by a lease table on which the workers of another
// library may be at work: KCL's, in DynamoDB. It reads what those keep beside
// their leases, so that a fleet which lives is not taken for a dead one.
type Neighbours interface {
	// TableName is the name of the lease table, for messages.
	TableName() string
	// Neighbours reads the signs of life and of intent that other workers keep
	// in the lease table and in tables of their own; it may be a little old. A
	// table that is not there has none. With an error comes what could be read.
	Neighbours(ctx context.Context) ([]Neighbour, error)
}

// Neighbour is one row that another library keeps beside its leases.
type Neighbour struct {
	// Kind says what the row is for.
	Kind NeighbourKind
	// Row names the row and its table, for messages, and is the same every time.
	Row string
	// Worker is who wrote it; empty if the row does not say.
	Worker string
	// Sign is what changes while its writer lives. Empty if nothing does.
	Sign string
	// Every is how often the writer changes it; 0 if nothing changes.
	Every time.Duration
	// At is when it was written, by its writer's clock; zero if the row does not
	// say. It only tells whether it is worth waiting for a change.
	At time.Time
	// Mode is what a row of migration says, as it stands there.
	Mode string
}

// NeighbourKind is what a row of another library is for.
type NeighbourKind string

const (
	// NeighbourLeader is the lock of the worker that gives leases to the others.
	NeighbourLeader NeighbourKind = "leader"
	// NeighbourWorker is one worker's account of its load.
	NeighbourWorker NeighbourKind = "worker"
	// NeighbourMigration says by which version's rules the fleet goes.
	NeighbourMigration NeighbourKind = "migration"
)

// Assigns reports whether a row of migration says that leases are given out by a
// leader, as KCL 3 does, and not taken by each worker, as KCL 2 does and KCL 3
// until its fleet is complete.
func (n Neighbour) Assigns() bool {
	return n.Kind == NeighbourMigration && (n.Mode == "CLIENT_VERSION_3X" || n.Mode == "CLIENT_VERSION_3X_WITH_ROLLBACK")
}

// Renewer may be offered by a lease table whose workers have to renew each lease
// by itself, because others judge a worker by the counters of its leases.
type Renewer interface {
	// Renew adds one to the counter and leaves everything else, if counter and
	// checkpoint are as held and me may write.
	Renew(ctx context.Context, held shard.Lease, me string) (shard.Lease, error)
}
