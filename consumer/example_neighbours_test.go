package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
)

// A start on a lease table on which a fleet of KCL 3 is at work is refused, before
// anything is taken. Beside KCL 2, BesideKCL2 allows it.
func Example_besideKCL() {
	table := checkpointtest.NewTable()
	leader := func(n int) checkpoint.Neighbour { // what KCL 3 writes every half minute
		return checkpoint.Neighbour{
			Kind: checkpoint.NeighbourLeader, Row: "row Leader of table leases", Worker: "ip-10-0-0-1",
			Sign: fmt.Sprint(n), At: time.Now(), Every: 30 * time.Second,
		}
	}
	table.SetNeighbours(leader(1))
	time.AfterFunc(100*time.Millisecond, func() { table.SetNeighbours(leader(2)) })

	c, err := consumer.New(consumer.Config{
		Name: "clickstream", Source: shardtest.NewStream(1), Leases: table,
		Handler:       consumer.Each(func(context.Context, *shard.Record) error { return nil }),
		LeaseDuration: 3 * time.Second,
		Logger:        slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = c.Run(context.Background())
	fmt.Println(errors.Is(err, consumer.ErrNeighbours))
	fmt.Println(err)
	// Output:
	// true
	// start clickstream: table leases: a fleet of KCL 3 is at work: worker ip-10-0-0-1 has written row Leader of table leases while it was watched; its leader gives out the leases, and this library's workers would fight it: stop that fleet first: another fleet works on the lease table
}

// For as long as a move from KCL 2 takes, workers of both work side by side: each
// lease is then renewed by itself, as KCL expects, and LeaseDuration is KCL's
// failoverTimeMillis.
func ExampleConfig_besideKCL2() {
	run(consumer.Config{
		Source:        clicks("a"),
		Handler:       consumer.HandlerFunc(show),
		BesideKCL2:    true,
		LeaseDuration: 10 * time.Second,
	})
	// Output:
	// a
}
