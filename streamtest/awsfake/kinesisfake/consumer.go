package kinesisfake

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// enhanced is a consumer registered for enhanced fan-out.
type enhanced struct {
	stream  *stream
	number  int64 // of its registration with the stream
	name    string
	created time.Time
	ready   time.Time // ACTIVE from here on
	leaves  time.Time // DELETING until here; zero while it is registered

	feeds map[*shard]*feed // what SubscribeToShard keeps of each shard
	calls window           // of SubscribeToShard
}

func (c *enhanced) arn() string {
	return c.stream.arn() + "/consumer/" + c.name + ":" + strconv.FormatInt(c.created.Unix(), 10)
}

func (c *enhanced) status(now time.Time) string {
	switch {
	case !c.leaves.IsZero():
		return "DELETING"
	case now.Before(c.ready):
		return "CREATING"
	}
	return "ACTIVE"
}

type consumerDescription struct {
	ConsumerName              string
	ConsumerARN               string
	ConsumerStatus            string
	ConsumerCreationTimestamp epoch
	StreamARN                 string `json:",omitempty"`
}

func (c *enhanced) describe(now time.Time) consumerDescription {
	return consumerDescription{c.name, c.arn(), c.status(now), epoch(c.created), ""}
}

// consumer is the consumer of a name that is still there, or nil.
func (t *stream) consumer(name string, now time.Time) *enhanced {
	c := t.consumers[name]
	if c != nil && !c.leaves.IsZero() && !now.Before(c.leaves) {
		delete(t.consumers, name)
		return nil
	}
	return c
}

// registered are the consumers that are still there, the oldest first.
func (t *stream) registered(now time.Time) []*enhanced {
	var all []*enhanced
	for name := range t.consumers {
		if c := t.consumer(name, now); c != nil {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b *enhanced) int { return cmp.Compare(a.number, b.number) })
	return all
}

type registerStreamConsumerInput struct {
	StreamARN    string
	ConsumerName string
}

type registerStreamConsumerOutput struct{ Consumer consumerDescription }

func (s *Service) registerStreamConsumer(in registerStreamConsumerInput) (out registerStreamConsumerOutput, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !streamName.MatchString(in.ConsumerName) {
		return out, refusal("ValidationException", "ConsumerName %q does not match %s", in.ConsumerName, streamName)
	}
	t, err := s.findARN(in.StreamARN)
	if err != nil {
		return out, err
	}
	now := s.now()
	if t.consumer(in.ConsumerName, now) != nil {
		return out, refusal("ResourceInUseException", "Consumer %s of stream %s under account %s already exists.", in.ConsumerName, t.name, account)
	}
	all, creating := t.registered(now), 0
	for _, c := range all {
		if c.status(now) == "CREATING" {
			creating++
		}
	}
	switch {
	case len(all) >= maxConsumers:
		return out, refusal("LimitExceededException", "Stream %s under account %s has %d consumers, which is the most it can have.", t.name, account, maxConsumers)
	case creating >= maxCreating:
		return out, refusal("LimitExceededException", "Stream %s under account %s has %d consumers in the state CREATING, which is the most it can have.", t.name, account, maxCreating)
	}
	t.registrations++
	c := &enhanced{
		stream: t, number: t.registrations, name: in.ConsumerName,
		created: now.Truncate(time.Millisecond), ready: now.Add(s.limits.consumer), feeds: map[*shard]*feed{},
	}
	if last, again := t.named[c.name]; again && c.created.Unix() <= last { // an ARN is never given twice
		c.created = time.Unix(last+1, 0)
	}
	t.named[c.name] = c.created.Unix()
	t.consumers[c.name] = c
	return registerStreamConsumerOutput{c.describe(now)}, nil
}

// findARN is the stream a request names by nothing but its ARN.
func (s *Service) findARN(arn string) (*stream, error) {
	if arn == "" {
		return nil, refusal("ValidationException", "StreamARN must be given.")
	}
	return s.find(named{StreamARN: arn})
}

// namedConsumer is how requests name a consumer: by its ARN, or by its name and
// the ARN of its stream.
type namedConsumer struct {
	StreamARN    string
	ConsumerName string
	ConsumerARN  string
}

