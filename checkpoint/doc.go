// Package checkpoint says how far a shard has been worked, and who may say so.
//
// # The model
//
// Records of a shard are handled in lanes, in batches, with retries; they finish
// in any order. What is stored is one position, and a worker that starts again
// begins after it. So the position that is stored must have no unfinished record
// at or before it. [Tracker] knows that position: every record is given to Begin
// when it is read and to Done when it is finished, which is when the handler
// returned success for it, a destination accepted it, or a policy that the user
// named dropped it.
//
// The position is stored in a lease row, through [Leases]. Every write there names
// in its condition what its writer saw last, above all the row's counter, which
// every effective write increments. A worker that was paused, cut off or
// resurrected has seen an older counter, and its write is refused with a
// [Conflict]. What a refusal means to the one refused is [Adopt]'s to say: its own
// earlier write whose answer was lost, or somebody else's lease.
//
// # What is promised
//
//   - Mark never lies past an unfinished record, and never goes back.
//   - A checkpoint never goes back while the same tenure lasts, and only the
//     tenure that holds the lease writes it. A position moved by hand begins a
//     new tenure.
//   - A shard's end and its children's rows are written together or not at all.
//
// # What is not
//
// Records that were finished after the last save are delivered again after a
// crash, and so are those after a record that was still unfinished then: a
// suffix from the checkpoint on, from its beginning, never a part of it. How long
// that suffix can be is bounded by what is in flight and by the time between
// saves.
//
// The package waits for nothing and knows no service. A driver such as
// dynamocheckpoint implements [Leases]; the engine in package consumer calls it.
package checkpoint
