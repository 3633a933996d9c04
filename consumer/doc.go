// Package consumer is the engine: it leases the shards of a stream, hands their
// records to a handler in ordered batches, retries, splits and gives up what
// fails, and moves the checkpoint past what is finished.
//
// # Start
//
//	c, err := consumer.New(consumer.Config{
//		Name:    "clickstream",
//		Source:  kinesisshards.Open(kinesisClient, "clicks"),
//		Leases:  dynamocheckpoint.Open(dynamodbClient, "clickstream"),
//		Handler: consumer.Each(func(ctx context.Context, click Click) error { … }),
//	})
//	…
//	err = c.Run(ctx) // until ctx is done and everything has ended
//
// These four fields are required, and the defaults of the others are right for
// most services; what is wrong with them New says, all of it at once. A handler
// answers with an error or none, see [Handler]. What is to become of a record that
// always fails is the first thing to decide: [Config.OnFailure].
//
// # Model
//
// A [Consumer] is one worker of an application. All workers of one name share a
// stream's shards through a lease table. A worker holds one session in it, whose
// heartbeat is its only periodic write; a lease is believed for as long as the
// session is valid, by the worker's own clock, counted from the moment a
// heartbeat was sent. What a worker does to a lease is always one conditional
// write that names the counter it has seen, so that one which was paused, cut
// off or declared dead is refused.
//
// # Guarantees
//
// Every record at or after the start position is handled, or accepted by
// OnFailure, or declared lost because retention passed it, before the checkpoint
// passes it: at least once, in the order of its key, parents before children.
// After a crash what follows the last checkpoint is given again, from its
// beginning and never in part. A stop or a hand-over repeats nothing, as long as
// the drain time is enough: for the running calls, and where a shard has several
// lanes, for the slowest to come level with the furthest, as there is only one
// position to write.
//
// # What is not promised
//
// A handler that is running when its worker is paused for longer than the lease
// may still be running when another worker is given the same records; its context
// ends with ErrLeaseLost as soon as it can be told, and the fencing token of its
// batch is older. Side effects that must not be repeated need that token, or the
// record's id, where they are applied.
//
// # The goroutines
//
// Run starts a heart (heartbeat, mailbox, control row) and runs the fleet loop. The fleet
// starts a tenure for each lease it holds; a tenure runs a fetcher, one chunk
// ahead, and a shard loop; the loop starts a lane for each batch, and a lane
// calls the handler in a goroutine of its own. Each is awaited by who started it.
package consumer
