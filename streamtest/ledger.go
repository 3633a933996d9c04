package streamtest

import "github.com/towpath/towpath/internal/prooftest"

// Ledger notes what handlers were given and what became of it. It stands outside
// the workers, as a database behind a handler would. Calls are the calls so far;
// Handled, Repeated and GaveUp count records, each once; Losses are the windows
// that were declared lost. Unordered has it expect no order of keys, and Finish
// notes that a record is finished although no call has said so.
type Ledger = prooftest.Ledger

// Call is one call of a handler, as the ledger notes it.
type Call = prooftest.Call
