// Package dynamoshards reads the shards of a DynamoDB table's stream.
//
// [Open] gives a [Source], which is a shard.Source: it says which stream this
// is, lists its shards and reads each of them in order. The data of a record is
// the JSON with which AWS Lambda calls a function for it; [Codec] and [Decode]
// make a [Change] of it. The partition key of a record is the key of its item,
// as JSON, so that the changes of one item are in order.
//
// # What a stream is
//
// A shard takes the changes of a part of the table for some four hours. Then it
// is closed, and a child goes on; two, if the part has grown. A day later it is
// gone, with its records. There are no merges and no ranges of hashes.
//
//	0 h     4 h      8 h      …     24 h    28 h
//	s1 ──┐                           │ s1 is gone
//	     └─ s2 ───┐                  │      │ s2 is gone
//	              └─ s3 ──┐          │      │
//
// # Position
//
// A reader's position is the last record it delivered; the iterator is opened
// behind it, and anew when it has expired. Until the first record the position
// is where the reader began. The service has no iterator that begins at a time,
// so that a start at one (and at LATEST, pinned to one) reads from the oldest
// record kept, and drops what is older. The service cuts the times of records to
// the second, so that up to a second of records from before may be delivered as
// well; a minute, on servers that cut them to the minute.
//
// # Loss
//
// If the trim horizon has passed the position, the service says so, and the
// reader goes on from the horizon. That is reported as a shard.Loss, with the
// first record behind it, unless everything had been read at a time that
// retention has not passed yet: an item that did not change for a day has lost
// nothing. A start that is a word and not a record reports none.
//
// # End
//
// A shard has ended when an answer has no next iterator and the listing shows
// its children, or that it is closed in a stream that is disabled. Such an answer
// alone is not believed. A closed shard whose children are not listed for half a
// minute ends without: they are found by the consumer's maintenance.
//
// # Listing
//
// The pages of a listing are not of one moment. One that contradicts itself is
// read again. While the service asks to slow down, which it does at ten pages a
// second for a whole account, one page is asked for until it comes.
//
// # Behind
//
// The service does not tell how far behind its tip a shard is read, and may give
// empty answers on the way to records. So a shard counts as read to its tip when
// its last record is no older than a second, or after three answers without any.
package dynamoshards
