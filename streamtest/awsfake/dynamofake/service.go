package dynamofake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Service is one DynamoDB: the tables of one account in one region, with their
// streams. It is safe
// for use by many goroutines, and starts none. Make one with [New].
type Service struct {
	now func() time.Time

	// watch is held by a request from before it is applied until the observers
	// have been told of it, so that they see one order. It protects the observers.
	watch           sync.Mutex
	observers       []func(table string, before, after Item)
	streamObservers []func(StreamRecord)

	// mu protects everything below. A request holds it while it is applied,
	// which makes every request one instant; nothing waits under it.
	mu       sync.Mutex
	left     func(table string, it Item) bool
	tables   map[string]*table
	tokens   map[string]settled
	done     []*write // effective writes that the observers have not been told of
	stale    time.Duration
	creation time.Duration
	requests int

	streams      []*stream
	streamed     []StreamRecord // what the observers have not been told of
	partitions   int            // shards of a new stream; 0 is 1
	rolls, keeps time.Duration
	hides        time.Duration
	iterators    time.Duration // how long they can be used
}

// New makes a Service without tables. now is its clock, time.Now if nil: it
// dates tables, ends the life of transaction tokens and decides what stale
// reads see.
func New(now func() time.Time) *Service {
	if now == nil {
		now = time.Now
	}
	return &Service{now: now, tables: map[string]*table{}, tokens: map[string]settled{}, rolls: shardTakes, keeps: streamKeeps, iterators: streamIterators}
}

// ServeHTTP answers one request of the AWS JSON 1.0 protocol. It reads the whole
// request before it does anything. Signatures are not looked at.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.refuse(w, &apiError{code: "SerializationException", message: "the request body could not be read"})
		return
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	handle, ok := operations[operation]
	if !ok {
		s.refuse(w, &apiError{code: "UnknownOperationException", message: fmt.Sprintf("operation %q is not part of this fake", operation)})
		return
	}
	answer, err := s.instant(func() (any, error) { return handle(s, body) })
	if err != nil {
		var refused *apiError
		if !errors.As(err, &refused) {
			refused = &apiError{status: http.StatusInternalServerError, code: "InternalServerError", message: err.Error()}
		}
		s.refuse(w, refused)
		return
	}
	s.write(w, http.StatusOK, answer)
}

// instant applies something as one instant, and tells the observers what it
// wrote when it is over.
func (s *Service) instant(apply func() (any, error)) (any, error) {
	s.watch.Lock()
	defer s.watch.Unlock()
	answer, done, streamed, err := s.locked(apply)
	for _, w := range done {
		for _, tell := range s.observers {
			tell(w.table.name, w.before, w.after)
		}
	}
	for _, r := range streamed {
		for _, tell := range s.streamObservers {
			tell(r)
		}
	}
	return answer, err
}

func (s *Service) locked(apply func() (any, error)) (any, []*write, []StreamRecord, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer, err := apply()
	done, streamed := s.done, s.streamed
	s.done, s.streamed = nil, nil
	return answer, done, streamed, err
}

// handler applies one decoded operation, with the lock held.
type handler func(s *Service, body []byte) (any, error)

// operations are the operations that this fake has, by name.
var operations = map[string]handler{
	"CreateTable":        decoded((*Service).createTable),
	"DescribeTable":      decoded((*Service).describeTable),
	"DeleteTable":        decoded((*Service).deleteTable),
	"ListTables":         decoded((*Service).listTables),
	"UpdateTable":        decoded((*Service).updateTable),
	"DescribeTimeToLive": decoded((*Service).describeTimeToLive),
	"UpdateTimeToLive":   decoded((*Service).updateTimeToLive),
	"TagResource":        decoded((*Service).tagResource),

	"DescribeContinuousBackups": decoded((*Service).describeBackups),
	"UpdateContinuousBackups":   decoded((*Service).updateBackups),

	"ListTagsOfResource": decoded((*Service).listTags),
	"GetItem":            decoded((*Service).getItem),
	"BatchGetItem":       decoded((*Service).batchGetItem),
	"PutItem":            decoded((*Service).putItem),
	"UpdateItem":         decoded((*Service).updateItem),
	"DeleteItem":         decoded((*Service).deleteItem),
	"BatchWriteItem":     decoded((*Service).batchWriteItem),
	"Query":              decoded((*Service).query),
	"Scan":               decoded((*Service).scan),
	"TransactWriteItems": decoded((*Service).transactWriteItems),
	"TransactGetItems":   decoded((*Service).transactGetItems),

	"DescribeStream":   decoded((*Service).describeStream),
	"ListStreams":      decoded((*Service).listStreams),
	"GetShardIterator": decoded((*Service).getShardIterator),
	"GetRecords":       decoded((*Service).getRecords),
}

