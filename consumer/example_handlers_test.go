package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination/destinationtest"
)

// Two handlers get every record of one reading. What one of them rejects is its
// own affair.
func ExampleConfig_handlers() {
	var mu sync.Mutex
	var lines []string
	note := func(b *batching.Batch) {
		mu.Lock()
		defer mu.Unlock()
		for _, r := range b.Records {
			lines = append(lines, fmt.Sprintf("%s got %s", b.Handler, r.Data))
		}
	}
	failed := &destinationtest.Recorder{}
	run(consumer.Config{
		Source: clicks("a", "b"),
		Handlers: []consumer.NamedHandler{
			{Name: "mail", OnFailure: failed, Handler: consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
				note(b)
				return batching.Reject(b.Last(), errors.New("no address"))
			})},
			{Name: "sums", BatchSize: 1, Handler: consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
				note(b)
				return nil
			})},
		},
	})
	slices.Sort(lines)
	for _, line := range lines {
		fmt.Println(line)
	}
	for _, f := range failed.Accepted() {
		fmt.Printf("%s gave up %s\n", f.Handler, f.Records[0].Data)
	}
	// Output:
	// mail got a
	// mail got b
	// sums got a
	// sums got b
	// mail gave up b
}
