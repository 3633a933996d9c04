// Package lineartest asks whether a lease table is what the protocol takes it
// for: conditional writes and strongly consistent reads that each happen at one
// instant between their call and their answer, and transactions whose parts
// happen at the same one.
//
// A [History] records what concurrent clients asked of a table and what they
// were told. [History.Check] looks for one order of all calls that explains
// every answer: an order that a single copy of the table, applying one call
// after the other, would have gone through, and in which no call comes after
// one that began when it had already been answered. If there is none, the table
// is not to be believed, and neither is anything that was proved on top of it.
//
// # What a call without an answer means
//
// It may have been applied, at any time since it was sent, even after its
// sender gave up, or never. It stays open to the end of the history: the order
// may hold it wherever its condition allows it, or leave it out. So does every
// attempt whose answer was lost while the client repeated the call by itself;
// [Wire] counts them. A transaction that was repeated with its token is applied
// once at most, and exactly once if any attempt was answered with success.
//
// # What is compared
//
// Of a row its owner and checkpoint owner, its counter, its checkpoint, how
// often it was moved by hand or changed hands, its children, and whether its
// end was lost; of a session its beat and who revoked it; the epoch of the
// maintenance runs. A refusal tells the row that refused it, and that row is
// compared too. Reads that promise no consistency (Sessions, Owned) are not
// recorded, and neither are hints, marks and states.
package lineartest
