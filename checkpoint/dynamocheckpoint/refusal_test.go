package dynamocheckpoint

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// answering is a client that answers every write with an error, and every read
// with a row.
type answering struct {
	Client
	err   error
	row   item
	reads int
}

func (c *answering) UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	return nil, c.err
}

func (c *answering) TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	return &dynamodb.TransactWriteItemsOutput{}, c.err
}

func (c *answering) GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	c.reads++
	return &dynamodb.GetItemOutput{Item: c.row}, nil
}

func cancelled(codes ...string) error {
	err := &types.TransactionCanceledException{}
	for _, code := range codes {
		err.CancellationReasons = append(err.CancellationReasons, types.CancellationReason{Code: &code})
	}
	return err
}

var held = shard.Lease{Key: "shardId-1", Shard: "shardId-1", Owner: "anna", Counter: 4, Checkpoint: shard.After("100", 0)}

// Being asked to slow down, meeting another transaction, and a fault of the
// service say nothing about who holds the lease.
func TestNothingButARefusedConditionIsAConflict(t *testing.T) {
	for _, err := range []error{
		&types.TransactionConflictException{}, &types.ProvisionedThroughputExceededException{}, &types.RequestLimitExceeded{},
		&types.InternalServerError{}, &types.TransactionInProgressException{}, apiError("ThrottlingException"),
		apiError("AccessDeniedException"), context.DeadlineExceeded, errors.New("connection reset"),
		cancelled("TransactionConflict", "None"), cancelled("None", "TransactionConflict"), cancelled("ThrottlingError", "None"),
		cancelled("ProvisionedThroughputExceeded", "None"), cancelled("ValidationError", "None"), cancelled(),
	} {
		table := Open(&answering{err: err, row: rowOf(held)}, "clicks")
		ctx := t.Context()
		for name, write := range map[string]func() error{
			"take":     func() error { _, err := table.Take(ctx, held, "bert", ""); return err },
			"take, tx": func() error { _, err := table.Take(ctx, held, "bert", "anna"); return err },
			"save":     func() error { _, err := table.Save(ctx, held, "anna", checkpoint.Progress{}); return err },
			"save, states": func() error {
				_, err := table.Save(ctx, held, "anna", checkpoint.Progress{States: map[string][]byte{"": nil}})
				return err
			},
			"save, effects": func() error {
				_, err := table.Save(ctx, held, "anna", checkpoint.Progress{Effects: []any{Effect{}}})
				return err
			},
			"end":      func() error { _, err := table.End(ctx, held, "anna", nil, false); return err },
			"put back": func() error { _, err := table.PutBack(ctx, held, "anna"); return err },
			"create":   func() error { return table.Create(ctx, 1, []shard.Lease{held}) },
			"delete":   func() error { return table.Delete(ctx, 1, held) },
			"beat":     func() error { _, err := table.Heartbeat(ctx, shard.Session{ID: "anna"}); return err },
			"revoke":   func() error { return table.Revoke(ctx, shard.Session{ID: "anna"}, "bert") },
		} {
			got := write()
			if !errors.Is(got, err) {
				t.Errorf("%s: got error %v, want %v in it", name, got, err)
			}
			// What is attached may be to another table, so that it fails its call.
			if denied := isDenied(err); name != "save, effects" && errors.Is(got, checkpoint.ErrDenied) != denied {
				t.Errorf("%s after %v: got %v, which is %v: %v, want %v", name, err, got, checkpoint.ErrDenied, !denied, denied)
			}
			for _, over := range []error{checkpoint.ErrFenced, checkpoint.ErrSessionOver, checkpoint.ErrEpochOver} {
				if errors.Is(got, over) {
					t.Errorf("%s after %v: got %v, which fences", name, err, got)
				}
			}
		}
	}
}

// An effect is refused for what it is, and never because it met another
// transaction or the service's limits. A row that refuses comes first.
func TestEffectIsRefusedForWhatItIs(t *testing.T) {
	for _, c := range []struct {
		codes   []string
		refused int // which effect; -1: none
	}{
		{[]string{"None", "None", "ConditionalCheckFailed", "None"}, 0},
		{[]string{"None", "None", "None", "ConditionalCheckFailed"}, 1},
		{[]string{"TransactionConflict", "None", "None", "ConditionalCheckFailed"}, 1},
		{[]string{"None", "None", "ValidationError", "None"}, 0},
		{[]string{"None", "None", "ItemCollectionSizeLimitExceeded", "None"}, 0},
		{[]string{"None", "None", "TransactionConflict", "None"}, -1},
		{[]string{"None", "None", "None", "ThrottlingError"}, -1},
		{[]string{"None", "None", "ProvisionedThroughputExceeded", "None"}, -1},
		{[]string{"None", "ConditionalCheckFailed", "None", "None"}, -1},
		{[]string{"ConditionalCheckFailed", "None", "ConditionalCheckFailed", "None"}, -1},
	} {
		client := &answering{err: cancelled(c.codes...), row: rowOf(held)}
		p := checkpoint.Progress{States: map[string][]byte{"": nil}, Effects: []any{Effect{}, Effect{}}}
		_, err := Open(client, "clicks").Save(t.Context(), held, "anna", p)
		var refused *checkpoint.EffectError
		got := -1
		if errors.As(err, &refused) {
			got = refused.Index
		}
		fenced := c.codes[0] == "ConditionalCheckFailed"
		if got != c.refused || err == nil || errors.Is(err, checkpoint.ErrFenced) != fenced || errors.Is(err, checkpoint.ErrEffect) {
			t.Errorf("%v: got error %v, want the refusal of effect %d (fenced: %v)", c.codes, err, c.refused, fenced)
		}
	}
}

