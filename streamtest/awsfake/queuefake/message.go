package queuefake

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Limits of the service:
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html.
const (
	maxBytes      = 1 << 20 // of a message with its attributes, and of a batch
	maxAttributes = 10
	maxEntries    = 10
	maxTokenBytes = 128 // of a group id and of a deduplication id
)

// message is an entry that was accepted.
type message struct {
	entry
	id       string
	sequence string // FIFO only
	sent     time.Time
	visible  time.Time // when it can be received, next or at all
	first    time.Time // when it was received first
	receives int
	deleted  bool
}

// gone tells that a message can never be received again.
func (q *queue) gone(m *message, now time.Time) bool {
	return m.deleted || now.Sub(m.sent) >= q.seconds("MessageRetentionPeriod")
}

// left are the messages without those at the beginning that are deleted.
func (q *queue) left() []*message {
	for q.deleted < len(q.messages) && q.messages[q.deleted].deleted {
		q.deleted++
	}
	return q.messages[q.deleted:]
}

// Attribute is a message attribute. Its type begins with String, Number or
// Binary; the value stands in Text for the first two.
type Attribute struct {
	Type   string `json:"DataType"` // String, Number or Binary, and what stands behind a dot
	Text   string `json:"StringValue,omitempty"`
	Binary []byte `json:"BinaryValue,omitempty"`
}

func (a Attribute) isBinary() bool { return a.Type == "Binary" || strings.HasPrefix(a.Type, "Binary.") }

// value is the bytes of the value.
func (a Attribute) value() []byte {
	if a.isBinary() {
		return a.Binary
	}
	return []byte(a.Text)
}

// attributes are those of one message, by their names.
type attributes map[string]Attribute

func (a attributes) clone() map[string]Attribute {
	c := make(map[string]Attribute, len(a))
	for name, v := range a {
		v.Binary = slices.Clone(v.Binary)
		c[name] = v
	}
	return c
}

// bytes is what the attributes count towards the size of a message: names,
// types and values.
func (a attributes) bytes() int {
	n := 0
	for name, v := range a {
		n += len(name) + len(v.Type) + len(v.value())
	}
	return n
}

var (
	attributeName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,256}$`)
	attributeType = regexp.MustCompile(`^(String|Number|Binary)(\.[^\x00-\x1f]+)?$`)
	attributeNumb = regexp.MustCompile(`^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$`)
)

// check holds names, types and values against the rules in
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html.
func (a attributes) check() error {
	if len(a) > maxAttributes {
		return invalid("Number of message attributes [%d] exceeds the allowed maximum [%d].", len(a), maxAttributes)
	}
	for _, name := range slices.Sorted(maps.Keys(a)) {
		v, lower := a[name], strings.ToLower(name)
		switch {
		case !attributeName.MatchString(name), strings.HasPrefix(lower, "aws."), strings.HasPrefix(lower, "amazon."),
			strings.HasPrefix(name, "."), strings.HasSuffix(name, "."), strings.Contains(name, ".."):
			return invalid("The message attribute name '%s' is invalid.", name)
		case !attributeType.MatchString(v.Type) || len(v.Type) > 256:
			return invalid("The type of message (user) attribute '%s' is invalid. You must use only the following supported type prefixes: Binary, Number, String.", name)
		case len(v.value()) == 0:
			return invalid("The message (user) attribute '%s' must contain a non-empty message attribute value.", name)
		case !v.isBinary() && !fits(v.Text):
			return refusal("InvalidMessageContents", "The message attribute '%s' has characters that are not allowed.", name)
		case strings.HasPrefix(v.Type, "Number") && !attributeNumb.MatchString(v.Text):
			return invalid("Can't cast the value of message (user) attribute '%s' to a number.", name)
		}
	}
	return nil
}

// digest is the MD5 of the attributes, or nothing if there are none: by name,
// each name, type and value with its length in four bytes before it, and one
// byte for the kind of the value before that.
func (a attributes) digest() string {
	if len(a) == 0 {
		return ""
	}
	var b []byte
	add := func(part []byte) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
		b = append(b, part...)
	}
	for _, name := range slices.Sorted(maps.Keys(a)) {
		v := a[name]
		add([]byte(name))
		add([]byte(v.Type))
		kind := byte(1)
		if v.isBinary() {
			kind = 2
		}
		b = append(b, kind)
		add(v.value())
	}
	return digest(b)
}

func digest(b []byte) string {
	sum := md5.Sum(b)
	return hex.EncodeToString(sum[:])
}

// fits tells that a text has only the characters that messages may have: those
// of XML 1.0.
func fits(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		switch {
		case r == '\t', r == '\n', r == '\r', r >= 0x20 && r <= 0xd7ff, r >= 0xe000 && r <= 0xfffd, r >= 0x10000 && r <= 0x10ffff:
			return false
		}
		return true
	})
}
