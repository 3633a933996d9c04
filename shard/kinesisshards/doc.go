// Package kinesisshards reads the shards of a Kinesis data stream, by polling
// or by enhanced fan-out.
//
// [Open] gives a [Source], which is a shard.Source: it says which stream this
// is, lists its shards and reads each of them in order.
//
// # Position
//
// A reader's position is the last record it delivered. The shard iterator is a
// cache of it and no more: when it has expired, is about to, or is in any doubt,
// a new one is opened at the position. Until the first record the position is
// where the reader began:
//
//	TRIM_HORIZON      the oldest record kept
//	AT_TIMESTAMP t    the first record that arrived at t or later
//	LATEST, pinned    the same, with the time of the pin
//	LATEST, not so    the tip at the first read; its time is kept as a pin
//	a record          the record itself, which is expected and dropped
//
// The service's Date header has whole seconds and is cut, not rounded, so a pin
// taken from it is never later than a record put after it; up to a second of
// records from before it may be delivered as well.
//
// A start that lies in the future, which the service refuses, is waited for.
//
// An iterator behind a record is opened at the record and not after it, so that
// the first record of the answer shows whether the position still exists. The
// repeat is dropped, with one exception: at the start, a record that may be an
// aggregate of user records (it begins as the Kinesis Producer Library's do, or
// the position lies within one) is kept, and those user records in it are
// delivered that lie behind the position.
//
// # Loss
//
// If the record at the position has been trimmed, what came after it may have
// been trimmed too, unread. That is reported as a shard.Loss with the window,
// unless everything had been read at a time that retention has not passed yet:
// a shard that was idle for longer than the retention has lost nothing. The
// position is verified at the start, whenever an iterator is opened anew, and
// before each read while the trim horizon is near. A start that is a word and
// not a record cannot be verified, so nothing is reported for it.
//
// # End
//
// A shard has ended when an answer has no next iterator and names the children,
// or the listing shows that the shard is closed and has children. Neither an
// empty answer nor a missing iterator alone is believed. A closed shard whose
// children are not listed yet is asked again.
//
// # Pace of polling
//
// A shard with a backlog is read as fast as the service's limits allow: five
// reads and 2 MB a second, shared with every other application that polls it. A
// shard that has been caught up with is read again after 250 ms while records
// come, after 400 ms once it has been quiet for half a minute, and after 3 s once
// the silence is longer than is usual there, a minute at least: see
// Options.PollFloor and PollCeiling. After throttling the wait is random and doubles; after a refusal of access it is ten
// seconds. The waiting is done in Ready, with timers, and so is virtual in a
// testing/synctest bubble.
//
// # Aggregates
//
// Records in which the Kinesis Producer Library has put many are unpacked, see
// Options.Aggregated and package kpl. What one read has brought is then handed
// out in several parts if it has become too large for one.
//
// # Fan-out
//
// With Options.FanOut a shard is read over subscriptions (SubscribeToShard), each
// of which the service ends after five minutes. The next one begins behind the
// continuation sequence number of the last event, or at the last record, which is
// then expected and dropped as above, if that number is old or the record has not
// been found yet. An event is taken from the connection when somebody waits for
// it, and not before, so that a slow handler holds the service back.
//
// Between subscriptions the shard is polled: while the service keeps it for its
// last owner, which is five seconds; after an error, with a back-off that is
// random and doubles; while no consumer is active. It is polled as well while the
// trim horizon is near, because what a subscription skipped for having been
// trimmed does not show.
//
//	           subscribe                   ended, cut, silent
//	polling ───────────────► subscribed ─────────────────────┐
//	  ▲  ▲                       │                           │
//	  │  └───────────────────────┘ the trim horizon is near  │
//	  └──────────────────────────────────────────────────────┘
//
// An event that may have waited to be read does not tell where the tip is; its
// chunk has a Behind of a millisecond at least.
package kinesisshards