// A server that does not say which row refused is asked again.
func TestRefusalWithoutARowIsReadBack(t *testing.T) {
	now := held
	now.Owner, now.Counter = "bert", 5
	for name, c := range map[string]*answering{
		"update":      {err: &types.ConditionalCheckFailedException{}, row: rowOf(now)},
		"transaction": {err: cancelled("ConditionalCheckFailed"), row: rowOf(now)},
	} {
		table := Open(c, "clicks")
		_, err := table.Save(t.Context(), held, "anna", checkpoint.Progress{Position: held.Checkpoint})
		if name == "transaction" {
			_, err = table.End(t.Context(), held, "anna", nil, false)
		}
		var conflict *checkpoint.Conflict
		if !errors.As(err, &conflict) || !conflict.Exists || conflict.Row.Owner != "bert" || c.reads != 1 {
			t.Errorf("%s: got %v after %d reads, want a conflict with bert's row after 1", name, err, c.reads)
		}
	}
}

// A transaction does not return the row. One that somebody wrote since is not
// given out as the caller's own.
func TestRowThatMovedOnAfterATransactionIsAConflict(t *testing.T) {
	now := held
	now.Owner, now.Counter = "cleo", 6
	_, err := Open(&answering{row: rowOf(now)}, "clicks").Take(t.Context(), held, "bert", "anna")
	var conflict *checkpoint.Conflict
	if !errors.As(err, &conflict) || conflict.Row.Owner != "cleo" {
		t.Errorf("got %v, want a conflict with cleo's row", err)
	}
}

// stuck is a client that answers nothing until its context ends.
type stuck struct{ Client }

func (stuck) UpdateItem(ctx context.Context, _ *dynamodb.UpdateItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestCallsAreBoundedAndHeartbeatsByTheirCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, began := Open(stuck{}, "clicks"), time.Now()
		_, err := table.Save(t.Context(), held, "anna", checkpoint.Progress{})
		if took := time.Since(began); took != 5*time.Second || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("save: got %v after %s, want %v after 5s", err, took, context.DeadlineExceeded)
		}
		began = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err = table.Heartbeat(ctx, shard.Session{ID: "anna"}); time.Since(began) != time.Minute {
			t.Errorf("heartbeat: got %v after %s, want it after 1m", err, time.Since(began))
		}
	})
}

// paging is a client that answers one row a page, and has no index.
type paging struct {
	Client
	rows  []item
	index bool
}

func (c *paging) Scan(_ context.Context, in *dynamodb.ScanInput, _ ...func(*dynamodb.Options)) (*dynamodb.ScanOutput, error) {
	items, last := c.page(in.ExclusiveStartKey)
	return &dynamodb.ScanOutput{Items: items, LastEvaluatedKey: last}, nil
}

func (c *paging) Query(_ context.Context, in *dynamodb.QueryInput, _ ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	if !c.index {
		return nil, apiError("ValidationException")
	}
	items, last := c.page(in.ExclusiveStartKey)
	return &dynamodb.QueryOutput{Items: items, LastEvaluatedKey: last}, nil
}

func (c *paging) page(from item) ([]item, item) {
	i := 0
	if from != nil {
		i = int((&reading{row: from}).count("at"))
	}
	if i+1 == len(c.rows) {
		return c.rows[i:], nil
	}
	return c.rows[i : i+1], item{"at": number(int64(i + 1))}
}

func TestEveryPageIsRead(t *testing.T) {
	asked, other := held, held
	asked.Key, asked.Owner, asked.CheckpointOwner = "shardId-2", "bert", "anna"
	other.Key, other.Owner = "shardId-3", "cleo"
	rows := []item{rowOf(held), {"leaseKey": text("Leader"), "entityType": text("LEADER")}, rowOf(asked), rowOf(other)}
	table := Open(&paging{rows: rows}, "clicks")
	all, err := table.List(t.Context())
	if err != nil || len(all) != 3 {
		t.Errorf("got %v, %v, want three leases", all, err)
	}
	keys, err := table.Owned(t.Context(), "anna")
	if want := []string{"shardId-1"}; err != nil || !slices.Equal(keys, want) {
		t.Errorf("without an index anna has %v, %v, want %v", keys, err, want)
	}
	keys, err = Open(&paging{rows: rows[2:], index: true}, "clicks").Owned(t.Context(), "anna")
	if want := []string{"shardId-2", "shardId-3"}; err != nil || !slices.Equal(keys, want) {
		t.Errorf("the index says %v, %v, want %v", keys, err, want)
	}
}

// A load that DynamoDB has no number for must not stop the heartbeat.
func TestLoadIsANumberThatDynamoDBTakes(t *testing.T) {
	inf := math.Inf(1)
	for load, want := range map[float64]string{0: "0", 1.5: "1.5", 1e300: "0", inf: "0", -inf: "0", 1e-300: "0", 2e21: "2e+21"} {
		if got := loadOf(shard.Session{Load: load}).(*types.AttributeValueMemberN).Value; got != want {
			t.Errorf("load %g: got %s, want %s", load, got, want)
		}
	}
}
