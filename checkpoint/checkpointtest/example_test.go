package checkpointtest_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/shard"
)

// A worker that was paused for long does not know that its lease has gone to
// another one. Its save is refused, and the refusal carries the row that stands.
func ExampleTable() {
	ctx, table := context.Background(), checkpointtest.NewTable()
	epoch, _ := table.Begin(ctx)
	table.Create(ctx, epoch, []shard.Lease{{Key: "shardId-0"}})

	free, _ := table.Get(ctx, "shardId-0")
	anna, _ := table.Take(ctx, free, "anna", "")
	bert, _ := table.Take(ctx, anna, "bert", "")
	bert, _ = table.Save(ctx, bert, "bert", checkpoint.Progress{Position: shard.After("200", 0)})

	_, err := table.Save(ctx, anna, "anna", checkpoint.Progress{Position: shard.After("100", 0)})
	var conflict *checkpoint.Conflict
	fmt.Println(errors.As(err, &conflict), errors.Is(err, checkpoint.ErrFenced))
	fmt.Println(err)
	fmt.Println(checkpoint.Adopt(anna, conflict.Row, "anna"))
	// Output:
	// true true
	// save shardId-0: refused, the row is now shardId-0 bert #3 at 200
	// lost
}

// A hook between a worker and the table loses the answer of a write that was
// applied.
func ExampleTable_Interfere() {
	ctx, table := context.Background(), checkpointtest.NewTable()
	epoch, _ := table.Begin(ctx)
	table.Create(ctx, epoch, []shard.Lease{{Key: "shardId-0"}})
	free, _ := table.Get(ctx, "shardId-0")

	anna := table.As("anna")
	table.Interfere(nil, func(op, caller string) error {
		if op == "take" && caller == "anna" {
			return errors.New("the answer was lost")
		}
		return nil
	})
	_, err := anna.Take(ctx, free, "anna", "")
	fmt.Println(err)
	now, _ := anna.Get(ctx, "shardId-0")
	fmt.Println(now, checkpoint.Adopt(free, now, "anna"))
	// Output:
	// take: the answer was lost
	// shardId-0 anna #1 at TRIM_HORIZON adopted
}
