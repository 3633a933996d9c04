package tape_test

import (
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/towpath/towpath/tape"
)

// events reads a tape to its end.
func events(t *testing.T, r *tape.Reader) (all []tape.Event) {
	t.Helper()
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
}

// What is written is what is read, whatever is in it.
func TestALineIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := tape.Event{
			Keyed: rapid.Bool().Draw(t, "keyed"), Data: rapid.SliceOf(rapid.Byte()).Draw(t, "data"),
			Shard: rapid.String().Draw(t, "shard"), Sequence: rapid.StringMatching(`\d{0,60}`).Draw(t, "sequence"),
			Sub: rapid.Int64Min(0).Draw(t, "sub"), ExplicitHash: rapid.StringMatching(`(|0|[1-9]\d{0,37})`).Draw(t, "hash"),
		}
		if e.Keyed {
			e.Key = rapid.String().Draw(t, "key")
		}
		if ms := rapid.Int64Range(0, 4e12).Draw(t, "arrived"); ms > 0 {
			e.Arrived = time.UnixMilli(ms).UTC()
		}
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var back tape.Event
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if len(back.Data) == 0 {
			back.Data = e.Data
		}
		if !reflect.DeepEqual(back, e) {
			t.Fatalf("%s\ngot  %+v\nwant %+v", text, back, e)
		}
	})
}

// A line that is none is named by its number and its fault, shows nothing of its
// data, and those behind it can be read.
func TestALineThatIsNoneIsNamed(t *testing.T) {
	const good = `{"partitionKey":"k","data":"aGk="}`
	for text, want := range map[string]string{
		`hello`:                     `line 3: it is no JSON object, with "data" in base64: wrong at byte 1`,
		`[1]`:                       `line 3: it is no JSON object, with "data" in base64`,
		`{"partitionKey":"secret"}`: `line 3: it has no "data"`,
		`{"data":"secret!"}`:        `line 3: it is no JSON object, with "data" in base64: what "data" has is no base64`,
		`{"data":12}`:               `line 3: "data" is a JSON number`,
		`{"data":"aGk=","partitionKey":["secret"]}`:                    `line 3: "partitionKey" is a JSON array`,
		`{"data":"aGk=","explicitHashKey":"-1"}`:                       `line 3: "explicitHashKey" is no decimal number of 128 bits`,
		`{"data":"aGk=","explicitHashKey":"+1"}`:                       `line 3: "explicitHashKey" is no decimal number of 128 bits`,
		`{"data":"aGk=","explicitHashKey":"007"}`:                      `line 3: "explicitHashKey" is no decimal number of 128 bits`,
		`{"data":"aGk=","approximateArrivalTimestamp":99999999999999}`: `line 3: "approximateArrivalTimestamp" is no number of seconds since 1970`,
	} {
		r := tape.NewReader(strings.NewReader(good + "\n\n" + text + "\n" + good))
		if e, err := r.Next(); err != nil || e.Line != 1 || e.Key != "k" || string(e.Data) != "hi" {
			t.Fatalf("got %+v and %v", e, err)
		}
		_, err := r.Next()
		var at *tape.LineError
		if !errors.As(err, &at) || at.Line != 3 || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
		if e, err := r.Next(); err != nil || e.Line != 4 {
			t.Errorf("behind %s: got %+v and %v", text, e, err)
		}
	}
	r := tape.NewReader(strings.NewReader(good + "\n" + strings.Repeat("x", tape.LongestLine+1)))
	_, _ = r.Next()
	if _, err := r.Next(); err == nil || !strings.HasPrefix(err.Error(), "line 2: it is longer than") {
		t.Errorf("got %v", err)
	}
}

