package oncetest_test

import (
	"context"
	"fmt"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/once"
	"github.com/towpath/towpath/once/oncetest"
	"github.com/towpath/towpath/shard"
)

// A handler is tested without a table: what it attaches are functions, which are
// called when the effect is marked as done.
func ExampleStore() {
	mails := 0
	handler, err := once.Each(new(oncetest.Store), func(_ context.Context, e *once.Effect) error {
		e.Attach(func() error { mails++; return nil })
		return nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	batch := &batching.Batch{Records: []shard.Record{{Sequence: "1"}, {Sequence: "2"}, {Sequence: "1"}}}
	fmt.Println(handler.Handle(context.Background(), batch), mails)
	// Output: <nil> 2
}
