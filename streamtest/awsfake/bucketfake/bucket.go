package bucketfake

import (
	"encoding/xml"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// timeFormat is how XML answers write a time: ISO 8601 in UTC with milliseconds.
const timeFormat = "2006-01-02T15:04:05.000Z"

func stamp(t time.Time) string { return t.UTC().Format(timeFormat) }

var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// validBucketName holds names against the rules for general purpose buckets,
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html,
// apart from reserved beginnings and ends.
func validBucketName(name string) bool {
	return bucketName.MatchString(name) && !strings.Contains(name, "..") && net.ParseIP(name) == nil
}

func (s *Service) createBucket(in request) (answer, error) {
	var configuration struct{ LocationConstraint string }
	if len(in.body) > 0 {
		if err := xml.Unmarshal(in.body, &configuration); err != nil {
			return answer{}, malformedXML()
		}
	}
	if c := configuration.LocationConstraint; c != "" && c != region {
		return answer{}, refusal("IllegalLocationConstraintException", http.StatusBadRequest,
			"The %s location constraint is incompatible for the region specific endpoint this request was sent to.", c)
	}
	if err := s.CreateBucket(in.bucket); err != nil {
		return answer{}, err
	}
	return answer{header: http.Header{"Location": {"/" + in.bucket}}}, nil
}

func malformedXML() error {
	return refusal("MalformedXML", http.StatusBadRequest, "The XML you provided was not well-formed or did not validate against our published schema")
}

func (s *Service) headBucket(in request) (answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets[in.bucket] == nil {
		return answer{}, noSuchBucket()
	}
	return answer{header: http.Header{"X-Amz-Bucket-Region": {region}}}, nil
}

func (s *Service) deleteBucket(in request) (answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[in.bucket]
	if b == nil {
		return answer{}, noSuchBucket()
	}
	if len(b.objects) > 0 {
		return answer{}, refusal("BucketNotEmpty", http.StatusConflict, "The bucket you tried to delete is not empty")
	}
	delete(s.buckets, in.bucket)
	return answer{status: http.StatusNoContent}, nil
}

func (s *Service) listBuckets(request) (answer, error) {
	type entry struct{ Name, CreationDate, BucketRegion string }
	type result struct {
		XMLName xml.Name `xml:"ListAllMyBucketsResult"`
		Buckets struct{ Bucket []entry }
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out result
	for _, name := range slices.Sorted(maps.Keys(s.buckets)) {
		out.Buckets.Bucket = append(out.Buckets.Bucket, entry{name, stamp(s.buckets[name].created), region})
	}
	return answer{xml: out}, nil
}
