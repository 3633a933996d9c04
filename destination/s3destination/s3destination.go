// Package s3destination writes to a bucket of Amazon S3, one object each: batches
// that were given up, and records that a handler emits. It is also the store for
// payloads that are too large for a queue or a topic.
//
// The object of a failure is the envelope of package destination, payload inside, whatever
// its size. Its key is made from the records alone,
//
//	<prefix>/<application>/<shard>/YYYY/MM/DD/<first>-<last>.json
//
// with the date on which the first record arrived, the sequence numbers of the
// first and the last one, and behind them, for several records, a digest of all;
// so that a repeat overwrites
// and the bucket holds each failure once. (Lambda's keys hold the time of
// writing and a random number.) The object of an emitted record is a
// destination.Document under the key that destination.EmittedKey makes, with
// .json behind it: one object each, since the batches of a repeat are cut in
// another way, and a file of many lines would hold some of them twice. The objects
// hold what the stream holds: encrypt
// the bucket as the stream is.
//
// The role needs s3:PutObject on the prefix; with a key of its own,
// kms:GenerateDataKey and kms:Decrypt on that key.
package s3destination

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/towpath/towpath/destination"
)

// API is what is used of *s3.Client.
type API interface {
	PutObject(ctx context.Context, in *s3.PutObjectInput, opts ...func(*s3.Options)) (*s3.PutObjectOutput, error)
}

// Options change how objects are written. The zero value is a bucket without a
// prefix.
type Options struct {
	// Prefix is put before every key, with a slash between. Default: none.
	// At most 256 bytes.
	Prefix string
	// Payload says how much of the records is written. Default: all.
	Payload destination.PayloadMode
	// RedactError turns the handler's last error into the text that is written;
	// nil is Error(), cut to 1 KiB.
	RedactError func(error) string
	// PutObject is called with every request before it is sent, for what this
	// package does not set: encryption with a key, storage class, tags, the
	// expected owner of the bucket. Default: none.
	PutObject func(*s3.PutObjectInput)
	// Concurrency is how many emitted records, of different keys, Publish writes
	// at the same time. Default: 8. A bucket takes 3,500 writes a second in each
	// prefix. Too small, and a batch takes long; too large, and S3 answers
	// SlowDown.
	Concurrency int
}

const usualConcurrency = 8

// Bucket is a bucket as a destination and as a destination.Store. It keeps no
// state but counts, and may be used by several goroutines.
type Bucket struct {
	counter destination.Counter
	client  API
	name    string
	options Options
	problem error
}

var (
	_ destination.Destination = (*Bucket)(nil)
	_ destination.Publisher   = (*Bucket)(nil)
	_ destination.Validator   = (*Bucket)(nil)
	_ destination.Store       = (*Bucket)(nil)
)

// Open names a bucket. It calls nothing. What is wrong with its arguments,
// Validate says, and every Send.
func Open(client API, bucket string, optFns ...func(*Options)) *Bucket {
	b := &Bucket{client: client, name: bucket}
	for _, fn := range optFns {
		fn(&b.options)
	}
	if b.options.Concurrency == 0 {
		b.options.Concurrency = usualConcurrency
	}
	b.options.Prefix = strings.Trim(b.options.Prefix, "/")
	b.problem = b.check()
	return b
}

// maxPrefixBytes leaves room below destination.MaxS3KeyBytes for the rest of a
// key, which has at most about 540 bytes.
const maxPrefixBytes = 256

func (b *Bucket) check() error {
	var problems []error
	if b.client == nil {
		problems = append(problems, errors.New("the client is nil"))
	}
	problems = append(problems, checkName(b.name))
	if n := len(b.options.Prefix); n > maxPrefixBytes {
		problems = append(problems, fmt.Errorf("Prefix has %d bytes, want at most %d", n, maxPrefixBytes))
	}
	if n := b.options.Concurrency; n < 1 {
		problems = append(problems, fmt.Errorf("Concurrency is %d, want at least 1", n))
	}
	problems = append(problems, b.packing().Validate())
	return errors.Join(problems...)
}

