package topicfake

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// region and account are the only ones; they stand in ARNs.
const (
	region    = "us-east-1"
	account   = "000000000000"
	arnPrefix = "arn:aws:sns:" + region + ":" + account + ":"
)

// Service is one account's SNS in one region. It is an http.Handler for the query
// protocol and safe for use by many goroutines. Make one with [New].
type Service struct {
	now func() time.Time

	mu        sync.Mutex        // guards all below; held for work in memory, and while a queue takes a message, which keeps order
	topics    map[string]*topic // by ARN
	deliver   func(Delivery) error
	published uint64 // the last number given to a message
	born      uint64 // the last number given to a subscription
	batch     func(Message) bool
}

// Message is a message as it was published.
type Message struct {
	ID              string               // given by the service
	Body            string               // as it was published
	Subject         string               // as it was published
	Attributes      map[string]Attribute // as they were published, by name
	GroupID         string               // FIFO only
	DeduplicationID string               // given or made from the content; FIFO only
	SequenceNumber  string               // FIFO only
	Time            time.Time            // when, by the clock of the service
}

// Attribute is a message attribute. Its type begins with String, Number or
// Binary; the value stands in Text for the first two.
type Attribute struct {
	Type   string // String, Number or Binary, and what stands behind a dot
	Text   string
	Binary []byte
}

// Delivery is a message on its way to a queue that is subscribed.
type Delivery struct {
	QueueARN        string               // of the queue
	Body            string               // the message, or the envelope around it
	Attributes      map[string]Attribute // of raw messages only
	GroupID         string               // FIFO only
	DeduplicationID string               // FIFO only
}

// New makes an SNS without topics whose clock is now.
func New(now func() time.Time) *Service {
	return &Service{now: now, topics: map[string]*topic{}}
}

// DeliverTo says who takes messages to queues. Without it, and if f fails, they
// are lost. f must not call the Service.
func (s *Service) DeliverTo(f func(Delivery) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deliver = f
}

// CreateTopic makes a topic with default attributes, a FIFO topic if its name
// ends in .fifo, and returns its ARN. One that is there stays as it is. The ARN
// is empty if the name cannot be one.
func (s *Service) CreateTopic(name string) (arn string) {
	attributes := map[string]string{}
	if strings.HasSuffix(name, fifoSuffix) {
		attributes["FifoTopic"] = "true"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.topics[arnPrefix+name]; t != nil {
		return t.arn()
	}
	t, err := newTopic(name, attributes)
	if err != nil {
		return ""
	}
	s.topics[t.arn()] = t
	return t.arn()
}

// Published is everything a topic ever accepted, in order; nil if there is no
// such topic. Repeats that a FIFO topic dropped are not among them.
func (s *Service) Published(topicARN string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.topics[topicARN]
	if t == nil {
		return nil
	}
	all := make([]Message, 0, len(t.messages))
	for _, m := range t.messages {
		c := *m
		c.Attributes = clone(m.Attributes)
		all = append(all, c)
	}
	return all
}

func clone(attributes map[string]Attribute) map[string]Attribute {
	c := maps.Clone(attributes)
	for name, v := range c {
		v.Binary = slices.Clone(v.Binary)
		c[name] = v
	}
	return c
}

// RefuseSome refuses, until restore is called, the entries of PublishBatch that
// refuse is true of, with the code InternalError, and takes the others, as the
// service does when a part of it fails. refuse must not call the Service.
func (s *Service) RefuseSome(refuse func(Message) bool) (restore func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batch = refuse
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.batch = nil
	}
}

// find is a topic by its ARN.
func (s *Service) find(arn string) (*topic, error) {
	if arn == "" {
		return nil, invalid("TopicArn", "no value for required parameter")
	}
	if t := s.topics[arn]; t != nil {
		return t, nil
	}
	if !strings.HasPrefix(arn, "arn:") || strings.Count(arn, ":") != 5 {
		return nil, invalid("TopicArn", "an ARN must have at least 6 elements")
	}
	return nil, refusal("NotFound", "Topic does not exist")
}
