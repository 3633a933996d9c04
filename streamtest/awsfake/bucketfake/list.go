package bucketfake

import (
	"encoding/base64"
	"encoding/xml"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// maxPage is the most that one ListObjectsV2 lists, keys and common prefixes
// together.
const maxPage = 1000

type listed struct {
	Key, LastModified, ETag string
	Size                    int
	StorageClass            string
}

type commonPrefix struct{ Prefix string }

type listResult struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	Name, Prefix          string
	Delimiter             string `xml:",omitempty"`
	StartAfter            string `xml:",omitempty"`
	ContinuationToken     string `xml:",omitempty"`
	NextContinuationToken string `xml:",omitempty"`
	EncodingType          string `xml:",omitempty"`
	KeyCount, MaxKeys     int
	IsTruncated           bool
	Contents              []listed
	CommonPrefixes        []commonPrefix
}

// listObjects answers ListObjectsV2.
func (s *Service) listObjects(in request) (answer, error) {
	if in.query.Get("list-type") != "2" {
		return answer{}, notImplemented()
	}
	out := listResult{
		Name: in.bucket, Prefix: in.query.Get("prefix"), Delimiter: in.query.Get("delimiter"), MaxKeys: maxPage,
		StartAfter: in.query.Get("start-after"), ContinuationToken: in.query.Get("continuation-token"), EncodingType: in.query.Get("encoding-type"),
	}
	if text := in.query.Get("max-keys"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return answer{}, refusal("InvalidArgument", http.StatusBadRequest, "Argument maxKeys must be an integer between 0 and 2147483647")
		}
		out.MaxKeys = min(n, maxPage)
	}
	after := out.StartAfter
	if out.ContinuationToken != "" {
		b, err := base64.URLEncoding.DecodeString(out.ContinuationToken)
		if err != nil {
			return answer{}, refusal("InvalidArgument", http.StatusBadRequest, "The continuation token provided is incorrect")
		}
		after = string(b)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[in.bucket]
	if b == nil {
		return answer{}, noSuchBucket()
	}
	out.fill(b, after)
	if out.EncodingType == "url" {
		out.escape()
	}
	return answer{xml: out}, nil
}

// fill lists what lies behind after, in the order of UTF-8, until the page is
// full. The token is the last thing listed: a key, or a prefix with everything
// below it.
func (l *listResult) fill(b *bucket, after string) {
	last := ""
	for _, key := range slices.Sorted(maps.Keys(b.objects)) {
		if !strings.HasPrefix(key, l.Prefix) || key <= after {
			continue
		}
		prefix := l.rollUp(key)
		if prefix != "" && (prefix == last || prefix <= after) {
			continue
		}
		if l.KeyCount == l.MaxKeys {
			if l.MaxKeys > 0 {
				l.IsTruncated, l.NextContinuationToken = true, base64.URLEncoding.EncodeToString([]byte(last))
			}
			return
		}
		l.KeyCount++
		if prefix != "" {
			l.CommonPrefixes, last = append(l.CommonPrefixes, commonPrefix{prefix}), prefix
			continue
		}
		o := b.objects[key]
		l.Contents = append(l.Contents, listed{key, stamp(o.LastModified), o.ETag, len(o.Body), "STANDARD"})
		last = key
	}
}

// rollUp is the common prefix a key is counted under, or nothing.
func (l *listResult) rollUp(key string) string {
	if l.Delimiter == "" {
		return ""
	}
	i := strings.Index(key[len(l.Prefix):], l.Delimiter)
	if i < 0 {
		return ""
	}
	return key[:len(l.Prefix)+i+len(l.Delimiter)]
}

// escape writes keys and prefixes as the encoding type url asks.
func (l *listResult) escape() {
	for _, text := range []*string{&l.Prefix, &l.Delimiter, &l.StartAfter} {
		*text = url.QueryEscape(*text)
	}
	for i := range l.Contents {
		l.Contents[i].Key = url.QueryEscape(l.Contents[i].Key)
	}
	for i := range l.CommonPrefixes {
		l.CommonPrefixes[i].Prefix = url.QueryEscape(l.CommonPrefixes[i].Prefix)
	}
}
