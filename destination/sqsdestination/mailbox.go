package sqsdestination

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/towpath/towpath/destination"
)

// MailboxAPI is what a Mailbox uses of *sqs.Client.
type MailboxAPI interface {
	ReceiveMessage(ctx context.Context, in *sqs.ReceiveMessageInput, opts ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	DeleteMessage(ctx context.Context, in *sqs.DeleteMessageInput, opts ...func(*sqs.Options)) (*sqs.DeleteMessageOutput, error)
	ChangeMessageVisibility(ctx context.Context, in *sqs.ChangeMessageVisibilityInput, opts ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityOutput, error)
}

// MailboxOptions are what can be changed about a Mailbox.
type MailboxOptions struct {
	// Visibility is for how long a message that was received is kept from
	// others: default 15 minutes, at most 12 hours. It must be longer than the
	// whole run takes; what reappears before is handled again.
	Visibility time.Duration
	// Wait is how long Receive waits for a message before it says that there is
	// none: default 5 seconds, at most 20. A queue asks only some of its servers
	// where it does not wait, and may miss what is there.
	Wait time.Duration
}

// Mailbox is a queue to take failures out of. The role needs sqs:ReceiveMessage,
// sqs:DeleteMessage and sqs:ChangeMessageVisibility, and kms:Decrypt on a key of
// its own.
type Mailbox struct {
	client  MailboxAPI
	url     string
	options MailboxOptions
}

var _ destination.Mailbox = (*Mailbox)(nil)

// OpenMailbox names a queue by its URL. It calls nothing.
func OpenMailbox(client MailboxAPI, queueURL string, options ...func(*MailboxOptions)) *Mailbox {
	m := &Mailbox{client: client, url: queueURL, options: MailboxOptions{Visibility: 15 * time.Minute, Wait: 5 * time.Second}}
	for _, set := range options {
		set(&m.options)
	}
	return m
}

// mostReceived is how many messages one call gives.
const mostReceived = 10

// Receive implements destination.Mailbox.
func (m *Mailbox) Receive(ctx context.Context, limit int) ([]destination.Letter, error) {
	out, err := m.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &m.url, MaxNumberOfMessages: int32(min(max(limit, 1), mostReceived)),
		VisibilityTimeout: whole(m.options.Visibility), WaitTimeSeconds: whole(m.options.Wait),
	})
	if err != nil {
		return nil, fmt.Errorf("receive from %s: %w", m.url, err)
	}
	letters := make([]destination.Letter, len(out.Messages))
	for i, message := range out.Messages {
		letters[i] = destination.Letter{ID: aws.ToString(message.ReceiptHandle), Body: []byte(aws.ToString(message.Body))}
	}
	return letters, nil
}

// whole is a time in seconds as a queue takes it: not shorter than was asked for.
// Half a second of Wait would be none, and some of the servers not asked.
func whole(d time.Duration) int32 { return int32(math.Ceil(d.Seconds())) }

// Remove implements destination.Mailbox.
func (m *Mailbox) Remove(ctx context.Context, l destination.Letter) error {
	if _, err := m.client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &m.url, ReceiptHandle: &l.ID}); err != nil {
		return fmt.Errorf("remove a message from %s: %w", m.url, err)
	}
	return nil
}

// Return implements destination.Mailbox: the message is visible again at once.
func (m *Mailbox) Return(ctx context.Context, l destination.Letter) error {
	if _, err := m.client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: &m.url, ReceiptHandle: &l.ID}); err != nil {
		return fmt.Errorf("return a message to %s: %w", m.url, err)
	}
	return nil
}

// Validate says what is wrong with the arguments of OpenMailbox, all at once.
func (m *Mailbox) Validate() error {
	problems := []error{checkURL(m.url)}
	if m.client == nil {
		problems = append(problems, errors.New("the client is nil"))
	}
	const longest = 12 * time.Hour // SQS's own limit
	if v := m.options.Visibility; v < time.Second || v > longest {
		problems = append(problems, fmt.Errorf("Visibility is %v, want 1s to %v", v, longest))
	}
	if s := m.options.Wait.Seconds(); s < 0 || s > 20 {
		problems = append(problems, fmt.Errorf("Wait is %ss, want 0s to 20s", strconv.FormatFloat(s, 'g', -1, 64)))
	}
	return errors.Join(problems...)
}

// String is the queue's URL.
func (m *Mailbox) String() string { return m.url }
