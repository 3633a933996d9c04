package kinesisfake

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
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

func invalid(format string, args ...any) error {
	return refusal("InvalidArgumentException", format, args...)
}

func notFound(format string, args ...any) error {
	return refusal("ResourceNotFoundException", format, args...)
}

// operations are the calls the service knows, by the name in X-Amz-Target.
var operations = map[string]func(*Service, []byte) ([]byte, error){
	"CreateStream":                  operation((*Service).createStream),
	"DecreaseStreamRetentionPeriod": operation((*Service).decreaseRetention),
	"DeleteStream":                  operation((*Service).deleteStream),
	"DescribeStream":                operation((*Service).describeStream),
	"DescribeStreamSummary":         operation((*Service).describeStreamSummary),
	"DeregisterStreamConsumer":      operation((*Service).deregisterStreamConsumer),
	"DescribeStreamConsumer":        operation((*Service).describeStreamConsumer),
	"GetRecords":                    (*Service).getRecords,
	"GetShardIterator":              operation((*Service).getShardIterator),
	"IncreaseStreamRetentionPeriod": operation((*Service).increaseRetention),
	"ListShards":                    operation((*Service).listShards),
	"ListStreamConsumers":           operation((*Service).listStreamConsumers),
	"ListStreams":                   operation((*Service).listStreams),
	"MergeShards":                   operation((*Service).mergeShards),
	"PutRecord":                     operation((*Service).putRecord),
	"PutRecords":                    operation((*Service).putRecords),
	"RegisterStreamConsumer":        operation((*Service).registerStreamConsumer),
	"SplitShard":                    operation((*Service).splitShard),
	"StartStreamEncryption":         operation((*Service).startEncryption),
	"StopStreamEncryption":          operation((*Service).stopEncryption),
	"UpdateShardCount":              operation((*Service).updateShardCount),
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
	if err := json.Unmarshal(body, in); err != nil {
		return refusal("SerializationException", "%v", err)
	}
	return nil
}

// nothing is the answer of operations that have none; it is an empty body.
type nothing struct{}

// ServeHTTP answers one request of the AWS JSON 1.1 protocol.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_, name, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if name == "SubscribeToShard" { // whose answer is a stream of events
		s.subscribeToShard(w, r, body)
		return
	}
	if name == "GetRecords" && r.Header.Get("Content-Type") == cborType {
		s.getRecordsInCBOR(w, body)
		return
	}
	call, known := operations[name]
	if !known {
		writeError(w, &Error{"UnknownOperationException", "no operation " + strconv.Quote(name)})
		return
	}
	answer, err := call(s, body)
	if err != nil {
		writeError(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if string(answer) != "{}" {
		_, _ = w.Write(answer)
	}
}

// writeError answers with an error: 400 for those of the service, 500 for others.
func writeError(w http.ResponseWriter, err error) {
	e, status := errorOf(err)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": e.Code, "message": e.Message})
}

func errorOf(err error) (e *Error, status int) {
	e, ok := err.(*Error)
	if !ok {
		return &Error{"InternalFailure", err.Error()}, http.StatusInternalServerError
	}
	if e.Code == "InternalFailure" {
		return e, http.StatusInternalServerError
	}
	return e, http.StatusBadRequest
}

// epoch is a time in the protocol: seconds since 1970 with milliseconds.
type epoch time.Time

// MarshalJSON writes exactly three decimals, which a float would not.
func (e epoch) MarshalJSON() ([]byte, error) { return appendEpoch(nil, time.Time(e)), nil }

// UnmarshalJSON reads seconds with any number of decimals, to the millisecond.
func (e *epoch) UnmarshalJSON(b []byte) error {
	seconds, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return fmt.Errorf("read timestamp: %w", err)
	}
	*e = epoch(time.UnixMilli(int64(math.Round(seconds * 1000))))
	return nil
}

func appendEpoch(b []byte, t time.Time) []byte {
	ms := t.UnixMilli()
	if ms < 0 {
		ms = 0
	}
	b = strconv.AppendInt(b, ms/1000, 10)
	return append(b, '.', byte('0'+ms/100%10), byte('0'+ms/10%10), byte('0'+ms%10))
}
