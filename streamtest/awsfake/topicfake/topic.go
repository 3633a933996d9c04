package topicfake

import (
	"encoding/base64"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	fifoSuffix = ".fifo"
	maxPage    = 100 // topics, or subscriptions, of one list
)

// topic is a topic with everything that was published.
type topic struct {
	name          string
	attributes    map[string]string
	messages      []*Message
	repeats       map[string]repeat // FIFO: the last accepted, by scope and deduplication id
	subscriptions []*subscription
}

type repeat struct {
	*Message
	at time.Time
}

func (t *topic) arn() string { return arnPrefix + t.name }

func (t *topic) fifo() bool { return strings.HasSuffix(t.name, fifoSuffix) }

// most is the largest size of a message of the topic.
func (t *topic) most() int {
	n, err := strconv.Atoi(t.attributes["MaximumMessageSize"])
	if err != nil {
		return usualBytes
	}
	return n
}

// choices are the attributes a topic may have, with the words they may be. An
// empty list is any text.
var choices = map[string][]string{
	"ContentBasedDeduplication": {"true", "false"},
	"DeliveryPolicy":            nil,
	"DisplayName":               nil,
	"FifoThroughputScope":       {"Topic", "MessageGroup"},
	"FifoTopic":                 {"true", "false"},
	"KmsMasterKeyId":            nil,
	"MaximumMessageSize":        nil,
	"Policy":                    nil,
	"SignatureVersion":          {"1", "2"},
	"TracingConfig":             {"PassThrough", "Active"},
}

var topicName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)

func newTopic(name string, attributes map[string]string) (*topic, error) {
	base, fifo := strings.CutSuffix(name, fifoSuffix)
	if !topicName.MatchString(base) || len(name) > 256 {
		return nil, invalid("Topic Name", "")
	}
	if (attributes["FifoTopic"] == "true") != fifo {
		return nil, invalid("Topic Name", "Fifo Topic names must end with .fifo and must be made up of only uppercase and lowercase ASCII letters, numbers, underscores, and hyphens, and must be between 1 and 256 characters long.")
	}
	t := &topic{name: name, attributes: map[string]string{}, repeats: map[string]repeat{}}
	if fifo {
		t.attributes["ContentBasedDeduplication"], t.attributes["FifoThroughputScope"] = "false", "Topic"
	}
	for name, value := range attributes {
		if err := t.set(name, value); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// set changes an attribute.
func (t *topic) set(name, value string) error {
	words, known := choices[name]
	if !known || strings.HasPrefix(name, "Fifo") && name != "FifoTopic" && !t.fifo() {
		return invalid("AttributeName", name)
	}
	if len(words) > 0 && !slices.Contains(words, value) {
		return invalid("AttributeValue", name)
	}
	if name == "MaximumMessageSize" {
		if n, err := strconv.Atoi(value); err != nil || n < 1024 || n > maxBytes {
			return invalid("AttributeValue", name)
		}
	}
	t.attributes[name] = value
	return nil
}

func (s *Service) createTopic(form url.Values) (any, error) {
	attributes := mapOf(form, "Attributes")
	t, err := newTopic(form.Get("Name"), attributes)
	if err != nil {
		return nil, err
	}
	if old := s.topics[t.arn()]; old != nil {
		for name, value := range attributes {
			if old.attributes[name] != value {
				return nil, invalid("Attributes", "Topic already exists with different attributes")
			}
		}
		t = old
	}
	s.topics[t.arn()] = t
	return struct{ TopicArn string }{t.arn()}, nil
}

// deleteTopic deletes a topic with its subscriptions; one that is not there is
// deleted as well.
func (s *Service) deleteTopic(form url.Values) (any, error) {
	delete(s.topics, form.Get("TopicArn"))
	return nil, nil
}

func (s *Service) getTopicAttributes(form url.Values) (any, error) {
	t, err := s.find(form.Get("TopicArn"))
	if err != nil {
		return nil, err
	}
	all := maps.Clone(t.attributes)
	all["TopicArn"], all["Owner"] = t.arn(), account
	all["SubscriptionsConfirmed"], all["SubscriptionsPending"], all["SubscriptionsDeleted"] = strconv.Itoa(len(t.subscriptions)), "0", "0"
	var out struct{ Attributes pairs }
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out.Attributes.Entry = append(out.Attributes.Entry, pair{name, all[name]})
	}
	return out, nil
}

func (s *Service) setTopicAttributes(form url.Values) (any, error) {
	t, err := s.find(form.Get("TopicArn"))
	if err != nil {
		return nil, err
	}
	if form.Get("AttributeName") == "FifoTopic" {
		return nil, invalid("AttributeName", "FifoTopic")
	}
	return nil, t.set(form.Get("AttributeName"), form.Get("AttributeValue"))
}

type listedTopic struct{ TopicArn string }

type topicList struct {
	Topics struct {
		Member []listedTopic `xml:"member"`
	}
	NextToken string `xml:",omitempty"`
}

func (s *Service) listTopics(form url.Values) (any, error) {
	arns, next, err := page(slices.Sorted(maps.Keys(s.topics)), form.Get("NextToken"))
	if err != nil {
		return nil, err
	}
	out := topicList{NextToken: next}
	for _, arn := range arns {
		out.Topics.Member = append(out.Topics.Member, listedTopic{arn})
	}
	return out, nil
}

// page is what follows a token of a sorted list, and the token of the rest. A
// token is the last thing listed.
func page(all []string, token string) (some []string, next string, err error) {
	last, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return nil, "", invalid("NextToken", "cannot be read")
	}
	for _, name := range all {
		if name <= string(last) {
			continue
		}
		if len(some) == maxPage {
			return some, base64.StdEncoding.EncodeToString([]byte(some[maxPage-1])), nil
		}
		some = append(some, name)
	}
	return some, "", nil
}
