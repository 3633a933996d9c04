package bucketfake

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"net/http"
	"strings"
)

// Limits of the service,
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html and
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html.
const (
	maxKeyBytes      = 1024
	maxMetadataBytes = 2 << 10 // names and values together
	maxDeletes       = 1000    // keys of one DeleteObjects
)

// kept are the headers that come back with an object as they came.
var kept = []string{"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Expires"}

func (s *Service) putObject(in request) (answer, error) {
	if in.Header.Get("X-Amz-Copy-Source") != "" {
		return answer{}, notImplemented()
	}
	if len(in.key) > maxKeyBytes {
		return answer{}, refusal("KeyTooLongError", http.StatusBadRequest, "Your key is too long")
	}
	o, err := read(in)
	if err != nil {
		return answer{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[in.bucket]
	if b == nil {
		return answer{}, noSuchBucket()
	}
	old := b.objects[in.key]
	if err := mayWrite(in.Header, old); err != nil {
		return answer{}, err
	}
	o.LastModified, o.Writes = s.now(), 1
	if old != nil {
		o.Writes = old.Writes + 1
	}
	b.objects[in.key] = o
	header := http.Header{"Etag": {o.ETag}, "X-Amz-Server-Side-Encryption": {"AES256"}}
	header.Set(o.checksum.header, o.checksum.value)
	header.Set("X-Amz-Checksum-Type", "FULL_OBJECT")
	return answer{header: header}, nil
}

// read makes the object of a PutObject request.
func read(in request) (*Object, error) {
	body, trailer, err := decode(in.Header, in.body)
	if err != nil {
		return nil, err
	}
	sum, err := verify(in.Header, trailer, body)
	if err != nil {
		return nil, err
	}
	digest := md5.Sum(body)
	o := &Object{
		Body: body, ETag: `"` + hex.EncodeToString(digest[:]) + `"`, checksum: sum,
		ContentType: in.Header.Get("Content-Type"), Metadata: map[string]string{}, kept: map[string]string{},
	}
	if o.ContentType == "" {
		o.ContentType = "binary/octet-stream"
	}
	size := 0
	for name, values := range in.Header {
		if name, ok := strings.CutPrefix(strings.ToLower(name), "x-amz-meta-"); ok {
			o.Metadata[name] = strings.Join(values, ",")
			size += len(name) + len(o.Metadata[name])
		}
	}
	if size > maxMetadataBytes {
		return nil, refusal("MetadataTooLarge", http.StatusBadRequest, "Your metadata headers exceed the maximum allowed metadata size")
	}
	for _, name := range kept {
		if value := in.Header.Get(name); value != "" {
			o.kept[name] = value
		}
	}
	// The encoding of the request is not one of the object.
	encodings := strings.FieldsFunc(o.kept["Content-Encoding"], func(r rune) bool { return r == ',' || r == ' ' })
	if len(encodings) > 0 && encodings[0] == "aws-chunked" {
		delete(o.kept, "Content-Encoding")
		if len(encodings) > 1 {
			o.kept["Content-Encoding"] = strings.Join(encodings[1:], ",")
		}
	}
	return o, nil
}

// mayWrite holds the conditions of a write against what is there, which may be
// nil.
func mayWrite(header http.Header, old *Object) error {
	failed := refusal("PreconditionFailed", http.StatusPreconditionFailed, "At least one of the pre-conditions you specified did not hold")
	switch condition := header.Get("If-None-Match"); {
	case condition == "":
	case condition != "*":
		return notImplemented()
	case old != nil:
		return failed
	}
	switch condition := header.Get("If-Match"); {
	case condition == "":
	case old == nil:
		return noSuchKey()
	case condition != "*" && strings.Trim(condition, `"`) != strings.Trim(old.ETag, `"`):
		return failed
	}
	return nil
}

func (s *Service) deleteObject(in request) (answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[in.bucket]
	if b == nil {
		return answer{}, noSuchBucket()
	}
	delete(b.objects, in.key)
	return answer{status: http.StatusNoContent}, nil
}

func (s *Service) deleteObjects(in request) (answer, error) {
	type entry struct{ Key string }
	var list struct {
		Quiet  bool
		Object []entry
	}
	body, trailer, err := decode(in.Header, in.body)
	if err != nil {
		return answer{}, err
	}
	if _, err := verify(in.Header, trailer, body); err != nil {
		return answer{}, err
	}
	if err := xml.Unmarshal(body, &list); err != nil || len(list.Object) == 0 || len(list.Object) > maxDeletes {
		return answer{}, malformedXML()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[in.bucket]
	if b == nil {
		return answer{}, noSuchBucket()
	}
	type result struct {
		XMLName xml.Name `xml:"DeleteResult"`
		Deleted []entry
	}
	var out result
	for _, o := range list.Object {
		delete(b.objects, o.Key)
		if !list.Quiet {
			out.Deleted = append(out.Deleted, o)
		}
	}
	return answer{xml: out}, nil
}
