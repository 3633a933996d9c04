// Package window keeps state over spans of time.
//
// Aggregate counts records by key and window and gives each window's result out
// when it is over. Tumbling is Lambda's tumbling window, which
// consumer.Config.TumblingWindow puts around a handler. Both are handlers whose
// state is written in one transaction with the shard's position, so that
// whoever goes on with the shard goes on with both.
//
// # Time
//
// A window of an Aggregate is of event time: what a record says, or its arrival.
// A shard's watermark is the latest time seen, less OutOfOrderness; it never
// goes back. What is said to happen after it arrived moves the watermark only as
// far as its arrival. A shard that is read to its tip and idle moves it with the
// service's time, which needs no clock of this host.
//
//	event time ──►
//	├──── window ────┤
//	                 │ watermark here: Close, Revision 1
//	                 ├── Lateness ──┤
//	                 │ a record:    │ forgotten: a record is late
//	                 │ Close, again │
//
// # What holds
//
// A record that Add has counted is counted once in the state that is saved,
// through deaths, hand-overs and reshards. What Close emits is accepted before
// the state that forgets the window is written; after a crash between the two it
// is emitted again. Whoever keeps the result with the greatest Version for each
// key and start, and deletes what Replaces names, has what the records add up
// to.
//
// At a reshard a child takes over the windows of its keys, open ones and those
// that may still be added to; the end of a shard closes nothing. Where a merge
// brings parents together of which one was further, the keys of that one keep
// its watermark: no window begins a second time.
//
// # What does not
//
// A position that was moved by hand has no state: counting begins anew there,
// and the first windows are parts. A stream whose shards end without children
// (one that was disabled or deleted) leaves its last windows in the state table.
// A producer that gives hashes of its own can have one key in several shards,
// and each gives out its part.
package window
