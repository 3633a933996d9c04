// Package kpl reads and writes aggregated records: many user records in one
// record of a Kinesis stream, in the format of the Kinesis Producer Library,
// https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md.
//
//	F3 89 9A C2 │ AggregatedRecord, in protobuf │ MD5 of the part before, 16 bytes
//
//	AggregatedRecord
//	  1  partition keys                 table of strings
//	  2  explicit hash keys             table of strings
//	  3  records, each
//	       1  index of its partition key
//	       2  index of its explicit hash key, optional
//	       3  data
//	       4  tags, which nobody uses
//
// [Decode] reads one, [Aggregator] makes one, and a [Range] tells whether a user
// record belongs to a shard. All of it is values in and values out.
//
// # What is an aggregate, and what is not
//
// A record that does not begin with the four bytes, or whose digest is not that
// of what is between, is a plain record: [ErrPlain]. One whose digest is right
// was meant as an aggregate by its producer. If it cannot be read as one it is a
// [MalformedError], and is to be delivered as it is and told of: nothing of it is
// guessed, and nothing thrown away.
//
// As in protobuf, fields that are not known are skipped, fields come in any
// order, and of a field that is there twice the last counts. Malformed are: an
// index that is missing or outside its table, a record without data, an explicit
// hash key that is no decimal number of 128 bits, a partition key that is no
// UTF-8 or has more than 256 characters (a record of its own could not have it
// either), a group, and whatever is cut short.
//
// # What it costs
//
// An aggregate is read once to be checked, and its user records are then found
// one after the other, without a copy of their data. Beside the record itself
// that takes four bytes for each key in it; no number in a record that only
// claims how much there is costs anything.
package kpl
