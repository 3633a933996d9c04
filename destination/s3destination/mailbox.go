package s3destination

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/towpath/towpath/destination"
)

// MailboxAPI is what a Mailbox uses of *s3.Client.
type MailboxAPI interface {
	LoaderAPI
	ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input, opts ...func(*s3.Options)) (*s3.ListObjectsV2Output, error)
	DeleteObject(ctx context.Context, in *s3.DeleteObjectInput, opts ...func(*s3.Options)) (*s3.DeleteObjectOutput, error)
}

// LoaderAPI is what a Loader uses of *s3.Client.
type LoaderAPI interface {
	GetObject(ctx context.Context, in *s3.GetObjectInput, opts ...func(*s3.Options)) (*s3.GetObjectOutput, error)
}

// Mailbox is a prefix of a bucket to take failures out of, a Bucket's own or one
// to which Lambda writes. It goes through the keys once, in their order; open
// another one for another pass. The role needs s3:ListBucket, s3:GetObject and
// s3:DeleteObject.
type Mailbox struct {
	client MailboxAPI
	name   string
	prefix string
	after  string   // the last key that was listed
	listed []string // and those not given yet
	over   bool
}

var _ destination.Mailbox = (*Mailbox)(nil)

// OpenMailbox names a bucket and a prefix; an empty one is the whole bucket. It
// calls nothing. It may not be used by several goroutines.
func OpenMailbox(client MailboxAPI, bucket, prefix string) *Mailbox {
	return &Mailbox{client: client, name: bucket, prefix: prefix}
}

// Validate says what is wrong with the arguments of OpenMailbox, all at once.
func (m *Mailbox) Validate() error {
	problems := []error{checkName(m.name)}
	if m.client == nil {
		problems = append(problems, errors.New("the client is nil"))
	}
	return errors.Join(problems...)
}

// Receive implements destination.Mailbox. Letters are the objects whose keys end
// in .json, and Lambda's, which stand below aws/lambda/. Payloads that a
// destination.Packing put into the same bucket (payload/…) are none.
func (m *Mailbox) Receive(ctx context.Context, limit int) ([]destination.Letter, error) {
	for len(m.listed) == 0 && !m.over {
		if err := m.list(ctx); err != nil {
			return nil, err
		}
	}
	var letters []destination.Letter
	for len(m.listed) > 0 && len(letters) < max(limit, 1) {
		body, err := load(ctx, m.client, m.name, m.listed[0])
		if err != nil {
			return letters, err
		}
		letters = append(letters, destination.Letter{ID: m.listed[0], Body: body})
		m.listed = m.listed[1:]
	}
	return letters, nil
}

func (m *Mailbox) list(ctx context.Context) error {
	in := &s3.ListObjectsV2Input{Bucket: &m.name, Prefix: &m.prefix}
	if m.after != "" {
		in.StartAfter = &m.after
	}
	out, err := m.client.ListObjectsV2(ctx, in)
	if err != nil {
		return fmt.Errorf("list %s: %w", m, err)
	}
	for _, o := range out.Contents {
		m.after = aws.ToString(o.Key)
		if isLetter(m.after) {
			m.listed = append(m.listed, m.after)
		}
	}
	m.over = !aws.ToBool(out.IsTruncated)
	return nil
}

func isLetter(key string) bool {
	if strings.HasPrefix(key, "payload/") || strings.Contains(key, "/payload/") {
		return false
	}
	name := key[strings.LastIndexByte(key, '/')+1:]
	return strings.HasSuffix(name, ".json") || strings.Contains(key, "aws/lambda/")
}

// Remove implements destination.Mailbox.
func (m *Mailbox) Remove(ctx context.Context, l destination.Letter) error {
	if _, err := m.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &m.name, Key: &l.ID}); err != nil {
		return fmt.Errorf("remove %s from %s: %w", l.ID, m, err)
	}
	return nil
}

// Return implements destination.Mailbox: the object was never gone.
func (m *Mailbox) Return(context.Context, destination.Letter) error { return nil }

// String is s3://bucket/prefix.
func (m *Mailbox) String() string { return "s3://" + m.name + "/" + m.prefix }

// Loader reads payloads that a Bucket stored. The role needs s3:GetObject.
type Loader struct{ client LoaderAPI }

var _ destination.Loader = Loader{}

// OpenLoader makes a Loader for every bucket that the client may read.
func OpenLoader(client LoaderAPI) Loader { return Loader{client} }

// Load reads an object by its s3:// URI.
func (l Loader) Load(ctx context.Context, uri string) ([]byte, error) {
	path, ok := strings.CutPrefix(uri, "s3://")
	bucket, key, found := strings.Cut(path, "/")
	if !ok || !found || bucket == "" || key == "" {
		return nil, fmt.Errorf("load %q: want s3://bucket/key", uri)
	}
	return load(ctx, l.client, bucket, key)
}

// largestObject bounds what is read: 10,000 records of which one has 10 MiB fit,
// in base64.
const largestObject = 64 << 20

func load(ctx context.Context, client LoaderAPI, bucket, key string) ([]byte, error) {
	out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return nil, fmt.Errorf("read s3://%s/%s: %w", bucket, key, err)
	}
	defer out.Body.Close()
	body, err := io.ReadAll(io.LimitReader(out.Body, largestObject+1))
	if err != nil {
		return nil, fmt.Errorf("read s3://%s/%s: %w", bucket, key, err)
	}
	if len(body) > largestObject {
		return nil, fmt.Errorf("read s3://%s/%s: it has more than %d bytes", bucket, key, largestObject)
	}
	return body, nil
}
