package bucketfake

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// region is where all buckets are. The real service takes it as the default
// when CreateBucket names none.
const region = "us-east-1"

// Service is one account's S3 in one region. It is an http.Handler for the
// protocol of the service and safe for use by many goroutines. Make one with
// [New].
type Service struct {
	now func() time.Time

	mu      sync.Mutex // guards all below; held for work in memory only
	buckets map[string]*bucket
}

type bucket struct {
	created time.Time
	objects map[string]*Object
}

// Object is an object as it is stored.
type Object struct {
	Body         []byte            // what it holds
	ContentType  string            // binary/octet-stream if the writer named none
	Metadata     map[string]string // what came in x-amz-meta-… headers, by the lower-case name behind that
	ETag         string            // the MD5 of the body in hexadecimal, in quotes
	LastModified time.Time         // when it was last written
	Writes       int               // how many times this key was written since it was last absent

	kept     map[string]string // headers that are kept with an object, by their name
	checksum checksum
}

// New makes an S3 without buckets whose clock is now.
func New(now func() time.Time) *Service {
	return &Service{now: now, buckets: map[string]*bucket{}}
}

// CreateBucket makes a bucket. One that is there stays as it is.
func (s *Service) CreateBucket(name string) error {
	if !validBucketName(name) {
		return refusal("InvalidBucketName", 400, "The specified bucket is not valid.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets[name] == nil {
		s.buckets[name] = &bucket{created: s.now(), objects: map[string]*Object{}}
	}
	return nil
}

// Object is what is stored under a key, and whether there is something.
func (s *Service) Object(bucket, key string) (Object, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[bucket]
	if b == nil || b.objects[key] == nil {
		return Object{}, false
	}
	return b.objects[key].clone(), true
}

// Objects is everything that a bucket holds, by its key; nil if there is no such
// bucket.
func (s *Service) Objects(bucket string) map[string]Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[bucket]
	if b == nil {
		return nil
	}
	all := make(map[string]Object, len(b.objects))
	for key, o := range b.objects {
		all[key] = o.clone()
	}
	return all
}

// clone is a copy that shares nothing with o.
func (o *Object) clone() Object {
	c := *o
	c.Body, c.Metadata = slices.Clone(o.Body), maps.Clone(o.Metadata)
	return c
}
