package topicfake

import (
	"fmt"
	"net/url"
	"regexp"
	"time"
)

// repeatWindow is how long a FIFO topic drops repeats,
// https://docs.aws.amazon.com/sns/latest/dg/fifo-message-dedup.html.
const repeatWindow = 5 * time.Minute

type publishResult struct {
	ID             string `xml:"Id,omitempty"` // in a batch
	MessageID      string `xml:"MessageId"`
	SequenceNumber string `xml:",omitempty"`
}

func (s *Service) publish(form url.Values) (any, error) {
	if form.Has("PhoneNumber") {
		return nil, invalid("PhoneNumber", "text messages are not modelled")
	}
	arn := form.Get("TopicArn")
	if arn == "" {
		arn = form.Get("TargetArn")
	}
	t, err := s.find(arn)
	if err != nil {
		return nil, err
	}
	m, err := read(form, "")
	if err != nil {
		return nil, err
	}
	return s.take(t, m)
}

// take accepts a message and takes it to the subscribers, or says why not.
func (s *Service) take(t *topic, m *Message) (publishResult, error) {
	if err := t.check(m); err != nil {
		return publishResult{}, err
	}
	now := s.now()
	scope := m.DeduplicationID
	if t.attributes["FifoThroughputScope"] == "MessageGroup" {
		scope = m.GroupID + "\x00" + scope
	}
	if before, ok := t.repeats[scope]; ok && t.fifo() && now.Sub(before.at) < repeatWindow {
		return publishResult{MessageID: before.ID, SequenceNumber: before.SequenceNumber}, nil
	}
	s.published++
	m.ID, m.Time = fmt.Sprintf("%08x-0000-5000-8000-%012x", s.published, s.published), now
	if t.fifo() {
		m.SequenceNumber = fmt.Sprintf("1%019d", s.published)
		t.repeats[scope] = repeat{m, now}
	}
	t.messages = append(t.messages, m)
	s.spread(t, m)
	return publishResult{MessageID: m.ID, SequenceNumber: m.SequenceNumber}, nil
}

type publishFailure struct {
	ID          string `xml:"Id"`
	Code        string
	Message     string
	SenderFault bool
}

type batchResult struct {
	Successful struct {
		Member []publishResult `xml:"member"`
	}
	Failed struct {
		Member []publishFailure `xml:"member"`
	}
}

var entryID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

func (s *Service) publishBatch(form url.Values) (any, error) {
	t, err := s.find(form.Get("TopicArn"))
	if err != nil {
		return nil, err
	}
	var ids []string
	var messages []*Message
	var unread []error // why there is no message, by entry
	seen, size := map[string]bool{}, 0
	for i := 1; ; i++ {
		at := fmt.Sprintf("PublishBatchRequestEntries.member.%d.", i)
		if !form.Has(at + "Id") {
			break
		}
		id := form.Get(at + "Id")
		if !entryID.MatchString(id) {
			return nil, refusal("InvalidBatchEntryId", "The Id of a batch entry in a batch request doesn't abide by the specification.")
		}
		if seen[id] {
			return nil, refusal("BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id.")
		}
		seen[id] = true
		m, err := read(form, at)
		if err == nil {
			size += m.bytes()
		}
		ids, messages, unread = append(ids, id), append(messages, m), append(unread, err)
	}
	switch {
	case len(ids) == 0:
		return nil, refusal("EmptyBatchRequest", "The batch request doesn't contain any entries.")
	case len(ids) > maxEntries:
		return nil, refusal("TooManyEntriesInBatchRequest", "The batch request contains more entries than permissible.")
	case size > t.most():
		return nil, refusal("BatchRequestTooLong", "The length of all the messages put together is more than the limit.")
	}
	var out batchResult
	for i, id := range ids {
		err := unread[i]
		var done publishResult
		switch {
		case err != nil:
		case s.batch != nil && s.batch(*messages[i]):
			err = refusal("InternalError", "Request could not be processed.")
		default:
			done, err = s.take(t, messages[i])
		}
		if e, ok := err.(*Error); ok {
			out.Failed.Member = append(out.Failed.Member, publishFailure{id, e.Code, e.Message, e.Code != "InternalError"})
			continue
		}
		done.ID = id
		out.Successful.Member = append(out.Successful.Member, done)
	}
	return out, nil
}
