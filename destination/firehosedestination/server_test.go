package firehosedestination_test

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	types3 "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/destination/firehosedestination"
	"github.com/towpath/towpath/internal/servertest"
)

// wireStream makes a stream that writes into a bucket, and reads the lines of the
// bucket's objects.
func wireStream(t *testing.T) (name string, client *firehose.Client, lines func(*testing.T) [][]byte) {
	config := servertest.Config(t, "aws")
	client = firehose.NewFromConfig(config)
	objects := s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true })
	name = fmt.Sprintf("orders-%d", time.Now().UnixNano())
	if _, err := objects.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
	_, err := client.CreateDeliveryStream(t.Context(), &firehose.CreateDeliveryStreamInput{
		DeliveryStreamName: &name,
		ExtendedS3DestinationConfiguration: &types.ExtendedS3DestinationConfiguration{
			BucketARN: aws.String("arn:aws:s3:::" + name), RoleARN: aws.String("arn:aws:iam::000000000000:role/firehose"),
			BufferingHints: &types.BufferingHints{IntervalInSeconds: aws.Int32(60), SizeInMBs: aws.Int32(1)},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	awaitActive(t, client, name)
	return name, client, func(t *testing.T) (all [][]byte) { return readLines(t, objects, name) }
}

func awaitActive(t *testing.T, client *firehose.Client, name string) {
	t.Helper()
	for range 100 {
		out, err := client.DescribeDeliveryStream(t.Context(), &firehose.DescribeDeliveryStreamInput{DeliveryStreamName: &name})
		if err != nil {
			t.Fatal(err)
		}
		if out.DeliveryStreamDescription.DeliveryStreamStatus == types.DeliveryStreamStatusActive {
			return
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-t.Context().Done():
		}
	}
	t.Fatalf("the stream %s does not become active", name)
}

func readLines(t *testing.T, client *s3.Client, bucket string) (all [][]byte) {
	t.Helper()
	var keys []types3.Object
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, page.Contents...)
	}
	slices.SortStableFunc(keys, func(a, b types3.Object) int { return cmp.Compare(*a.Key, *b.Key) })
	for _, o := range keys {
		got, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: o.Key})
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(got.Body)
		if err != nil {
			t.Fatal(err)
		}
		if err := got.Body.Close(); err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(body) {
			all = append(all, undelimited(t, line))
		}
	}
	return all
}

func TestStreamIsADestinationOnAServer(t *testing.T) {
	destinationtest.RunDestination(t, func(t *testing.T) destinationtest.Rig {
		name, client, lines := wireStream(t)
		return destinationtest.Rig{
			Destination: firehosedestination.Open(client, name),
			MaxBytes:    destination.MaxFirehoseBytes - 1,
			Accepted: func(t *testing.T) (all []destinationtest.Accepted) {
				for _, line := range lines(t) {
					all = append(all, destinationtest.Accepted{Body: line})
				}
				return all
			},
		}
	})
}

func TestStreamIsAPublisherOnAServer(t *testing.T) {
	destinationtest.RunPublisher(t, func(t *testing.T) destinationtest.PublisherRig {
		name, client, lines := wireStream(t)
		return destinationtest.PublisherRig{
			Publisher:  firehosedestination.Open(client, name, func(o *firehosedestination.Options) { o.Document = true }),
			MaxBytes:   destination.MaxFirehoseBytes,
			BatchLimit: 500,
			BatchBytes: destination.MaxFirehoseBatchBytes,
			Attributed: true,
			Unordered:  true,
			Published: func(t *testing.T) (all []destinationtest.Published) {
				for _, line := range lines(t) {
					p := destinationtest.Unwrap(t, destination.FormDocument, line, nil)
					p.Bytes = len(line) + 1
					all = append(all, p)
				}
				return all
			},
		}
	})
}

func TestMissingStreamIsReadableOnAServer(t *testing.T) {
	client := firehose.NewFromConfig(servertest.Config(t, "aws"))
	err := firehosedestination.Open(client, "there-is-no-such-stream").Send(t.Context(), destinationtest.Sample(1))
	if err == nil || !strings.Contains(err.Error(), "there is no such Firehose stream") {
		t.Errorf("error %v, want one that says what is missing", err)
	}
}
