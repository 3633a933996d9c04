package dynamocheckpoint

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// Take implements checkpoint.Rows.
func (t *Table) Take(ctx context.Context, seen shard.Lease, me, absent string) (shard.Lease, error) {
	v := seenBy(seen, me)
	if absent == "" {
		return t.change(ctx, take, seen.Key, v)
	}
	err := t.transact(ctx,
		updating(take, t.leases, "leaseKey", seen.Key, v),
		checking(noSession, t.sessions, "id", absent, nil))
	if err == nil {
		return t.settled(ctx, take.name, seen.Key, seen.Counter+1)
	}
	refused := refusals(err)
	if row, ok := refused[0]; ok {
		return shard.Lease{}, t.conflict(ctx, take.name, seen.Key, row)
	}
	if _, ok := refused[1]; ok {
		return shard.Lease{}, fmt.Errorf("%s has a session after all: %w", absent, t.conflict(ctx, take.name, seen.Key, nil))
	}
	return shard.Lease{}, t.failed(take.name, seen.Key, t.leases, err)
}

// End implements checkpoint.Rows. A shard has at most a handful of children, so
// that one transaction (of 100 items at most) holds them.
func (t *Table) End(ctx context.Context, held shard.Lease, me string, children []shard.Shard, lost bool) (shard.Lease, error) {
	w, v := end, seenBy(held, me)
	v[":seq"], v[":sub"] = v[":end"], v[":zero"]
	if len(children) > 0 {
		ids := make([]string, len(children))
		for i, c := range children {
			ids[i] = shard.PlainID(c.ID)
		}
		w.set += ", childShardIds = :children"
		v[":children"] = set(ids)
	}
	if lost {
		w.set += ", lost = :lost"
		v[":lost"] = truth(true)
	}
	parts := []types.TransactWriteItem{updating(w, t.leases, "leaseKey", held.Key, v)}
	for _, c := range children {
		parts = append(parts, t.upsert(held, c))
	}
	err := t.transact(ctx, parts...)
	if err == nil {
		return t.settled(ctx, end.name, held.Key, held.Counter+1)
	}
	if row, ok := refusals(err)[0]; ok {
		return shard.Lease{}, t.conflict(ctx, end.name, held.Key, row)
	}
	return shard.Lease{}, t.failed(end.name, held.Key, t.leases, err)
}

// upsert makes a child's row where there is none, and fills in what a row that
// is there lacks.
func (t *Table) upsert(parent shard.Lease, c shard.Shard) types.TransactWriteItem {
	w, v := child, seenBy(parent, "").and(values{":child": text("child")})
	fill := func(name, value string, to types.AttributeValue) {
		w.set += ", " + name + " = if_not_exists(" + name + ", " + value + ")"
		v[value] = to
	}
	if len(c.Parents) > 0 {
		fill("parentShardId", ":parents", set(plain(c.Parents)))
	}
	if c.Hashes != (shard.HashRange{}) {
		fill("startingHashKey", ":hashStart", text(c.Hashes.Start))
		fill("endingHashKey", ":hashEnd", text(c.Hashes.End))
	}
	if !parent.StreamCreated.IsZero() {
		fill("streamEpoch", ":created", number(millis(parent.StreamCreated)))
	}
	if prefix, id := splitKey(c.ID); prefix != "" {
		fill("streamName", ":stream", text(strings.TrimSuffix(prefix, ":")))
		fill("shardId", ":shard", text(id))
	}
	return updating(w, t.leases, "leaseKey", c.ID, v)
}

// tenures is how far the counters of two rows put back lie apart: more writes
// than one row takes between two such repairs.
const tenures = 1_000_000_000

// putBackTries is how often PutBack begins again because somebody else used the
// epoch; each time somebody got on.
const putBackTries = 5

// PutBack implements checkpoint.Rows. The epoch of the maintenance runs grows
// with it, so that a run that has begun ends.
func (t *Table) PutBack(ctx context.Context, lost shard.Lease, me string) (shard.Lease, error) {
	row := lost
	row.Owner, row.CheckpointOwner, row.OwnerSwitches, row.CreatedFrom = me, "", 0, "repair"
	var last error
	for range putBackTries {
		control, err := t.get(ctx, t.sessions, "id", controlRow)
		if err != nil {
			return shard.Lease{}, fmt.Errorf("put back %s: %w", lost.Key, err)
		}
		epoch := (&reading{row: control}).count("epoch")
		next := max(epoch, lost.Counter/tenures) + 1
		row.Counter = next * tenures
		v := values{":newEpoch": number(next)}
		if control["epoch"] != nil {
			v[":epoch"] = number(epoch)
		}
		err = t.transact(ctx,
			putting(putLease, t.leases, rowOf(row)),
			checking(liveSession, t.sessions, "id", me, nil),
			updating(nextEpoch, t.sessions, "id", controlRow, v))
		if err == nil {
			return leaseOf(rowOf(row)), nil
		}
		refused := refusals(err)
		if old, ok := refused[0]; ok {
			return shard.Lease{}, t.conflict(ctx, "put back", lost.Key, old)
		}
		if _, ok := refused[1]; ok {
			return shard.Lease{}, fmt.Errorf("put back %s: %w", lost.Key, checkpoint.ErrSessionOver)
		}
		if _, ok := refused[2]; !ok {
			return shard.Lease{}, t.failed("put back", lost.Key, t.leases, err)
		}
		last = err
	}
	return shard.Lease{}, t.failed("put back", lost.Key, t.leases, errors.Join(errors.New("the epoch moves too fast"), last))
}
