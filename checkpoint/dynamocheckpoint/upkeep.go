package dynamocheckpoint

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// Begin implements checkpoint.Upkeep.
func (t *Table) Begin(ctx context.Context) (int64, error) {
	ctx, cancel := t.bounded(ctx)
	defer cancel()
	row, err := t.update(ctx, begin, t.sessions, "id", controlRow, values{":zero": number(0), ":one": number(1)})
	if err != nil {
		return 0, t.failed("begin a maintenance run,", controlRow, t.sessions, err)
	}
	r := &reading{row: row}
	epoch := r.mustCount("epoch")
	if r.fault != nil {
		return 0, t.failed("begin a maintenance run,", controlRow, t.sessions, r.fault)
	}
	return epoch, nil
}

// perTransaction is how many rows one transaction creates: DynamoDB takes 100
// items, and one of them is the check of the epoch.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
const perTransaction = 99

// Create implements checkpoint.Upkeep. Rows are created 99 at a time; a failure
// leaves those before it created. Rows that are created again (CreatedFrom
// repair) begin their counter above every counter that the row before them had.
func (t *Table) Create(ctx context.Context, epoch int64, rows []shard.Lease) error {
	named := make(map[string]bool, len(rows))
	var fresh []shard.Lease
	for _, l := range rows {
		if named[l.Key] {
			continue
		}
		named[l.Key] = true
		if l.CreatedFrom == "repair" {
			l.Counter = max(l.Counter, epoch*tenures)
		}
		fresh = append(fresh, l)
	}
	for len(fresh) > 0 {
		n := min(len(fresh), perTransaction)
		if err := t.createSome(ctx, epoch, fresh[:n]); err != nil {
			return err
		}
		fresh = fresh[n:]
	}
	return nil
}

// createSome creates up to 99 rows. A row that exists cancels the transaction
// for all of them, so it is sent again without; each round has fewer rows.
func (t *Table) createSome(ctx context.Context, epoch int64, rows []shard.Lease) error {
	for len(rows) > 0 {
		parts := []types.TransactWriteItem{checking(sameEpoch, t.sessions, "id", controlRow, values{":epoch": number(epoch)})}
		for _, l := range rows {
			parts = append(parts, putting(putLease, t.leases, rowOf(l)))
		}
		err := t.transact(ctx, parts...)
		if err == nil {
			return nil
		}
		refused := refusals(err)
		if _, over := refused[0]; over {
			return fmt.Errorf("create %d leases in run %d: %w", len(rows), epoch, checkpoint.ErrEpochOver)
		}
		if len(refused) == 0 {
			return t.failed(fmt.Sprintf("create %d leases from", len(rows)), rows[0].Key, t.leases, err)
		}
		var missing []shard.Lease
		for i, l := range rows {
			if _, exists := refused[i+1]; !exists {
				missing = append(missing, l)
			}
		}
		rows = missing
	}
	return nil
}

// Delete implements checkpoint.Upkeep.
func (t *Table) Delete(ctx context.Context, epoch int64, seen shard.Lease) error {
	return t.remove(ctx, deleteLease, epoch, seen)
}

// Drop implements checkpoint.Upkeep.
func (t *Table) Drop(ctx context.Context, epoch int64, seen shard.Lease) error {
	return t.remove(ctx, dropLease, epoch, seen)
}

func (t *Table) remove(ctx context.Context, w write, epoch int64, seen shard.Lease) error {
	err := t.transact(ctx,
		checking(sameEpoch, t.sessions, "id", controlRow, values{":epoch": number(epoch)}),
		deleting(w, t.leases, "leaseKey", seen.Key, seenBy(seen, "")))
	if err == nil {
		return nil
	}
	refused := refusals(err)
	if _, over := refused[0]; over {
		return fmt.Errorf("%s %s in run %d: %w", w.name, seen.Key, epoch, checkpoint.ErrEpochOver)
	}
	if row, ok := refused[1]; ok {
		return t.conflict(ctx, w.name, seen.Key, row)
	}
	return t.failed(w.name, seen.Key, t.leases, err)
}

// Bury implements checkpoint.Upkeep. That no lease names the session, and that
// it has been dead for long enough, is for its caller to see; the condition is
// that it was revoked. A session that is gone is no error.
func (t *Table) Bury(ctx context.Context, dead shard.Session) error {
	err := t.deleteSession(ctx, bury, dead.ID)
	old, refused := refusal(err)
	if !refused {
		return err
	}
	if len(old) == 0 {
		if old, err = t.get(ctx, t.sessions, "id", dead.ID); err != nil {
			return fmt.Errorf("bury %s was refused: %w", dead.ID, err)
		}
	}
	if old == nil {
		return nil
	}
	return sessionConflict(bury.name, dead.ID, true)
}

// deleteSession sends a delete of one session row.
func (t *Table) deleteSession(ctx context.Context, w write, id string) error {
	ctx, cancel := t.bounded(ctx)
	defer cancel()
	e := w.with(nil)
	_, err := t.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: &t.sessions, Key: item{"id": text(id)}, ConditionExpression: e.condition,
		ReturnValuesOnConditionCheckFailure: allOld,
	})
	if err == nil {
		return nil
	}
	return t.failed(w.name, id, t.sessions, err)
}
