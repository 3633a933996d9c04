package bucketfake_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/bucketfake"
)

// world is a bucket in a fake, with the SDK's client in front of it.
type world struct {
	t      *testing.T
	client *s3.Client
	fake   *bucketfake.Service
}

// open makes the bucket "failed"; options are for the client, which does not try
// again.
func open(t *testing.T, options ...func(*s3.Options)) world {
	t.Helper()
	a := awsfake.New()
	config := a.Config("tester")
	config.RetryMaxAttempts = 1
	w := world{t, s3.NewFromConfig(config, options...), a.S3()}
	if err := w.fake.CreateBucket("failed"); err != nil {
		t.Fatal(err)
	}
	return w
}

// put stores body under key; change is for the request.
func (w world) put(key, body string, change ...func(*s3.PutObjectInput)) error {
	in := &s3.PutObjectInput{Bucket: aws.String("failed"), Key: &key, Body: strings.NewReader(body)}
	for _, f := range change {
		f(in)
	}
	_, err := w.client.PutObject(w.t.Context(), in)
	return err
}

// get is what is stored under key, or the part of it that a Range names.
func (w world) get(key, part string) (string, error) {
	in := &s3.GetObjectInput{Bucket: aws.String("failed"), Key: &key}
	if part != "" {
		in.Range = &part
	}
	out, err := w.client.GetObject(w.t.Context(), in)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(out.Body)
	return string(body), errors.Join(err, out.Body.Close())
}

func (w world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func refused(t *testing.T, what string, err error, code string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code {
		t.Errorf("%s: got %v, want %s", what, err, code)
	}
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// The trailer of aws-chunked encoding is what the client sends over https, the
// header is what it sends over http.
func TestWhatIsPutComesBackInEveryEncoding(t *testing.T) {
	body := strings.Repeat("\x00\xff\r\n0\r\n", 40_000)
	for name, option := range map[string]func(*s3.Options){
		"host, trailer": func(*s3.Options) {},
		"path, trailer": func(o *s3.Options) { o.UsePathStyle = true },
		"host, header":  func(o *s3.Options) { o.BaseEndpoint = aws.String("http://s3.localhost:4566") },
		"path, header":  func(o *s3.Options) { o.BaseEndpoint, o.UsePathStyle = aws.String("http://localhost:4566"), true },
		"no checksum":   func(o *s3.Options) { o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired },
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t, option)
			const key = "a b/c+d//é%2F.json"
			w.must(w.put(key, body, func(in *s3.PutObjectInput) {
				in.ContentType, in.ContentEncoding = aws.String("application/json"), aws.String("zstd")
				in.Metadata = map[string]string{"condition": "RetriesExhausted"}
			}))
			o, ok := w.fake.Object("failed", key)
			if !ok || string(o.Body) != body || o.ContentType != "application/json" || o.Metadata["condition"] != "RetriesExhausted" {
				t.Fatalf("stored: %v, %d bytes, %s, %v", ok, len(o.Body), o.ContentType, o.Metadata)
			}
			if got, err := w.get(key, ""); err != nil || got != body {
				t.Errorf("got %d bytes, %v", len(got), err)
			}
			head, err := w.client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("failed"), Key: aws.String(key)})
			w.must(err)
			same(t, "head", []any{*head.ContentLength, *head.ContentEncoding, *head.ETag, head.Metadata}, []any{len(body), "zstd", o.ETag, o.Metadata})
		})
	}
}

func TestEveryChecksumIsVerified(t *testing.T) {
	for _, algorithm := range types.ChecksumAlgorithm("").Values() {
		w := open(t)
		err := w.put("k", "body", func(in *s3.PutObjectInput) { in.ChecksumAlgorithm = algorithm })
		if err != nil {
			t.Logf("%s: %v", algorithm, err)
			switch algorithm {
			case types.ChecksumAlgorithmCrc32, types.ChecksumAlgorithmCrc32c, types.ChecksumAlgorithmCrc64nvme, types.ChecksumAlgorithmSha1, types.ChecksumAlgorithmSha256:
				t.Errorf("%s is refused", algorithm)
			}
			continue
		}
		out, err := w.client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("failed"), Key: aws.String("k"), ChecksumMode: types.ChecksumModeEnabled})
		w.must(err)
		_, err = io.Copy(io.Discard, out.Body) // the client compares the checksum at the end
		w.must(err)
	}
	w := open(t)
	for name, spoil := range map[string]func(*s3.PutObjectInput){
		"CRC-32":       func(in *s3.PutObjectInput) { in.ChecksumCRC32 = aws.String("AAAAAA==") },
		"CRC-32C":      func(in *s3.PutObjectInput) { in.ChecksumCRC32C = aws.String("AAAAAA==") },
		"CRC-64/NVME":  func(in *s3.PutObjectInput) { in.ChecksumCRC64NVME = aws.String("AAAAAAAAAAA=") },
		"SHA-1":        func(in *s3.PutObjectInput) { in.ChecksumSHA1 = aws.String("AAAAAAAAAAAAAAAAAAAAAAAAAAA=") },
		"SHA-256":      func(in *s3.PutObjectInput) { in.ChecksumSHA256 = aws.String("AAAA") },
		"MD5, with it": func(in *s3.PutObjectInput) { in.ContentMD5 = aws.String("AAAAAAAAAAAAAAAAAAAAAA==") },
	} {
		refused(t, name, w.put("spoiled", "body", spoil), "BadDigest")
	}
	if _, ok := w.fake.Object("failed", "spoiled"); ok {
		t.Error("a body with a wrong checksum was stored")
	}
}

