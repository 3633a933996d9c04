package queuefake

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// repeatWindow is how long a FIFO queue drops repeats,
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagededuplicationid-property.html.
const repeatWindow = 5 * time.Minute

// entry is a message as it is sent, alone or in a batch.
type entry struct {
	ID               string     `json:"Id"` // in a batch
	Body             string     `json:"MessageBody"`
	Delay            *int       `json:"DelaySeconds"`
	Attributes       attributes `json:"MessageAttributes"`
	SystemAttributes attributes `json:"MessageSystemAttributes"`
	Group            string     `json:"MessageGroupId"`
	Deduplication    string     `json:"MessageDeduplicationId"`
}

// bytes is the size that limits are about. The system attribute does not count.
func (e *entry) bytes() int { return len(e.Body) + e.Attributes.bytes() }

type sendInput struct {
	onQueue
	entry
}

type sendOutput struct {
	ID                     string `json:"Id,omitempty"` // in a batch
	MD5OfMessageBody       string
	MD5OfMessageAttributes string `json:",omitempty"`
	MD5OfSystemAttributes  string `json:"MD5OfMessageSystemAttributes,omitempty"`
	MessageID              string `json:"MessageId"`
	SequenceNumber         string `json:",omitempty"`
}

func (s *Service) sendMessage(in sendInput) (sendOutput, error) {
	q, err := s.find(in.QueueURL)
	if err != nil {
		return sendOutput{}, err
	}
	return s.send(q, in.entry)
}

// send takes a message in, or says why not.
func (s *Service) send(q *queue, e entry) (sendOutput, error) {
	if err := q.check(&e); err != nil {
		return sendOutput{}, err
	}
	now := s.now()
	m := &message{entry: e, sent: now, visible: now.Add(q.seconds("DelaySeconds"))}
	if e.Delay != nil {
		m.visible = now.Add(time.Duration(*e.Delay) * time.Second)
	}
	scope := ""
	if q.fifo() {
		scope = e.Deduplication
		if q.attributes["DeduplicationScope"] == "messageGroup" {
			scope = e.Group + "\x00" + scope
		}
	}
	if before := q.repeats[scope]; q.fifo() && before != nil && now.Sub(before.sent) < repeatWindow {
		m = before // accepted, and dropped
	} else {
		s.sent++
		m.id = fmt.Sprintf("%08x-0000-4000-8000-%012x", s.sent, s.sent)
		if q.fifo() {
			m.sequence = fmt.Sprintf("188%017d", s.sent)
			q.repeats[scope] = m
		}
		q.messages = append(q.messages, m)
	}
	return sendOutput{
		ID: e.ID, MessageID: m.id, SequenceNumber: m.sequence, MD5OfMessageBody: digest([]byte(e.Body)),
		MD5OfMessageAttributes: e.Attributes.digest(), MD5OfSystemAttributes: e.SystemAttributes.digest(),
	}, nil
}

var token = regexp.MustCompile("^[A-Za-z0-9!-/:-@\\[-`{-~]{1,128}$")

// check holds an entry against the rules of the queue, and gives it the
// deduplication id that its content makes.
func (q *queue) check(e *entry) error {
	switch most := q.number("MaximumMessageSize"); {
	case e.Body == "":
		return missing("MessageBody")
	case e.bytes() > most:
		return invalid("One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", most)
	case !fits(e.Body):
		return refusal("InvalidMessageContents", "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF.")
	case e.Delay != nil && (*e.Delay < 0 || *e.Delay > 900):
		return invalid("Value %d for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.", *e.Delay)
	case e.Group != "" && !token.MatchString(e.Group):
		return invalid("Value %s for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and punctuation characters. 1 to %d in length.", e.Group, maxTokenBytes)
	case e.Deduplication != "" && !token.MatchString(e.Deduplication):
		return invalid("Value %s for parameter MessageDeduplicationId is invalid. Reason: MessageDeduplicationId can only include alphanumeric and punctuation characters. 1 to %d in length.", e.Deduplication, maxTokenBytes)
	}
	if err := e.Attributes.check(); err != nil {
		return err
	}
	for name := range e.SystemAttributes {
		if name != "AWSTraceHeader" {
			return invalid("Message system attribute name '%s' is invalid.", name)
		}
	}
	return q.checkKind(e)
}

