// Package streams puts many streams together into one shard.Source, so that one
// consumer, with one lease table and one session a worker, reads them all.
//
//	source := streams.Of([]shard.Source{clicks, orders})
//	source := streams.Ask(func(ctx context.Context) ([]shard.Source, error) { … })
//
// The streams may be of any drivers, accounts and Regions: each has a client of
// its own. A stream of another account is named by its ARN, and that account has
// to grant what reading takes in a policy on the stream.
//
// # Names
//
// Among many streams a shard is known as account:stream:epoch:shard, which is the
// key of its lease in KCL's tables (shard.StreamKey). The epoch is the time of the
// stream's creation, so that a stream which was deleted and created again under
// its name has other shards than the one before. What a record says of itself
// stays as the driver says it: the ARN of its stream, the id the service gave the
// shard.
//
// # The life of a stream
//
// The list is asked for every minute.
//
//	             named                       described
//	unknown ───────────► not described yet ───────────────► read ◄───┐
//	                         │      ▲                      │  │      │ named again,
//	                         │      └── tried again ◄──────┘  │      │ where it stood
//	                         ▼          not found             ▼      │
//	                      told of                     not named any more
//	                                                          │ ForgetAfter
//	                                                          ▼
//	                                                     rows deleted
//
// A stream that comes is begun as an application is: at its starting position,
// which a start at the tip pins to when this process first saw the stream. One that
// is not named any more is let go: what runs is drained, positions are written, and
// the rows stay, so that it goes on from there if it is named again.
//
// A stream that was created again under its name is not read, unless
// Options.OnRecreated says StartAnew: the positions in the table mean nothing in
// it, and to begin it somewhere would skip or repeat without a word. The others go
// on. That it was created again is told by the rows of the earlier one, so that a
// restart does not forget it.
//
// # What fails
//
// A stream that cannot be described or listed (missing, denied, throttled) is
// reported and tried again, at intervals that grow to a minute; the others do not
// wait for it. Its last good listing stands meanwhile, and nobody takes a shard for
// gone by it. Of a fixed list, every stream must be there at the start.
//
// # What is not promised
//
// All workers of an application are to be given the same streams. While they are
// not, as during a deploy, a stream that only some of them know may wait for the
// others to learn of it or to end.
package streams
