package tablefake

import (
	"encoding/json"
	"errors"
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
	// Item is the row that refused a write, if it was asked for.
	Item Item
	// Reasons are why a transaction was cancelled, one for each of its parts.
	Reasons []Reason
}

// Reason is what became of one part of a transaction that was cancelled.
type Reason struct {
	Code    string // None if this part would have been applied
	Message string `json:",omitempty"` // for people
	Item    Item   `json:",omitempty"`
}

// Error is the code and the message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

func refusal(code, format string, args ...any) error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

func malformed(err error) error { return refusal("SerializationException", "%v", err) }

func invalid(format string, args ...any) error {
	return refusal("ValidationException", format, args...)
}

// operations are the calls the service knows, by the name in X-Amz-Target.
var operations = map[string]func(*Service, []byte) ([]byte, error){
	"CreateTable":        operation((*Service).createTable),
	"DeleteItem":         operation((*Service).deleteItem),
	"DeleteTable":        operation((*Service).deleteTable),
	"DescribeTable":      operation((*Service).describeTable),
	"GetItem":            operation((*Service).getItem),
	"ListTables":         operation((*Service).listTables),
	"PutItem":            operation((*Service).putItem),
	"Query":              operation((*Service).query),
	"Scan":               operation((*Service).scan),
	"TransactWriteItems": operation((*Service).transactWriteItems),
	"UpdateItem":         operation((*Service).updateItem),
}

// operation wraps a call in its JSON.
func operation[In, Out any](f func(*Service, In) (Out, error)) func(*Service, []byte) ([]byte, error) {
	return func(s *Service, body []byte) ([]byte, error) {
		var in In
		if err := parse(body, &in); err != nil {
			return nil, err
		}
		out, err := f(s, in)
		if err != nil {
			return nil, err
		}
		return json.Marshal(out)
	}
}

// parse reads a request body.
func parse(body []byte, in any) error {
	if len(body) == 0 {
		return nil
	}
	err := json.Unmarshal(body, in)
	if err == nil {
		return nil
	}
	var ours *Error
	if errors.As(err, &ours) {
		return ours
	}
	return malformed(err)
}

// ServeHTTP answers one request of the AWS JSON 1.0 protocol.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_, name, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	call, known := operations[name]
	if !known {
		writeError(w, &Error{Code: "UnknownOperationException", Message: "no operation " + strconv.Quote(name)})
		return
	}
	answer, err := call(s, body)
	if err != nil {
		writeError(w, err)
		return
	}
	writeBody(w, http.StatusOK, answer)
}

func writeBody(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// namespaces are what stands before the code of an error in the protocol: the
// service's own, or that of the front end that all services share.
const (
	ownNamespace    = "com.amazonaws.dynamodb.v20120810#"
	sharedNamespace = "com.amazon.coral.service#"
)

// writeError answers with an error: 400 for those of the service, 500 for others.
func writeError(w http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	var e *Error
	if !errors.As(err, &e) {
		e, status = &Error{Code: "InternalServerError", Message: err.Error()}, http.StatusInternalServerError
	}
	namespace := ownNamespace
	switch e.Code {
	case "ValidationException", "SerializationException", "UnknownOperationException":
		namespace = sharedNamespace
	}
	body, _ := json.Marshal(struct {
		Type                string   `json:"__type"`
		Message             string   `json:"message"`
		Item                Item     `json:",omitempty"`
		CancellationReasons []Reason `json:",omitempty"`
	}{namespace + e.Code, e.Message, e.Item, e.Reasons})
	writeBody(w, status, body)
}
