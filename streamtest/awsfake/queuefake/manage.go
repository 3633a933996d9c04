package queuefake

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// purgeInterval is how long a queue that was purged cannot be purged again.
const purgeInterval = time.Minute

type createInput struct {
	QueueName  string
	Attributes map[string]string
}

type urlOutput struct {
	QueueURL string `json:"QueueUrl"`
}

// onQueue is what most requests begin with.
type onQueue struct {
	QueueURL string `json:"QueueUrl"`
}

func (s *Service) createQueue(in createInput) (urlOutput, error) {
	q, err := newQueue(in, s.now())
	if err != nil {
		return urlOutput{}, err
	}
	if old := s.queues[in.QueueName]; old != nil {
		for name, value := range in.Attributes {
			if old.attributes[name] != value {
				return urlOutput{}, refusal("QueueNameExists", "A queue already exists with the same name and a different value for attribute %s", name)
			}
		}
		return urlOutput{old.url()}, nil
	}
	s.queues[in.QueueName] = q
	return urlOutput{q.url()}, nil
}

func (s *Service) getQueueURL(in createInput) (urlOutput, error) {
	q, err := s.find(in.QueueName)
	if err != nil {
		return urlOutput{}, err
	}
	return urlOutput{q.url()}, nil
}

func (s *Service) deleteQueue(in onQueue) (nothing, error) {
	q, err := s.find(in.QueueURL)
	if err != nil {
		return nothing{}, err
	}
	delete(s.queues, q.name)
	return nothing{}, nil
}

type listInput struct {
	QueueNamePrefix string
	MaxResults      int
	NextToken       string
}

type listOutput struct {
	QueueURLs []string `json:"QueueUrls,omitempty"`
	NextToken string   `json:",omitempty"`
}

// listQueues gives at most 1,000, and a token only if MaxResults was set, as in
// the real service. The token is the last name.
func (s *Service) listQueues(in listInput) (out listOutput, err error) {
	if in.MaxResults < 0 || in.MaxResults > 1000 {
		return out, invalid("Value for parameter MaxResults is invalid. Reason: Must be between 1 and 1000.")
	}
	most := in.MaxResults
	if most == 0 {
		most = 1000
	}
	last := ""
	for _, name := range s.names() {
		if !strings.HasPrefix(name, in.QueueNamePrefix) || name <= in.NextToken {
			continue
		}
		if len(out.QueueURLs) == most {
			if in.MaxResults > 0 {
				out.NextToken = last
			}
			break
		}
		out.QueueURLs, last = append(out.QueueURLs, s.queues[name].url()), name
	}
	return out, nil
}

type attributesInput struct {
	onQueue
	AttributeNames []string
}

type attributesOutput struct {
	Attributes map[string]string `json:",omitempty"`
}

func (s *Service) getQueueAttributes(in attributesInput) (out attributesOutput, err error) {
	q, err := s.find(in.QueueURL)
	if err != nil {
		return out, err
	}
	all := q.describe(s.now())
	if slices.Contains(in.AttributeNames, "All") {
		return attributesOutput{all}, nil
	}
	out.Attributes = map[string]string{}
	for _, name := range in.AttributeNames {
		if value, ok := all[name]; ok {
			out.Attributes[name] = value
		} else if _, known := choices[name]; !known && !strings.HasPrefix(name, "Redrive") {
			return out, refusal("InvalidAttributeName", "Unknown Attribute %s.", name)
		}
	}
	return out, nil
}

// describe is every attribute at a moment.
func (q *queue) describe(now time.Time) map[string]string {
	visible, hidden, delayed := 0, 0, 0
	for _, m := range q.left() {
		switch {
		case q.gone(m, now):
		case !m.visible.After(now):
			visible++
		case m.receives == 0:
			delayed++
		default:
			hidden++
		}
	}
	all := map[string]string{
		"QueueArn":                              q.arn(),
		"ApproximateNumberOfMessages":           strconv.Itoa(visible),
		"ApproximateNumberOfMessagesNotVisible": strconv.Itoa(hidden),
		"ApproximateNumberOfMessagesDelayed":    strconv.Itoa(delayed),
		"CreatedTimestamp":                      strconv.FormatInt(q.created.Unix(), 10),
		"LastModifiedTimestamp":                 strconv.FormatInt(q.modified.Unix(), 10),
	}
	for name, value := range q.attributes {
		all[name] = value
	}
	return all
}

type setInput struct {
	onQueue
	attributesOutput
}

func (s *Service) setQueueAttributes(in setInput) (nothing, error) {
	q, err := s.find(in.QueueURL)
	if err != nil {
		return nothing{}, err
	}
	return nothing{}, q.set(in.Attributes, s.now())
}

func (s *Service) purgeQueue(in onQueue) (nothing, error) {
	q, err := s.find(in.QueueURL)
	if err != nil {
		return nothing{}, err
	}
	now := s.now()
	if !q.purged.IsZero() && now.Sub(q.purged) < purgeInterval {
		return nothing{}, refusal("PurgeQueueInProgress", "Only one PurgeQueue operation on %s is allowed every 60 seconds.", q.name)
	}
	q.purged = now
	for _, m := range q.left() {
		m.deleted = true
	}
	return nothing{}, nil
}
