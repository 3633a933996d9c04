// Package prooftest holds the promises of the library against everything that a
// fleet does, at the moment it does it: every effective write of a lease row,
// every call of a handler, every acceptance by a destination. It knows neither
// how the table is kept nor what the stream is made of. Whoever runs a fleet, in
// whatever world, tells a [Checker] what happens, and answers the few questions
// of [World].
//
// # What is checked, and where
//
// Inv-n are the numbers of the invariants in docs/faults.md; what stands in
// brackets is the name that a violation has.
//
//	Inv-1   no position passes a record that is not finished: handled, accepted
//	        by a destination, parked or declared lost. Wrote, at every write [I1];
//	        at the end of a shard [I5]
//	Inv-2   what was given up was accepted before the position passes it: the
//	        same check, where GaveUp is told by whoever saw it accepted
//	Inv-3   a position goes back only when it was moved by hand. Wrote [I3]
//	Inv-4   every write but the asking for a hand-over moves the counter on.
//	        Wrote [I3]
//	Inv-5   when a tenure or a call begins, nobody else may act on the shard.
//	        Started, Began
//	Inv-6   a record of a key comes after the one before it is finished [I2];
//	        within a tenure nothing comes from before its beginning, nothing of a
//	        key is jumped over, and nothing comes again that it has finished.
//	        Began
//	Inv-7   no record of a child before the end of its parents. Began [I6]
//	Inv-8   an ended shard is not begun or delivered again. Started, Began
//	Inv-9   the children of a shard have rows when the write is over that ends
//	        it. Wrote, Began. That each open shard has a live owner: swarmtest,
//	        after the storm
//	Inv-10  nothing comes twice where every shard was handed over: swarmtest, at
//	        the end, by Ledger.Repeated; in one tenure: see Inv-6
//	Inv-11  a loss is declared only where a record was trimmed. Lost. That every
//	        record is finished or in a declared window: Missing, at the end
//	Inv-12  the fence of a tenure is above those of all before it. Started; no
//	        call begins in an earlier tenure than one that has begun. Began [I4]
//	Inv-13  one process runs no two calls of a shard at once that share a key.
//	        Began [S13]
//	Inv-14  no tenure is given more than so many records ahead of what it has not
//	        finished. Began, if Bounded. That no goroutine is left: the bubble of
//	        testing/synctest, which does not end before all of them
//	Inv-15  effects that are written with the position are applied once: package
//	        streamtest's tests of effects, which count them in the table
//	L1, L2  everything is finished, shards are shared out evenly and stay:
//	        swarmtest, after the storm
//
// Inv-5, 6 (within a tenure), 8, 9, 11, 12 (of tenures) and 14 hold only where
// nothing but the engine moves positions: [Checker.Strict] switches them on.
package prooftest
