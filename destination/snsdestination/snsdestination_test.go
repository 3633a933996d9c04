package snsdestination_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/smithy-go"

	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/destination/snsdestination"
)

const (
	standardARN = "arn:aws:sns:eu-west-1:123456789012:failed"
	fifoARN     = standardARN + ".fifo"
)

// topic is a client whose topic is in memory and refuses what SNS refuses.
type topic struct {
	maxBytes int
	fifo     bool

	mu       sync.Mutex // guards what is below
	refusal  error
	accepted []*sns.PublishInput
}

func (q *topic) Publish(ctx context.Context, in *sns.PublishInput, _ ...func(*sns.Options)) (*sns.PublishOutput, error) {
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
			return &sns.PublishOutput{}, nil
		}
	}
	q.accepted = append(q.accepted, in)
	return &sns.PublishOutput{MessageId: aws.String("m")}, nil
}

func (q *topic) check(in *sns.PublishInput) error {
	size := len(*in.Message)
	for name, a := range in.MessageAttributes {
		size += len(name) + len(*a.DataType) + len(*a.StringValue)
		if *a.StringValue == "" {
			return &types.InvalidParameterException{Message: aws.String("empty attribute")}
		}
	}
	if size > q.maxBytes {
		return &types.InvalidParameterException{Message: aws.String("Invalid parameter: Message too long")}
	}
	if q.fifo != (in.MessageGroupId != nil) || q.fifo != (in.MessageDeduplicationId != nil) {
		return &types.InvalidParameterException{Message: aws.String("MessageGroupId")}
	}
	return nil
}

func (q *topic) refuse(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.refusal = err
}

func (q *topic) rig(d destination.Destination) destinationtest.Rig {
	return destinationtest.Rig{
		Destination: d, MaxBytes: q.maxBytes, Attributed: true, Once: q.fifo,
		Accepted: func(*testing.T) (accepted []destinationtest.Accepted) {
			q.mu.Lock()
			defer q.mu.Unlock()
			for _, in := range q.accepted {
				a := destinationtest.Accepted{Body: []byte(*in.Message), ID: aws.ToString(in.MessageDeduplicationId), Attributes: map[string]string{}}
				for name, v := range in.MessageAttributes {
					a.Attributes[name] = *v.StringValue
				}
				accepted = append(accepted, a)
			}
			return accepted
		},
		Refuse: func(*testing.T) func() {
			q.refuse(&types.AuthorizationErrorException{Message: aws.String("not authorized to perform: SNS:Publish")})
			return func() { q.refuse(nil) }
		},
	}
}

func TestTopicIsADestination(t *testing.T) {
	t.Run("Standard", func(t *testing.T) {
		destinationtest.RunDestination(t, func(*testing.T) destinationtest.Rig {
			q := &topic{maxBytes: destination.MaxSNSBytes}
			return q.rig(snsdestination.Open(q, standardARN))
		})
	})
	t.Run("FIFO", func(t *testing.T) {
		destinationtest.RunDestination(t, func(*testing.T) destinationtest.Rig {
			q := &topic{maxBytes: destination.MaxSNSBytes, fifo: true}
			return q.rig(snsdestination.Open(q, fifoARN))
		})
	})
	t.Run("LargeTopic", func(t *testing.T) {
		destinationtest.RunDestination(t, func(*testing.T) destinationtest.Rig {
			q := &topic{maxBytes: destination.MaxSNSTopicBytes}
			return q.rig(snsdestination.Open(q, standardARN, func(o *snsdestination.Options) { o.MaxBytes = q.maxBytes }))
		})
	})
	t.Run("ClaimCheck", func(t *testing.T) {
		destinationtest.RunDestination(t, func(*testing.T) destinationtest.Rig {
			q, s := &topic{maxBytes: destination.MaxSNSBytes}, &destinationtest.Shelf{}
			rig := q.rig(snsdestination.Open(q, standardARN, func(o *snsdestination.Options) { o.Store = s }))
			rig.Load = s.Load
			return rig
		})
	})
}

func TestFIFOGroupsByShardOrAsAsked(t *testing.T) {
	f := destinationtest.Sample(1)
	for want, by := range map[string]func(*destination.Failure) string{
		f.Shard: nil, f.Records[0].PartitionKey: destination.ByKey,
	} {
		q := &topic{maxBytes: destination.MaxSNSBytes, fifo: true}
		d := snsdestination.Open(q, fifoARN, func(o *snsdestination.Options) { o.GroupBy = by })
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
		"the role needs sns:Publish":        &types.AuthorizationErrorException{},
		"there is no such topic":            &types.NotFoundException{},
		"kms:GenerateDataKey and kms:Decry": &types.KMSAccessDeniedException{},
		"connection reset":                  errors.New("connection reset"),
		"Throttled":                         &smithy.GenericAPIError{Code: "Throttled"},
	} {
		q := &topic{maxBytes: destination.MaxSNSBytes, refusal: cause}
		d := snsdestination.Open(q, standardARN)
		err := d.Send(t.Context(), destinationtest.Sample(2))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), standardARN) || !errors.Is(err, cause) {
			t.Errorf("error %v, want it to say %q, to name the topic and to hold the cause", err, want)
		}
		if got := d.Counts(); got != (destination.Counts{}) {
			t.Errorf("counted %+v, want nothing", got)
		}
	}
}

func TestValidateSaysAllAtOnce(t *testing.T) {
	d := snsdestination.Open(nil, "failed", func(o *snsdestination.Options) { o.MaxBytes = 2 << 20 })
	err := d.Validate()
	for _, want := range []string{"the client is nil", `the topic is "failed", want its ARN`, "MaxBytes is 2097152"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
	if err := d.Send(t.Context(), destinationtest.Sample(1)); !errors.Is(err, destination.ErrRefused) {
		t.Errorf("Send: error %v, want ErrRefused", err)
	}
	for _, arn := range []string{"", "arn:aws:sqs:eu-west-1:1:failed", "arn:aws:sns:eu-west-1:1:", "arn:aws:sns:eu-west-1:1:failed:subscription"} {
		if snsdestination.Open(&topic{}, arn).Validate() == nil {
			t.Errorf("%q is valid", arn)
		}
	}
	if err := snsdestination.Open(&topic{}, "arn:aws-cn:sns:cn-north-1:1:failed").Validate(); err != nil {
		t.Error(err)
	}
}

func ExampleOpen() {
	client := &topic{maxBytes: destination.MaxSNSBytes} // sns.NewFromConfig(cfg)

	// Set as OnFailure of a consumer. Here a failure is sent by hand.
	onFailure := snsdestination.Open(client, "arn:aws:sns:eu-west-1:123456789012:failed")
	if err := onFailure.Send(context.Background(), destinationtest.Sample(2)); err != nil {
		fmt.Println(err)
	}

	published := client.accepted[0]
	fmt.Println("condition:", *published.MessageAttributes["condition"].StringValue)
	e, err := destination.ParseEnvelope([]byte(*published.Message))
	if err != nil {
		fmt.Println(err)
	}
	for _, r := range e.Failure.Records {
		fmt.Println(string(r.Data))
	}
	// Output:
	// condition: RetryAttemptsExhausted
	// {"click":0}
	// {"click":1}
}
