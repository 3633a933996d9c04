package iam_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/destination/dynamodestination"
	"github.com/towpath/towpath/destination/eventbridgedestination"
	"github.com/towpath/towpath/destination/firehosedestination"
	"github.com/towpath/towpath/destination/kinesisdestination"
	"github.com/towpath/towpath/destination/lambdadestination"
	"github.com/towpath/towpath/destination/s3destination"
	"github.com/towpath/towpath/destination/snsdestination"
	"github.com/towpath/towpath/destination/sqsdestination"
	"github.com/towpath/towpath/destination/stepfunctionsdestination"
	"github.com/towpath/towpath/iam"
	"github.com/towpath/towpath/redrive"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// both takes what was given up and what was emitted.
type both interface {
	destination.Destination
	destination.Publisher
}

func pathStyle(o *s3.Options) { o.UsePathStyle = true }

// sinks are the destinations: what is made for each, its ARN, and the driver.
var sinks = map[string]struct {
	make func(t *testing.T, a *awsfake.AWS) (name, arn string)
	open func(cfg aws.Config, name string) both
}{
	"sqs": {
		func(_ *testing.T, a *awsfake.AWS) (string, string) {
			return a.SQS().CreateQueue("letters"), a.SQS().ARN("letters")
		},
		func(cfg aws.Config, url string) both { return sqsdestination.Open(sqs.NewFromConfig(cfg), url) },
	},
	"sns": {
		func(_ *testing.T, a *awsfake.AWS) (string, string) {
			arn := a.SNS().CreateTopic("letters")
			return arn, arn
		},
		func(cfg aws.Config, arn string) both { return snsdestination.Open(sns.NewFromConfig(cfg), arn) },
	},
	"events": {
		func(_ *testing.T, a *awsfake.AWS) (string, string) {
			arn := a.EventBridge().CreateBus("letters")
			return arn, arn
		},
		func(cfg aws.Config, arn string) both {
			return eventbridgedestination.Open(eventbridge.NewFromConfig(cfg), arn)
		},
	},
	"s3": {
		func(t *testing.T, a *awsfake.AWS) (string, string) {
			if err := a.S3().CreateBucket("letters"); err != nil {
				t.Fatal(err)
			}
			return "letters", "arn:aws:s3:::letters/given-up"
		},
		func(cfg aws.Config, bucket string) both {
			return s3destination.Open(s3.NewFromConfig(cfg, pathStyle), bucket, func(o *s3destination.Options) { o.Prefix = "given-up" })
		},
	},
	"lambda": {
		func(_ *testing.T, a *awsfake.AWS) (string, string) {
			arn := a.Lambda().CreateFunction("letters", nil)
			return arn, arn
		},
		func(cfg aws.Config, arn string) both { return lambdadestination.Open(lambda.NewFromConfig(cfg), arn) },
	},
	"kinesis": {
		func(t *testing.T, a *awsfake.AWS) (string, string) {
			if err := a.Kinesis().CreateStream("letters", 1); err != nil {
				t.Fatal(err)
			}
			return "letters", a.Kinesis().ARN("letters")
		},
		func(cfg aws.Config, name string) both {
			return kinesisdestination.Open(kinesis.NewFromConfig(cfg), name)
		},
	},
	"firehose": {
		func(_ *testing.T, a *awsfake.AWS) (string, string) {
			arn := a.Firehose().CreateStream("letters")
			return arn, arn
		},
		func(cfg aws.Config, arn string) both {
			return firehosedestination.Open(firehose.NewFromConfig(cfg), arn)
		},
	},
	"states": {
		func(_ *testing.T, a *awsfake.AWS) (string, string) {
			arn := a.StepFunctions().CreateMachine("letters")
			return arn, arn
		},
		func(cfg aws.Config, arn string) both {
			return stepfunctionsdestination.Open(sfn.NewFromConfig(cfg), arn)
		},
	},
	"dynamodb": {
		func(t *testing.T, a *awsfake.AWS) (string, string) {
			_, err := dynamodb.NewFromConfig(a.Config("operator")).CreateTable(t.Context(), &dynamodb.CreateTableInput{
				TableName: aws.String("letters"), BillingMode: types.BillingModePayPerRequest,
				AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS}},
				KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: types.KeyTypeHash}},
			})
			if err != nil {
				t.Fatal(err)
			}
			return "letters", tableARN("letters")
		},
		func(cfg aws.Config, name string) both {
			return dynamodestination.Open(dynamodb.NewFromConfig(cfg), name, func(o *dynamodestination.Options) { o.PartitionKey = "id" })
		},
	},
}