func TestConditionalWritesHold(t *testing.T) {
	w := open(t)
	absent := func(in *s3.PutObjectInput) { in.IfNoneMatch = aws.String("*") }
	w.must(w.put("k", "first", absent))
	refused(t, "second", w.put("k", "second", absent), "PreconditionFailed")
	o, _ := w.fake.Object("failed", "k")
	matching := func(in *s3.PutObjectInput) { in.IfMatch = &o.ETag }
	w.must(w.put("k", "third", matching))
	refused(t, "outdated", w.put("k", "fourth", matching), "PreconditionFailed")
	refused(t, "absent", w.put("other", "x", matching), "NoSuchKey")
	o, _ = w.fake.Object("failed", "k")
	same(t, "stored", []any{string(o.Body), o.Writes}, "[third 2]")
}

func TestRangesAreCutOut(t *testing.T) {
	w := open(t)
	w.must(w.put("k", "0123456789"))
	for part, want := range map[string]string{
		"": "0123456789", "bytes=2-4": "234", "bytes=9-": "9", "bytes=-3": "789", "bytes=8-99": "89", "bytes=-99": "0123456789",
		"bytes=4-2": "0123456789", "lines=1-2": "0123456789", "bytes=0-1,3-4": "0123456789",
	} {
		if got, err := w.get("k", part); err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", part, got, err, want)
		}
	}
	for _, part := range []string{"bytes=10-", "bytes=10-12", "bytes=-0"} {
		_, err := w.get("k", part)
		refused(t, part, err, "InvalidRange")
	}
}

func TestListingGoesThroughPagesInOrder(t *testing.T) {
	w := open(t)
	for _, key := range []string{"b/2", "a", "b/1", "c/x/1", "c/y", "é", "d", "prod/1"} {
		w.must(w.put(key, key))
	}
	list := func(in s3.ListObjectsV2Input) (all []string, pages int) {
		in.Bucket = aws.String("failed")
		p := s3.NewListObjectsV2Paginator(w.client, &in)
		for p.HasMorePages() {
			page, err := p.NextPage(t.Context())
			w.must(err)
			for _, prefix := range page.CommonPrefixes {
				all = append(all, *prefix.Prefix)
			}
			for _, o := range page.Contents {
				all = append(all, *o.Key)
			}
			pages++
		}
		return all, pages
	}
	for _, c := range []struct {
		what  string
		in    s3.ListObjectsV2Input
		want  string
		pages int
	}{
		{"all", s3.ListObjectsV2Input{}, "[a b/1 b/2 c/x/1 c/y d prod/1 é]", 1},
		{"one a page", s3.ListObjectsV2Input{MaxKeys: aws.Int32(1)}, "[a b/1 b/2 c/x/1 c/y d prod/1 é]", 8},
		{"prefix", s3.ListObjectsV2Input{Prefix: aws.String("c/")}, "[c/x/1 c/y]", 1},
		{"delimiter", s3.ListObjectsV2Input{Delimiter: aws.String("/")}, "[b/ c/ prod/ a d é]", 1},
		{"delimiter, one a page", s3.ListObjectsV2Input{Delimiter: aws.String("/"), MaxKeys: aws.Int32(1)}, "[a b/ c/ d prod/ é]", 6},
		{"both", s3.ListObjectsV2Input{Prefix: aws.String("c/"), Delimiter: aws.String("/")}, "[c/x/ c/y]", 1},
		{"start", s3.ListObjectsV2Input{StartAfter: aws.String("c/y")}, "[d prod/1 é]", 1},
		{"start, delimiter", s3.ListObjectsV2Input{StartAfter: aws.String("b/1"), Delimiter: aws.String("/")}, "[c/ prod/ d é]", 1},
		{"nothing", s3.ListObjectsV2Input{Prefix: aws.String("zz")}, "[]", 1},
	} {
		got, pages := list(c.in)
		same(t, c.what, got, c.want)
		same(t, c.what+": pages", pages, c.pages)
	}
}

