package queuefake

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// region and account are the only ones; they stand in URLs and ARNs.
const (
	region  = "us-east-1"
	account = "000000000000"
)

// Service is one account's SQS in one region. It is an http.Handler for the AWS
// JSON 1.0 protocol and safe for use by many goroutines. Make one with [New].
type Service struct {
	now func() time.Time

	mu     sync.Mutex // guards all below; held for work in memory only
	queues map[string]*queue
	sent   uint64 // the last number given to a message
	batch  func(Message) bool
}

// New makes an SQS without queues whose clock is now.
func New(now func() time.Time) *Service {
	return &Service{now: now, queues: map[string]*queue{}}
}

// Message is a message as it was sent, with what became of it.
type Message struct {
	ID              string               // given by the service
	Body            string               // as it was sent
	Attributes      map[string]Attribute // as they were sent, by name
	GroupID         string               // FIFO only
	DeduplicationID string               // given or made from the content; FIFO only
	SequenceNumber  string               // FIFO only
	Sent            time.Time            // by the clock of the service
	Receives        int                  // how many times it was received
	Gone            bool                 // deleted, purged or past the queue's retention
}

// CreateQueue makes a queue with default attributes, a FIFO queue if its name
// ends in .fifo, and returns its URL. One that is there stays as it is. The URL
// is empty if the name cannot be one.
func (s *Service) CreateQueue(name string) (url string) {
	in := createInput{QueueName: name}
	if strings.HasSuffix(name, fifoSuffix) {
		in.Attributes = map[string]string{"FifoQueue": "true"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.queues[name]; q != nil {
		return q.url()
	}
	q, err := newQueue(in, s.now())
	if err != nil {
		return ""
	}
	s.queues[name] = q
	return q.url()
}

// ARN is the ARN a queue of that name has.
func (s *Service) ARN(name string) string { return (&queue{name: name}).arn() }

// Messages is everything a queue ever accepted, in order; nil if there is no such
// queue. The queue is named by its name, its URL or its ARN. Repeats that a FIFO
// queue dropped are not among them.
func (s *Service) Messages(queue string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queues[nameOf(queue)]
	if q == nil {
		return nil
	}
	now := s.now()
	all := make([]Message, 0, len(q.messages))
	for _, m := range q.messages {
		all = append(all, Message{
			ID: m.id, Body: m.Body, Attributes: m.Attributes.clone(), GroupID: m.Group, DeduplicationID: m.Deduplication,
			SequenceNumber: m.sequence, Sent: m.sent, Receives: m.receives, Gone: q.gone(m, now),
		})
	}
	return all
}

// Deliver puts a message into a queue named by its name, URL or ARN, as
// SendMessage does: for what sends within the account, such as a topic.
func (s *Service) Deliver(queue string, m Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(queue)
	if err != nil {
		return err
	}
	_, err = s.send(q, entry{Body: m.Body, Attributes: m.Attributes, Group: m.GroupID, Deduplication: m.DeduplicationID})
	return err
}

// RefuseSome refuses, until restore is called, the entries of SendMessageBatch
// that refuse is true of, with the code InternalError, and takes the others, as
// the service does when a part of it fails. refuse must not call the Service.
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

// find is a queue by its name, its URL or its ARN.
func (s *Service) find(queue string) (*queue, error) {
	if q := s.queues[nameOf(queue)]; q != nil {
		return q, nil
	}
	return nil, refusal("QueueDoesNotExist", "The specified queue does not exist.")
}

// nameOf is the last part of a URL or an ARN.
func nameOf(queue string) string {
	return queue[strings.LastIndexAny(queue, "/:")+1:]
}

// names are the queues in order.
func (s *Service) names() []string { return slices.Sorted(maps.Keys(s.queues)) }
