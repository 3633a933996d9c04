package topicfake

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

// subscription is a queue that gets what is published.
type subscription struct {
	arn, queue string
	raw        bool
}

type subscribeResult struct{ SubscriptionArn string }

// subscribe is done at once for a queue of the same account. A queue that is
// subscribed already keeps its subscription.
func (s *Service) subscribe(form url.Values) (any, error) {
	t, err := s.find(form.Get("TopicArn"))
	if err != nil {
		return nil, err
	}
	queue := form.Get("Endpoint")
	switch {
	case form.Get("Protocol") != "sqs":
		return nil, invalid("Protocol", "only sqs is modelled")
	case !strings.HasPrefix(queue, "arn:aws:sqs:"):
		return nil, invalid("SQS endpoint ARN", queue)
	case strings.HasSuffix(queue, fifoSuffix) && !t.fifo():
		return nil, invalid("Endpoint", "FIFO SQS Queues can not be subscribed to standard SNS topics")
	}
	sub := &subscription{queue: queue}
	for name, value := range mapOf(form, "Attributes") {
		if name != "RawMessageDelivery" || value != "true" && value != "false" {
			return nil, invalid("Attributes", name+" is not modelled")
		}
		sub.raw = value == "true"
	}
	for _, old := range t.subscriptions {
		if old.queue == queue {
			if old.raw != sub.raw {
				return nil, invalid("Attributes", "Subscription already exists with different attributes")
			}
			return subscribeResult{old.arn}, nil
		}
	}
	s.born++
	sub.arn = fmt.Sprintf("%s:%08x-0000-4000-8000-%012x", t.arn(), s.born, s.born)
	t.subscriptions = append(t.subscriptions, sub)
	return subscribeResult{sub.arn}, nil
}

func (s *Service) unsubscribe(form url.Values) (any, error) {
	arn := form.Get("SubscriptionArn")
	for _, t := range s.topics {
		for i, sub := range t.subscriptions {
			if sub.arn == arn {
				t.subscriptions = append(t.subscriptions[:i:i], t.subscriptions[i+1:]...)
				return nil, nil
			}
		}
	}
	return nil, nil
}

type listedSubscription struct{ SubscriptionArn, Owner, Protocol, Endpoint, TopicArn string }

type subscriptionList struct {
	Subscriptions struct {
		Member []listedSubscription `xml:"member"`
	}
}

// listSubscriptions lists all of them at once.
func (s *Service) listSubscriptions(form url.Values) (any, error) {
	t, err := s.find(form.Get("TopicArn"))
	if err != nil {
		return nil, err
	}
	var out subscriptionList
	for _, sub := range t.subscriptions {
		out.Subscriptions.Member = append(out.Subscriptions.Member, listedSubscription{sub.arn, account, "sqs", sub.queue, t.arn()})
	}
	return out, nil
}

// spread takes a message to every subscriber.
func (s *Service) spread(t *topic, m *Message) {
	if s.deliver == nil {
		return
	}
	for _, sub := range t.subscriptions {
		d := Delivery{QueueARN: sub.queue, Body: m.Body, Attributes: clone(m.Attributes), GroupID: m.GroupID}
		if strings.HasSuffix(sub.queue, fifoSuffix) {
			d.DeduplicationID = m.DeduplicationID
		}
		if !sub.raw {
			d.Body, d.Attributes = t.envelope(m, sub), nil
		}
		_ = s.deliver(d) // a message that cannot be delivered is lost, see the package comment
	}
}

// envelope is the JSON around a message that is not delivered raw,
// https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html.
func (t *topic) envelope(m *Message, sub *subscription) string {
	type value struct{ Type, Value string }
	e := struct {
		Type              string
		MessageID         string `json:"MessageId"`
		SequenceNumber    string `json:",omitempty"`
		TopicArn          string
		Subject           string `json:",omitempty"`
		Message           string
		Timestamp         string
		UnsubscribeURL    string
		MessageAttributes map[string]value `json:",omitempty"`
	}{
		Type: "Notification", MessageID: m.ID, SequenceNumber: m.SequenceNumber, TopicArn: t.arn(), Subject: m.Subject, Message: m.Body,
		Timestamp:         m.Time.UTC().Format("2006-01-02T15:04:05.000Z"),
		UnsubscribeURL:    "https://sns." + region + ".amazonaws.com/?Action=Unsubscribe&SubscriptionArn=" + sub.arn,
		MessageAttributes: map[string]value{},
	}
	for name, a := range m.Attributes {
		v := value{a.Type, a.Text}
		if a.isBinary() {
			v.Value = base64.StdEncoding.EncodeToString(a.Binary)
		}
		e.MessageAttributes[name] = v
	}
	b, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return "" // strings always marshal
	}
	return string(b)
}
