// Package health says whether a worker lives and whether it is ready, to whoever
// starts processes again and to whoever rolls out the next one.
//
//	mux.Handle("/livez", health.Live(c.Status, health.Rules{}))
//	mux.Handle("/readyz", health.Ready(c.Status, health.Rules{}))
//
// # Liveness
//
// A process is to be started again if that helps, and only then. It helps if one of
// the worker's own loops stands still: the one that gives signs of life, the one
// that looks into the inbox, the one that takes shards. Each of them turns every
// few seconds whatever answers or does not, as every call has a time-out.
//
// So nothing that lies behind makes Live fail: not an outage of DynamoDB or Kinesis,
// not a destination that refuses, not throttling, not a database behind the handler,
// not a lag of hours. A fleet whose liveness checks fail together is started again
// together, hands all its shards about, and has the outage still to wait for. A
// worker that cannot give signs of life stops by itself to work its shards, and goes
// on by itself when it can again.
//
// Nor does a handler that stands still. From outside, one that waits for a database
// looks like one that waits for itself; both hold up their lane, both are told of
// (consumer.Hooks ShardStalled and HandlerStuck, a warning here), and HandlerTimeout
// ends the one that heeds its context. A shard whose reading stands still is begun
// anew by the consumer itself, after StallTimeout: that, too, is a warning.
//
// A consumer whose Run was not called yet, or has returned, has no loop that could
// stand still, and lives by these rules. So let the process end with the error of
// Run: one that goes on without its worker is not ready, and is started again by
// nobody.
//
// # Readiness
//
// A worker is ready if it has a session that is valid: the lease table is reachable,
// and its signs of life are answered. Whether it has shards does not matter, as a
// worker too many has none. While it stops it is not ready. There is no traffic that
// would be sent elsewhere: readiness holds up a rollout, so that workers that cannot
// reach their table do not replace those that can.
//
// # What is shown
//
// Both answer with the same JSON, to GET and HEAD: the loops, the session, warnings,
// and for each shard when something was last read, finished and written, how long
// until its oldest unfinished record is trimmed, and for how long it has got nowhere.
// No payload, no key and no text of an error is in it; ids of shards and workers are.
// Bind the listener where nobody else can reach it.
package health
