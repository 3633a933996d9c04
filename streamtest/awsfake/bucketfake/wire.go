package bucketfake

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Error is an answer of the service that is not a success.
type Error struct {
	Code    string // as in the API reference, for example NoSuchBucket
	Message string // for people
	Status  int    // of HTTP
}

// Error is the code and the message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

func refusal(code string, status int, format string, args ...any) error {
	return &Error{code, fmt.Sprintf(format, args...), status}
}

func noSuchBucket() error {
	return refusal("NoSuchBucket", http.StatusNotFound, "The specified bucket does not exist")
}

func noSuchKey() error {
	return refusal("NoSuchKey", http.StatusNotFound, "The specified key does not exist.")
}

// request is a request with what the service reads of it.
type request struct {
	*http.Request
	query       url.Values
	bucket, key string
	body        []byte
}

// answer is what an operation wants to say.
type answer struct {
	status int // 0 is 200
	header http.Header
	body   []byte
	xml    any // marshalled as the body if it is not nil
}

// ServeHTTP answers one request of the REST protocol.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	in := request{Request: r, query: r.URL.Query(), body: body}
	in.bucket, in.key = address(r)
	a, err := s.answer(in)
	if err != nil {
		a = explain(err, in)
	}
	if a.xml != nil {
		if a.body, err = xml.Marshal(a.xml); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		a.body = append([]byte(xml.Header), a.body...)
		w.Header().Set("Content-Type", "application/xml")
	}
	for name, values := range a.header {
		w.Header()[name] = values
	}
	if a.status == 0 {
		a.status = http.StatusOK
	}
	if a.status != http.StatusNoContent && a.status != http.StatusNotModified {
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(a.body)
	}
}

// address finds the bucket in the host (bucket.s3.region.amazonaws.com,
// bucket.localhost) or, if there is none, in the first part of the path.
func address(r *http.Request) (bucket, key string) {
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		host = host[:i]
	}
	path := strings.TrimPrefix(r.URL.Path, "/")
	for _, suffix := range []string{".s3." + region + ".amazonaws.com", ".s3.amazonaws.com", ".s3.localhost", ".localhost"} {
		if name, ok := strings.CutSuffix(host, suffix); ok && name != "s3" {
			return name, path
		}
	}
	bucket, key, _ = strings.Cut(path, "/")
	return bucket, key
}

// subresources are the names in the query that turn a request into another one,
// all unknown here.
var subresources = []string{
	"accelerate", "acl", "analytics", "attributes", "cors", "encryption", "inventory", "legal-hold", "lifecycle", "location", "logging",
	"metrics", "notification", "object-lock", "ownershipControls", "partNumber", "policy", "policyStatus", "publicAccessBlock",
	"replication", "requestPayment", "restore", "retention", "select", "session", "tagging", "torrent", "uploadId", "uploads",
	"versionId", "versioning", "versions", "website", "annotation",
}

// answer finds the operation by method, address and query, and runs it.
func (s *Service) answer(in request) (answer, error) {
	for _, name := range subresources {
		if in.query.Has(name) {
			return answer{}, notImplemented()
		}
	}
	of := func(onService, onBucket, onObject func(request) (answer, error)) (answer, error) {
		f := onObject
		if in.key == "" {
			f = onBucket
		}
		if in.bucket == "" {
			f = onService
		}
		if f == nil {
			return answer{}, refusal("MethodNotAllowed", http.StatusMethodNotAllowed, "The specified method is not allowed against this resource.")
		}
		return f(in)
	}
	switch in.Method {
	case http.MethodGet:
		return of(s.listBuckets, s.listObjects, s.getObject)
	case http.MethodHead:
		return of(nil, s.headBucket, s.getObject)
	case http.MethodPut:
		return of(nil, s.createBucket, s.putObject)
	case http.MethodDelete:
		return of(nil, s.deleteBucket, s.deleteObject)
	case http.MethodPost:
		if in.query.Has("delete") {
			return of(nil, s.deleteObjects, nil)
		}
		return answer{}, notImplemented()
	}
	return of(nil, nil, nil)
}

func notImplemented() error {
	return refusal("NotImplemented", http.StatusNotImplemented, "A header or query you provided implies functionality that is not implemented.")
}

// explain is the answer that carries an error.
func explain(err error, in request) answer {
	e, ok := err.(*Error)
	if !ok {
		e = &Error{"InternalError", err.Error(), http.StatusInternalServerError}
	}
	type body struct {
		XMLName       xml.Name `xml:"Error"`
		Code, Message string
		BucketName    string `xml:",omitempty"`
		Key           string `xml:",omitempty"`
	}
	if in.Method == http.MethodHead || e.Status == http.StatusNotModified {
		return answer{status: e.Status}
	}
	return answer{status: e.Status, xml: body{Code: e.Code, Message: e.Message, BucketName: in.bucket, Key: in.key}}
}
