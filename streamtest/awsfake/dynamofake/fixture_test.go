package dynamofake_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
)

// backend is a DynamoDB that requests can be sent to: the fake, or a server
// that others wrote.
type backend interface {
	call(operation, body string) (status int, answer []byte, err error)
}

// target is the header that names an operation of tables or of streams.
func target(operation string) string {
	switch operation {
	case "DescribeStream", "ListStreams", "GetShardIterator", "GetRecords":
		return "DynamoDBStreams_20120810." + operation
	}
	return "DynamoDB_20120810." + operation
}

type fake struct{ *dynamofake.Service }

func (f fake) call(operation, body string) (int, []byte, error) {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("X-Amz-Target", target(operation))
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w.Code, w.Body.Bytes(), nil
}

type server struct{ url string }

func (s server) call(operation, body string) (int, []byte, error) {
	r, err := http.NewRequest(http.MethodPost, s.url, bytes.NewReader([]byte(body)))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("X-Amz-Target", target(operation))
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=probe/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	return answer.StatusCode, b, err
}

// bench sends requests to one backend. In bodies, T stands for a table of its
// own: {"TableName":"T"}.
type bench struct {
	*testing.T
	backend
	table string
}

const (
	hashOnly = `{"TableName":"T","BillingMode":"PAY_PER_REQUEST","KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],
		"AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}]}`
	withSort = `{"TableName":"T","BillingMode":"PAY_PER_REQUEST","KeySchema":[{"AttributeName":"p","KeyType":"HASH"},{"AttributeName":"s","KeyType":"RANGE"}],
		"AttributeDefinitions":[{"AttributeName":"p","AttributeType":"S"},{"AttributeName":"s","AttributeType":"N"},{"AttributeName":"g","AttributeType":"S"}],
		"GlobalSecondaryIndexes":[{"IndexName":"byG","KeySchema":[{"AttributeName":"g","KeyType":"HASH"},{"AttributeName":"s","KeyType":"RANGE"}],"Projection":{"ProjectionType":"KEYS_ONLY"}}]}`
)

// benchOf is a bench with a fresh table, which goes when the test ends.
func benchOf(t *testing.T, b backend, create string) bench {
	t.Helper()
	out := bench{t, b, fmt.Sprintf("t-%d", time.Now().UnixNano())}
	out.must("CreateTable", create)
	t.Cleanup(func() { out.send("DeleteTable", `{"TableName":"T"}`) })
	return out
}

func fresh() fake { return fake{dynamofake.New(time.Now)} }

// send sends a request and tells the outcome in one line: the code of the
// error, or what the answer says beside consumed capacity.
func (b bench) send(operation, body string) string {
	b.Helper()
	status, raw, err := b.call(operation, strings.ReplaceAll(body, `"T"`, `"`+b.table+`"`))
	if err != nil {
		b.Fatal(err)
	}
	var answer map[string]any
	if err := json.Unmarshal(raw, &answer); err != nil {
		b.Fatalf("%s answered %d %q: %v", operation, status, raw, err)
	}
	if status == http.StatusOK {
		delete(answer, "ConsumedCapacity") // some servers tell it unasked
		return strings.ReplaceAll(text(answer), `"`+b.table+`"`, `"T"`)
	}
	code := fmt.Sprint(answer["__type"])
	code = code[strings.LastIndex(code, "#")+1:]
	for _, more := range []string{"Item", "CancellationReasons"} {
		if v, ok := answer[more]; ok {
			withoutMessages(v)
			code += " " + text(v)
		}
	}
	if testing.Verbose() && code == "ValidationException" {
		b.Logf("%s: %v", operation, answer["message"])
	}
	return code
}

// withoutMessages drops the texts of a transaction's reasons, which vary.
func withoutMessages(reasons any) {
	list, ok := reasons.([]any)
	if !ok {
		return
	}
	for _, r := range list {
		if reason, ok := r.(map[string]any); ok {
			delete(reason, "Message")
		}
	}
}

// text is a value as JSON with the members of objects and sets in order.
func text(v any) string {
	if set, ok := v.(map[string]any); ok && len(set) == 1 {
		for _, kind := range []string{"SS", "NS", "BS"} {
			if members, ok := set[kind].([]any); ok {
				sortTexts(members)
			}
		}
	}
	switch v := v.(type) {
	case map[string]any:
		parts := []any{}
		for name, member := range v {
			parts = append(parts, fmt.Sprintf("%q:%s", name, text(member)))
		}
		sortTexts(parts)
		return "{" + join(parts) + "}"
	case []any:
		parts := []any{}
		for _, member := range v {
			parts = append(parts, text(member))
		}
		return "[" + join(parts) + "]"
	}
	out, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(out)
}

func sortTexts(members []any) {
	for i := range members {
		for j := i; j > 0 && fmt.Sprint(members[j]) < fmt.Sprint(members[j-1]); j-- {
			members[j], members[j-1] = members[j-1], members[j]
		}
	}
}

func join(parts []any) string {
	texts := make([]string, len(parts))
	for i, p := range parts {
		texts[i] = fmt.Sprint(p)
	}
	return strings.Join(texts, ",")
}

func (b bench) must(operation, body string) string {
	b.Helper()
	out := b.send(operation, body)
	if !strings.HasPrefix(out, "{") {
		b.Fatalf("%s %s: %s", operation, body, out)
	}
	return out
}

// want sends a request and compares the outcome.
func (b bench) want(operation, body, want string) {
	b.Helper()
	if got := b.send(operation, body); got != want {
		b.Errorf("%s %s\n got %s\nwant %s", operation, body, got, want)
	}
}
