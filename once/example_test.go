package once_test

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/once"
	"github.com/towpath/towpath/once/oncetest"
	"github.com/towpath/towpath/shard"
)

// bank is a service elsewhere that knows idempotency tokens: the second charge
// under a token is the first one.
type bank struct{ charged []string }

func (b *bank) charge(_ context.Context, token, account string) error {
	if !slices.Contains(b.charged, token) {
		b.charged = append(b.charged, token)
		fmt.Println("charged", account)
	}
	return nil
}

// An effect in a service elsewhere can not be part of a transaction. It is
// repeated under the same token, and only if it may not have happened.
func ExampleEach() {
	var payments bank
	store := new(oncetest.Store) // dynamoonce.Open in a service
	lost := true                 // whether the first answer is lost
	handler, err := once.Each(store, func(ctx context.Context, e *once.Effect) error {
		if e.Maybe {
			fmt.Println("it may have happened: asking again under the same token")
		}
		err := payments.charge(ctx, e.Token, e.Record.PartitionKey)
		if lost {
			lost, err = false, errors.New("connection reset")
		}
		return err
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	batch := &batching.Batch{Records: []shard.Record{{Shard: "shardId-000000000000", Sequence: "1", PartitionKey: "ada"}}}
	fmt.Println(handler.Handle(context.Background(), batch))
	fmt.Println(handler.Handle(context.Background(), batch)) // the engine tries again
	fmt.Println(handler.Handle(context.Background(), batch)) // and so does the next owner, after a crash
	// Output:
	// charged ada
	// failed from record shardId-000000000000/1 on: connection reset
	// it may have happened: asking again under the same token
	// <nil>
	// <nil>
}
