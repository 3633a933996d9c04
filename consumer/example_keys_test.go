package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard/shardtest"
)

// A record that fails is called again after a while, and the other keys do not
// wait for it.
func ExampleConfig_setAside() {
	stream := shardtest.NewStream(1)
	stream.Put("anna", []byte("anna 1"))
	stream.Put("anna", []byte("anna 2"))
	stream.Put("bert", []byte("bert 1"))

	calls := 0
	cfg := consumer.Config{
		Name: "clickstream", Source: stream, Leases: checkpointtest.NewTable(), Until: consumer.CaughtUp(),
		BisectBatchOnError: true,
		SetAside:           batching.SetAside{After: 1, Delays: []time.Duration{50 * time.Millisecond}},
		Handler: consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			for i := range b.Records {
				if string(b.Records[i].Data) == "anna 1" {
					if calls++; calls < 3 {
						return batching.FailFrom(&b.Records[i], errors.New("not yet"))
					}
				}
			}
			for _, r := range b.Records {
				fmt.Println(string(r.Data))
			}
			return nil
		}),
	}
	c, err := consumer.New(cfg)
	if err == nil {
		err = c.Run(context.Background())
	}
	fmt.Println(err)
	// Output:
	// bert 1
	// anna 1
	// anna 2
	// <nil>
}

// A key that goes on failing is parked: the run comes to the end of the stream
// without it, and its records are kept.
func ExamplePark() {
	stream := shardtest.NewStream(1)
	for _, data := range []string{"anna 1", "anna 2"} {
		stream.Put("anna", []byte(data))
	}
	stream.Put("bert", []byte("bert 1"))

	cfg := consumer.Config{
		Name: "clickstream", Source: stream, Leases: checkpointtest.NewTable(), Until: consumer.CaughtUp(),
		BisectBatchOnError: true,
		SetAside:           batching.SetAside{After: 1, Delays: []time.Duration{10 * time.Millisecond}},
		Park:               consumer.Park{Keys: 100, RetryEvery: time.Hour},
		Handler: consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
			for i := range b.Records {
				if string(b.Records[i].Data) == "anna 1" {
					return batching.FailFrom(&b.Records[i], errors.New("no such account"))
				}
				fmt.Println(string(b.Records[i].Data))
			}
			return nil
		}),
	}
	cfg.Hooks.KeyParked = func(e consumer.KeyParkedEvent) {
		fmt.Println("parked:", e.Key == batching.HashKey("anna"), "with records:", e.Records)
	}
	c, err := consumer.New(cfg)
	if err == nil {
		err = c.Run(context.Background())
	}
	fmt.Println(err)
	// Output:
	// bert 1
	// parked: true with records: 2
	// <nil>
}
