package dynamocheckpoint

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

var (
	_ checkpoint.Neighbours = (*Table)(nil)
	_ checkpoint.Renewer    = (*Table)(nil)
)

// What KCL 3 keeps beside its leases: in the lease table since 3.5, before that
// in two tables of its own, named after the application.
const (
	coordinatorSuffix = "-CoordinatorState"
	metricsSuffix     = "-WorkerMetricStats"

	leaderKey         = "Leader"
	migrationKey      = "Migration3.0"
	tableMigrationKey = "TableMigration3.5"
)

// kclHeartbeat is how often KCL 3 renews the leader's lock and writes a worker's
// metrics: the defaults of dynamoDbLockBasedLeaderHeartbeatPeriodInMillis and of
// the metrics reporter.
const kclHeartbeat = 30 * time.Second

// TableName implements checkpoint.Neighbours.
func (t *Table) TableName() string { return t.leases }

// Neighbours implements checkpoint.Neighbours: the rows of the lease table that
// are no leases, and those of KCL 3's own tables, which it had until 3.5.
func (t *Table) Neighbours(ctx context.Context) ([]checkpoint.Neighbour, error) {
	var all []checkpoint.Neighbour
	add := func(table, keyName string) func(item) {
		return func(row item) {
			if n, ok := neighbourOf(row, table, keyName); ok {
				all = append(all, n)
			}
		}
	}
	err := t.scan(ctx, t.leases, false, func(row item) {
		if errors.Is(leaseOf(row).Fault, errNotLease) {
			add(t.leases, "leaseKey")(row)
		}
	})
	for _, side := range []struct{ table, key string }{
		{t.application + coordinatorSuffix, "key"}, {t.application + metricsSuffix, "wid"},
	} {
		sideErr := t.scan(ctx, side.table, false, add(side.table, side.key))
		// A table that this worker may not see answers the same whether or not there is
		// one. Whoever has no KCL 3 has no reason to grant the reading of its tables; and
		// whoever has sees its leases move.
		if errors.Is(sideErr, checkpoint.ErrNoTable) || errors.Is(sideErr, checkpoint.ErrDenied) {
			continue
		}
		err = errors.Join(err, sideErr)
	}
	return all, err
}

// neighbourOf reads a row that KCL 3 keeps for itself. It believes only types
// that it knows: a row that says something else says nothing.
func neighbourOf(row item, table, keyName string) (checkpoint.Neighbour, bool) {
	r := &reading{row: row}
	key, kind := r.text(keyName), r.text("entityType")
	n := checkpoint.Neighbour{Row: fmt.Sprintf("row %s of table %s", shorten(key), table)}
	switch {
	case kind == "LEADER" || key == leaderKey:
		n.Kind, n.Every = checkpoint.NeighbourLeader, kclHeartbeat
		n.Worker, n.Sign = r.text("ownerName"), r.text("recordVersionNumber")
	case kind == "WORKER_METRIC_STATS" || keyName == "wid":
		n.Kind, n.Every, n.Worker = checkpoint.NeighbourWorker, kclHeartbeat, key
		if lut := r.count("lut"); lut > 0 && lut <= latestInstant/1000 {
			n.Sign, n.At = fmt.Sprint(lut), time.Unix(lut, 0).UTC()
		}
	case kind == "CLIENT_VERSION_MIGRATION" || key == migrationKey:
		n.Kind, n.Worker, n.Mode = checkpoint.NeighbourMigration, r.text("mb"), r.text("cv")
	case kind == "TABLE_MIGRATION" || key == tableMigrationKey:
		n.Kind, n.Worker, n.Mode = checkpoint.NeighbourMigration, r.text("mb"), r.text("tm")
	default:
		return n, false // such as a stream of many
	}
	return n, true
}

// Renew implements checkpoint.Renewer.
func (t *Table) Renew(ctx context.Context, held shard.Lease, me string) (shard.Lease, error) {
	return t.change(ctx, renew, held.Key, seenBy(held, me))
}
