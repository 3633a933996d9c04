package deliveryfake_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/smithy-go"

	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/deliveryfake"
)

func put(t *testing.T, a *awsfake.AWS, sizes ...int) (*firehose.PutRecordBatchOutput, error) {
	in := &firehose.PutRecordBatchInput{DeliveryStreamName: aws.String("orders"), Records: []types.Record{}}
	for _, n := range sizes {
		in.Records = append(in.Records, types.Record{Data: make([]byte, n)})
	}
	return firehose.NewFromConfig(a.Config("tester")).PutRecordBatch(t.Context(), in)
}

func refused(t *testing.T, what string, err error, code string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code {
		t.Errorf("%s: got %v, want %s", what, err, code)
	}
}

func TestPutRecordBatchKeepsItsLimits(t *testing.T) {
	a := awsfake.New()
	_, err := put(t, a, 1)
	refused(t, "no such stream", err, "ResourceNotFoundException")
	a.Firehose().CreateStream("orders")
	if _, err := put(t, a, 1_024_000, 1); err != nil {
		t.Errorf("1,000 KiB: %v", err)
	}
	_, err = put(t, a, 1, 1_024_001)
	refused(t, "one byte more", err, "ValidationException")
	if _, err := put(t, a, 1_024_000, 1_024_000, 1_024_000, 1_024_000, 4<<20-4*1_024_000); err != nil {
		t.Errorf("4 MiB: %v", err)
	}
	_, err = put(t, a, 1_024_000, 1_024_000, 1_024_000, 1_024_000, 4<<20-4*1_024_000+1)
	refused(t, "one byte more than 4 MiB", err, "InvalidArgumentException")
	if _, err := put(t, a, make([]int, 500)...); err != nil {
		t.Errorf("500 records: %v", err)
	}
	_, err = put(t, a, make([]int, 501)...)
	refused(t, "501 records", err, "InvalidArgumentException")
	_, err = put(t, a)
	refused(t, "no records", err, "ValidationException")
	if got := len(a.Firehose().Records("orders")); got != 2+5+500 {
		t.Errorf("the stream holds %d records, want 507", got)
	}
}

func TestRecordsFailAlone(t *testing.T) {
	a := awsfake.New()
	a.Firehose().CreateStream("orders")
	restore := a.Firehose().RefuseSome(func(data []byte) bool { return len(data) == 2 })
	out, err := put(t, a, 1, 2, 3)
	restore()
	if err != nil || *out.FailedPutCount != 1 || len(out.RequestResponses) != 3 {
		t.Fatalf("got %+v, %v", out, err)
	}
	if r := out.RequestResponses; r[0].RecordId == nil || aws.ToString(r[1].ErrorCode) != "ServiceUnavailableException" || r[1].RecordId != nil || r[2].RecordId == nil {
		t.Errorf("got %+v", r)
	}
	if out, err := put(t, a, 2); err != nil || *out.FailedPutCount != 0 {
		t.Errorf("restored: got %+v, %v", out, err)
	}
}

func TestNamesAreChecked(t *testing.T) {
	a := awsfake.New()
	if arn := a.Firehose().CreateStream("a b"); arn != "" || a.Firehose().Records("a b") != nil {
		t.Errorf("a stream with a blank in its name has the ARN %q", arn)
	}
	_, err := firehose.NewFromConfig(a.Config("tester")).ListDeliveryStreams(t.Context(), &firehose.ListDeliveryStreamsInput{})
	refused(t, "what is not here", err, "UnknownOperationException")
}

func ExampleService_Records() {
	fake := awsfake.New()
	fake.Firehose().CreateStream("orders")
	_, err := firehose.NewFromConfig(fake.Config("worker-1")).PutRecord(context.Background(), &firehose.PutRecordInput{
		DeliveryStreamName: aws.String("orders"), Record: &types.Record{Data: []byte("an order")},
	})
	show := func(s *deliveryfake.Service) {
		for _, data := range s.Records("orders") {
			fmt.Println(string(data), err)
		}
	}
	show(fake.Firehose())
	// Output: an order <nil>
}
