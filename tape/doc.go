// Package tape keeps what a stream said in a file, and plays it into a stream
// again.
//
// # The file
//
// One JSON object a line, each a record as GetRecords names its parts, in the
// order in which they are to be played:
//
//	{"approximateArrivalTimestamp":1767225600.25,"shardId":"shardId-000000000002",
//	 "sequenceNumber":"49590…","partitionKey":"user-1","data":"eyJwYWdlIjoiLyJ9"}
//
//	data                         the payload in base64; all that is required
//	partitionKey                 missing on a record without a key
//	approximateArrivalTimestamp  seconds since 1970, to the millisecond
//	shardId, sequenceNumber      where it was; told for people, and not played
//	subSequenceNumber            its place in an aggregate, if it came out of one
//	explicitHashKey              the hash it is put with instead of its key's, in
//	                             decimal; no reading tells it, so it stands only
//	                             in files that somebody has written it into
//
// Fields that are not named here are left alone. There is no header: lines can be
// cut out, joined, filtered and sorted with any tool for text.
//
// # Playing
//
// [Play] puts the events at the pace at which they arrived, or a multiple of it.
// Events of one key are put in their order, also when a shard refuses some: of one
// key the next is put when the one before it was accepted. A run that was ended
// says how many events to skip in the next.
//
// # What is not promised
//
// Shards are those of the stream that is played into, which may divide the keys in
// another way. And where a run ended between the answers to one call, some events
// behind the place where it goes on were put already: they come twice.
package tape
