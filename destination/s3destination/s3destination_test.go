package s3destination_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/destination/s3destination"
)

// bucket is a client whose bucket is in memory.
type bucket struct {
	mu      sync.Mutex // guards what is below
	refusal error
	objects map[string]destinationtest.Accepted
	last    *s3.PutObjectInput
}

func (b *bucket) PutObject(ctx context.Context, in *s3.PutObjectInput, _ ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	body, err := io.ReadAll(in.Body)
	if err := errors.Join(err, ctx.Err()); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refusal != nil {
		return nil, b.refusal
	}
	if len(*in.Key) > destination.MaxS3KeyBytes {
		return nil, &smithy.GenericAPIError{Code: "KeyTooLongError"}
	}
	if b.objects == nil {
		b.objects = map[string]destinationtest.Accepted{}
	}
	b.objects[*in.Key] = destinationtest.Accepted{ID: *in.Key, Body: body, Attributes: rename(in.Metadata)}
	b.last = in
	return &s3.PutObjectOutput{}, nil
}

// rename gives metadata, which is in lower case over the wire, the names of
// attributes.
func rename(metadata map[string]string) map[string]string {
	attributes := maps.Clone(metadata)
	for _, name := range []string{"shardId"} {
		for got := range metadata {
			if strings.EqualFold(got, name) {
				delete(attributes, got)
				attributes[name] = metadata[got]
			}
		}
	}
	return attributes
}

func (b *bucket) refuse(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refusal = err
}

func (b *bucket) rig(d destination.Destination) destinationtest.Rig {
	return destinationtest.Rig{
		Destination: d, Attributed: true, Once: true,
		Accepted: func(*testing.T) []destinationtest.Accepted {
			b.mu.Lock()
			defer b.mu.Unlock()
			return slices.Collect(maps.Values(b.objects))
		},
		Refuse: func(*testing.T) func() {
			b.refuse(&smithy.GenericAPIError{Code: "AccessDenied", Message: "Access Denied"})
			return func() { b.refuse(nil) }
		},
	}
}

func TestBucketIsADestination(t *testing.T) {
	destinationtest.RunDestination(t, func(*testing.T) destinationtest.Rig {
		b := &bucket{}
		return b.rig(s3destination.Open(b, "failed", func(o *s3destination.Options) { o.Prefix = "a/b/" }))
	})
}

// TestRepeatOverwritesWhenever: Lambda's keys hold the time of writing; these
// hold that of the first record's arrival.
func TestRepeatOverwritesWhenever(t *testing.T) {
	b := &bucket{}
	d := s3destination.Open(b, "failed", func(o *s3destination.Options) { o.Prefix = "/prod/" })
	f := destinationtest.Sample(1)
	for day := range 3 {
		f.At = f.At.Add(time.Duration(day) * 24 * time.Hour)
		if err := d.Send(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	const want = "prod/clickstream/shardId-000000000007/2026/03/01/" +
		"49660000000000000000000000000000000000000000000000000001-49660000000000000000000000000000000000000000000000000001.json"
	if _, ok := b.objects[want]; !ok || len(b.objects) != 1 {
		t.Errorf("the bucket holds %q, want %q alone", slices.Collect(maps.Keys(b.objects)), want)
	}
	if got := d.Counts(); got != (destination.Counts{Sent: 3}) {
		t.Errorf("counted %+v, want 3 sent", got)
	}
}

func TestRequestCanBeChanged(t *testing.T) {
	b := &bucket{}
	d := s3destination.Open(b, "failed", func(o *s3destination.Options) {
		o.PutObject = func(in *s3.PutObjectInput) { in.ServerSideEncryption = types.ServerSideEncryptionAwsKms }
	})
	f := destinationtest.Sample(1)
	f.Application = "cafés\r\nx-injected: 1"
	if err := d.Send(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	if b.last.ServerSideEncryption != types.ServerSideEncryptionAwsKms || *b.last.ContentType != "application/json" {
		t.Errorf("the request is %+v", b.last)
	}
	if got := b.last.Metadata["application"]; got != "caf?s??x-injected: 1" {
		t.Errorf("the metadata says %q", got)
	}
}

func TestRefusalsAreReadable(t *testing.T) {
	for want, cause := range map[string]error{
		"the role needs s3:PutObject":       &smithy.GenericAPIError{Code: "AccessDenied"},
		"there is no such bucket":           &types.NoSuchBucket{},
		"in another region than the client": &smithy.GenericAPIError{Code: "PermanentRedirect"},
	} {
		b := &bucket{refusal: cause}
		d := s3destination.Open(b, "failed")
		_, put := d.Put(t.Context(), "payload/x.json", nil, "application/json")
		for _, err := range []error{d.Send(t.Context(), destinationtest.Sample(1)), put} {
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "s3://failed/") || !errors.Is(err, cause) {
				t.Errorf("error %v, want it to say %q, to name the bucket and to hold the cause", err, want)
			}
		}
	}
}

func TestValidateSaysAllAtOnce(t *testing.T) {
	d := s3destination.Open(nil, "s3://failed", func(o *s3destination.Options) { o.Prefix = strings.Repeat("p", 300); o.Payload = 9 })
	err := d.Validate()
	for _, want := range []string{"the client is nil", `the bucket is "s3://failed", want its name alone`, "Prefix has 300 bytes", "Payload is 9"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
	if err := d.Send(t.Context(), destinationtest.Sample(1)); !errors.Is(err, destination.ErrRefused) {
		t.Errorf("Send: error %v, want ErrRefused", err)
	}
	if _, err := d.Put(t.Context(), "k", nil, ""); !errors.Is(err, destination.ErrRefused) {
		t.Errorf("Put: error %v, want ErrRefused", err)
	}
}

func ExampleOpen() {
	client := &bucket{} // s3.NewFromConfig(cfg)

	// Set as OnFailure of a consumer. Here a failure is sent by hand.
	onFailure := s3destination.Open(client, "failed", func(o *s3destination.Options) { o.Prefix = "prod" })
	if err := onFailure.Send(context.Background(), destinationtest.Sample(1)); err != nil {
		fmt.Println(err)
	}
	fmt.Println(onFailure)
	for key, object := range client.objects {
		fmt.Println(path.Dir(key))
		e, err := destination.ParseEnvelope(object.Body)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(string(e.Failure.Records[0].Data))
	}
	// Output:
	// s3://failed/prod
	// prod/clickstream/shardId-000000000007/2026/03/01
	// {"click":0}
}

func ExampleBucket_Put() {
	client := &bucket{} // s3.NewFromConfig(cfg)

	// A bucket is also the store for what is too large for a queue or a topic:
	//
	//	sqsdestination.Open(queues, url, func(o *sqsdestination.Options) { o.Store = payloads })
	payloads := s3destination.Open(client, "failed", func(o *s3destination.Options) { o.Prefix = "large" })

	uri, err := payloads.Put(context.Background(), "payload/1.json", bytes.Repeat([]byte("x"), 2<<20), "application/json")
	fmt.Println(uri, len(client.objects["large/payload/1.json"].Body), err)
	// Output: s3://failed/large/payload/1.json 2097152 <nil>
}
