package s3destination_test

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/destination/s3destination"
	"github.com/towpath/towpath/internal/servertest"
)

func client(t *testing.T) *s3.Client {
	return s3.NewFromConfig(servertest.Config(t, "aws"), func(o *s3.Options) { o.UsePathStyle = true })
}

func TestBucketIsADestinationOnAServer(t *testing.T) {
	client := client(t)
	destinationtest.RunDestination(t, func(t *testing.T) destinationtest.Rig { return wireRig(t, client) })
}

// wireRig makes a bucket and reads it through the service's own API.
func wireRig(t *testing.T, client *s3.Client) destinationtest.Rig {
	name := fmt.Sprintf("failed-%d", time.Now().UnixNano())
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
	return destinationtest.Rig{
		Destination: s3destination.Open(client, name, func(o *s3destination.Options) { o.Prefix = "prod" }),
		Attributed:  true,
		Once:        true,
		Accepted:    func(t *testing.T) []destinationtest.Accepted { return read(t, client, name) },
	}
}

// read gets every object of a bucket.
func read(t *testing.T, client *s3.Client, name string) (all []destinationtest.Accepted) {
	t.Helper()
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			got, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &name, Key: o.Key})
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
			all = append(all, destinationtest.Accepted{ID: *o.Key, Body: body, Attributes: rename(got.Metadata)})
		}
	}
	return all
}

func TestMissingBucketIsReadableOnAServer(t *testing.T) {
	err := s3destination.Open(client(t), "there-is-no-such-bucket").Send(t.Context(), destinationtest.Sample(1))
	if err == nil || !strings.Contains(err.Error(), "there is no such bucket") || !strings.Contains(err.Error(), "s3://there-is-no-such-bucket/") {
		t.Errorf("error %v, want one that says what is missing", err)
	}
}
