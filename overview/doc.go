// Package overview is a fleet as its tables show it: which shard is where, who
// works it, what it waits for, and what is wrong. It only reads, and asks nothing
// of the workers, so that it shows a fleet that does not answer any more as well.
//
//	Look ── listing of the source ──┐
//	     ── lease rows              ├── Join ── Fleet
//	     ── sessions                │   pure
//	     ── control, neighbours   ──┘
//
// [Join] is a function: values in, values out. Every shard that is listed or has a
// row, and every worker that has a session or is named by a row, is in the [Fleet]
// exactly once, whatever else is wrong with them.
//
// # Who lives
//
// A session says nothing about time: its beat is a counter, and whoever wants to
// know whether its worker lives has to see it change. So one look says of nobody
// that it lives; a Fleet that is given to the next Look as Config.Before does. A
// worker of KCL has no session, and is judged by the counters of its leases.
//
// # How far behind
//
// A row says when the last finished record arrived, and when everything had been
// read and finished. The time since is how far behind the shard can be at most: an
// idle shard writes that only now and then. What the tip is, only a read tells.
//
// # What is not promised
//
// The parts are read one after the other, while the fleet goes on. A shard that is
// handed over in between may be shown with its owner of before. What would be a
// fault is looked at twice before it is said.
package overview