// findConsumer is the consumer a request names.
func (s *Service) findConsumer(n namedConsumer) (*enhanced, error) {
	streamARN, name := n.StreamARN, n.ConsumerName
	if n.ConsumerARN != "" {
		ofStream, ofConsumer, ok := consumerOfARN(n.ConsumerARN)
		switch {
		case !ok:
			return nil, invalid("ConsumerARN %q is not the ARN of a consumer", n.ConsumerARN)
		case streamARN != "" && streamARN != ofStream, name != "" && name != ofConsumer:
			return nil, invalid("ConsumerARN %q, ConsumerName %q and StreamARN %q differ", n.ConsumerARN, name, streamARN)
		}
		streamARN, name = ofStream, ofConsumer
	}
	if streamARN == "" || name == "" {
		return nil, invalid("Either ConsumerARN, or ConsumerName and StreamARN must be given.")
	}
	t, err := s.find(named{StreamARN: streamARN})
	if err != nil {
		return nil, err
	}
	c := t.consumer(name, s.now())
	if c == nil || n.ConsumerARN != "" && n.ConsumerARN != c.arn() {
		return nil, notFound("Consumer %s of stream %s under account %s not found.", name, t.name, account)
	}
	return c, nil
}

// consumerOfARN takes the ARN of the stream and the name of the consumer from
// the ARN of a consumer.
func consumerOfARN(arn string) (streamARN, name string, ok bool) {
	streamARN, rest, ok := strings.Cut(arn, "/consumer/")
	name, second, timed := strings.Cut(rest, ":")
	_, err := strconv.ParseUint(second, 10, 63)
	_, known := streamOfARN(streamARN)
	return streamARN, name, ok && timed && err == nil && known && name != ""
}

func (s *Service) deregisterStreamConsumer(in namedConsumer) (nothing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.findConsumer(in)
	if err != nil {
		return nothing{}, err
	}
	if c.leaves.IsZero() {
		c.leaves = s.now().Add(s.limits.consumer)
		c.end(notFound("Consumer %s was deregistered.", c.arn()))
	}
	return nothing{}, nil
}

type describeStreamConsumerOutput struct {
	ConsumerDescription consumerDescription
}

func (s *Service) describeStreamConsumer(in namedConsumer) (out describeStreamConsumerOutput, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.findConsumer(in)
	if err != nil {
		return out, err
	}
	out.ConsumerDescription = c.describe(s.now())
	out.ConsumerDescription.StreamARN = c.stream.arn()
	return out, nil
}

type listStreamConsumersInput struct {
	StreamARN               string
	NextToken               *string
	MaxResults              *int
	StreamCreationTimestamp *epoch
}

type listStreamConsumersOutput struct {
	Consumers []consumerDescription
	NextToken string `json:",omitempty"`
}

// listStreamConsumers lists in the order of registration.
func (s *Service) listStreamConsumers(in listStreamConsumersInput) (out listStreamConsumersOutput, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.findARN(in.StreamARN)
	if err != nil {
		return out, err
	}
	most := maxListedConsumers
	if in.MaxResults != nil {
		if *in.MaxResults < 1 || *in.MaxResults > 10000 {
			return out, refusal("ValidationException", "MaxResults must be from 1 to 10000.")
		}
		most = min(*in.MaxResults, most)
	}
	now := s.now()
	var after int64
	if in.NextToken != nil {
		var birth, issued int64
		if !unseal(*in.NextToken, consumersToken, &birth, &after, &issued) || uint64(birth) != t.birth {
			return out, invalid("NextToken is invalid.")
		}
		if now.Sub(time.Unix(0, issued)) > tokenTTL {
			return out, refusal("ExpiredNextTokenException", "NextToken was issued more than %s ago.", tokenTTL)
		}
	}
	out.Consumers = []consumerDescription{}
	last := after
	for _, c := range t.registered(now) {
		if c.number <= after {
			continue
		}
		if len(out.Consumers) == most {
			out.NextToken = seal(consumersToken, int64(t.birth), last, now.UnixNano())
			break
		}
		out.Consumers = append(out.Consumers, c.describe(now))
		last = c.number
	}
	return out, nil
}
