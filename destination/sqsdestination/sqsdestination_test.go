package sqsdestination_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/destination/sqsdestination"
)

const (
	standardURL = "https://sqs.eu-west-1.amazonaws.com/123456789012/failed"
	fifoURL     = standardURL + ".fifo"
)

// queue is a client whose queue is in memory and refuses what SQS refuses.
type queue struct {
	maxBytes int
	fifo     bool

	mu       sync.Mutex // guards what is below
	refusal  error
	accepted []*sqs.SendMessageInput
}

func (q *queue) SendMessage(ctx context.Context, in *sqs.SendMessageInput, _ ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := errors.Join(q.refusal, q.check(in)); err != nil {
		return nil, err
	}
	for _, before := range q.accepted {
		if q.fifo && *before.MessageDeduplicationId == *in.MessageDeduplicationId {
			return &sqs.SendMessageOutput{}, nil
		}
	}
	q.accepted = append(q.accepted, in)
	return &sqs.SendMessageOutput{MessageId: aws.String("m")}, nil
}

func (q *queue) check(in *sqs.SendMessageInput) error {
	size := len(*in.MessageBody)
	texts := []string{*in.MessageBody}
	for name, a := range in.MessageAttributes {
		size += len(name) + len(*a.DataType) + len(*a.StringValue)
		texts = append(texts, *a.StringValue)
	}
	if size > q.maxBytes {
		return &smithy.GenericAPIError{Code: "InvalidParameterValue", Message: "One or more parameters are invalid. Reason: Message must be shorter"}
	}
	for _, text := range texts {
		if text == "" || strings.ContainsFunc(text, forbidden) {
			return &types.InvalidMessageContents{}
		}
	}
	if q.fifo != (in.MessageGroupId != nil) || q.fifo != (in.MessageDeduplicationId != nil) {
		return &smithy.GenericAPIError{Code: "MissingParameter", Message: "MessageGroupId"}
	}
	return nil
}

// forbidden is the set of characters that SendMessage documents.
func forbidden(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff || r == 0xfffd
}

func (q *queue) rig(d destination.Destination) destinationtest.Rig {
	return destinationtest.Rig{
		Destination: d, MaxBytes: q.maxBytes, Attributed: true, Once: q.fifo,
		Accepted: func(*testing.T) (accepted []destinationtest.Accepted) {
			q.mu.Lock()
			defer q.mu.Unlock()
			for _, in := range q.accepted {
				a := destinationtest.Accepted{Body: []byte(*in.MessageBody), ID: aws.ToString(in.MessageDeduplicationId), Attributes: map[string]string{}}
				for name, v := range in.MessageAttributes {
					a.Attributes[name] = *v.StringValue
				}
				accepted = append(accepted, a)
			}
			return accepted
		},
		Refuse: func(*testing.T) func() {
			q.refuse(&types.QueueDoesNotExist{Message: aws.String("The specified queue does not exist.")})
			return func() { q.refuse(nil) }
		},
	}
}

func (q *queue) refuse(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.refusal = err
}

func TestQueueIsADestination(t *testing.T) {
	t.Run("Standard", func(t *testing.T) {
		destinationtest.RunDestination(t, func(*testing.T) destinationtest.Rig {
			q := &queue{maxBytes: destination.MaxSQSBytes}
			return q.rig(sqsdestination.Open(q, standardURL))
		})
	})
	t.Run("FIFO", func(t *testing.T) {
		destinationtest.RunDestination(t, func(*testing.T) destinationtest.Rig {
			q := &queue{maxBytes: destination.MaxSQSBytes, fifo: true}
			return q.rig(sqsdestination.Open(q, fifoURL))
		})
	})
	t.Run("SmallQueue", func(t *testing.T) {
		destinationtest.RunDestination(t, func(*testing.T) destinationtest.Rig {
			q := &queue{maxBytes: 10_000}
			return q.rig(sqsdestination.Open(q, standardURL, func(o *sqsdestination.Options) { o.MaxBytes = q.maxBytes }))
		})
	})
	t.Run("ClaimCheck", func(t *testing.T) {
		destinationtest.RunDestination(t, func(*testing.T) destinationtest.Rig {
			q, s := &queue{maxBytes: destination.MaxSQSBytes, fifo: true}, &destinationtest.Shelf{}
			rig := q.rig(sqsdestination.Open(q, fifoURL, func(o *sqsdestination.Options) { o.Store = s }))
			rig.Load = s.Load
			return rig
		})
	})
}

func TestFIFOGroupsByShardOrAsAsked(t *testing.T) {
	f := destinationtest.Sample(1)
	for want, by := range map[string]func(*destination.Failure) string{
		f.Shard:                   nil,
		f.Records[0].PartitionKey: destination.ByKey,
		"mine":                    func(*destination.Failure) string { return "mine" },
	} {
		q := &queue{maxBytes: destination.MaxSQSBytes, fifo: true}
		d := sqsdestination.Open(q, fifoURL, func(o *sqsdestination.Options) { o.GroupBy = by })
		if err := d.Send(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		if got := *q.accepted[0].MessageGroupId; got != want {
			t.Errorf("the group is %q, want %q", got, want)
		}
	}
}

func TestRefusalsAreReadable(t *testing.T) {
	for want, cause := range map[string]error{
		"the role needs sqs:SendMessage":    &smithy.GenericAPIError{Code: "AccessDenied", Message: "not authorized"},
		"there is no such queue":            &types.QueueDoesNotExist{ErrorCodeOverride: aws.String("AWS.SimpleQueueService.NonExistentQueue")},
		"kms:GenerateDataKey and kms:Decry": &types.KmsAccessDenied{},
	} {
		q := &queue{maxBytes: destination.MaxSQSBytes, refusal: cause}
		err := sqsdestination.Open(q, standardURL).Send(t.Context(), destinationtest.Sample(2))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), standardURL) || !errors.Is(err, cause) {
			t.Errorf("error %v, want it to say %q, to name the queue and to hold the cause", err, want)
		}
	}
}