func TestDestinationsAskForWhatTheirPolicyAllows(t *testing.T) {
	for service, sink := range sinks {
		t.Run(service, func(t *testing.T) {
			a := awsfake.New()
			name, arn := sink.make(t, a)
			g := guarded(t, a, iam.Scope{Destinations: []string{arn}}, iam.Send)
			d := sink.open(g.config(a, "worker"), name)
			if err := d.Send(t.Context(), destinationtest.Sample(3)); err != nil {
				t.Error(err)
			}
			for _, n := range []int{1, 30} {
				if err := d.Publish(t.Context(), destinationtest.SampleEmitted(n, 3)); err != nil {
					t.Error(err)
				}
			}
			g.agrees(t)
		})
	}
}

// A role that may send to one destination may not send to another: what it
// cannot send is refused and stays with the caller.
func TestPolicyOfOneDestinationOpensNoOther(t *testing.T) {
	for service, sink := range sinks {
		a := awsfake.New()
		name, _ := sink.make(t, a)
		elsewhere := "arn:aws:sqs:" + here + ":another"
		g := guarded(t, a, iam.Scope{Destinations: []string{elsewhere}}, iam.Send)
		if err := sink.open(g.config(a, "worker"), name).Send(t.Context(), destinationtest.Sample(1)); err == nil {
			t.Errorf("%s: sent with a policy for %s", service, elsewhere)
		}
	}
}

func TestRedriveAsksForWhatItsPolicyAllows(t *testing.T) {
	for _, service := range []string{"sqs", "s3"} {
		t.Run(service, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := awsfake.New()
				name, arn := sinks[service].make(t, a)
				sender := sinks[service].open(a.Config("worker"), name)
				for n := range 2 {
					f := destinationtest.Sample(3)
					f.Shard = fmt.Sprintf("shardId-%012d", n)
					for i := range f.Records {
						f.Records[i].Shard = f.Shard
					}
					if err := sender.Send(t.Context(), f); err != nil {
						t.Fatal(err)
					}
				}
				g := guarded(t, a, iam.Scope{Destinations: []string{arn}}, iam.Redrive)
				cfg := g.config(a, "operator")
				var from destination.Mailbox = sqsdestination.OpenMailbox(sqs.NewFromConfig(cfg), name)
				if service == "s3" {
					from = s3destination.OpenMailbox(s3.NewFromConfig(cfg, pathStyle), name, "given-up")
				}
				first := ""
				got, err := redrive.Run(t.Context(), redrive.Config{From: from, Attempts: 1, Handler: handlerOf(func(r *shard.Record) error {
					if first == "" {
						first = r.Shard
					}
					if r.Shard == first {
						return nil
					}
					return errors.New("not this one")
				})})
				if err != nil || got.Letters[redrive.Handled] != 1 || got.Letters[redrive.Failed] != 1 {
					t.Errorf("%+v, %v; want one letter handled and one returned", got, err)
				}
				g.agrees(t)
			})
		})
	}
}

// handlerOf is a handler of single records.
type handlerOf func(*shard.Record) error

func (h handlerOf) Handle(_ context.Context, b *batching.Batch) error {
	for i := range b.Records {
		if err := h(&b.Records[i]); err != nil {
			return err
		}
	}
	return nil
}
