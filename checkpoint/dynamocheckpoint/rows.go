package dynamocheckpoint

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// ownerIndex is the index by owner, under KCL 3's name.
const ownerIndex = "LeaseOwnerToLeaseKeyIndex"

// List implements checkpoint.Rows: a scan. Rows that KCL keeps in the table for
// other purposes are left out.
func (t *Table) List(ctx context.Context) ([]shard.Lease, error) {
	var all []shard.Lease
	err := t.scan(ctx, t.leases, true, func(row item) {
		if l := leaseOf(row); !errors.Is(l.Fault, errNotLease) {
			all = append(all, l)
		}
	})
	return all, err
}

// Owned implements checkpoint.Rows. It asks the index by owner, which does not
// know a worker that holds a lease as checkpoint owner. In a table without the
// index it scans, for the same.
func (t *Table) Owned(ctx context.Context, worker string) ([]string, error) {
	var keys []string
	var from item
	for {
		page, err := t.ownedPage(ctx, worker, from)
		if isValidation(err) {
			return t.ownedByScan(ctx, worker)
		}
		if err != nil {
			return nil, t.failed("look up leases of", worker, t.leases, err)
		}
		for _, row := range page.Items {
			if l := (&reading{row: row}).text("leaseKey"); l != "" {
				keys = append(keys, l)
			}
		}
		if from = page.LastEvaluatedKey; len(from) == 0 {
			return keys, nil
		}
	}
}

func (t *Table) ownedPage(ctx context.Context, worker string, from item) (*dynamodb.QueryOutput, error) {
	ctx, cancel := t.bounded(ctx)
	defer cancel()
	index, owner := ownerIndex, "leaseOwner = :me"
	return t.client.Query(ctx, &dynamodb.QueryInput{
		TableName: &t.leases, IndexName: &index, ExclusiveStartKey: from,
		KeyConditionExpression: &owner, ExpressionAttributeValues: item{":me": text(worker)},
	})
}

// isValidation recognises the answer to a query of an index that is not there,
// or not there yet.
func isValidation(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == "ValidationException"
}

func (t *Table) ownedByScan(ctx context.Context, worker string) ([]string, error) {
	all, err := t.List(ctx)
	var keys []string
	for _, l := range all {
		if l.Owner == worker {
			keys = append(keys, l.Key)
		}
	}
	return keys, err
}

// Get implements checkpoint.Rows.
func (t *Table) Get(ctx context.Context, key string) (shard.Lease, error) {
	row, err := t.get(ctx, t.leases, "leaseKey", key)
	if err != nil {
		return shard.Lease{}, err
	}
	if row == nil {
		return shard.Lease{}, fmt.Errorf("read %s in table %s: %w", key, t.leases, checkpoint.ErrNoLease)
	}
	return leaseOf(row), nil
}

// change sends a write of one lease row.
func (t *Table) change(ctx context.Context, w write, key string, v values) (shard.Lease, error) {
	bounded, cancel := t.bounded(ctx)
	defer cancel()
	row, err := t.update(bounded, w, t.leases, "leaseKey", key, v)
	if err == nil {
		return leaseOf(row), nil
	}
	if old, refused := refusal(err); refused {
		return shard.Lease{}, t.conflict(ctx, w.name, key, old)
	}
	return shard.Lease{}, t.failed(w.name, key, t.leases, err)
}

// conflict is the refusal of a write, with the row that stands there. A server
// that does not say which row refused (not all do) is asked again: no row in
// the answer must not be taken for no row in the table.
func (t *Table) conflict(ctx context.Context, name, key string, row item) error {
	if len(row) == 0 {
		var err error
		if row, err = t.get(ctx, t.leases, "leaseKey", key); err != nil {
			return fmt.Errorf("%s %s was refused: %w", name, key, err)
		}
	}
	c := &checkpoint.Conflict{Write: name, Key: key}
	if row != nil {
		c.Exists, c.Row = true, leaseOf(row)
	}
	return c
}

// settled is the row after a transaction, which does not return it. If somebody
// wrote it since, it is a *checkpoint.Conflict: the row is not the one that the
// transaction made.
func (t *Table) settled(ctx context.Context, name, key string, counter int64) (shard.Lease, error) {
	l, err := t.Get(ctx, key)
	switch {
	case errors.Is(err, checkpoint.ErrNoLease):
		return l, &checkpoint.Conflict{Write: name, Key: key}
	case err != nil:
		return l, fmt.Errorf("%s %s: written, but %w", name, key, err)
	case l.Fault != nil || l.Counter != counter:
		return shard.Lease{}, &checkpoint.Conflict{Write: name, Key: key, Exists: true, Row: l}
	}
	return l, nil
}

// Save implements checkpoint.Rows.
func (t *Table) Save(ctx context.Context, held shard.Lease, me string, p checkpoint.Progress) (shard.Lease, error) {
	w, v, err := progress(save, held, p)
	if err != nil {
		return shard.Lease{}, err
	}
	return t.advance(ctx, w, held, seenBy(held, me).and(v), p)
}

// Ask implements checkpoint.Rows.
func (t *Table) Ask(ctx context.Context, seen shard.Lease, to string) (shard.Lease, error) {
	if seen.Owner == "" || to == "" {
		return shard.Lease{}, fmt.Errorf("ask for %s: a hand-over goes from an owner (%q) to another (%q)", seen.Key, seen.Owner, to)
	}
	return t.change(ctx, ask, seen.Key, seenBy(seen, "").and(values{":to": text(to)}))
}

// Withdraw implements checkpoint.Rows.
func (t *Table) Withdraw(ctx context.Context, seen shard.Lease) (shard.Lease, error) {
	if seen.CheckpointOwner == "" {
		return shard.Lease{}, fmt.Errorf("withdraw %s: no hand-over was asked for", seen.Key)
	}
	return t.change(ctx, withdraw, seen.Key, seenBy(seen, ""))
}

// Refuse implements checkpoint.Rows.
func (t *Table) Refuse(ctx context.Context, held shard.Lease, me string) (shard.Lease, error) {
	return t.change(ctx, refuse, held.Key, seenBy(held, me))
}

// Finish implements checkpoint.Rows.
func (t *Table) Finish(ctx context.Context, held shard.Lease, me string, p checkpoint.Progress) (shard.Lease, error) {
	w, v, err := progress(finish, held, p)
	if err != nil {
		return shard.Lease{}, err
	}
	return t.advance(ctx, w, held, seenBy(held, me).and(v), p)
}

// Release implements checkpoint.Rows.
func (t *Table) Release(ctx context.Context, held shard.Lease, me string, p checkpoint.Progress, to string) (shard.Lease, error) {
	w, v, err := progress(release, held, p)
	if err != nil {
		return shard.Lease{}, err
	}
	if to == "" {
		w.remove += ", leaseOwner"
	} else {
		w.set += ", leaseOwner = :to"
		v[":to"] = text(to)
	}
	return t.advance(ctx, w, held, seenBy(held, me).and(v), p)
}