// TestStoreThatRefusesIsNotTheQueuesFault: the hint must not send the operator
// to the wrong policy.
func TestStoreThatRefusesIsNotTheQueuesFault(t *testing.T) {
	denied := &smithy.GenericAPIError{Code: "AccessDenied"}
	q := &queue{maxBytes: destination.MaxSQSBytes}
	f := destinationtest.Sample(1)
	f.Records[0].Data = make([]byte, 2<<20)
	err := sqsdestination.Open(q, standardURL, func(o *sqsdestination.Options) { o.Store = refusingStore{denied} }).Send(t.Context(), f)
	if !errors.Is(err, denied) || strings.Contains(err.Error(), "sqs:SendMessage") || len(q.accepted) != 0 {
		t.Errorf("error %v, %d messages", err, len(q.accepted))
	}
}

type refusingStore struct{ err error }

func (s refusingStore) Put(context.Context, string, []byte, string) (string, error) { return "", s.err }

// TestSendIsNilOnlyWhenAllPartsAre loses the third of several parts.
func TestSendIsNilOnlyWhenAllPartsAre(t *testing.T) {
	q := &losing{queue: queue{maxBytes: 10_000}, lose: 3}
	d := sqsdestination.Open(q, standardURL, func(o *sqsdestination.Options) { o.MaxBytes = 10_000 })
	f := destinationtest.Sample(5)
	for i := range f.Records {
		f.Records[i].Data = make([]byte, 3000)
	}
	if err := d.Send(t.Context(), f); err == nil || !strings.Contains(err.Error(), "message 3 of 5") {
		t.Errorf("error %v, want one that names the part", err)
	}
	if got := d.Counts(); got != (destination.Counts{}) {
		t.Errorf("counted %+v, want nothing", got)
	}
	if err := d.Send(t.Context(), f); err != nil {
		t.Error(err)
	}
	if got, want := d.Counts(), (destination.Counts{Sent: 1, Split: 1}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}

type losing struct {
	queue
	lose int
}

func (l *losing) SendMessage(ctx context.Context, in *sqs.SendMessageInput, opts ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	if l.lose--; l.lose == 0 {
		return nil, errors.New("connection reset")
	}
	return l.queue.SendMessage(ctx, in, opts...)
}

func TestOmittedPayloadIsCounted(t *testing.T) {
	f := destinationtest.Sample(1)
	f.Records[0].Data = make([]byte, 2<<20)
	q := &queue{maxBytes: destination.MaxSQSBytes}
	d := sqsdestination.Open(q, standardURL)
	if err := d.Send(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	if got, want := d.Counts(), (destination.Counts{Sent: 1, Omitted: 1}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
	d = sqsdestination.Open(q, standardURL, func(o *sqsdestination.Options) { o.RequirePayload = true })
	if err := d.Send(t.Context(), f); !errors.Is(err, destination.ErrRefused) || len(q.accepted) != 1 {
		t.Errorf("with RequirePayload: error %v, %d messages, want ErrRefused and none more", err, len(q.accepted))
	}
}

func TestValidateSaysAllAtOnce(t *testing.T) {
	d := sqsdestination.Open(nil, "arn:aws:sqs:eu-west-1:1:failed", func(o *sqsdestination.Options) { o.MaxBytes = 2 << 20 })
	err := d.Validate()
	for _, want := range []string{"the client is nil", "an ARN; want its URL", "MaxBytes is 2097152"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
	if err := d.Send(t.Context(), destinationtest.Sample(1)); !errors.Is(err, destination.ErrRefused) {
		t.Errorf("Send: error %v, want ErrRefused", err)
	}
	for _, url := range []string{"", "failed", "ftp://host/failed", "https://", "://"} {
		if sqsdestination.Open(&queue{}, url).Validate() == nil {
			t.Errorf("%q is valid", url)
		}
	}
	if err := sqsdestination.Open(&queue{}, "http://localhost:4566/000000000000/failed").Validate(); err != nil {
		t.Error(err)
	}
}

func ExampleOpen() {
	client := &queue{maxBytes: destination.MaxSQSBytes} // sqs.NewFromConfig(cfg)

	// Set as OnFailure of a consumer. Here a failure is sent by hand.
	onFailure := sqsdestination.Open(client, "https://sqs.eu-west-1.amazonaws.com/123456789012/failed")
	if err := onFailure.Send(context.Background(), destinationtest.Sample(2)); err != nil {
		fmt.Println(err)
	}

	e, err := destination.ParseEnvelope([]byte(*client.accepted[0].MessageBody))
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(e.Failure.Condition, "of", e.BatchSize, "records:", e.Failure.Err)
	for _, r := range e.Failure.Records {
		fmt.Println(string(r.Data))
	}
	// Output:
	// RetryAttemptsExhausted of 2 records: insert click: connection refused
	// {"click":0}
	// {"click":1}
}
