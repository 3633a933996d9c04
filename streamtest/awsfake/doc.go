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
// applied, lose the answer after it was applied, or hang it; [Fault.And]
// combines them. [AWS.Cut], [AWS.Blackhole] and [AWS.Pause] are the common
// ones, ready made. [AWS.Trace] sees every call with its outcome, and whether
// it was applied, which the caller may not know; [AWS.Count] counts calls.
//
// A call passes these stations, in this order:
//
//	counted → faults chosen → half the latency and the delay before
//	→ pause gate → hang, lost, refused, or applied
//	→ the delay after and half the latency → pause gate → answer lost, or answer
//
// # What is not here
//
// Signatures are not verified, and nobody is denied anything: there is no IAM.
// State lives in memory only and there is one account and one region
// ([Account], [Region]). What a single service leaves out is listed in that
// service's package.
package awsfake
