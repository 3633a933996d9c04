// Package reposition moves the positions of an application by hand: of one shard
// or of all, to a time, a sequence number, the horizon or the tip, while its fleet
// runs or while nobody does. It also makes a second application that begins where
// another one is.
//
// # Model
//
// A [Mover] first makes a [Plan], which says for each shard where it stands, where
// it would begin, and what that repeats or skips; nothing is written by it. Apply
// carries the plan out, and refuses if what it was made from has changed in a way
// that matters.
//
//	one shard     one conditional write. Its owner is told, ends what runs
//	              (consumer.ErrMoved), and begins anew within a second. Every
//	              other shard goes on.
//	all shards    a barrier. The move is written into the control row; every
//	              worker drains, saves, lets its shards go, takes none, and says
//	              so in its session. Then the rows are rewritten, finished ones
//	              among them, those of parents before those of children, and the
//	              move is taken out of the control row. Children wait for their
//	              parents once more.
//
// # What is promised
//
// Nothing that was under way for the old position can be written behind the new
// one: counter and SeekGen of the row have moved. Within one SeekGen a position
// only goes forward.
//
// After a move of all shards to a time every record that arrived at or after it,
// and is still kept, is handled again, parents before children and in order for
// each key. Closed shards are begun at that time as well, whether or not they hold
// anything from then on: only reading them can tell, and the fleet does that.
//
// Whoever dies in the middle of a move leaves the positions as they were, or as
// they are to be, or a fleet that stands still with the move in its control row,
// which says how far it came: Resume goes on with it, and Abort gives it up as
// long as no row has been rewritten. Only one go at a move can write.
//
// # What is not promised
//
// State that a handler keeps beside its position belongs to the position before,
// and is not given back; a handler begins without it, or with that of its parents
// at the beginning of a shard. Windows are computed again from what is read.
// Records of keys that are parked stay parked: they are handled from their table
// when they are due, and once more if the move has them read again. A
// checkpoint.Positions, a database of the user's, is told of SeekGen when the
// shard is claimed, and has to believe the row where that has grown.
//
// Effects of handlers are not taken back. Fences grow, so that a sink which goes
// by them takes the repeats as news; record ids stay the same, so that one which
// goes by ids recognises them.
package reposition
