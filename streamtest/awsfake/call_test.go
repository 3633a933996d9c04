package awsfake_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"

	"github.com/towpath/towpath/streamtest/awsfake"
)

func TestCallsOfEveryServiceAreToldApartAndRefusedInItsOwnWords(t *testing.T) {
	a := awsfake.New()
	var seen awsfake.Call
	a.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
		seen = c
		return awsfake.Fail("AccessDeniedException", http.StatusForbidden)
	})
	config := a.Config("team/worker-1")
	config.RetryMaxAttempts = 1
	for want, call := range map[string]func(context.Context) error{
		"kinesis ListStreams": func(ctx context.Context) error {
			_, err := kinesis.NewFromConfig(config).ListStreams(ctx, &kinesis.ListStreamsInput{})
			return err
		},
		"dynamodb ListTables": func(ctx context.Context) error {
			_, err := dynamodb.NewFromConfig(config).ListTables(ctx, &dynamodb.ListTablesInput{})
			return err
		},
		"sqs SendMessage": func(ctx context.Context) error {
			_, err := sqs.NewFromConfig(config).SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: aws.String("https://sqs.us-east-1.amazonaws.com/000000000000/q"), MessageBody: aws.String("m")})
			return err
		},
		"sns Publish": func(ctx context.Context) error {
			_, err := sns.NewFromConfig(config).Publish(ctx, &sns.PublishInput{TopicArn: aws.String("arn:aws:sns:us-east-1:000000000000:t"), Message: aws.String("m")})
			return err
		},
		"s3 PutObject": func(ctx context.Context) error {
			_, err := s3.NewFromConfig(config).PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("b"), Key: aws.String("k"), Body: strings.NewReader("m")})
			return err
		},
		"s3 ListObjectsV2": func(ctx context.Context) error {
			_, err := s3.NewFromConfig(config).ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("b")})
			return err
		},
	} {
		err := call(t.Context())
		if got := seen.Service + " " + seen.Operation; got != want || seen.Caller != "team/worker-1" {
			t.Errorf("got %s of %s, want %s", got, seen.Caller, want)
		}
		var api smithy.APIError
		if !errors.As(err, &api) || api.ErrorCode() != "AccessDeniedException" {
			t.Errorf("%s: got %v", want, err)
		}
	}
}

func TestUnsignedCallsAreToldApartByTheirTarget(t *testing.T) {
	a := newStream(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://localhost/", strings.NewReader(`{"StreamName":"clicks"}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Amz-Target", "Kinesis_20131202.ListShards")
	response, err := a.HTTPClient().Do(request)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("got %v, %v", response, err)
	}
	if a.Count("", "kinesis", "ListShards") != 1 {
		t.Error("the call was not recognised")
	}
	request.Header.Set("X-Amz-Target", "Strange.Call")
	if response, err = a.HTTPClient().Do(request); err != nil || response.StatusCode != http.StatusNotFound {
		t.Errorf("unknown service: got %v, %v", response, err)
	}
}
