package recordpage_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/internal/recordpage"
)

// pageOf is an answer as the service gives it.
func pageOf(records, size int) []byte {
	random := rand.New(rand.NewPCG(1, uint64(size)))
	var b strings.Builder
	b.WriteString(`{"Records":[`)
	payload := make([]byte, size)
	for i := range records {
		if i > 0 {
			b.WriteByte(',')
		}
		for j := range payload {
			payload[j] = byte(random.Uint32())
		}
		fmt.Fprintf(&b, `{"SequenceNumber":"496%053d","ApproximateArrivalTimestamp":1.763742839%03dE9,"Data":"%s","PartitionKey":"key-%04d"}`,
			i, i%1000, base64.StdEncoding.EncodeToString(payload), random.IntN(1000))
	}
	fmt.Fprintf(&b, `],"NextShardIterator":"%s","MillisBehindLatest":0}`, strings.Repeat("A", 220))
	return []byte(b.String())
}

// stricter reports whether a body is refused on purpose that the SDK reads: its
// first value is no JSON, or it has what a page cannot have.
func stricter(err error, body []byte) bool {
	var value json.RawMessage
	bad := json.NewDecoder(strings.NewReader(string(body))).Decode(&value) != nil
	return bad || errors.Is(err, recordpage.ErrTextTime) || errors.Is(err, recordpage.ErrDeep)
}

