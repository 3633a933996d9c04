// Package cost works out what an application costs a month from its shape: so
// many shards and workers, so many records. It asks nobody and reads nothing.
//
// What a fleet asks of DynamoDB is arithmetic over the intervals of the engine
// ([Towpath]), and the document docs/cost.md holds what real fleets were counted to
// ask. Tests keep the two together: where the engine begins to ask for something
// else, the document is held against it, and this package against the document. What KCL
// asks is arithmetic over its sources ([KCL]), and what Lambda asks for the same
// load over its price list ([Lambda]).
//
// # What is not here
//
// The stream itself, which costs the same whoever reads it; what destinations,
// states, parked keys and effects write; CloudWatch, which towpath never calls and
// KCL calls for every worker; the traffic between zones.
package cost
