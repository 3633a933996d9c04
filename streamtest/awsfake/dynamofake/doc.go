// Package dynamofake is Amazon DynamoDB in memory: an http.Handler that speaks
// the AWS JSON 1.0 protocol of the real service, for tests and for examples
// that run without an account.
//
// # What is faithful
//
// Items of all ten types, with DynamoDB's rules for numbers (38 digits), sets,
// keys and the size of an item (400 KB). Condition, update, filter, projection
// and key condition expressions, parsed and checked as the service does,
// including reserved words and unused names and values. Conditional writes,
// with the old item in the refusal when it was asked for. Transactions: atomic,
// up to 100 items, with a reason for every item, and a ClientRequestToken that
// makes a repetition harmless for ten minutes. Query and Scan in pages of 1 MB,
// parallel segments, global secondary indexes. Consumed capacity, counted per
// table as it would be billed.
//
// A table has a stream if its StreamSpecification says so: DescribeStream,
// ListStreams, GetShardIterator and GetRecords, with shards that roll over after
// four hours and when the stream is disabled, records and closed shards that are
// gone after a day, iterators that expire after 15 minutes, and no record of a
// write that changed nothing. The order of the records is that of the writes.
//
// Every request is applied at one instant under one lock, so writes are
// linearizable and transactions serializable, as the real service promises.
//
// # What can be arranged
//
//   - [Service.Stale] makes reads that are not strongly consistent, and every
//     read of an index, see the past.
//
//   - [Service.CreationTakes] lets new tables and indexes be CREATING for a while.
//
//   - [Service.OnWrite] shows every effective write in order, for checkers of
//     invariants.
//
//   - [Service.Put], [Service.Delete], [Service.Item] and [Service.Items] edit
//     and read rows by hand, as an operator would in the console.
//
//   - [Service.Rollover], [Service.SplitShard], [Service.TrimStream] and
//     [Service.DropShard] do to a stream at once what takes hours;
//     [Service.StreamTimes] and [Service.Partitions] change how it is made, and
//     [Service.HideNewShards] how late its listing is.
//
//   - [Service.Expire] deletes an item as time to live does, and
//     [Service.OnStream] shows every record of a stream as it is written.
//
// # What is not here
//
// PartiQL, backups, local secondary indexes,
// global tables, item collection metrics, and the parameters that expressions
// replaced (Expected, AttributeUpdates, KeyConditions, …). A request that uses
// a parameter which is not known here is refused with a ValidationException
// that names it, never half obeyed. Nothing is throttled: limits are the
// business of whoever stands in front. Provisioned capacity is recorded and not
// enforced. Time to live is recorded; rows are never deleted by it. An index is
// up to date at once unless Stale says otherwise. The texts of error messages
// follow the real service where programs look at them and are not promised
// elsewhere; the error codes are.
package dynamofake
