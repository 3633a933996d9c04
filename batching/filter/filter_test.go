package filter_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/batching/filter"
	"github.com/towpath/towpath/shard"
)

const (
	kinesisStream = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"
	dynamoStream  = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/2026-01-01T00:00:00.000"
)

// lines reads a file of cases, whose fields are separated by tabs.
func lines(t *testing.T, name string, fields int) [][]string {
	t.Helper()
	file, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var all [][]string
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		if line := scanner.Text(); !strings.HasPrefix(line, "#") {
			parts := strings.Split(line, "\t")
			if len(parts) != fields {
				t.Fatalf("%s: %q has %d fields, want %d", name, line, len(parts), fields)
			}
			all = append(all, parts)
		}
	}
	return all
}

func TestPatternsMatchAsLambdas(t *testing.T) {
	for _, c := range lines(t, "matches.txt", 3) {
		want, pattern, payload := c[0] == "match", c[1], c[2]
		r := shard.Record{Stream: kinesisStream, Data: []byte(payload)}
		if rest, ok := strings.CutPrefix(pattern, "!"); ok {
			pattern, r.Stream = rest, dynamoStream
		}
		set, err := filter.Compile(pattern)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if got := set.Match(&r).Matched(); got != want {
			t.Errorf("%s of %s: matched %v, want %v", pattern, payload, got, want)
		}
	}
}

func TestBadPatternsAreRefusedWhereTheyAreWrong(t *testing.T) {
	for _, c := range lines(t, "errors.txt", 4) {
		_, err := filter.Compile(c[0])
		var syntax *filter.SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%s: error %v, want a *filter.SyntaxError", c[0], err)
			continue
		}
		at := fmt.Sprintf("%d:%d", syntax.Line, syntax.Column)
		if at != c[1] || syntax.Path != c[2] || !strings.Contains(syntax.Problem, c[3]) {
			t.Errorf("%s: at %s, path %q: %s; want at %s, path %q: …%s…", c[0], at, syntax.Path, syntax.Problem, c[1], c[2], c[3])
		}
	}
}

// The rows of the table in the package's documentation.
func TestPayloadThatIsNoJSONMatchesOnlyWhatAsksNotForIt(t *testing.T) {
	const onData, onKey, onBoth = `{"data":{"a":[1]}}`, `{"partitionKey":["k"]}`, `{"partitionKey":["k"],"data":{"a":[1]}}`
	for _, c := range []struct {
		payload, pattern string
		match, notJSON   bool
	}{
		{`{"a":1}`, onData, true, false},
		{`{"a":1}`, onBoth, true, false},
		{`{"a":1}`, onKey, true, false},
		{"plain text", onData, false, true},
		{"plain text", onBoth, false, true},
		{"plain text", onKey, true, false},
		{"\"\xff\"", onData, false, true},
	} {
		set, err := filter.Compile(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		r := set.Match(&shard.Record{Stream: kinesisStream, PartitionKey: "k", Keyed: true, Data: []byte(c.payload)})
		if r.Matched() != c.match || r.NotJSON != c.notJSON {
			t.Errorf("%s of %q: matched %v, no JSON %v, want %v, %v", c.pattern, c.payload, r.Matched(), r.NotJSON, c.match, c.notJSON)
		}
	}
}

func TestMetadataOfARecordIsMatchedAtTheTop(t *testing.T) {
	r := shard.Record{
		Stream: kinesisStream, Shard: "shardId-000000000001", Sequence: "4959", PartitionKey: "1", Keyed: true,
		ArrivedAt: time.UnixMilli(1545084650987),
	}
	for pattern, want := range map[string]bool{
		`{"partitionKey":["1"]}`:                                             true,
		`{"partitionKey":[1]}`:                                               false,
		`{"sequenceNumber":["4959"]}`:                                        true,
		`{"eventID":["shardId-000000000001:4959"]}`:                          true,
		`{"eventName":["aws:kinesis:record"]}`:                               true,
		`{"eventSource":["aws:kinesis"]}`:                                    true,
		`{"eventVersion":["1.0"],"kinesisSchemaVersion":["1.0"]}`:            true,
		`{"awsRegion":[{"prefix":"eu-"}]}`:                                   true,
		`{"eventSourceARN":[{"suffix":"/clicks"}]}`:                          true,
		`{"approximateArrivalTimestamp":[{"numeric":["=",1545084650.987]}]}`: true,
		`{"nothing":[{"exists":false}]}`:                                     true,
		`{"nothing":[{"exists":true}]}`:                                      false,
	} {
		set, err := filter.Compile(pattern)
		if err != nil {
			t.Errorf("%v", err)
		} else if got := set.Match(&r).Matched(); got != want {
			t.Errorf("%s: matched %v, want %v", pattern, got, want)
		}
	}
	unkeyed, _ := filter.Compile(`{"partitionKey":[{"exists":true}]}`)
	if unkeyed.Match(&shard.Record{Stream: kinesisStream}).Matched() {
		t.Error("a record without a partition key has one")
	}
}

func TestFirstOfSeveralPatternsCounts(t *testing.T) {
	set, err := filter.Compile(`{"partitionKey":["a"]}`, `{"partitionKey":["b"]}`, `{"partitionKey":["b","c"]}`)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]int{"a": 0, "b": 1, "c": 2, "d": -1} {
		if got := set.Match(&shard.Record{PartitionKey: key}).Pattern; got != want {
			t.Errorf("key %s matches pattern %d, want %d", key, got, want)
		}
	}
}

