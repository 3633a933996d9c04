// Package topicfake is SNS in memory. It speaks the query protocol of the real
// service with its XML, so the SDK's client cannot tell them apart in what a
// publisher relies on:
//
//   - Topics, standard and FIFO, with their attributes; create, list, describe,
//     change, delete.
//   - Publish and PublishBatch with attributes, subject and the structure json.
//   - Limits: what the topic's MaximumMessageSize says, 256 KiB unless it is set
//     to more, for body and attributes together and for all of a batch; ten
//     entries.
//   - On FIFO topics: groups, and repeats that are dropped for five minutes, by
//     the given id or by the content.
//   - Subscriptions of queues, raw or in the envelope of JSON that the real
//     service makes. What is published is in the queue before the answer.
//
// Time is the function given to [New]. Nothing runs in the background.
//
// # What is not here
//
// Protocols other than sqs; filter policies, which are refused; delivery that is
// late, tried again or out of order: a message that a queue does not take is
// lost at once, as it is in the real service after its retries. Signatures in
// envelopes are not real. Policies and keys are kept without effect. Text
// messages, platform endpoints, tags and archives are not modelled. Messages are
// never freed, so that a test can look at all of them ([Service.Published]).
package topicfake
