package consumer

import "github.com/towpath/towpath/batching"

// What a tenure has sent may arrive after it has ended, on two ways.
//
// What its handler sent to a store carries its fence, and a store refuses what has
// a lower one than it has seen. A session that ran out and was not revoked leaves
// the row as it was: the same worker finds its own lease again, with the counter
// that the tenure before began with, if that one wrote nothing.
//
// And a write that gives the lease away, or ends the shard, and is not answered may
// arrive at any time, as long as the counter that it names stands:
//
//  1. A releases a shard. The request is stuck, A is cut off, its session runs
//     out, and A drops the shard.
//  2. A is connected again before anybody has revoked its session. The row still
//     names A, which begins the shard anew.
//  3. The release arrives. The row is B's, which begins, while a handler of A runs.
//
// Nothing could be skipped by that, as A can write no more; but two workers would
// handle one shard.
//
// So the greatest fence is kept of each shard under which this process has begun a
// tenure or sent such a write, and a tenure that finds the row no further than that
// begins with a write of its own, which the others are behind: see tenure.prepare.

// parting notes that a write is about to be sent, of a row with this fence, after
// which the lease is not this worker's any more, or the shard done.
func (w *worker) parting(shardID string, fence batching.Fence) { w.newer(shardID, fence) }

// newer notes the fence of a tenure that is to begin, if it is greater than all that
// were noted of the shard, and reports whether it is.
func (w *worker) newer(shardID string, fence batching.Fence) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if last, ok := w.fences[shardID]; ok && fence.Compare(last) <= 0 {
		return false
	}
	w.fences[shardID] = fence
	return true
}