// checkName says what is wrong with the name of a bucket.
func checkName(bucket string) error {
	if bucket == "" || strings.Contains(bucket, "/") {
		return fmt.Errorf("the bucket is %q, want its name alone, without s3:// or a path", bucket)
	}
	return nil
}

func (b *Bucket) packing() destination.Packing {
	return destination.Packing{Payload: b.options.Payload, RedactError: b.options.RedactError, Attributed: true}
}

// Validate says what is wrong with the arguments of Open, all at once.
func (b *Bucket) Validate() error { return b.problem }

// String is s3://bucket/prefix.
func (b *Bucket) String() string { return b.uri(b.options.Prefix) }

// Send writes the failure as one object and returns nil when S3 has it. An error
// is a *destination.SendError.
func (b *Bucket) Send(ctx context.Context, f destination.Failure) error {
	if b.problem != nil {
		return f.Refusal(b, nil, fmt.Errorf("%w: %w", destination.ErrRefused, b.problem))
	}
	messages, err := b.packing().Pack(ctx, f)
	if err != nil {
		return f.Refusal(b, nil, err)
	}
	for _, m := range messages { // without a limit there is one
		if _, err := b.put(ctx, m.Part.ObjectKey(), m.Body, "application/json", m.Attributes); err != nil {
			return f.Refusal(b, hints, err)
		}
	}
	b.counter.Accepted(messages)
	return nil
}

// Counts says how many failures were accepted. Payloads that Put stored are not
// among them.
func (b *Bucket) Counts() destination.Counts { return b.counter.Counts() }

// Put writes body under the key, below the prefix, and returns its s3:// URI.
func (b *Bucket) Put(ctx context.Context, key string, body []byte, contentType string) (string, error) {
	if b.problem != nil {
		return "", fmt.Errorf("put %s into %s: %w: %w", key, b, destination.ErrRefused, b.problem)
	}
	uri, err := b.put(ctx, key, body, contentType, nil)
	if err != nil {
		return "", fmt.Errorf("put %s into %s: %w", key, b, hinted(err))
	}
	return uri, nil
}

func (b *Bucket) put(ctx context.Context, key string, body []byte, contentType string, attributes []destination.Attribute) (string, error) {
	if b.options.Prefix != "" {
		key = b.options.Prefix + "/" + key
	}
	in := &s3.PutObjectInput{
		Bucket:      &b.name,
		Key:         &key,
		Body:        bytes.NewReader(body),
		ContentType: &contentType,
	}
	for _, a := range attributes {
		if in.Metadata == nil {
			in.Metadata = make(map[string]string, len(attributes))
		}
		in.Metadata[a.Name] = headerValue(a.Value)
	}
	if b.options.PutObject != nil {
		b.options.PutObject(in)
	}
	_, err := b.client.PutObject(ctx, in)
	return b.uri(aws.ToString(in.Key)), err
}

// headerValue keeps ASCII, since metadata travels in the headers of the request.
func headerValue(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}

func (b *Bucket) uri(key string) string { return "s3://" + b.name + "/" + key }

// hinted puts the hint before the cause.
func hinted(err error) error {
	var coded interface{ ErrorCode() string }
	if errors.As(err, &coded) && hints[coded.ErrorCode()] != "" {
		return fmt.Errorf("%s: %w", hints[coded.ErrorCode()], err)
	}
	return err
}

// hints are by the codes of
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html.
var hints = map[string]string{
	"AccessDenied":          "access denied, the role needs s3:PutObject on the prefix, and kms:GenerateDataKey if the bucket has a key of its own",
	"NoSuchBucket":          "there is no such bucket",
	"PermanentRedirect":     "the bucket is in another region than the client",
	"KMS.DisabledException": "the bucket's key is disabled",
}
