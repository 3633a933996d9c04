// Package dynamocheckpoint keeps leases, checkpoints and the workers' signs of
// life in two DynamoDB tables, and what handlers keep in a third.
//
// # Tables
//
// The lease table, named after the application, has the schema of the Kinesis
// Client Library (KCL), so that a fleet can be moved in from KCL and back
// without an export: one row a shard, key leaseKey, and the global secondary
// index LeaseOwnerToLeaseKeyIndex of KCL 3. What KCL does not know stands in
// attributes of our own beside its own; KCL changes rows attribute by
// attribute, so they survive it, and so do its own and anybody else's under our
// writes.
//
// The session table, <application>-sessions, has one row a worker and one row
// named control, which holds the epoch of the maintenance run, which stream the
// tables belong to, and what the whole fleet is told (checkpoint.Controls): the
// limit of calls at once, the workers' shares of it, what is paused, and a move of
// all positions that is under way (checkpoint.Moves). It is a table of its own
// because a KCL before 3.5.1 stops at the first row of its lease table that is not
// a lease.
//
// The state table, <application>-state, is there only if something keeps a state
// beside a lease (checkpoint.States): one row a lease and handler, keys leaseKey
// and part, with the state in the attribute state, in an envelope that tells its
// position, size and SHA-256. A state of more than 390 kB goes to
// Options.Overflow. It is written in one transaction with the position, which
// costs twice the capacity of single writes.
//
// # What is promised
//
// Every write that matters is one conditional write, or one transaction, whose
// condition names what its writer last saw. All of them stand in writes.go as
// the reader of an audit would want them. A refused write is a
// *checkpoint.Conflict that carries the row which stands there now. Everything
// else (throttling, a transaction that met another, a timeout, a fault of the
// service) is a plain error: the write was not applied, or it is not known
// whether it was. It never means that a lease is lost.
//
// A row that cannot be believed is returned with its Fault, and never with a
// position that somebody could start from by mistake.
//
// # What is not promised
//
// Owned asks an index that is eventually consistent and knows owners only, not
// those that hold a lease during a hand-over. The table cannot be one that is
// replicated over Regions: a condition holds in one Region, and the loser of
// two is overwritten without a word.
//
// # Permissions
//
// On the lease and the session table: DescribeTable, GetItem, PutItem,
// UpdateItem, DeleteItem and Scan; ConditionCheckItem on the session table, and
// Query on the lease table's index. On the state table: DescribeTable, GetItem,
// PutItem, DeleteItem and Query; on that of parked records the same without
// GetItem. With Options.CreateTables also CreateTable, and TagResource if there
// are tags. Package iam writes the policy.
package dynamocheckpoint