// decoded makes a handler of an operation with a typed input. A parameter that
// the input does not have is refused: half an operation would be a trap.
func decoded[In any](operation func(*Service, In) (any, error)) handler {
	return func(s *Service, body []byte) (any, error) {
		var in In
		d := json.NewDecoder(bytes.NewReader(body))
		d.DisallowUnknownFields()
		if err := d.Decode(&in); err != nil {
			var refused *apiError
			if errors.As(err, &refused) {
				return nil, refused
			}
			if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
				return nil, invalid("the parameter %s is not part of this fake", name)
			}
			return nil, malformed(err)
		}
		return operation(s, in)
	}
}

// object is a JSON object of an answer. Absent members are left out by not
// being set.
type object = map[string]any

// apiError is a refusal as it goes over the wire.
type apiError struct {
	status  int // 400 if zero
	code    string
	message string
	more    object // further members of the body
}

// Error is the code with the message.
func (e *apiError) Error() string { return e.code + ": " + e.message }

// invalid is a ValidationException.
func invalid(format string, args ...any) *apiError {
	return &apiError{code: "ValidationException", message: fmt.Sprintf(format, args...)}
}

// malformed is the refusal of a body that is not what the protocol says.
func malformed(err error) *apiError {
	return &apiError{code: "SerializationException", message: err.Error()}
}

func (s *Service) refuse(w http.ResponseWriter, e *apiError) {
	body := object{"__type": "com.amazonaws.dynamodb.v20120810#" + e.code, "message": e.message}
	if e.code == "ValidationException" {
		body["__type"] = "com.amazon.coral.validate#ValidationException"
	}
	if e.code == "TransactionCanceledException" { // the one exception that spells it so
		body["Message"] = e.message
	}
	for name, v := range e.more {
		body[name] = v
	}
	status := e.status
	if status == 0 {
		status = http.StatusBadRequest
	}
	s.write(w, status, body)
}

// written are items as they stand on the wire.
type written [][]byte

// body is an answer as it goes over the wire. Items that are written already are
// put into it as they are: to look through megabytes of them again would be most
// of what a scan costs.
func body(answer any) ([]byte, error) {
	fields, _ := answer.(object)
	items, ok := fields["Items"].(written)
	if !ok {
		return json.Marshal(answer)
	}
	delete(fields, "Items")
	rest, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	size := len(rest) + len(items) + len(`"Items":[],`)
	for _, item := range items {
		size += len(item)
	}
	b := append(make([]byte, 0, size), `{"Items":[`...)
	for i, item := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, item...)
	}
	b = append(b, ']')
	if len(fields) > 0 {
		b = append(b, ',')
	}
	return append(b, rest[1:]...), nil
}

func (s *Service) write(w http.ResponseWriter, status int, answer any) {
	body, err := body(answer)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"__type":"InternalServerError"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/x-amz-json-1.0")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10))
	h.Set("X-Amzn-Requestid", s.requestID())
	w.WriteHeader(status)
	// A client that went away is not a fault of the service.
	_, _ = w.Write(body)
}

// requestID is a new id in the shape of the real ones.
func (s *Service) requestID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	return fmt.Sprintf("00000000-0000-4000-8000-%012d", s.requests)
}
