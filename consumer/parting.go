package consumer

// A write that gives a lease away and is not answered may arrive at any time, as
// long as the counter that it names stands:
//
//  1. A releases a shard. The request is stuck, A is cut off, its session runs
//     out, and A drops the shard.
//  2. A is connected again before anybody has revoked its session. The row still
//     names A, which begins the shard anew.
//  3. The release arrives. The row is B's, which begins, while a handler of A runs.
//
// Nothing could be skipped by that, as A can write no more; but two workers would
// handle one shard. So a tenure that finds the row no further than such a write
// begins with one of its own, after which the other is refused: see tenure.outdo.

// parting notes under which counter this worker is about to give a lease away, or
// to end its shard. A worker of another session has another id, by which no write
// of this one is taken for its.
func (f *fleet) parting(key string, counter int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.parted[key] = max(f.parted[key], counter)
}

// mayPart reports whether a write may still be under way that takes the lease from
// this worker as long as its counter stands where it is.
func (f *fleet) mayPart(key string, counter int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	last, sent := f.parted[key]
	return sent && counter <= last
}
