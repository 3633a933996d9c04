// Package snsdestination publishes to a topic of Amazon SNS, standard or FIFO:
// batches that were given up, and records that a handler emits.
//
// The message of a failure is the envelope of package destination. It has the attributes
// condition, shardId and application, by which a subscription can filter. On a
// FIFO topic (its name ends in .fifo) the group is the shard and the
// deduplication id is made from the records, so that a repeat within 5 minutes
// is dropped by the topic.
//
// The message of an emitted record is its payload, with the attributes towpath-id
// and towpath-key and its own beside it; one that is no text, or has attributes
// that SNS does not take, is a destination.Document, with the attribute
// towpath-form. On a FIFO topic the group is the record's key and the
// deduplication id is made from its id.
//
// A message has at most 256 KiB unless the topic is set to more: without a Store
// (see destination.Packing) a single record above about 190 KB is described and
// not carried. Set Options.Store.
//
// The role needs sns:Publish on the topic; with a key of its own,
// kms:GenerateDataKey and kms:Decrypt on that key. A topic without subscribers
// accepts every message and keeps none: that is a topic's nature, and a failure
// sent there is lost.
package snsdestination

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/towpath/towpath/destination"
)

// API is what is used of *sns.Client.
type API interface {
	Publish(ctx context.Context, in *sns.PublishInput, opts ...func(*sns.Options)) (*sns.PublishOutput, error)
	PublishBatch(ctx context.Context, in *sns.PublishBatchInput, opts ...func(*sns.Options)) (*sns.PublishBatchOutput, error)
}

// Options change how messages are made. The zero value is right for a topic
// with the default message size.
type Options struct {
	// Packing says what happens to what is too large. MaxBytes is 256 KiB
	// (destination.MaxSNSBytes); where the topic's MaximumMessageSize is set to
	// more, up to 1 MiB, it may be as much.
	destination.Packing
	// GroupBy gives the message group on a FIFO topic. Default:
	// destination.ByShard. It is not asked on a standard topic.
	GroupBy func(*destination.Failure) string
	// Scope is part of the deduplication id of an emitted record on a FIFO topic.
	// Default: none. Set it, to the application's name, where two applications
	// emit records of the same stream to one topic, or the topic takes the second
	// one's for repeats.
	Scope string
	// Unordered fills every call with 10 emitted records, whatever their keys
	// are. Default: of one key one at a time, so that one that is refused does not
	// come behind the next. A standard topic keeps no order anyway; for few keys
	// this is up to 10 times faster there. It is refused on a FIFO topic.
	Unordered bool
}

// Topic is a topic as a destination. It keeps no state but counts, and may be
// used by several goroutines.
type Topic struct {
	counter destination.Counter
	client  API
	arn     string
	options Options
	problem error
}

var (
	_ destination.Destination = (*Topic)(nil)
	_ destination.Publisher   = (*Topic)(nil)
	_ destination.Validator   = (*Topic)(nil)
)

// Open names a topic by its ARN. It calls nothing. What is wrong with its
// arguments, Validate says, and every Send.
func Open(client API, topicARN string, optFns ...func(*Options)) *Topic {
	t := &Topic{client: client, arn: topicARN}
	t.options.MaxBytes = destination.MaxSNSBytes
	for _, fn := range optFns {
		fn(&t.options)
	}
	t.options.Attributed = true
	t.problem = t.check()
	return t
}

func (t *Topic) check() error {
	var problems []error
	if t.client == nil {
		problems = append(problems, errors.New("the client is nil"))
	}
	if arn, ok := destination.ParseARN(t.arn); !ok || arn.Service != "sns" || strings.Contains(arn.Resource, ":") {
		problems = append(problems, fmt.Errorf("the topic is %q, want its ARN, arn:aws:sns:<region>:<account>:<name>", t.arn))
	}
	if n := t.options.MaxBytes; n <= 0 || n > destination.MaxSNSTopicBytes {
		problems = append(problems, fmt.Errorf("MaxBytes is %d, want 1 to %d", n, destination.MaxSNSTopicBytes))
	}
	if t.options.Unordered && t.FIFO() {
		problems = append(problems, errors.New("Unordered is set, but a FIFO topic keeps order"))
	}
	problems = append(problems, t.options.Packing.Validate())
	return errors.Join(problems...)
}

// Validate says what is wrong with the arguments of Open, all at once.
func (t *Topic) Validate() error { return t.problem }

// String is the topic's ARN.
func (t *Topic) String() string { return t.arn }

// FIFO reports whether the topic is a FIFO topic, by its name.
func (t *Topic) FIFO() bool { return strings.HasSuffix(t.arn, ".fifo") }

// Send publishes the failure, as one message or several, and returns nil when
// the topic has accepted all of them. An error is a *destination.SendError.
func (t *Topic) Send(ctx context.Context, f destination.Failure) error {
	if t.problem != nil {
		return f.Refusal(t, nil, fmt.Errorf("%w: %w", destination.ErrRefused, t.problem))
	}
	messages, err := t.options.Pack(ctx, f)
	if err != nil {
		return f.Refusal(t, nil, err)
	}
	for i := range messages {
		if _, err := t.client.Publish(ctx, t.input(&messages[i])); err != nil {
			return f.Refusal(t, hints, fmt.Errorf("message %d of %d: %w", i+1, len(messages), err))
		}
	}
	t.counter.Accepted(messages)
	return nil
}

// Counts says how many failures were accepted, and in which form.
func (t *Topic) Counts() destination.Counts { return t.counter.Counts() }

func (t *Topic) input(m *destination.Message) *sns.PublishInput {
	in := &sns.PublishInput{
		TopicArn:          &t.arn,
		Message:           aws.String(string(m.Body)),
		MessageAttributes: make(map[string]types.MessageAttributeValue, len(m.Attributes)),
	}
	for _, a := range m.Attributes {
		in.MessageAttributes[a.Name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(a.Value)}
	}
	if t.FIFO() {
		in.MessageGroupId = aws.String(m.Part.GroupID(t.options.GroupBy))
		in.MessageDeduplicationId = aws.String(m.Part.DeduplicationID())
	}
	return in
}

const (
	denied = "access denied, the role needs sns:Publish on the topic (the topic's policy may forbid it too)"
	gone   = "there is no such topic in this account and region"
	noKey  = "the topic's key does not allow it, the role needs kms:GenerateDataKey and kms:Decrypt"
	shape  = "the topic does not take messages of this kind (standard or FIFO, MaximumMessageSize)"
)

// hints are by the codes of
// https://docs.aws.amazon.com/sns/latest/api/API_Publish.html#API_Publish_Errors.
var hints = map[string]string{
	"AuthorizationError":    denied,
	"AccessDenied":          denied,
	"AccessDeniedException": denied,
	"NotFound":              gone,
	"KMSAccessDenied":       noKey,
	"KMSDisabled":           "the topic's key is disabled",
	"InvalidParameter":      shape,
}
