package bucketfake_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/towpath/towpath/internal/servertest"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// The same probe runs against the fake and against a server that others wrote,
// so that what the fake is trusted for is not only its own opinion.

func TestFakeAnswersTheProbe(t *testing.T) {
	probe(t, s3.NewFromConfig(awsfake.New().Config("probe"), pathStyle))
}

func TestServerAnswersTheProbe(t *testing.T) {
	probe(t, s3.NewFromConfig(servertest.Config(t, "aws"), pathStyle))
}

func pathStyle(o *s3.Options) { o.UsePathStyle = true }

func probe(t *testing.T, client *s3.Client) {
	ctx := t.Context()
	bucket := aws.String(fmt.Sprintf("probe-%d", time.Now().UnixNano()))
	if _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
	put := func(key, body string, more func(*s3.PutObjectInput)) error {
		in := &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: strings.NewReader(body), ContentType: aws.String("text/plain"), Metadata: map[string]string{"shard": "1"}}
		if more != nil {
			more(in)
		}
		_, err := client.PutObject(ctx, in)
		return err
	}
	keys := []string{"a/1 & 2", "a/\u00e9", "b/1"}
	for _, key := range keys {
		if err := put(key, "0123456789", nil); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		// The test's own context has ended by now.
		ctx := context.WithoutCancel(ctx)
		for _, key := range keys {
			_, _ = client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: &key})
		}
		_, _ = client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: bucket})
	})

	code := func(err error) string {
		var refused smithy.APIError
		if errors.As(err, &refused) {
			return refused.ErrorCode()
		}
		return fmt.Sprint(err)
	}
	err := put(keys[0], "other", func(in *s3.PutObjectInput) { in.IfNoneMatch = aws.String("*") })
	if got := code(err); got != "PreconditionFailed" {
		t.Errorf("a key that must not exist: %s", got)
	}
	got, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: &keys[0], ChecksumMode: types.ChecksumModeEnabled})
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(got.Body); err != nil || string(body) != "0123456789" || got.Metadata["shard"] != "1" || aws.ToString(got.ContentType) != "text/plain" {
		t.Errorf("got %q %v %v %v", body, err, got.Metadata, aws.ToString(got.ContentType))
	}
	part, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: &keys[0], Range: aws.String("bytes=2-4")})
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(part.Body); err != nil || string(body) != "234" || aws.ToString(part.ContentRange) != "bytes 2-4/10" {
		t.Errorf("a range: got %q %v, range %q", body, err, aws.ToString(part.ContentRange))
	}
	if head, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: &keys[1]}); err != nil || aws.ToInt64(head.ContentLength) != 10 {
		t.Errorf("head: %+v %v", head, err)
	}

	var listed []string
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: bucket, Prefix: aws.String("a/"), MaxKeys: aws.Int32(1)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range page.Contents {
			listed = append(listed, *object.Key)
		}
	}
	if !slices.Equal(listed, keys[:2]) {
		t.Errorf("listed %q, want %q", listed, keys[:2])
	}

	none := aws.String(*bucket + "-none")
	_, err = client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: aws.String("none")})
	if got := code(err); got != "NoSuchKey" {
		t.Errorf("a key that is not there: %s", got)
	}
	_, err = client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: none})
	if got := code(err); got != "NoSuchBucket" {
		t.Errorf("a bucket that is not there: %s", got)
	}
	_, err = client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: none})
	if got := code(err); got != "NotFound" {
		t.Errorf("head of a bucket that is not there: %s", got)
	}
	if _, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String("none")}); err != nil {
		t.Errorf("to delete what is not there: %v", err)
	}
}