// oddities are bodies of which each holds something that may be done wrongly.
var oddities = map[string]string{
	"nothing":                     ``,
	"only space":                  " \n\t\r",
	"null":                        `null`,
	"a list":                      `[]`,
	"an empty object":             `{}`,
	"a page without records":      `{"Records":[],"MillisBehindLatest":0,"NextShardIterator":"AAA"}`,
	"nulls":                       `{"Records":null,"ChildShards":null,"MillisBehindLatest":null,"NextShardIterator":null}`,
	"null records":                `{"Records":[null,{},null]}`,
	"null fields":                 `{"Records":[{"Data":null,"SequenceNumber":null,"PartitionKey":null,"ApproximateArrivalTimestamp":null,"EncryptionType":null}]}`,
	"space everywhere":            " { \"Records\" : [ { \"Data\" : \"YQ==\" , \"PartitionKey\"\t:\n\"k\" } , { } ] , \"MillisBehindLatest\" : 7 } ",
	"something behind it":         `{"MillisBehindLatest":7} and more {[`,
	"any order":                   `{"MillisBehindLatest":1,"NextShardIterator":"n","Records":[{"PartitionKey":"k","Data":"YWI=","EncryptionType":"KMS","SequenceNumber":"1"}]}`,
	"unknown fields":              `{"A":1,"B":[{"C":"}]"},[[],{}],true,false,null,-1.5e+3],"Records":[{"X":{"Records":[1]},"Data":"YQ==","Y":"\""}],"Z":{}}`,
	"unknown fields, nested deep": `{"A":` + strings.Repeat(`[`, 63) + strings.Repeat(`]`, 63) + `}`,
	"nested too deep":             `{"A":` + strings.Repeat(`[`, 64) + strings.Repeat(`]`, 64) + `}`,
	"twice":                       `{"MillisBehindLatest":1,"Records":[{"Data":"YQ==","Data":"Yg==","PartitionKey":"a","PartitionKey":"b"},{}],"Records":[{"Data":"Yw=="}],"MillisBehindLatest":2}`,
	"twice, and null":             `{"MillisBehindLatest":1,"Records":[{"Data":"YQ==","Data":null}],"Records":null,"MillisBehindLatest":null}`,
	"twice in the end":            `{"ChildShards":[{"ShardId":"a","HashKeyRange":{"StartingHashKey":"1"},"HashKeyRange":{"EndingHashKey":"2"}}],"ChildShards":[]}`,
	"other case":                  `{"records":[{}],"millisbehindlatest":1}`,
	"escaped names":               `{"\u0052ecords":[{"D\u0061ta":"YQ==","Partition\u004bey":"k"}]}`,
	"escaped text":                `{"Records":[{"PartitionKey":"a\"\\\/\b\f\n\r\t\u00e4\uD83D\uDE00\u0000z"}]}`,
	"half a surrogate pair":       `{"Records":[{"PartitionKey":"\ud83d"},{"PartitionKey":"\ude00\ud83d"},{"PartitionKey":"\ud83d\ud83d\ude00x"},{"PartitionKey":"\ud83d\u0041"}]}`,
	"text beyond ASCII":           `{"Records":[{"PartitionKey":"ä€😀"}]}`,
	"no UTF-8":                    "{\"Records\":[{\"PartitionKey\":\"a\xff\"},{\"PartitionKey\":\"\\n\xff\xc3\"}]}",
	"a control character":         "{\"Records\":[{\"PartitionKey\":\"a\x01\"}]}",
	"a delete character":          "{\"Records\":[{\"PartitionKey\":\"a\x7f\"}]}",
	"an escape of nothing":        `{"Records":[{"PartitionKey":"\x"}]}`,
	"an escape of a quote mark":   `{"Records":[{"PartitionKey":"\'"}]}`,
	"an escape that is cut":       `{"Records":[{"PartitionKey":"\u12`,
	"an escape of no number":      `{"Records":[{"PartitionKey":"\u12G4"}]}`,

	"payloads of each length":      `{"Records":[{"Data":""},{"Data":"YQ=="},{"Data":"YWI="},{"Data":"YWJj"},{"Data":"YWJjZA=="},{"Data":"YWJjZGU="},{"Data":"YWJjZGVm"},{"Data":"YWJjZGVmZw=="},{"Data":"YWJjZGVmZ2g="},{"Data":"YWJjZGVmZ2hp"},{"Data":"YWJjZGVmZ2hpag=="}]}`,
	"all of the alphabet":          `{"Records":[{"Data":"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"}]}`,
	"a payload with escapes":       `{"Records":[{"Data":"ab\/cdefgh\/ijklmnop\u002bqrstuv"},{"Data":"YQ\u003d\u003d"}]}`,
	"a payload with lines":         `{"Records":[{"Data":"YWJj\nZGVm\r\nZw==\n"},{"Data":"\nYQ=="},{"Data":"YQ\n=\n="}]}`,
	"a payload of lines":           `{"Records":[{"Data":"YWJjZGVmZ2hp\nYWJjZGVmZ2hpYWJjZGVmZ2hpYWJjZGVmZ2hpYWJjZGVmZ2hpYWJjZGVmZ2hp"}]}`,
	"a payload without padding":    `{"Records":[{"Data":"YWJjZA"}]}`,
	"a payload padded too much":    `{"Records":[{"Data":"YWJjZA==="}]}`,
	"a payload padded within":      `{"Records":[{"Data":"YQ==YWJjZGVmZ2hp"}]}`,
	"a payload with bits left":     `{"Records":[{"Data":"YR=="},{"Data":"YWJ="}]}`,
	"a payload of one character":   `{"Records":[{"Data":"Y"}]}`,
	"a payload of the other kind":  `{"Records":[{"Data":"ab-_efgh"}]}`,
	"a payload beyond ASCII":       `{"Records":[{"Data":"YWJjZGVmZ2häYWJj"}]}`,
	"a payload with a quote":       `{"Records":[{"Data":"YWJj\"ZGVm"}]}`,
	"a payload that is a number":   `{"Records":[{"Data":1}]}`,
	"a payload that is not closed": `{"Records":[{"Data":"YWJj`,

	"a time as the service's":    `{"Records":[{"ApproximateArrivalTimestamp":1.763742839123E9}]}`,
	"a time with a fraction":     `{"Records":[{"ApproximateArrivalTimestamp":1763742839.123}]}`,
	"a time in seconds":          `{"Records":[{"ApproximateArrivalTimestamp":1763742839}]}`,
	"other times":                `{"Records":[{"ApproximateArrivalTimestamp":0},{"ApproximateArrivalTimestamp":-0.0015},{"ApproximateArrivalTimestamp":1e-400},{"ApproximateArrivalTimestamp":-1e5}]}`,
	"times that are not":         `{"Records":[{"ApproximateArrivalTimestamp":1e18},{"ApproximateArrivalTimestamp":-1e300},{"ApproximateArrivalTimestamp":1e308},{"ApproximateArrivalTimestamp":18446744073709551615}]}`,
	"a time beyond all times":    `{"Records":[{"ApproximateArrivalTimestamp":1e309}]}`,
	"a time that is NaN":         `{"Records":[{"ApproximateArrivalTimestamp":"NaN"}]}`,
	"a time that has no end":     `{"Records":[{"ApproximateArrivalTimestamp":"-Infinity"}]}`,
	"a time that is true":        `{"Records":[{"ApproximateArrivalTimestamp":true}]}`,
	"numbers":                    `{"A":[0,-0,1.0,1e5,1E-5,0.10e+01],"MillisBehindLatest":-9223372036854775808}`,
	"a number too large":         `{"MillisBehindLatest":9223372036854775808}`,
	"a number with a fraction":   `{"MillisBehindLatest":1.0}`,
	"a number with an exponent":  `{"MillisBehindLatest":1e3}`,
	"a number in quotes":         `{"MillisBehindLatest":"1"}`,
	"a number with a zero first": `{"MillisBehindLatest":01}`,
	"a number with a plus":       `{"MillisBehindLatest":+1}`,
	"a minus alone":              `{"A":-}`,
	"a point alone":              `{"A":1.}`,
	"an exponent alone":          `{"A":1e}`,
	"words":                      `{"A":true,"B":false,"C":nul}`,
	"a comma too much":           `{"Records":[{}],}`,
	"a comma too much in a list": `{"Records":[{},]}`,
	"no comma":                   `{"Records":[{}{}]}`,
	"no colon":                   `{"Records"[]}`,
	"the wrong bracket":          `{"Records":[{}}]}`,
	"a name that is none":        `{1:2}`,
	"records that are none":      `{"Records":{}}`,
	"a record that is none":      `{"Records":[1]}`,
	"an escape in a wrong place": `{"Records":["\q"Records",[]]}`,
	"the end of a shard":         `{"ChildShards":[{"HashKeyRange":{"EndingHashKey":"9","StartingHashKey":"0"},"ParentShards":["shardId-000000000000",null],"ShardId":"shardId-000000000001"},null,{"ParentShards":[]},{"HashKeyRange":null,"New":[1]}],"MillisBehindLatest":0,"Records":[]}`,
	"a child that is none":       `{"ChildShards":[1]}`,
	"parents that are none":      `{"ChildShards":[{"ParentShards":[1]}]}`,
	"hashes that are none":       `{"ChildShards":[{"HashKeyRange":[]}]}`,
}

