// Package swarmtest plays whole fleets of the production engine, under faults,
// in virtual time, and holds every promise against all that they do.
//
// A [Plan] is drawn from one seed, wholly in advance: how large the fleet is, how
// its workers are set, which kinds of fault there are at all, how often they
// strike, and what happens when. Each seed has another subset of the faults, so
// that rare combinations come up and a fault does not hide another. [Play] plays
// a plan on a [World]; [Fakes] is one over the fakes of the lease table and of the
// stream, in which a fleet costs milliseconds. [SDK] is one over the drivers and
// the SDK's real clients, which call an AWS in the process: there a plan also has
// a source (a stream polled or by fan-out, the stream of a table), services that
// throttle, lose, delay, cut and garble, keys and credentials that are refused for
// a while, iterators of seconds, wall clocks that are off by years, and rows that
// somebody edits by hand.
//
// # A run is a function of its seed
//
// Nothing is drawn from a shared generator, and nothing depends on the order in
// which goroutines run. Time stands still in the bubble while anything runs, so
// what is left to hold is that at one instant only things happen that commute:
//
//   - every call, of the table, the stream, the handler, the destination, takes a
//     time of its own to the nanosecond, which is a function of seed, worker,
//     operation, key and time of the call;
//   - whether it fails, and how, likewise;
//   - so is what the engine draws (package dice);
//   - the trace of a run adds up what happened, each with its time, so that the
//     order within an instant does not count.
package swarmtest
