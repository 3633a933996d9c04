// Package awsfake is an AWS in the process: a handful of services that speak
// their real wire protocols from memory, for tests and for examples that run
// without an account.
//
// [New] gives an [AWS], which is an http.Handler. It tells services apart by
// the scope of the request's signature (Credential=id/date/region/service/…)
// and hands the request to the fake of that service. The access key id is the
// name of the caller, so a fault can be aimed at one worker of a fleet.
//
// There are two ways in:
//
//   - [AWS.Config] is an aws.Config whose HTTP client calls the fake in the
//     caller's own goroutine: no socket, no goroutine left behind, and it works
//     inside a testing/synctest bubble, where every delay is virtual.
//   - [AWS.Serve] listens on a loopback port, and [LoopbackConfig] talks to it:
//     for other processes and for what only a socket shows.
//
// # Faults
//
// [AWS.Intercept] is asked before each call what shall go wrong with it. A
// [Fault] can delay a call, refuse it with an error code, lose it before it is
// applied, lose the answer after it was applied, hang it, spoil the body of its
// answer, or have it arrive when its caller has gone on; [Fault.And] combines
// them. [AWS.Cut], [AWS.Blackhole] and [AWS.Pause] are the common
// ones, ready made. [AWS.Trace] sees every call with its outcome, and whether
// it was applied, which the caller may not know; [AWS.Count] counts calls.
//
// A call passes these stations, in this order:
//
//	counted → faults chosen → half the latency and the delay before
//	→ pause gate → hang, lost, refused, on its way still, or applied
//	→ the delay after and half the latency → pause gate → answer lost, or answer
//
// # Streams of events
//
// The answer to SubscribeToShard of Kinesis is a stream: the call passes the
// stations with the head of the answer, and is traced then; its events follow
// one by one, each with half the latency on its way. What is unread in the
// window of a client that does not read holds the service up. Interceptors are
// asked about each event (see [AWS.Intercept]), and a fault meets the stream that
// is open as it meets a connection:
//
//	Cut        it breaks at once; what was under way is lost
//	Blackhole  it goes silent, without an error or an end; healed, it breaks
//	Pause      its client reads nothing; resumed, it reads on
//
// The service learns of a broken stream when it sends its next event, or when
// the client closes it or the context of the call ends. In the process a service
// has a goroutine for each stream, which ends with it: close what you open.
//
// # What is not here
//
// Signatures are not verified, and nobody is denied anything: there is no IAM.
// State lives in memory only and there is one account and one region
// ([Account], [Region]). What a single service leaves out is listed in that
// service's package.
package awsfake