// What is read is what the SDK's decoder reads, oddities and all.
func TestReadsWhatTheSDKReads(t *testing.T) {
	for name, body := range oddities {
		t.Run(name, func(t *testing.T) { _, _ = hold(t, []byte(body)) })
	}
	for _, size := range []int{0, 1, 2, 3, 100, 1000, 10_000, 20_000, 140_000} {
		t.Run(fmt.Sprintf("records of %d bytes", size), func(t *testing.T) {
			p, err := hold(t, pageOf(30, size))
			if err != nil || len(p.Records) != 30 {
				t.Fatalf("%d records, %v", len(p.Records), err)
			}
		})
	}
}

// Where an answer ends too soon nothing of it is believed.
func TestCutAnswersAreRefused(t *testing.T) {
	whole := `{"Records":[{"SequenceNumber":"1","ApproximateArrivalTimestamp":1.5E9,"Data":"YWJjZGVmZ2hpag==","PartitionKey":"\u00e4","X":[{}]}],` +
		`"ChildShards":[{"ShardId":"s","ParentShards":["p"],"HashKeyRange":{"StartingHashKey":"0"}}],"NextShardIterator":"n","MillisBehindLatest":12}`
	for n := range len(whole) {
		p, err := hold(t, []byte(whole[:n]))
		if n > 0 && err == nil || len(p.Records) > 0 || p.Next != nil {
			t.Errorf("cut at %d: %v, %+v", n, err, p)
		}
	}
}

