package deliveryfake

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Error is an answer of the service that is not a success.
type Error struct {
	Code    string // as in the API reference, for example ResourceNotFoundException
	Message string // for people
}

// Error is the code and the message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

func refusal(code, format string, args ...any) error {
	return &Error{code, fmt.Sprintf(format, args...)}
}

// operation wraps a call in its JSON and in the lock.
func operation[In, Out any](f func(*Service, In) (Out, error)) func(*Service, []byte) ([]byte, error) {
	return func(s *Service, body []byte) ([]byte, error) {
		var in In
		if len(body) > 0 {
			if err := json.Unmarshal(body, &in); err != nil {
				return nil, refusal("SerializationException", "the request is not as it must be: %T", err)
			}
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		out, err := f(s, in)
		if err != nil {
			return nil, err
		}
		return json.Marshal(out)
	}
}

// ServeHTTP answers one request of the AWS JSON 1.1 protocol.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_, name, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	call, known := operations[name]
	var answer []byte
	if known {
		answer, err = call(s, body)
	} else {
		err = refusal("UnknownOperationException", "no operation %s", strconv.Quote(name))
	}
	status := http.StatusOK
	if err != nil {
		answer, status = explain(w.Header(), err)
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	w.WriteHeader(status)
	_, _ = w.Write(answer)
}

// explain is the body and the status that carry an error: 400 for those of the
// service, 500 for others.
func explain(header http.Header, err error) (body []byte, status int) {
	status = http.StatusBadRequest
	e, ok := err.(*Error)
	if !ok {
		e, status = &Error{"InternalFailure", err.Error()}, http.StatusInternalServerError
	}
	header.Set("X-Amzn-Errortype", e.Code)
	// Strings always marshal.
	body, _ = json.Marshal(map[string]string{"__type": e.Code, "message": e.Message})
	return body, status
}
