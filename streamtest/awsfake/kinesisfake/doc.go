// Package kinesisfake is Kinesis Data Streams in memory. It speaks the AWS JSON
// 1.1 protocol of the real service, so the SDK's client cannot tell them apart
// in what a consumer relies on:
//
//   - Streams by name, by ARN or by the ARN of one of their consumers; create,
//     delete, describe, list; retention up and down.
//   - Shards with hash key ranges, MD5 routing, ExplicitHashKey; SplitShard,
//     MergeShards and UpdateShardCount, with lineage. A closed shard keeps its
//     records; its last answer has them together with a null NextShardIterator
//     and the ChildShards. It vanishes when retention has passed it.
//   - Sequence numbers as the real ones look: 56 digits, to be compared as
//     integers, strictly increasing in a shard; those of a child lie above all
//     of its parents'. A number of another shard or stream is refused.
//   - All five iterator types, iterators that expire after five minutes, pages
//     of at most 10,000 records and 10 MiB, MillisBehindLatest, empty pages.
//   - ListShards with every filter and with tokens that expire after 300 s and
//     are given alone.
//   - The read limits of a shard: five GetRecords a second, five
//     GetShardIterator a second, 2 MiB a second, and 5 s of silence after an
//     answer of 10 MiB. The write limits, when asked for.
//   - Enhanced fan-out: consumers that are registered, described, listed and
//     deregistered; SubscribeToShard as a stream of events, with its five
//     minutes, the 5 s in which it cannot be taken over, heartbeats, continuation
//     sequence numbers that move without records too, and ChildShards in the last
//     event of a closed shard.
//   - Records without a partition key, as streams of the AUTO distribution
//     strategy have them, and records of up to 10 MiB.
//
// A resharding is over at once unless [WithReshardTime] says otherwise; then the
// stream is UPDATING for that long, refuses to be changed, and the children
// appear at the end.
//
// Time is the function given to [New]. Nothing runs in the background: what time
// does (expiry, trimming, the end of a resharding) is worked out when asked. A
// SubscribeToShard is served by the goroutine of its request, which waits by the
// host's time or the bubble's for what the clock will say.
//
// # What fan-out was held against
//
// Where the real service's documentation says nothing, the fake does what asks
// more of a consumer: the first event does not come before there is a record or a
// heartbeat is due; the continuation after records is the number of the last one,
// so that AT_SEQUENCE_NUMBER repeats it; the last event of a closed shard has its
// last records, if any are left, beside the ChildShards, and no continuation, and
// then the stream ends without an error.
//
// The probe in the tests of this package passes against ministack 1.5.33 and
// LocalStack 4.14.0 too, which CI starts; neither ends a shard. ferrokinesis
// 0.7.0 does, and was looked at by hand on 2026-11-21: it agrees in the records
// before the end, in the ChildShards of the last event and in the clean end after
// it, for a shard that is split while it is read as for one that is read again.
// It differs in that even its last event has a continuation. It also sends an
// event each 200 ms and its continuations do not move without records; it neither
// refuses a second subscription nor ends the first one, and goes on for a
// consumer that was deregistered.
//
// # What is not here
//
// Tags, encryption, resource policies, DryRun and the CBOR
// encoding. Streams are ACTIVE as soon as they are created and gone as soon as
// they are deleted. On-demand streams are four shards that do not scale. Limits
// of the control plane (calls a second, shards an account, reshardings a day)
// are not enforced. Records are never freed, trimmed or not, so that a test can
// compare what was put with what was read ([Service.Records]).
package kinesisfake
