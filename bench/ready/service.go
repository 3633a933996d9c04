package ready

import (
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Service is the Kinesis: an http.Handler that is safe for use by many
// goroutines. Make one with [New].
type Service struct {
	created time.Time

	mu    sync.Mutex // protects pages; held for a look, and for making the first of a kind
	pages map[kind]*store
}

// kind is which pages are like one another but for their digits.
type kind struct {
	stream Stream
	cbor   bool
}

// store has pages of one kind. Who takes one puts it back.
type store struct {
	first *page
	free  chan *page // nil ones are not made yet
}

// atOnce is how many pages of a kind are under way at once, which bounds what
// memory they take; whoever comes then waits.
const atOnce = 16

// New is a service to which no stream has to be added: see [Stream].
func New() *Service {
	return &Service{created: time.Now().Add(-time.Hour).Truncate(time.Second), pages: map[kind]*store{}}
}

const (
	typeJSON = "application/x-amz-json-1.1"
	typeCBOR = "application/x-amz-cbor-1.1"
)

// ServeHTTP answers one request in the format that it is in.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	cbor := r.Header.Get("Content-Type") == typeCBOR
	w.Header().Set("Content-Type", typeJSON)
	if cbor {
		w.Header().Set("Content-Type", typeCBOR)
	}
	w.Header().Set("X-Amzn-Requestid", "00000000-0000-4000-8000-000000000000")
	in, err := parse(body, cbor)
	if err != nil {
		refuse(w, cbor, "SerializationException", err)
		return
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if operation == "GetRecords" {
		s.getRecords(w, in, cbor)
		return
	}
	answer, err := s.answer(operation, in)
	if err != nil {
		refuse(w, cbor, "InvalidArgumentException", err)
		return
	}
	write(w, http.StatusOK, cbor, answer)
}

func parse(body []byte, cbor bool) (in map[string]any, err error) {
	if cbor {
		return parseCBOR(body)
	}
	err = json.Unmarshal(body, &in)
	return in, err
}

func write(w http.ResponseWriter, status int, cbor bool, answer map[string]any) {
	body := appendCBOR(nil, answer)
	if !cbor {
		body, _ = json.Marshal(inSeconds(answer)) // of text, numbers, maps and lists
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that went away is not a fault
}

// inSeconds is an answer with its times as JSON has them.
func inSeconds(value any) any {
	switch v := value.(type) {
	case time.Time:
		return v.Unix()
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, member := range v {
			out[name] = inSeconds(member)
		}
		return out
	}
	return value
}

func refuse(w http.ResponseWriter, cbor bool, code string, err error) {
	write(w, http.StatusBadRequest, cbor, map[string]any{"__type": code, "message": err.Error()})
}

// getRecords answers with a page.
func (s *Service) getRecords(w http.ResponseWriter, in map[string]any, cbor bool) {
	token, _ := in["ShardIterator"].(string)
	stream, shard, record, err := parseToken(token)
	if err != nil {
		refuse(w, cbor, "InvalidArgumentException", err)
		return
	}
	pages := s.store(kind{stream, cbor})
	p := <-pages.free
	defer func() { pages.free <- p }()
	if p == nil {
		p = pages.first.copy()
	}
	p.set(shard, record)
	w.Header().Set("Content-Length", strconv.Itoa(len(p.body)))
	_, _ = w.Write(p.body) // a client that went away is not a fault
}

func (s *Service) store(k kind) *store {
	s.mu.Lock()
	defer s.mu.Unlock()
	pages, ok := s.pages[k]
	if !ok {
		var f format = asJSON{}
		if k.cbor {
			f = asCBOR{}
		}
		pages = &store{newPage(k.stream, f), make(chan *page, atOnce)}
		for range atOnce {
			pages.free <- nil
		}
		s.pages[k] = pages
	}
	return pages
}

// answer answers what is asked once in a while.
func (s *Service) answer(operation string, in map[string]any) (map[string]any, error) {
	name, _ := in["StreamName"].(string)
	if arn, ok := in["StreamARN"].(string); ok && arn != "" {
		name = arn
	}
	if token, ok := in["NextToken"].(string); ok {
		name, _, _ = strings.Cut(token, ":")
	}
	stream, err := parseStream(name)
	if err != nil {
		return nil, err
	}
	switch operation {
	case "DescribeStreamSummary":
		return map[string]any{"StreamDescriptionSummary": map[string]any{
			"StreamName": stream.Name(), "StreamARN": "arn:aws:kinesis:us-east-1:000000000000:stream/" + stream.Name(),
			"StreamStatus": "ACTIVE", "StreamModeDetails": map[string]any{"StreamMode": "PROVISIONED"},
			"RetentionPeriodHours": 24, "StreamCreationTimestamp": s.created, "EnhancedMonitoring": []any{},
			"EncryptionType": "NONE", "OpenShardCount": stream.Shards, "ConsumerCount": 0,
		}}, nil
	case "ListShards":
		return listShards(stream, in), nil
	case "GetShardIterator":
		return shardIterator(stream, in)
	}
	return nil, fmt.Errorf("answer %q: the operation is not part of this server", operation)
}

// shardsInPage is how many shards one answer of ListShards has, as the service's.
const shardsInPage = 1000

func listShards(stream Stream, in map[string]any) map[string]any {
	first := 0
	if token, ok := in["NextToken"].(string); ok {
		_, at, _ := strings.Cut(token, ":")
		first, _ = strconv.Atoi(at)
	}
	if after, ok := in["ExclusiveStartShardId"].(string); ok {
		n, _ := strconv.Atoi(strings.TrimPrefix(after, "shardId-"))
		first = n + 1
	}
	end := min(stream.Shards, first+shardsInPage)
	shards := []any{}
	for i := first; i < end; i++ {
		shards = append(shards, map[string]any{
			"ShardId":             shardID(i),
			"SequenceNumberRange": map[string]any{"StartingSequenceNumber": sequence(0)},
			"HashKeyRange":        map[string]any{"StartingHashKey": hashKey(i, stream.Shards, 0), "EndingHashKey": hashKey(i+1, stream.Shards, 1)},
		})
	}
	answer := map[string]any{"Shards": shards}
	if end < stream.Shards {
		answer["NextToken"] = fmt.Sprintf("%s:%d", stream.Name(), end)
	}
	return answer
}

// hashKey is 2¹²⁸·i/n, less by what is taken off.
func hashKey(i, n int, less int64) string {
	at := new(big.Int).Lsh(big.NewInt(int64(i)), 128)
	at.Div(at, big.NewInt(int64(n)))
	return at.Sub(at, big.NewInt(less)).String()
}

func shardIterator(stream Stream, in map[string]any) (map[string]any, error) {
	id, _ := in["ShardId"].(string)
	shard, err := strconv.Atoi(strings.TrimPrefix(id, "shardId-"))
	if err != nil || shard >= stream.Shards {
		return nil, fmt.Errorf("give an iterator: there is no shard %q", id)
	}
	var record uint64
	if at, ok := in["StartingSequenceNumber"].(string); ok {
		if record, err = parseSequence(at); err != nil {
			return nil, err
		}
		if in["ShardIteratorType"] == "AFTER_SEQUENCE_NUMBER" {
			record++
		}
	}
	return map[string]any{"ShardIterator": stream.Token(shard, record)}, nil
}