func TestEveryBadPatternIsReportedAtOnce(t *testing.T) {
	_, err := filter.Compile(`{"a":[1]}`, `{"a":1}`, "{\n \"b\": []}")
	for _, want := range []string{"pattern 2, line 1, column 6, at a:", "pattern 3, line 2, column 7, at b:"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}

func TestQuotasAreLambdas(t *testing.T) {
	const fits = `{"a":["`
	pattern := func(length int) string { return fits + strings.Repeat("é", length-len(fits)-3) + `"]}` }
	for length, ok := range map[int]bool{4095: true, 4096: true, 4097: false} {
		if _, err := filter.Compile(pattern(length)); (err == nil) != ok {
			t.Errorf("a pattern of %d characters: error %v", length, err)
		}
	}
	ten := strings.Split(strings.Repeat(`{"a":[1]} `, 11), " ")
	if _, err := filter.Compile(ten[:10]...); err != nil {
		t.Errorf("ten patterns: %v", err)
	}
	if _, err := filter.Compile(ten[:11]...); err == nil || !strings.Contains(err.Error(), "at most 10") {
		t.Errorf("eleven patterns: error %v", err)
	}
	if _, err := filter.Compile(); err == nil {
		t.Error("no pattern: no error")
	}
}

// Patterns and payloads of which a match would not end if alternatives were
// multiplied out, or if every element of every list were tried with each other.
func TestTimeIsNotExponential(t *testing.T) {
	var either []string
	for i := range 30 {
		either = append(either, fmt.Sprintf(`{"a":{"$or":[{"x%d":[1]},{"y%d":[1]}]}}`, i, i))
	}
	nested := `[{"exists":false}]`
	for range 60 {
		nested = `{"$or":[{"a":[1]},{"b":[1]}],"l":` + nested + `}`
	}
	for _, pattern := range []string{`{"data":{"$or":[` + strings.Join(either, ",") + `]}}`, `{"data":` + nested + `}`} {
		set, err := filter.Compile(pattern)
		if err != nil {
			t.Fatal(err)
		}
		payload := `{"b":1}`
		for range 60 {
			payload = `{"b":1,"l":[` + payload + `,{"b":2},{"b":3}]}`
		}
		if got := testing.AllocsPerRun(1, func() { set.Match(&shard.Record{Data: []byte(payload)}) }); got > 5000 {
			t.Errorf("one match allocates %v times", got)
		}
	}
}

// A payload that nests deeper than any pattern looks is one that is no JSON: it
// is not read, and so costs nothing however long it is. Brackets in strings do not
// count.
func TestDeepPayloadsAreNotRead(t *testing.T) {
	set, err := filter.Compile(`{"data":{"a":[1]}}`)
	if err != nil {
		t.Fatal(err)
	}
	nested := func(open, end string, n int) string {
		return `{"a":1,"b":` + strings.Repeat(open, n) + "1" + strings.Repeat(end, n) + `}`
	}
	for _, c := range []struct {
		name, payload string
		match         bool
	}{
		{"lists as deep as it goes", nested("[", "]", 255), true},
		{"lists one deeper", nested("[", "]", 256), false},
		{"objects as deep as it goes", nested(`{"x":`, "}", 255), true},
		{"objects one deeper", nested(`{"x":`, "}", 256), false},
		{"brackets in a string", `{"a":1,"b":"\"` + strings.Repeat("[{", 1000) + `"}`, true},
		{"ten million brackets", strings.Repeat("[", 10<<20), false},
		{"ten million pairs of them", strings.Repeat("[", 5<<20) + strings.Repeat("]", 5<<20), false},
	} {
		r := &shard.Record{Data: []byte(c.payload)}
		if got := set.Match(r); got.Matched() != c.match || got.NotJSON == c.match {
			t.Errorf("%s: %+v, want a match: %v", c.name, got, c.match)
		}
		if !c.match {
			if n := testing.AllocsPerRun(1, func() { set.Match(r) }); n > 20 {
				t.Errorf("%s: %v allocations", c.name, n)
			}
		}
	}
}

func FuzzMatch(f *testing.F) {
	f.Add(`{"data":{"a":[{"numeric":[">",1]}],"$or":[{"b":[null]}]}}`, []byte(`{"a":2,"b":null}`), false)
	f.Add(`{"dynamodb":{"Keys":{"id":{"N":["1"]}}}}`, []byte(`{"dynamodb":{"Keys":{"id":{"N":"1"}}}}`), true)
	f.Add(`{"a":[{"anything-but":[`, []byte(`[[[`), false)
	f.Fuzz(func(t *testing.T, pattern string, payload []byte, dynamo bool) {
		set, err := filter.Compile(pattern)
		if err != nil {
			return
		}
		r := shard.Record{Stream: kinesisStream, Data: payload}
		if dynamo {
			r.Stream = dynamoStream
		}
		result := set.Match(&r)
		// A pattern that is stated twice is matched by its first statement.
		twice, err := filter.Compile(pattern, pattern)
		if err != nil {
			t.Fatalf("%s compiles once but not twice: %v", pattern, err)
		}
		if again := twice.Match(&r); again != result {
			t.Errorf("%s of %q: %+v, and twice %+v", pattern, payload, result, again)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	set, err := filter.Compile(`{"data":{"event":["purchase"],"price":[{"numeric":[">",100]}]}}`)
	if err != nil {
		b.Fatal(err)
	}
	r := shard.Record{Stream: kinesisStream, Data: []byte(`{"event":"purchase","price":129.5,"user":"u-1","product":{"id":"p-1","brand":"acme"}}`)}
	b.ReportAllocs()
	for b.Loop() {
		set.Match(&r)
	}
}

func Example() {
	set, err := filter.Compile(
		`{"data": {"event": ["purchase"], "price": [{"numeric": [">", 100]}]}}`,
		`{"partitionKey": [{"prefix": "vip-"}]}`,
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range []shard.Record{
		{PartitionKey: "u-1", Data: []byte(`{"event": "purchase", "price": 129.5}`)},
		{PartitionKey: "u-1", Data: []byte(`{"event": "view"}`)},
		{PartitionKey: "vip-7", Data: []byte(`any bytes`)},
	} {
		fmt.Println(set.Match(&r).Pattern)
	}
	_, err = filter.Compile(`{"data": {"price": [{"between": [1, 5]}]}}`)
	fmt.Println(err)
	// Output:
	// 0
	// -1
	// 1
	// pattern 1, line 1, column 22, at data.price: "between" is no operator of Lambda's: want prefix, suffix, equals-ignore-case, anything-but, numeric or exists
}
