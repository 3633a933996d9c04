// Package functionfake is AWS Lambda in memory, as far as what invokes functions
// sees it. It speaks the REST protocol of the real service: Invoke, waited for
// (RequestResponse), not waited for (Event) or only checked (DryRun), with the
// sizes of payloads and with functions that fail.
//
// A function is a Go function, called in the goroutine of the request. One that
// is not waited for is called as well, once, and what it answers is dropped.
//
// # What is not here
//
// Code, versions, aliases, concurrency, queues of events and their retries: a
// qualifier is kept, and what was called is looked at with
// [Service.Invocations].
package functionfake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// The only region and account there are.
const arnPrefix = "arn:aws:lambda:us-east-1:000000000000:function:"

// The limits of a payload,
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html.
const (
	tooMany  = 6 << 20 // of a function that is waited for
	maxEvent = 1 << 20 // of one that is not
)

// Function is what a function does: it answers with JSON, or fails.
type Function func(payload []byte) ([]byte, error)

// Service is one account's Lambda in one region. It is an http.Handler for the
// REST protocol and safe for use by many goroutines. Make one with [New].
type Service struct {
	mu        sync.Mutex // guards all below; never held while a function runs
	functions map[string]*function
}

type function struct {
	do    Function
	calls []Invocation
}

// Invocation is a call of a function.
type Invocation struct {
	Payload   []byte // as it was sent
	Event     bool   // not waited for
	Qualifier string // a version or an alias; empty is none
	Err       error  // what the function failed with
}

// New makes a Lambda without functions.
func New() *Service { return &Service{functions: map[string]*function{}} }

// CreateFunction makes a function, or gives one that is there something else to
// do, and returns its ARN. Without do it answers null.
func (s *Service) CreateFunction(name string, do Function) (arn string) {
	if do == nil {
		do = func([]byte) ([]byte, error) { return []byte("null"), nil }
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.functions[name] == nil {
		s.functions[name] = &function{}
	}
	s.functions[name].do = do
	return arnPrefix + name
}

// Invocations is every call of a function that was made, in the order in which
// they ended; nil if there is no such function.
func (s *Service) Invocations(name string) []Invocation {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.functions[name]
	if f == nil {
		return nil
	}
	all := slices.Clone(f.calls)
	for i := range all {
		all[i].Payload = bytes.Clone(all[i].Payload)
	}
	return all
}

// Error is an answer of the service that is not a success.
type Error struct {
	Code    string // as in the API reference, for example ResourceNotFoundException
	Message string // for people
	Status  int    // of HTTP
}

// Error is the code and the message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// ServeHTTP answers one request of the REST protocol.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	answer, status, err := s.invoke(w.Header(), r, body)
	if e, ok := err.(*Error); ok {
		w.Header().Set("X-Amzn-Errortype", e.Code)
		// Strings always marshal.
		answer, _ = json.Marshal(map[string]string{"Type": "User", "message": e.Message})
		status = e.Status
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	w.WriteHeader(status)
	_, _ = w.Write(answer)
}

func (s *Service) invoke(header http.Header, r *http.Request, payload []byte) ([]byte, int, error) {
	name, qualifier, ok := target(r)
	if !ok || r.Method != http.MethodPost {
		return nil, 0, &Error{"UnknownOperationException", "only Invoke is here", http.StatusNotFound}
	}
	kind := r.Header.Get("X-Amz-Invocation-Type")
	if kind == "" {
		kind = "RequestResponse"
	}
	s.mu.Lock()
	f := s.functions[name]
	s.mu.Unlock()
	if err := check(name, kind, f, payload); err != nil {
		return nil, 0, err
	}
	if kind == "DryRun" {
		return nil, http.StatusNoContent, nil
	}
	if len(payload) == 0 {
		payload = []byte("{}")
	}
	s.mu.Lock()
	do := f.do
	s.mu.Unlock()
	answer, failed := do(payload)
	s.mu.Lock()
	f.calls = append(f.calls, Invocation{Payload: payload, Event: kind == "Event", Qualifier: qualifier, Err: failed})
	s.mu.Unlock()
	if kind == "Event" {
		return nil, http.StatusAccepted, nil
	}
	header.Set("X-Amz-Executed-Version", "$LATEST")
	if failed != nil {
		header.Set("X-Amz-Function-Error", "Unhandled")
		// Strings always marshal.
		answer, _ = json.Marshal(map[string]string{"errorMessage": failed.Error(), "errorType": fmt.Sprintf("%T", failed)})
	}
	return answer, http.StatusOK, nil
}

// check holds a request against what the service takes.
func check(name, kind string, f *function, payload []byte) error {
	switch {
	case kind != "RequestResponse" && kind != "Event" && kind != "DryRun":
		return &Error{"InvalidParameterValueException", "Unknown invocation type", http.StatusBadRequest}
	case len(payload) >= tooMany:
		return &Error{"RequestEntityTooLargeException", fmt.Sprintf("Request must be smaller than %d bytes for the InvokeFunction operation", tooMany), http.StatusRequestEntityTooLarge}
	case kind == "Event" && len(payload) > maxEvent:
		return &Error{"RequestEntityTooLargeException", fmt.Sprintf("%d byte payload is too large for the Event invocation type (limit %d bytes)", len(payload), maxEvent), http.StatusRequestEntityTooLarge}
	case len(payload) > 0 && !json.Valid(payload):
		return &Error{"InvalidRequestContentException", "Could not parse request body into json", http.StatusBadRequest}
	case f == nil:
		return &Error{"ResourceNotFoundException", "Function not found: " + arnPrefix + name, http.StatusNotFound}
	}
	return nil
}

// target is the function that a request names, by its name or its ARN, whole or
// from the account on, and the qualifier.
func target(r *http.Request) (name, qualifier string, ok bool) {
	rest, ours := strings.CutPrefix(r.URL.EscapedPath(), "/2015-03-31/functions/")
	escaped, invocations := strings.CutSuffix(rest, "/invocations")
	name, err := url.PathUnescape(escaped)
	if !ours || !invocations || err != nil {
		return "", "", false
	}
	if _, after, found := strings.Cut(name, "function:"); found {
		name = after
	}
	name, qualifier, _ = strings.Cut(name, ":")
	if q := r.URL.Query().Get("Qualifier"); q != "" {
		qualifier = q
	}
	return name, qualifier, true
}