func TestLimitsHoldToTheByte(t *testing.T) {
	w := open(t)
	for n, fits := range map[int]bool{1023: true, 1024: true, 1025: false} {
		err := w.put(strings.Repeat("k", n), "x")
		if fits {
			w.must(err)
		} else {
			refused(t, fmt.Sprint(n), err, "KeyTooLongError")
		}
	}
	for n, fits := range map[int]bool{2047: true, 2048: true, 2049: false} {
		err := w.put("k", "x", func(in *s3.PutObjectInput) {
			in.Metadata = map[string]string{"name": strings.Repeat("v", n-len("name"))}
		})
		if fits {
			w.must(err)
		} else {
			refused(t, fmt.Sprint(n), err, "MetadataTooLarge")
		}
	}
	for i := range 1001 {
		w.must(w.put(fmt.Sprintf("many/%04d", i), ""))
	}
	page, err := w.client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("failed"), Prefix: aws.String("many/"), MaxKeys: aws.Int32(5000)})
	w.must(err)
	same(t, "page", []any{len(page.Contents), *page.IsTruncated}, "[1000 true]")
}

func TestWhatIsMissingIsSaidInTheServicesWords(t *testing.T) {
	w := open(t)
	ctx := t.Context()
	none := aws.String("there-is-none")
	for what, call := range map[string]func() error{
		"NoSuchBucket put": func() error {
			return w.put("k", "", func(in *s3.PutObjectInput) { in.Bucket = none })
		},
		"NoSuchBucket list": func() error {
			_, err := w.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: none})
			return err
		},
		"NotFound head bucket": func() error {
			_, err := w.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: none})
			return err
		},
		"NotFound head object": func() error {
			_, err := w.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String("failed"), Key: none})
			return err
		},
		"NoSuchKey get": func() error { _, err := w.get("k", ""); return err },
		"NoSuchBucket delete": func() error {
			_, err := w.client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: none})
			return err
		},
		"InvalidBucketName create": func() error {
			_, err := w.client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("Failed")})
			return err
		},
		"NotImplemented upload": func() error {
			_, err := w.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String("failed"), Key: none})
			return err
		},
	} {
		code, _, _ := strings.Cut(what, " ")
		refused(t, what, call(), code)
	}
	var gone *types.NoSuchKey
	if _, err := w.get("k", ""); !errors.As(err, &gone) {
		t.Errorf("got %v, want a *types.NoSuchKey", err)
	}
}

func TestBucketsAreDeletedWhenEmpty(t *testing.T) {
	w := open(t)
	ctx := t.Context()
	_, err := w.client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("failed")})
	w.must(err) // its own bucket, in us-east-1
	for _, key := range []string{"a", "b", "c"} {
		w.must(w.put(key, ""))
	}
	_, err = w.client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.String("failed")})
	refused(t, "not empty", err, "BucketNotEmpty")
	for range 2 { // an absent key is deleted as well as one that is there
		_, err = w.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String("failed"), Key: aws.String("a")})
		w.must(err)
	}
	_, err = w.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: aws.String("failed"), Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: aws.String("b")}, {Key: aws.String("c")}}}})
	w.must(err)
	same(t, "objects", len(w.fake.Objects("failed")), 0)
	_, err = w.client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: aws.String("failed")})
	w.must(err)
	if w.fake.Objects("failed") != nil {
		t.Error("the bucket is still there")
	}
}

func TestObjectsAreDatedByTheBubblesClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t)
		w.must(w.put("old", ""))
		time.Sleep(36 * time.Hour)
		w.must(w.put("new", ""))
		out, err := w.client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("failed")})
		w.must(err)
		same(t, "apart", out.Contents[0].LastModified.Sub(*out.Contents[1].LastModified), 36*time.Hour)
	})
}

func TestLoopbackTellsTheLengthOfWhatHeadLeavesOut(t *testing.T) {
	a := awsfake.New()
	url, stop, err := a.Serve()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	w := world{t, s3.NewFromConfig(awsfake.LoopbackConfig("tester", url), func(o *s3.Options) { o.UsePathStyle = true }), a.S3()}
	w.must(w.fake.CreateBucket("failed"))
	w.must(w.put("k", "0123456789"))
	head, err := w.client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("failed"), Key: aws.String("k")})
	w.must(err)
	same(t, "length", *head.ContentLength, 10)
	if got, err := w.get("k", "bytes=1-2"); err != nil || got != "12" {
		t.Errorf("got %q, %v", got, err)
	}
}

// What a program stored is looked at without the protocol.
func ExampleService_Object() {
	fake := awsfake.New()
	_ = fake.S3().CreateBucket("failed")
	client := s3.NewFromConfig(fake.Config("worker-1"))
	_, err := client.PutObject(context.Background(), &s3.PutObjectInput{
		Bucket: aws.String("failed"), Key: aws.String("clicks/1.json"), Body: bytes.NewReader([]byte(`{"n":1}`)),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	o, there := fake.S3().Object("failed", "clicks/1.json")
	fmt.Println(there, string(o.Body))
	// Output: true {"n":1}
}
