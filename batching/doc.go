// Package batching says what one call of a handler gets, and what its failure
// leads to.
//
// # Towards the handler
//
// The records of a shard are dealt into [Lanes] by key, so that records of one
// key stay in order while others are handled at the same time. Each lane gathers
// its records in an [Assembler] until a batch is full or has waited long enough.
// What the handler gets is a [Batch].
//
// # Back from it
//
// The handler answers with an error or none. [Read] makes an [Outcome] of it, in
// which the verbs count: [FailFrom] (done before this record), [Reject] (this
// record can never be handled), [RetryAfter] (not the records' fault). Where an
// answer is not certain to mean that a record is done, the record is not done:
// the cost of that is a repeat, the cost of the opposite would be a loss.
//
// [Policy.Decide] then says what follows, as a [Verdict]: how many records are
// settled, which are given up, what is called next and when. The batch shrinks
// as [Work], a stack of segments:
//
//	          ┌───────────────── Next ◄──────────────┐
//	          ▼                                       │ Settle
//	[0,8) ─ handler ─ Read ─ Decide ─┬─ handled ──► done
//	                                 ├─ rejected ─► destination ─► done
//	                                 ├─ given up ─► destination ─► done
//	                                 └─ [0,4) [4,8) …
//
// # Bisecting
//
// With Bisect, a failing range of more than one record is halved and consumes no
// attempt; attempts count at one record alone. Let k of n records be poison, that
// is, fail every call they are part of. A failing call either halves a range that
// holds poison, of which there are at most k on each of ⌈log₂ n⌉ levels, or is
// with a poison record alone. With one attempt each that makes at most
//
//	k·⌈log₂ n⌉ + k failing calls, and 2k·⌈log₂ n⌉ + 1 calls in all,
//
// which for one record in 10,000 is 29. Every other record is handled once, and
// in order: the second half waits for the first.
//
// # What is not promised
//
// A lane stays with the record that fails for as long as the policy says, and
// with the defaults that is for ever, as in Lambda. A record that is neither done
// nor given up holds back the shard's checkpoint (see package checkpoint); other
// lanes go on until what is in flight reaches its bound.
//
// Nothing here waits, starts goroutines or reads a clock.
package batching
