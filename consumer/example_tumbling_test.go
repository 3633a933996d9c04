package consumer_test

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
)

// A handler of Lambda's tumbling windows: what it leaves in State is what the
// next call for the window gets.
func ExampleConfig_tumblingWindow() {
	run(consumer.Config{
		Source:         clicks("a", "b", "c"),
		TumblingWindow: time.Minute,
		TumblingState:  batching.AtMost(1), // one digit; the default is 1 MiB
		BatchSize:      2,
		Handler: consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			count, _ := strconv.Atoi(string(b.Window.State))
			if b.Window.Final {
				fmt.Println("a window ended with", count, "records, early:", b.Window.Early)
				return nil
			}
			for range b.Records {
				count += 5
			}
			fmt.Println(len(b.Records), "records")
			b.Window.State = strconv.AppendInt(nil, int64(count), 10)
			return nil
		}),
	})
	// Output:
	// 2 records
	// a window ended with 10 records, early: true
	// 1 records
}