// checkKind holds an entry against what only one kind of queue takes.
func (q *queue) checkKind(e *entry) error {
	const kind = "Value %s for parameter %s is invalid. Reason: The request include parameter that is not valid for this queue type"
	if !q.fifo() {
		if e.Deduplication != "" {
			return invalid(kind, e.Deduplication, "MessageDeduplicationId")
		}
		return nil
	}
	switch {
	case e.Delay != nil && *e.Delay != 0:
		return invalid(kind, fmt.Sprint(*e.Delay), "DelaySeconds")
	case e.Group == "":
		return missing("MessageGroupId")
	case e.Deduplication == "" && q.attributes["ContentBasedDeduplication"] != "true":
		return invalid("The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
	case e.Deduplication == "":
		sum := sha256.Sum256([]byte(e.Body))
		e.Deduplication = hex.EncodeToString(sum[:])
	}
	return nil
}

type batchFailure struct {
	ID          string `json:"Id"`
	Code        string
	Message     string
	SenderFault bool
}

// batchOutput is the answer to a batch: every entry is in one of the lists.
type batchOutput[T any] struct {
	Successful []T            `json:",omitempty"`
	Failed     []batchFailure `json:",omitempty"`
}

var entryID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

// batch does f for every entry of a batch whose ids are as they must be.
func batch[T any](ids []string, f func(i int) (T, error)) (out batchOutput[T], err error) {
	seen := map[string]bool{}
	switch n := len(ids); {
	case n == 0:
		return out, refusal("EmptyBatchRequest", "There should be at least one entry in the request.")
	case n > maxEntries:
		return out, refusal("TooManyEntriesInBatchRequest", "Maximum number of entries per request are %d. You have sent %d.", maxEntries, n)
	}
	for _, id := range ids {
		if !entryID.MatchString(id) {
			return out, refusal("InvalidBatchEntryId", "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.")
		}
		if seen[id] {
			return out, refusal("BatchEntryIdsNotDistinct", "Id %s repeated.", id)
		}
		seen[id] = true
	}
	for i, id := range ids {
		done, err := f(i)
		if e, ok := err.(*Error); ok {
			out.Failed = append(out.Failed, batchFailure{id, e.code(), e.Message, e.Code != internalError})
			continue
		}
		if err != nil {
			return out, err
		}
		out.Successful = append(out.Successful, done)
	}
	return out, nil
}

type sendBatchInput struct {
	onQueue
	Entries []entry
}

func (s *Service) sendMessageBatch(in sendBatchInput) (out batchOutput[sendOutput], err error) {
	q, err := s.find(in.QueueURL)
	if err != nil {
		return out, err
	}
	ids, size := make([]string, len(in.Entries)), 0
	for i := range in.Entries {
		ids[i] = in.Entries[i].ID
		size += in.Entries[i].bytes()
	}
	if size > maxBytes && len(ids) <= maxEntries {
		return out, refusal("BatchRequestTooLong", "Batch requests cannot be longer than %d bytes. You have sent %d bytes.", maxBytes, size)
	}
	return batch(ids, func(i int) (sendOutput, error) {
		e := in.Entries[i]
		told := Message{Body: e.Body, Attributes: e.Attributes.clone(), GroupID: e.Group, DeduplicationID: e.Deduplication}
		if s.batch != nil && s.batch(told) {
			return sendOutput{}, refusal(internalError, "Request could not be processed.")
		}
		return s.send(q, e)
	})
}

// internalError is the code of an entry that the service is to blame for.
const internalError = "InternalError"

// named tells whether a list of names with wildcards asks for a name.
func named(list []string, name string) bool {
	for _, want := range list {
		if want == "All" || want == ".*" || want == name {
			return true
		}
		if prefix, ok := strings.CutSuffix(want, ".*"); ok && strings.HasPrefix(name, prefix+".") {
			return true
		}
	}
	return false
}
