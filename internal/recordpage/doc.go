// Package recordpage reads the answers of Kinesis to GetRecords: pages of up to
// ten thousand records, as bytes of JSON. It is a function of the bytes, without
// a client, so that whoever has them can have the records.
//
// What it accepts and what it makes of it is what the SDK's decoder accepts and
// makes of it, including its cut of timestamps to the millisecond; a fuzz target
// holds the two against each other. Where it is stricter, on purpose:
//
//   - Bytes that are not JSON are refused wherever the damage is. The SDK's
//     decoder goes on behind some of it, and panics at other.
//   - A timestamp is a number, not "NaN" or "Infinity", at which the SDK's panics
//     or gives any time at all.
//   - A field that is given twice must be of its type both times; of two the last
//     one counts.
//   - Values are nested at most [MaxDepth] deep, and a page has at most
//     [MaxRecords] records.
//
// # Memory
//
// A page is read with a few allocations, not with some for each record. Payloads
// lie side by side in blocks of 128 KiB, and what is text in blocks of 8 KiB: a
// record that is kept keeps one block of each, and none of the other records'
// pages. A payload of more than 16 KiB has a block of its own. With [InBody]
// payloads lie in the body itself and cost no memory at all, for as long as
// nobody writes to it.
package recordpage
