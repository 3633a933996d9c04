// Package sqsdestination sends to a queue of Amazon SQS, standard or FIFO: batches
// that were given up, and records that a handler emits.
//
// The body of a failure is the envelope of package destination. A message has the attributes
// condition, shardId and application. On a FIFO queue (its name ends in .fifo)
// the group is the shard and the deduplication id is made from the records, so
// that a repeat within 5 minutes is dropped by the queue.
//
// What exceeds the size of a message is packed as destination.Packing says:
// without a Store, a single record above about 780 KB is described and not
// carried. Set Options.Store.
//
// The body of an emitted record is its payload, with the attributes towpath-id
// and towpath-key and its own beside it; one that is no text, or has attributes
// that SQS does not take, is a destination.Document, with the attribute
// towpath-form. On a FIFO queue the group is the record's key and the
// deduplication id is made from its id.
//
// The role needs sqs:SendMessage on the queue; with a key of its own,
// kms:GenerateDataKey and kms:Decrypt on that key.
package sqsdestination

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/towpath/towpath/destination"
)

// API is what is used of *sqs.Client.
type API interface {
	SendMessage(ctx context.Context, in *sqs.SendMessageInput, opts ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
	SendMessageBatch(ctx context.Context, in *sqs.SendMessageBatchInput, opts ...func(*sqs.Options)) (*sqs.SendMessageBatchOutput, error)
}

// Options change how messages are made. The zero value is right for a queue
// with the largest message size.
type Options struct {
	// Packing says what happens to what is too large. MaxBytes is 1 MiB
	// (destination.MaxSQSBytes) unless the queue's MaximumMessageSize is lower.
	destination.Packing
	// GroupBy gives the message group on a FIFO queue. Default:
	// destination.ByShard. It is not asked on a standard queue.
	GroupBy func(*destination.Failure) string
	// Scope is part of the deduplication id of an emitted record on a FIFO queue.
	// Default: none. Set it, to the application's name, where two applications
	// emit records of the same stream to one queue, or the queue takes the second
	// one's for repeats.
	Scope string
	// Unordered fills every call with 10 emitted records, whatever their keys
	// are. Default: of one key one at a time, so that one that is refused does not
	// come behind the next. A standard queue keeps no order anyway; for few keys
	// this is up to 10 times faster there. It is refused on a FIFO queue.
	Unordered bool
}

// Queue is a queue as a destination. It keeps no state but counts, and may be
// used by several goroutines.
type Queue struct {
	counter destination.Counter
	client  API
	url     string
	options Options
	problem error
}

var (
	_ destination.Destination = (*Queue)(nil)
	_ destination.Publisher   = (*Queue)(nil)
	_ destination.Validator   = (*Queue)(nil)
)

// Open names a queue by its URL, https://sqs.<region>.amazonaws.com/<account>/<name>.
// It calls nothing. What is wrong with its arguments, Validate says, and every
// Send.
func Open(client API, queueURL string, optFns ...func(*Options)) *Queue {
	q := &Queue{client: client, url: queueURL}
	q.options.MaxBytes = destination.MaxSQSBytes
	for _, fn := range optFns {
		fn(&q.options)
	}
	q.options.Attributed = true
	q.problem = q.check()
	return q
}

func (q *Queue) check() error {
	var problems []error
	if q.client == nil {
		problems = append(problems, errors.New("the client is nil"))
	}
	problems = append(problems, checkURL(q.url))
	if n := q.options.MaxBytes; n <= 0 || n > destination.MaxSQSBytes {
		problems = append(problems, fmt.Errorf("MaxBytes is %d, want 1 to %d", n, destination.MaxSQSBytes))
	}
	if q.options.Unordered && q.FIFO() {
		problems = append(problems, errors.New("Unordered is set, but a FIFO queue keeps order"))
	}
	problems = append(problems, q.options.Packing.Validate())
	return errors.Join(problems...)
}

// checkURL says what is wrong with the URL of a queue.
func checkURL(queue string) error {
	u, err := url.Parse(queue)
	switch {
	case strings.HasPrefix(queue, "arn:"):
		return fmt.Errorf("the queue is %q, an ARN; want its URL, https://sqs.<region>.amazonaws.com/<account>/<name>", queue)
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return fmt.Errorf("the queue is %q, want its URL, https://sqs.<region>.amazonaws.com/<account>/<name>", queue)
	}
	return nil
}

// Validate says what is wrong with the arguments of Open, all at once.
func (q *Queue) Validate() error { return q.problem }

// String is the queue's URL.
func (q *Queue) String() string { return q.url }

// FIFO reports whether the queue is a FIFO queue, by its name.
func (q *Queue) FIFO() bool { return strings.HasSuffix(q.url, ".fifo") }

// Send sends the failure, as one message or several, and returns nil when the
// queue has accepted all of them. An error is a *destination.SendError.
func (q *Queue) Send(ctx context.Context, f destination.Failure) error {
	if q.problem != nil {
		return f.Refusal(q, nil, fmt.Errorf("%w: %w", destination.ErrRefused, q.problem))
	}
	messages, err := q.options.Pack(ctx, f)
	if err != nil {
		return f.Refusal(q, nil, err)
	}
	for i := range messages {
		if _, err := q.client.SendMessage(ctx, q.input(&messages[i])); err != nil {
			return f.Refusal(q, hints, fmt.Errorf("message %d of %d: %w", i+1, len(messages), err))
		}
	}
	q.counter.Accepted(messages)
	return nil
}

// Counts says how many failures were accepted, and in which form.
func (q *Queue) Counts() destination.Counts { return q.counter.Counts() }

func (q *Queue) input(m *destination.Message) *sqs.SendMessageInput {
	in := &sqs.SendMessageInput{
		QueueUrl:          &q.url,
		MessageBody:       aws.String(string(m.Body)),
		MessageAttributes: make(map[string]types.MessageAttributeValue, len(m.Attributes)),
	}
	for _, a := range m.Attributes {
		in.MessageAttributes[a.Name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(a.Value)}
	}
	if q.FIFO() {
		in.MessageGroupId = aws.String(m.Part.GroupID(q.options.GroupBy))
		in.MessageDeduplicationId = aws.String(m.Part.DeduplicationID())
	}
	return in
}

const (
	denied = "access denied, the role needs sqs:SendMessage on the queue (the queue's policy may forbid it too)"
	gone   = "there is no such queue in this account and region"
	noKey  = "the queue's key does not allow it, the role needs kms:GenerateDataKey and kms:Decrypt"
	shape  = "the queue does not take messages of this kind (standard or FIFO, MaximumMessageSize)"
)

// hints are by the codes of
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html#API_SendMessage_Errors.
var hints = map[string]string{
	"AccessDenied":                            denied,
	"AccessDeniedException":                   denied,
	"QueueDoesNotExist":                       gone,
	"AWS.SimpleQueueService.NonExistentQueue": gone,
	"KmsAccessDenied":                         noKey,
	"KMS.AccessDeniedException":               noKey,
	"KmsDisabled":                             "the queue's key is disabled",
	"MissingParameter":                        shape,
	"InvalidParameterValue":                   shape,
}
