package kafka

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
)

// API is what is used of *kgo.Client.
type API interface {
	ProduceSync(ctx context.Context, records ...*kgo.Record) kgo.ProduceResults
}

// MaxBytes is what a message has at most by default, value, key, headers and what
// Kafka adds: below the 1,000,012 bytes that franz-go puts into one batch, which is
// below what a broker takes unless message.max.bytes is changed.
// https://kafka.apache.org/documentation/#brokerconfigs_message.max.bytes
const MaxBytes = 1_000_000

// Options change how records are made. The zero value is right.
type Options struct {
	// Packing says what happens to what is too large. MaxBytes is 1,000,000
	// (MaxBytes). Where the topic takes more, set it, and the client's
	// ProducerBatchMaxBytes above it.
	destination.Packing
	// Key gives the key of a failure. Default: destination.ByShard. An empty one
	// goes to any partition.
	Key func(*destination.Failure) string
	// Unordered gives the client all emitted records at once, whatever their keys
	// are. Default: of one key one at a time, so that one that is refused does not
	// come behind the next. The client keeps the order of a partition itself while
	// nothing is refused for good, and this is much faster for few keys.
	Unordered bool
}

// Topic is a topic as a destination. It keeps no state but counts, and may be
// used by several goroutines.
type Topic struct {
	counter destination.Counter
	client  API
	name    string
	options Options
	problem error
}

var (
	_ destination.Destination = (*Topic)(nil)
	_ destination.Publisher   = (*Topic)(nil)
	_ destination.Validator   = (*Topic)(nil)
	_ API                     = (*kgo.Client)(nil)
)

// batchLimit is how many records are given to the client at once; it makes
// batches of its own of them.
const batchLimit = 500

// Open names a topic. It calls nothing. What is wrong with its arguments, Validate
// says, and every Send and Publish.
func Open(client API, topic string, options ...func(*Options)) *Topic {
	t := &Topic{client: client, name: topic}
	t.options.MaxBytes, t.options.Key = MaxBytes, destination.ByShard
	for _, set := range options {
		set(&t.options)
	}
	t.options.Attributed = true
	t.problem = t.check()
	return t
}

// topicName is what Kafka takes, see its class Topic: 249 characters at most, and
// not . or .. alone.
var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

func (t *Topic) check() error {
	var problems []error
	if t.client == nil {
		problems = append(problems, errors.New("the client is nil"))
	}
	if !topicName.MatchString(t.name) || t.name == "." || t.name == ".." {
		problems = append(problems, fmt.Errorf("the topic is %q, want its name alone, of letters, digits, '.', '_' and '-'", t.name))
	}
	if t.options.Key == nil {
		problems = append(problems, errors.New("Key is nil, want a function such as destination.ByShard"))
	}
	problems = append(problems, t.options.Packing.Validate())
	return errors.Join(problems...)
}

// Validate says what is wrong with the arguments of Open, all at once.
func (t *Topic) Validate() error { return t.problem }

// String is kafka:// and the topic's name, as Lambda writes it.
func (t *Topic) String() string { return "kafka://" + t.name }

// Counts says how many failures and records were accepted, and in which form.
func (t *Topic) Counts() destination.Counts { return t.counter.Counts() }

// perRecord is what Kafka adds to a record at most, beside its parts: 61 bytes
// for a batch of one, and lengths and deltas of up to 10 bytes each;
// https://kafka.apache.org/documentation/#recordbatch. A header adds two lengths.
const (
	perRecord = 110
	perHeader = 10
)

// extra is what a record counts beside value and headers.
func extra(key string, headers int) int { return perRecord + len(key) + perHeader*headers }

// Send produces the failure, as one record or several, and returns nil when the
// brokers have accepted all of them. An error is a *destination.SendError.
func (t *Topic) Send(ctx context.Context, f destination.Failure) error {
	if t.problem != nil {
		return f.Refusal(t, nil, fmt.Errorf("%w: %w", destination.ErrRefused, t.problem))
	}
	key := t.options.Key(&f)
	packing := t.options.Packing
	if packing.MaxBytes > 0 {
		packing.MaxBytes -= extra(key, len(f.Attributes()))
	}
	messages, err := packing.Pack(ctx, f)
	if err != nil {
		return f.Refusal(t, nil, err)
	}
	for i := range messages {
		fates, err := t.produce(ctx, []*kgo.Record{t.record(key, messages[i].Body, messages[i].Attributes)})
		if err == nil {
			err = fates[0]
		}
		if err != nil {
			return f.Refusal(t, nil, fmt.Errorf("message %d of %d: %w", i+1, len(messages), hinted(err)))
		}
	}
	t.counter.Accepted(messages)
	return nil
}

// Publish produces emitted records and returns nil when the brokers have accepted
// all of them. An error is a *destination.PublishError.
func (t *Topic) Publish(ctx context.Context, records []batching.Emitted) error {
	if t.problem != nil {
		return destination.RefuseAll(t, records, t.problem)
	}
	return destination.Courier{
		Destination: t.String(),
		Packing:     t.options.Packing,
		Form:        destination.FormBytes,
		Limit:       batchLimit,
		Unordered:   t.options.Unordered,
		Extra:       func(e *batching.Emitted) int { return extra(e.Key, 2+len(e.Attributes)) },
		Send: func(ctx context.Context, parcels []destination.Parcel) ([]error, error) {
			produced := make([]*kgo.Record, len(parcels))
			for i := range parcels {
				produced[i] = t.record(parcels[i].Record.Key, parcels[i].Body, parcels[i].Attributes)
			}
			return t.produce(ctx, produced)
		},
		Counter: &t.counter,
	}.Publish(ctx, records)
}

func (t *Topic) record(key string, value []byte, attributes []destination.Attribute) *kgo.Record {
	r := &kgo.Record{Topic: t.name, Value: value}
	if key != "" {
		r.Key = []byte(key)
	}
	for _, a := range attributes {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: a.Name, Value: []byte(a.Value)})
	}
	return r
}

// produce tells the fate of each record; the client answers in any order.
func (t *Topic) produce(ctx context.Context, records []*kgo.Record) ([]error, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	at := make(map[*kgo.Record]int, len(records))
	fates := make([]error, len(records))
	for i, r := range records {
		at[r] = i
		fates[i] = errNoAnswer
	}
	for _, result := range t.client.ProduceSync(ctx, records...) {
		if i, ok := at[result.Record]; ok {
			fates[i] = hinted(result.Err)
		}
	}
	return fates, nil
}

var errNoAnswer = errors.New("the client did not say what became of the record")

// hinted puts what to do before the cause.
func hinted(err error) error {
	for cause, hint := range hints {
		if errors.Is(err, cause) {
			return fmt.Errorf("%s: %w", hint, err)
		}
	}
	return err
}

var hints = map[error]string{
	kerr.TopicAuthorizationFailed: "access denied, the principal needs Write and Describe on the topic",
	kerr.UnknownTopicOrPartition:  "there is no such topic in this cluster",
	kerr.MessageTooLarge:          "the topic takes less than MaxBytes, see its max.message.bytes",
	kgo.ErrRecordTimeout:          "no broker took it within the client's RecordDeliveryTimeout",
}
