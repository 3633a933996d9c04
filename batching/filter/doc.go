// Package filter says which records a handler is to see, in the pattern language
// of AWS Lambda's event source mappings.
//
// # Model
//
// A pattern is a JSON object that has the shape of what it matches. Its leaves
// are lists: a record matches if each field of the pattern does, and a field if
// one of its list does. The list may hold
//
//	"x", 300, true, null         the same value
//	""                           the empty string
//	{"equals-ignore-case": "x"}  the same letters
//	{"prefix": "x"}              a string that begins so
//	{"suffix": "x"}              a string that ends so
//	{"anything-but": ["x", "y"]} a value that is there and is none of these, strings or numbers
//	{"numeric": [">", 0, "<=", 5]}
//	                             a number within a range; the operators are = < <= > >=
//	{"exists": true}             a field with a value; false is one without
//
// and an object may hold "$or", a list of objects one of which must match. Up to
// ten patterns are joined by or.
//
// # What is matched
//
// A record of Kinesis is the object that Lambda's event shows: partitionKey,
// sequenceNumber, eventSourceARN and so on stand at the top, and data is the
// decoded payload if that is JSON. A record of a DynamoDB stream is its change
// record: eventName, dynamodb with Keys, NewImage and OldImage, userIdentity.
//
//	payload    pattern has data   a record matches if
//	JSON       yes                all of the pattern does
//	JSON       no                 what the pattern says of the rest does
//	not JSON   yes                never
//	not JSON   no                 what the pattern says of the rest does
//
// A pattern that asks for data to be a value rather than an object is refused,
// as Lambda refuses it.
//
// # Details
//
// Numbers that are compared for equality are compared as they are written, so
// that 300 is not 300.0; numeric compares by value. Of a key that stands twice
// the last one counts. Where the record has a list, one of its elements must
// match, and of a list of objects one element must match all that the pattern
// says of it. A list counts as having a value if a value that is no object
// stands in it. exists is for leaves: an object is no value. A string of the
// change record of DynamoDB that holds a number (the descriptor N) is a string.
//
// # What is not promised
//
// EventBridge knows operators that Lambda does not (wildcard, cidr, anything-but
// with prefix and others). They are errors here, so that a pattern which was
// tried here does the same there.
//
// The time of a match is at most the size of the pattern times that of the
// record: nothing is expanded beforehand.
//
// See https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html.
package filter
