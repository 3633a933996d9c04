package dynamocheckpoint

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Overflow keeps states that are too large for an item of DynamoDB. An object is
// written before the row that refers to it, under a key that no other object
// ever has, and deleted after the row that replaces it.
type Overflow interface {
	// Put writes an object, and returns nil when a Get anywhere finds it. One
	// that is there already is the same.
	Put(ctx context.Context, key string, data []byte) error
	// Get reads an object.
	Get(ctx context.Context, key string) ([]byte, error)
	// Delete deletes an object; one that is not there is no error.
	Delete(ctx context.Context, key string) error
	// List is the keys of the objects whose key begins with prefix.
	List(ctx context.Context, prefix string) ([]string, error)
}

// S3Client is what an overflow in S3 asks of it. *s3.Client satisfies it.
type S3Client interface {
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
	DeleteObject(context.Context, *s3.DeleteObjectInput, ...func(*s3.Options)) (*s3.DeleteObjectOutput, error)
	ListObjectsV2(context.Context, *s3.ListObjectsV2Input, ...func(*s3.Options)) (*s3.ListObjectsV2Output, error)
}

// S3Overflow keeps large states in a bucket, below a prefix that belongs to this
// application alone; empty is the whole bucket. The role needs s3:PutObject,
// s3:GetObject and s3:DeleteObject on the prefix and s3:ListBucket on the
// bucket. No lifecycle rule may expire the objects: a state lives as long as its
// shard.
func S3Overflow(client S3Client, bucket, prefix string) Overflow {
	if prefix = strings.Trim(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	return &s3Overflow{client: client, bucket: bucket, prefix: prefix}
}

type s3Overflow struct {
	client         S3Client
	bucket, prefix string
}

// Put implements Overflow.
func (o *s3Overflow) Put(ctx context.Context, key string, data []byte) error {
	kind := "application/octet-stream"
	_, err := o.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &o.bucket, Key: aws.String(o.prefix + key), Body: bytes.NewReader(data), ContentType: &kind,
	})
	return o.failed("put", key, err)
}

// Get implements Overflow.
func (o *s3Overflow) Get(ctx context.Context, key string) ([]byte, error) {
	out, err := o.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &o.bucket, Key: aws.String(o.prefix + key)})
	if err != nil {
		return nil, o.failed("get", key, err)
	}
	defer out.Body.Close()
	data, err := io.ReadAll(out.Body)
	return data, o.failed("get", key, err)
}

// Delete implements Overflow.
func (o *s3Overflow) Delete(ctx context.Context, key string) error {
	_, err := o.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &o.bucket, Key: aws.String(o.prefix + key)})
	return o.failed("delete", key, err)
}

// List implements Overflow.
func (o *s3Overflow) List(ctx context.Context, prefix string) ([]string, error) {
	var keys []string
	var from *string
	for {
		page, err := o.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
			Bucket: &o.bucket, Prefix: aws.String(o.prefix + prefix), ContinuationToken: from,
		})
		if err != nil {
			return nil, o.failed("list", prefix, err)
		}
		for _, object := range page.Contents {
			keys = append(keys, strings.TrimPrefix(aws.ToString(object.Key), o.prefix))
		}
		if from = page.NextContinuationToken; from == nil {
			return keys, nil
		}
	}
}

func (o *s3Overflow) failed(did, key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s s3://%s/%s%s: %w", did, o.bucket, o.prefix, key, err)
}

// objects remembers which objects may stand for a state, so that they are
// deleted once none of them does. What it has forgotten, or never known, costs
// storage until DropStates, and nothing else.
type objects struct {
	mu   sync.Mutex // guards what is below; never held while waiting
	keys map[string][]string
}

// note adds an object that may stand for a state.
func (o *objects) note(state, object string) {
	if object == "" {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.keys == nil {
		o.keys = map[string][]string{}
	}
	for _, k := range o.keys[state] {
		if k == object {
			return
		}
	}
	o.keys[state] = append(o.keys[state], object)
}

// others are those that do not stand for a state any more, now that object does;
// empty is none.
func (o *objects) others(state, object string) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var others []string
	for _, k := range o.keys[state] {
		if k != object {
			others = append(others, k)
		}
	}
	return others
}

// forget takes an object out that was deleted.
func (o *objects) forget(state, object string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var rest []string
	for _, k := range o.keys[state] {
		if k != object {
			rest = append(rest, k)
		}
	}
	if o.keys[state] = rest; len(rest) == 0 {
		delete(o.keys, state)
	}
}
