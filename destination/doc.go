// Package destination says where batches go that a consumer gave up, and in
// what form.
//
// # Model
//
// A [Failure] is a run of records of one shard with the reason why it was given
// up. A [Destination] accepts it. The engine moves its checkpoint past the
// records only after Send has returned nil, and calls Send again, without limit,
// until it does.
//
// # The envelope
//
// Every destination of this module writes the same JSON document, which
// [Failure.Envelope] builds and [ParseEnvelope] reads. It has the keys, the
// nesting and the formats of the record that AWS Lambda sends to an on-failure
// destination (requestContext, responseContext, version, timestamp and
// KinesisBatchInfo or DDBStreamBatchInfo), so that what reads those reads these.
// Three things are added:
//
//   - payload, the records themselves, as Lambda writes it for S3 alone: the
//     invocation event {"Records":[…]} as a JSON string. In its place may stand
//     payloadRef (the event lies elsewhere) or payloadOmitted (it is nowhere but
//     in the stream).
//   - towpath, an object with what Lambda has no word for: the application, the
//     handler where it has several, the worker, the failure's id, the number of attempts and the last error.
//   - within a record of the event, towpath, where a record has something that
//     Lambda's event cannot carry, such as its index within an aggregate.
//
// requestContext.functionArn names the application, as there is no function:
// arn:towpath:consumer:<region>:<account>:<application>, with region and account
// of the stream. It has the form of an ARN so that what parses one goes on to
// work. requestContext.requestId is made from [Failure.ID] alone, so that a
// repeat has the same.
//
// # Sizes
//
// A driver whose service has a limit lets a [Packing] work out the size before
// anything is sent:
//
//	it fits                        one message, payload inside
//	too large, Packing.Store set   the event goes to the store, one message refers to it
//	too large, several records     several messages, each whole, each with an id of its own
//	too large, one record          payloadOmitted, with the size and the hash
//
// The last line is where a payload can be lost: the record is then only in the
// stream, and there only until the retention ends, exactly as with every message
// that Lambda sends to SQS or SNS. The alternative is a record that can never be
// given up, which stops its lane for ever. Set a Store and it does not arise;
// set Packing.RequirePayload and the destination refuses with [ErrRefused]
// instead. Either way it is counted, see [Counts].
//
// # What handlers emit
//
// A [Publisher] takes records that a handler emits, each as a message of its own:
// its payload as it is where the service has a place for id, key and attributes
// beside it, else a [Document] with all of them. A [Courier] keeps the order of
// each key over calls that accept some of a batch, and tells in a [PublishError]
// what is left. The limits are those of failures, but an emitted record is never
// split or left out: one that is too large goes to the store whole or, without
// one, is refused with [ErrRefused].
//
// # What is not promised
//
// A failure may arrive more than once: the answer of the service may be lost, or
// the process may end between the acceptance and the checkpoint. A repeat has
// the same ids, S3 keys and FIFO deduplication ids, whoever sends it. Of a
// failure that was split, parts may arrive before the whole is accepted; Send
// returns nil only when all of them are.
//
// Envelopes hold payloads and keys of partitions. They are of the same class as
// the stream and should be encrypted as it is.
package destination
