package destination

import (
	"strings"
	"unicode/utf8"
)

// Attribute is a name and a value that a service keeps beside a message, so that
// a subscriber can filter without reading the body.
type Attribute struct{ Name, Value string }

// attributeType is the type that SQS and SNS are told, which counts.
const attributeType = "String"

// Attributes are condition, shardId and application. A value is cut to 256
// bytes, what is not printable in it becomes a question mark, and one that is
// empty is left out, since SQS refuses it.
func (f *Failure) Attributes() []Attribute {
	all := []Attribute{
		{"condition", attributeValue(string(f.Condition))},
		{"shardId", attributeValue(f.Shard)},
		{"application", attributeValue(f.Application)},
	}
	some := all[:0]
	for _, a := range all {
		if a.Value != "" {
			some = append(some, a)
		}
	}
	return some
}

const maxAttributeBytes = 256

func attributeValue(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && !printable(r) {
			return '?'
		}
		return r
	}, s)
	if len(s) <= maxAttributeBytes {
		return s
	}
	n := maxAttributeBytes
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// attributeBytes is what the attributes count towards the size of a message:
// name, type and value of each, see
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html.
func attributeBytes(attributes []Attribute) int {
	n := 0
	for _, a := range attributes {
		n += len(a.Name) + len(attributeType) + len(a.Value)
	}
	return n
}