// Any JSON lines can be played, keyed by one of their fields.
func TestPlainLinesAreKeyedByAField(t *testing.T) {
	text := `{"user":{"id":7},"at":"2026-05-04T12:00:00Z"}
{"user":{"id":"seven"},"at":1777896001}
{"user":{"id":true},"at":1777896002500}`
	r, err := tape.NewPlainReader(strings.NewReader(text), ".user.id", ".at")
	if err != nil {
		t.Fatal(err)
	}
	all := events(t, r)
	for i, want := range []struct {
		key string
		at  int64
	}{{"7", 1777896000000}, {"seven", 1777896001000}, {"true", 1777896002500}} {
		if e := all[i]; e.Key != want.key || !e.Keyed || e.Arrived.UnixMilli() != want.at || string(e.Data) != strings.Split(text, "\n")[i] {
			t.Errorf("got %+v, want %+v", e, want)
		}
	}
	for line, want := range map[string]string{
		`{"user":{}}`:                  "line 1: it has no text or number at .user.id, which is to be its key",
		`{"user":{"id":{}}}`:           "line 1: it has no text or number at .user.id, which is to be its key",
		`7`:                            "line 1: it is no JSON object",
		`{"user":{"id":1}} {"id":2}`:   "line 1: it has something behind its JSON object",
		`{"user":{"id":1}}, and more`:  "line 1: it has something behind its JSON object",
		`{"user":{"id":1},"at":"now"}`: "line 1: it has no time at .at",
	} {
		r, err := tape.NewPlainReader(strings.NewReader(line), ".user.id", ".at")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Next(); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", line, err, want)
		}
	}
	for _, bad := range []string{"", ".", "user", ".user..id"} {
		if _, err := tape.NewPlainReader(strings.NewReader(""), bad, ""); err == nil {
			t.Errorf("%q is a path", bad)
		}
	}
}

func TestSurveyCountsWhatIsThere(t *testing.T) {
	text := `{"partitionKey":"a","data":"aGk=","approximateArrivalTimestamp":100}
{"partitionKey":"b","data":"aGk=","approximateArrivalTimestamp":160}
{"data":"aGkh","approximateArrivalTimestamp":130.5}
{"partitionKey":"a","data":""}`
	s, err := tape.Look(tape.NewReader(strings.NewReader(text)).Next, 0)
	if err != nil || s.Events != 4 || s.Keys != 2 || s.Unkeyed != 1 || s.Back != 1 || s.Bytes != 10 || s.Largest != 3 || s.Last.Sub(s.First) != time.Minute {
		t.Errorf("got %+v and %v", s, err)
	}
	for pace, want := range map[tape.Pace]time.Duration{
		{}: time.Minute, {Speed: 10}: 6 * time.Second, {Unpaced: true}: 0, {Unpaced: true, Rate: 0.5}: 6 * time.Second, {Speed: 60, Rate: 1}: 3 * time.Second,
	} {
		if got := s.Takes(pace); got != want {
			t.Errorf("at %+v it takes %v, want %v", pace, got, want)
		}
	}
	if s, err := tape.Look(tape.NewReader(strings.NewReader(text)).Next, 3); err != nil || s.Events != 1 {
		t.Errorf("got %+v and %v", s, err)
	}
	if _, err := tape.Look(tape.NewReader(strings.NewReader(text)).Next, 5); err == nil {
		t.Error("five of four events were skipped")
	}
}

func FuzzReader(f *testing.F) {
	f.Add(`{"partitionKey":"a","data":"aGk=","approximateArrivalTimestamp":100.001,"explicitHashKey":"12"}`)
	f.Add(`{"data":""}` + "\n\n{}")
	f.Fuzz(func(t *testing.T, text string) {
		for r := tape.NewReader(strings.NewReader(text)); ; {
			e, err := r.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				if _, ok := errors.AsType[*tape.LineError](err); !ok {
					t.Fatal(err)
				}
				continue
			}
			line, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			back, err := tape.NewReader(strings.NewReader(string(line))).Next()
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			if back.Line = e.Line; !reflect.DeepEqual(back, e) {
				t.Fatalf("%s\ngot  %+v\nwant %+v", line, back, e)
			}
		}
	})
}
