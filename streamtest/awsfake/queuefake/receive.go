package queuefake

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxVisibility is the longest visibility timeout, in seconds: 12 hours.
const maxVisibility = 43200

type receiveInput struct {
	onQueue
	AttributeNames              []string // the older name of the next one
	MessageSystemAttributeNames []string
	MessageAttributeNames       []string
	MaxNumberOfMessages         *int
	VisibilityTimeout           *int
}

type received struct {
	MessageID              string `json:"MessageId"`
	ReceiptHandle          string
	Body                   string
	MD5OfBody              string
	Attributes             map[string]string `json:",omitempty"`
	MessageAttributes      attributes        `json:",omitempty"`
	MD5OfMessageAttributes string            `json:",omitempty"`
}

type receiveOutput struct {
	Messages []received `json:",omitempty"`
}

// receiveMessage gives what is visible now and does not wait for more. On a FIFO
// queue a group is passed over while one of its messages, received earlier, is
// in flight; one call may have several of a group.
func (s *Service) receiveMessage(in receiveInput) (out receiveOutput, err error) {
	q, err := s.find(in.QueueURL)
	if err != nil {
		return out, err
	}
	most, timeout := 1, q.seconds("VisibilityTimeout")
	if n := in.MaxNumberOfMessages; n != nil {
		if most = *n; most < 1 || most > maxEntries {
			return out, invalid("Value %d for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.", most)
		}
	}
	if n := in.VisibilityTimeout; n != nil {
		if err := checkVisibility(*n); err != nil {
			return out, err
		}
		timeout = time.Duration(*n) * time.Second
	}
	now, blocked := s.now(), map[string]bool{}
	for _, m := range q.left() {
		if len(out.Messages) == most {
			break
		}
		if q.gone(m, now) || q.fifo() && blocked[m.Group] {
			continue
		}
		if m.visible.After(now) {
			blocked[m.Group] = true
			continue
		}
		m.receives++
		if m.receives == 1 {
			m.first = now
		}
		m.visible = now.Add(timeout)
		out.Messages = append(out.Messages, m.show(q, in))
	}
	return out, nil
}

func checkVisibility(seconds int) error {
	if seconds < 0 || seconds > maxVisibility {
		return invalid("Value %d for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and %d, if provided.", seconds, maxVisibility)
	}
	return nil
}

// show is a message as a reader gets it, with what it asked for.
func (m *message) show(q *queue, in receiveInput) received {
	r := received{
		MessageID: m.id, Body: m.Body, MD5OfBody: digest([]byte(m.Body)), ReceiptHandle: m.handle(q),
		Attributes: map[string]string{}, MessageAttributes: attributes{},
	}
	for name, v := range m.Attributes {
		if named(in.MessageAttributeNames, name) {
			r.MessageAttributes[name] = v
		}
	}
	r.MD5OfMessageAttributes = r.MessageAttributes.digest()
	for name, value := range map[string]string{
		"ApproximateFirstReceiveTimestamp": strconv.FormatInt(m.first.UnixMilli(), 10),
		"ApproximateReceiveCount":          strconv.Itoa(m.receives),
		"AWSTraceHeader":                   m.SystemAttributes["AWSTraceHeader"].Text,
		"MessageDeduplicationId":           m.Deduplication,
		"MessageGroupId":                   m.Group,
		"SenderId":                         account,
		"SentTimestamp":                    strconv.FormatInt(m.sent.UnixMilli(), 10),
		"SequenceNumber":                   m.sequence,
	} {
		if value != "" && (named(in.AttributeNames, name) || named(in.MessageSystemAttributeNames, name)) {
			r.Attributes[name] = value
		}
	}
	return r
}

// handle names this receipt of a message.
func (m *message) handle(q *queue) string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s %s %d", q.name, m.id, m.receives))
}

// receipt finds the message of a handle, nil if it is no longer there, and
// whether the handle is the one of its last receipt.
func (q *queue) receipt(handle string, now time.Time) (m *message, current bool, err error) {
	if handle == "" {
		return nil, false, missing("ReceiptHandle")
	}
	b, err := base64.StdEncoding.DecodeString(handle)
	parts := strings.Fields(string(b))
	if err != nil || len(parts) != 3 || parts[0] != q.name {
		return nil, false, refusal("ReceiptHandleIsInvalid", "The input receipt handle \"%s\" is not a valid receipt handle.", handle)
	}
	for _, m := range q.left() {
		if m.id == parts[1] && !q.gone(m, now) {
			return m, handle == m.handle(q), nil
		}
	}
	return nil, false, nil
}

type handleEntry struct {
	ID                string `json:"Id"` // in a batch
	ReceiptHandle     string
	VisibilityTimeout *int
}

type handleInput struct {
	onQueue
	handleEntry
}

type handleBatchInput struct {
	onQueue
	Entries []handleEntry
}

// handled is an entry of a batch that went well.
type handled struct {
	ID string `json:"Id"`
}

func (s *Service) deleteMessage(in handleInput) (nothing, error) {
	return nothing{}, s.withHandle(in, s.remove)
}

func (s *Service) deleteMessageBatch(in handleBatchInput) (batchOutput[handled], error) {
	return s.withHandles(in, s.remove)
}

func (s *Service) changeVisibility(in handleInput) (nothing, error) {
	return nothing{}, s.withHandle(in, s.hide)
}

func (s *Service) changeVisibilityBatch(in handleBatchInput) (batchOutput[handled], error) {
	return s.withHandles(in, s.hide)
}

func (s *Service) withHandle(in handleInput, f func(*queue, handleEntry) error) error {
	q, err := s.find(in.QueueURL)
	if err != nil {
		return err
	}
	return f(q, in.handleEntry)
}

func (s *Service) withHandles(in handleBatchInput, f func(*queue, handleEntry) error) (out batchOutput[handled], err error) {
	q, err := s.find(in.QueueURL)
	if err != nil {
		return out, err
	}
	ids := make([]string, len(in.Entries))
	for i, e := range in.Entries {
		ids[i] = e.ID
	}
	return batch(ids, func(i int) (handled, error) { return handled{ids[i]}, f(q, in.Entries[i]) })
}

// remove deletes a message. With a stale handle a standard queue says yes and
// keeps it; a FIFO queue says no, and also when the visibility timeout is over.
func (s *Service) remove(q *queue, e handleEntry) error {
	now := s.now()
	m, current, err := q.receipt(e.ReceiptHandle, now)
	if err != nil || m == nil {
		return err
	}
	if q.fifo() && (!current || !m.visible.After(now)) {
		return invalid("Value %s for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.", e.ReceiptHandle)
	}
	if current {
		m.deleted = true
	}
	return nil
}

// hide sets when a message in flight can be received again.
func (s *Service) hide(q *queue, e handleEntry) error {
	if e.VisibilityTimeout == nil {
		return missing("VisibilityTimeout")
	}
	if err := checkVisibility(*e.VisibilityTimeout); err != nil {
		return err
	}
	now := s.now()
	m, current, err := q.receipt(e.ReceiptHandle, now)
	switch {
	case err != nil:
		return err
	case m == nil || !current:
		return invalid("Value %s for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.", e.ReceiptHandle)
	case !m.visible.After(now):
		return refusal("MessageNotInflight", "The specified message isn't in flight.")
	}
	m.visible = now.Add(time.Duration(*e.VisibilityTimeout) * time.Second)
	return nil
}
