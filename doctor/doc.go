// Package doctor looks over an application and says what is wrong with it, and
// what to do.
//
// It works in two steps. [Gather] asks AWS and notes what it got as [Facts];
// [Examine] is a function over these facts, without a clock or a network, and gives
// a [Report] of findings. Each finding says what was looked at, how bad it is, what
// was found, and what to do about it.
//
// # What is asked
//
// By default nothing is written. Tables are described and read, twice with a pause
// between, because a worker that lives is one whose row changes; positions are held
// against the stream by reading one record behind each. That is one of the five
// reads that each shard allows a second, shared with whoever else polls it.
//
// A permission to write cannot be seen without an attempt. With Config.ProbeWrites
// writes are attempted whose condition contradicts itself, on keys that no shard and
// no worker has: DynamoDB refuses them by the condition if it has not refused them by
// the policy before. Each costs a write unit and stands in the trail of whoever
// keeps one.
//
// # What is not promised
//
// The permissions are those of whoever runs it, not of the workers. A fleet is
// judged by what it did for a few seconds. What could not be asked is reported as
// such and concluded nothing from.
package doctor
