// Package queuefake is SQS in memory. It speaks the AWS JSON 1.0 protocol of the
// real service, so the SDK's client cannot tell them apart in what a sender and
// a reader of messages rely on:
//
//   - Queues, standard and FIFO, with the attributes that time and size obey;
//     create, find, list, change, purge, delete.
//   - SendMessage and SendMessageBatch with attributes and the digests that the
//     client verifies; delays; the character set of messages.
//   - Limits: what the queue's MaximumMessageSize says, at most 1 MiB, for body
//     and attributes together and for all of a batch; ten attributes; ten
//     entries.
//   - ReceiveMessage with the visibility timeout, by which a message that was
//     not deleted comes again; DeleteMessage and ChangeMessageVisibility, also in
//     batches, with receipt handles that a later receipt makes stale.
//   - On FIFO queues: order within a group, which waits while a message of it is
//     in flight, and repeats that are dropped for five minutes, by the given id
//     or by the content.
//   - Retention: a message that is too old is gone.
//
// Time is the function given to [New]. Nothing runs in the background: what time
// does (visibility, delays, repeats, retention) is worked out when asked.
//
// # What is not here
//
// ReceiveMessage never waits, whatever WaitTimeSeconds says: a program that
// polls an empty queue without a pause of its own keeps on asking. Standard
// queues deliver in order and once in each visibility timeout, which the real
// ones do not promise. Changes hold at once; a deleted queue is gone at once and
// its name is free. Redrive to dead-letter queues is refused; policies and keys
// are kept without effect. Tags, permissions, fair queues, the number of messages
// in flight and ReceiveRequestAttemptId are not modelled. Messages are never
// freed, so that a test can look at all that were sent ([Service.Messages]).
package queuefake
