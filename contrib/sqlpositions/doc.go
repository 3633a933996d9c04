// Package sqlpositions keeps a consumer's positions in an SQL database, in the
// same transactions as the effects they belong to: each record is applied
// exactly once, whatever is repeated.
//
//	store, err := sqlpositions.Open(db, sqlpositions.PostgreSQL)
//	…
//	err = store.Prepare(ctx) // makes the table
//	c, err := consumer.New(consumer.Config{
//		Positions: store,
//		Handler:   store.Each("payments", func(ctx context.Context, tx *sql.Tx, r *shard.Record) error { … }),
//		…
//	})
//
// # How
//
// Taking a shard claims it: one transaction writes the fence of the tenure into
// the shard's row and reads the position. Each batch is one transaction, which
// holds the user's statements and moves the position, if the row still has the
// fence. A worker that has lost the shard without noticing is refused as a whole,
// and a commit whose answer was lost is recognised by the position.
//
// The position is that of the last record of a batch, and everything before it
// must be done: the consumer has one lane (ParallelizationFactor 1), and none of
// SetAside, KeyLimit and Park.
//
// A record that is given up to OnFailure does not move the position here; the
// next batch does. If the shard is taken over in between, it is given up again.
//
// # Which databases
//
// The statements are of the common part of SQLite and PostgreSQL (INSERT … ON
// CONFLICT DO NOTHING); the tests run on SQLite. The driver is the user's. In
// SQLite set a busy timeout, since all shards write to one file.
package sqlpositions
