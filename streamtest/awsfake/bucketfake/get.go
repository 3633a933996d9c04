package bucketfake

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// getObject answers GetObject and HeadObject, which differ in whether the body
// is sent.
func (s *Service) getObject(in request) (answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[in.bucket]
	if b == nil {
		return answer{}, noSuchBucket()
	}
	o := b.objects[in.key] // never changed once it is stored
	if o == nil {
		return answer{}, noSuchKey()
	}
	if err := mayRead(in.Header, o); err != nil {
		return answer{}, err
	}
	header := http.Header{
		"Accept-Ranges": {"bytes"}, "Content-Type": {o.ContentType}, "Etag": {o.ETag},
		"Last-Modified": {o.LastModified.UTC().Format(http.TimeFormat)}, "X-Amz-Server-Side-Encryption": {"AES256"},
	}
	for name, value := range o.Metadata {
		header.Set("X-Amz-Meta-"+name, value)
	}
	for name, value := range o.kept {
		header.Set(name, value)
	}
	first, end, partial, err := slice(in.Header.Get("Range"), len(o.Body))
	if err != nil {
		return answer{}, err
	}
	a := answer{header: header, body: o.Body[first:end]}
	if partial {
		a.status = http.StatusPartialContent
		header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, end-1, len(o.Body)))
	}
	// The checksum is of the whole object, so a part comes without it.
	if !partial && in.Header.Get("X-Amz-Checksum-Mode") == "ENABLED" {
		header.Set(o.checksum.header, o.checksum.value)
		header.Set("X-Amz-Checksum-Type", "FULL_OBJECT")
	}
	return a, nil
}

// mayRead holds the conditions of a read against the object.
func mayRead(header http.Header, o *Object) error {
	same := func(condition string) bool {
		return condition == "*" || strings.Trim(condition, `"`) == strings.Trim(o.ETag, `"`)
	}
	if condition := header.Get("If-Match"); condition != "" && !same(condition) {
		return refusal("PreconditionFailed", http.StatusPreconditionFailed, "At least one of the pre-conditions you specified did not hold")
	}
	if condition := header.Get("If-None-Match"); condition != "" && same(condition) {
		return refusal("NotModified", http.StatusNotModified, "Not Modified")
	}
	return nil
}

// slice is the part of n bytes that a Range header asks for. The whole is the
// answer to no range, to several and to one that cannot be read.
func slice(header string, n int) (first, end int, partial bool, err error) {
	from, to, ok := strings.Cut(strings.TrimPrefix(header, "bytes="), "-")
	if !ok || !strings.HasPrefix(header, "bytes=") {
		return 0, n, false, nil
	}
	a, errA := strconv.Atoi(from)
	b, errB := strconv.Atoi(to)
	switch {
	case from == "" && errB == nil && b > 0: // the last b bytes
		a, b = max(n-b, 0), n-1
	case from == "" && errB == nil: // the last 0 bytes
		a, b = n, n
	case errA == nil && to == "": // all from a
		b = n - 1
		if a >= n {
			b = a
		}
	case errA != nil || errB != nil || b < a:
		return 0, n, false, nil
	}
	if a >= n {
		return 0, 0, false, refusal("InvalidRange", http.StatusRequestedRangeNotSatisfiable, "The requested range is not satisfiable")
	}
	return a, min(b, n-1) + 1, true, nil
}