// What is refused on purpose though the SDK's decoder takes it.
func TestRefusesWhatNoServiceSends(t *testing.T) {
	for name, want := range map[string]string{
		"a time that has no end":     "a timestamp is a string",
		"a time that is NaN":         "a timestamp is a string",
		"nested too deep":            "nested more than 64 deep",
		"an escape in a wrong place": `'"' at byte 12, want {`,
	} {
		var p recordpage.Page
		err := recordpage.ReadJSON([]byte(oddities[name]), &p, recordpage.Apart)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	var p recordpage.Page
	many := `{"Records":[{}` + strings.Repeat(`,{}`, recordpage.MaxRecords) + `]}`
	if err := recordpage.ReadJSON([]byte(many), &p, recordpage.Apart); err == nil || !strings.Contains(err.Error(), "more than 100000 records") {
		t.Errorf("too many records: %v", err)
	}
}

// A page that is read into again has none of what was in it.
func TestPageIsUsedAgain(t *testing.T) {
	var p recordpage.Page
	read := func(body []byte) {
		t.Helper()
		if err := recordpage.ReadJSON(body, &p, recordpage.Apart); err != nil {
			t.Fatal(err)
		}
	}
	read(pageOf(100, 1000))
	kept := p.Records[7]
	data, key := string(kept.Data), strings.Clone(kept.Key)
	room := &p.Records[0]
	read([]byte(`{"Records":[{"Data":"YQ=="},{}]}`))
	if len(p.Records) != 2 || p.Next != nil || p.Behind != nil || &p.Records[0] != room {
		t.Errorf("got %+v, want two records in the same room", p)
	}
	if r := p.Records[1]; r.Sequence != "" || r.Data != nil || r.Has != 0 {
		t.Errorf("an empty record has %+v", r)
	}
	if string(kept.Data) != data || kept.Key != key {
		t.Error("a record that was kept has changed")
	}
	p.Reset()
	if r := p.Records[:2]; r[0].Data != nil || len(p.Records) != 0 {
		t.Errorf("after a reset: %+v", r)
	}
}

// Appending to a payload writes into no other.
func TestPayloadsAreApart(t *testing.T) {
	for _, place := range []recordpage.Place{recordpage.Apart, recordpage.InBody} {
		var p recordpage.Page
		body := pageOf(50, 99)
		out, err := sdkRead(body)
		if err != nil {
			t.Fatal(err)
		}
		if err := recordpage.ReadJSON(body, &p, place); err != nil {
			t.Fatal(err)
		}
		for i := range p.Records {
			_ = append(p.Records[i].Data, "overwritten"...)
		}
		if err := same(&p, out); err != nil {
			t.Errorf("place %d: %v", place, err)
		}
	}
}

// The time of a page's reading is that of its bytes, not more with any nesting or
// repetition of what is odd.
func TestOddPagesTakeNoLonger(t *testing.T) {
	for _, odd := range []string{`"\n`, `{"A":[`, `[[[[`, `{"Records":[{"Data":"\n`, `{"Records":[{"Data":"A`, `{"Records":[`} {
		body := []byte(`{"Records":[` + strings.Repeat(odd, 1<<20/len(odd)))
		started := time.Now()
		var p recordpage.Page
		if err := recordpage.ReadJSON(body, &p, recordpage.Apart); err == nil {
			t.Errorf("%q was read", odd)
		}
		if took := time.Since(started); took > 5*time.Second {
			t.Errorf("%q took %s", odd, took)
		}
	}
}

func FuzzJSON(f *testing.F) {
	for _, body := range oddities {
		f.Add([]byte(body))
	}
	f.Add(pageOf(3, 100))
	f.Fuzz(func(t *testing.T, body []byte) { _, _ = hold(t, body) })
}

// FuzzPayload holds the decoder of base64 against the standard library's.
func FuzzPayload(f *testing.F) {
	f.Add([]byte("YWJjZGVmZ2hpag=="))
	f.Add([]byte("YWJjZGVmZ2hpYWJjZGVmZ2hpYWJjZGVm\nZ2hpYWJjZGVmZ2hp"))
	f.Add([]byte(strings.Repeat("YWJj", 40) + "\n" + strings.Repeat("ZGVm", 40) + "Zw=="))
	f.Fuzz(func(t *testing.T, text []byte) {
		quoted, err := json.Marshal(string(text))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = hold(t, fmt.Appendf(nil, `{"Records":[{"Data":%s},{"Data":"YQ=="}]}`, quoted))
		_, _ = hold(t, fmt.Appendf(nil, `{"Records":[{"Data":"%s"}]}`, base64.StdEncoding.EncodeToString(text)))
	})
}
