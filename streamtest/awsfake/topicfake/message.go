package topicfake

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Limits of the service, https://docs.aws.amazon.com/sns/latest/api/API_Publish.html.
const (
	usualBytes    = 256 << 10 // of a message with its attributes, unless the topic is set to more
	maxBytes      = 1 << 20
	maxSubject    = 100 // characters
	maxEntries    = 10
	maxTokenBytes = 128 // of a group id and of a deduplication id
)

// read makes a message of the parameters that begin with at, which is empty
// unless they stand in a batch.
func read(form url.Values, at string) (*Message, error) {
	m := &Message{
		Body: form.Get(at + "Message"), Subject: form.Get(at + "Subject"),
		GroupID: form.Get(at + "MessageGroupId"), DeduplicationID: form.Get(at + "MessageDeduplicationId"), Attributes: map[string]Attribute{},
	}
	for i := 1; ; i++ {
		entry := fmt.Sprintf("%sMessageAttributes.entry.%d.", at, i)
		if !form.Has(entry + "Name") {
			break
		}
		binary, err := base64.StdEncoding.DecodeString(form.Get(entry + "Value.BinaryValue"))
		if err != nil {
			return nil, invalid("MessageAttributes", "a binary value is not in base64")
		}
		m.Attributes[form.Get(entry+"Name")] = Attribute{Type: form.Get(entry + "Value.DataType"), Text: form.Get(entry + "Value.StringValue"), Binary: binary}
	}
	switch structure := form.Get(at + "MessageStructure"); structure {
	case "":
		return m, nil
	case "json":
		var bodies map[string]string
		if err := json.Unmarshal([]byte(m.Body), &bodies); err != nil || bodies["default"] == "" {
			return nil, invalid("Message Structure", "No default entry in JSON message body")
		}
		m.Body = bodies["default"]
		if body := bodies["sqs"]; body != "" {
			m.Body = body
		}
		return m, nil
	default:
		return nil, invalid("MessageStructure", structure)
	}
}

func (a Attribute) isBinary() bool { return a.Type == "Binary" || strings.HasPrefix(a.Type, "Binary.") }

// bytes is the size that limits are about: the body with the names, types and
// values of the attributes.
func (m *Message) bytes() int {
	n := len(m.Body)
	for name, v := range m.Attributes {
		n += len(name) + len(v.Type) + len(v.Text) + len(v.Binary)
	}
	return n
}

var (
	attributeName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,256}$`)
	attributeType = regexp.MustCompile(`^(String|Number|Binary)(\.[^\x00-\x1f]+)?$`)
	token         = regexp.MustCompile("^[!-~]{1,128}$")
)

// check holds a message against the rules of the topic, and gives it the
// deduplication id that its content makes.
func (t *topic) check(m *Message) error {
	switch {
	case m.Body == "":
		return invalid("Empty message", "")
	case m.bytes() > t.most():
		return invalid("Message too long", "")
	case !utf8.ValidString(m.Body):
		return invalid("Message", "not valid UTF-8")
	case utf8.RuneCountInString(m.Subject) > maxSubject || strings.ContainsFunc(m.Subject, func(r rune) bool { return r < ' ' || r > '~' }):
		return invalid("Subject", "")
	case m.GroupID != "" && !token.MatchString(m.GroupID):
		return invalid("MessageGroupId", fmt.Sprintf("must have 1 to %d alphanumeric or punctuation characters", maxTokenBytes))
	case m.DeduplicationID != "" && !token.MatchString(m.DeduplicationID):
		return invalid("MessageDeduplicationId", fmt.Sprintf("must have 1 to %d alphanumeric or punctuation characters", maxTokenBytes))
	}
	for name, v := range m.Attributes {
		switch {
		case !attributeName.MatchString(name), strings.HasPrefix(name, "."), strings.HasSuffix(name, "."), strings.Contains(name, ".."):
			return refusal("ParameterValueInvalid", "The message attribute name '%s' is invalid.", name)
		case !attributeType.MatchString(v.Type):
			return refusal("ParameterValueInvalid", "The message attribute '%s' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.", name)
		case v.isBinary() && len(v.Binary) == 0, !v.isBinary() && v.Text == "":
			return refusal("ParameterValueInvalid", "The message attribute '%s' must contain non-empty message attribute value for message attribute type '%s'.", name, v.Type)
		}
	}
	return t.checkKind(m)
}

// checkKind holds a message against what only one kind of topic takes.
func (t *topic) checkKind(m *Message) error {
	if !t.fifo() {
		if m.DeduplicationID != "" {
			return invalid("MessageDeduplicationId", "The request includes MessageDeduplicationId parameter that is not valid for this topic type")
		}
		return nil
	}
	switch {
	case m.GroupID == "":
		return invalid("MessageGroupId", "The MessageGroupId parameter is required for FIFO topics")
	case m.DeduplicationID == "" && t.attributes["ContentBasedDeduplication"] != "true":
		return invalid("MessageDeduplicationId", "The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
	case m.DeduplicationID == "":
		sum := sha256.Sum256([]byte(m.Body))
		m.DeduplicationID = hex.EncodeToString(sum[:])
	}
	return nil
}
