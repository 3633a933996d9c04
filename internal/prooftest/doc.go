// Package prooftest holds the promises of the library against everything that a
// fleet does, at the moment it does it: every effective write of a lease row,
// every call of a handler, every acceptance by a destination. It knows neither
// how the table is kept nor what the stream is made of. Whoever runs a fleet, in
// whatever world, tells a [Checker] what happens, and answers the few questions
// of [World].
//
// # What is checked
//
// The checks keep the names under which they were first written; Inv-n are the
// numbers of the invariants in docs/faults.md.
//
//	I1   Inv-1   no position passes a record that is not finished: handled,
//	             accepted by the destination, parked or declared lost
//	I1   Inv-2   what was given up was accepted before the position passes it
//	I2   Inv-6   a record of a key comes after the one before it is finished
//	I3   Inv-3   a position goes back only when it was moved by hand
//	I3   Inv-4   every write but the asking for a hand-over moves the counter on
//	I4   Inv-12  no call begins in an earlier tenure than one that has begun
//	I5   Inv-1   no shard is ended before all of it is finished
//	I6   Inv-7   no record of a child before the end of its parents
//	S13  Inv-13  one process runs no two calls of a shard at once that share a key
//
// Strictly, which [Checker.Strict] switches on where nothing but the engine moves
// positions, these too:
//
//	Inv-5   when a tenure begins, nobody else is entitled to the shard
//	Inv-6   nothing that stands behind the position at which a tenure began is
//	        delivered in it
//	Inv-8   an ended shard is not delivered again
//	Inv-11  a loss is declared only if a record in its window was trimmed
//	Inv-12  the fence of a tenure is above those of all before it
//
// What is left holds at the end of a run: that nothing is missing
// ([Checker.Missing], Inv-9, Inv-11 and progress), and how much came twice
// ([Ledger.Repeated], Inv-10).
package prooftest
