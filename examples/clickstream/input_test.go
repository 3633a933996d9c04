package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var shopColumns = columns{Key: []string{"user_id"}, Time: "timestamp", Event: "event"}

func gzipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	if _, err := zw.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// collect reads a whole log: its rows and the error that ended it, if one did.
func collect(data []byte, c columns) (rows []row, failure error) {
	for w, err := range readRows("log", bytes.NewReader(data), c) {
		if err != nil {
			return rows, err
		}
		rows = append(rows, w)
	}
	return rows, nil
}

func TestEveryFormGivesTheSameEvents(t *testing.T) {
	const csv = "event,user_id,timestamp\nhome,u1,2024-03-13 10:21:14\nbuy,u2,2024-03-13 10:22:00\n"
	const ndjson = `{"user_id":"u1","timestamp":1710325274,"event":"home","extra":{"a":[1]}}` + "\n" +
		`{"event":"buy","timestamp":"2024-03-13T10:22:00Z","user_id":"u2"}`
	want := []string{"u1 home 2024-03-13 10:21:14 +0000 UTC", "u2 buy 2024-03-13 10:22:00 +0000 UTC"}
	for name, data := range map[string][]byte{
		"csv":            []byte(csv),
		"csv, windows":   []byte("\ufeff" + strings.ReplaceAll(csv, "\n", "\r\n")),
		"csv, no end":    []byte(strings.TrimSpace(csv)),
		"csv, quotes":    []byte(strings.ReplaceAll(csv, "home", `"home"`)),
		"csv, blanks":    []byte(strings.ReplaceAll(csv, "\n", "\n\n")),
		"csv, gzip":      gzipped(t, csv),
		"ndjson":         []byte(ndjson),
		"ndjson, gzip":   gzipped(t, ndjson),
		"gzip, two ends": append(gzipped(t, csv[:40]), gzipped(t, csv[40:])...),
	} {
		rows, err := collect(data, shopColumns)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var got []string
		for _, w := range rows {
			if w.Bad != nil {
				t.Errorf("%s: %v", name, w.Bad)
			}
			got = append(got, w.Event.Key+" "+w.Event.Name+" "+w.Event.Time.String())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestBadRowsAreKeptWithFileLineAndCause(t *testing.T) {
	log := "user_id,event,timestamp\n" +
		"u1,home,2024-03-13 10:21:14\n" +
		"u1,home\n" + // 3
		"u1,home,yesterday\n" + // 4
		",home,2024-03-13 10:21:14\n" + // 5
		"u1,a \" stray,2024-03-13 10:21:14\n" + // 6
		"u2,\"two\nlines\",2024-03-13 10:21:15\n" + // 7, 8
		"u\xff,home,2024-03-13 10:21:14\n" + // 9
		"u3,\"never closed,2024-03-13 10:21:16\n" + // 10
		"u4,home,2024-03-13 10:21:17\n" + // 11
		strings.Repeat("x", maxLine+1) + "\n" + // 12
		"u5,home,2024-03-13 10:21:18\n" // 13
	rows, err := collect([]byte(log), shopColumns)
	if err != nil {
		t.Fatal(err)
	}
	var good, bad []string
	for _, w := range rows {
		if w.Bad == nil {
			good = append(good, w.Event.Key)
			continue
		}
		bad = append(bad, w.Bad.Error())
		if _, err := decodeEvent(w.Raw); err == nil {
			t.Errorf("%v: the decoder accepts its bytes %q", w.Bad, w.Raw)
		}
	}
	if want := []string{"u1", "u2", "u4", "u5"}; !slices.Equal(good, want) {
		t.Errorf("good rows are of %q, want %q", good, want)
	}
	want := []string{
		"log:3: the row has 2 columns, the header has 3",
		`log:4: column "timestamp": time "yesterday" is none of`,
		`log:5: column "user_id" is empty`,
		`log:6: bare " in non-quoted`,
		`log:9: column "user_id" is not UTF-8`,
		`log:10: `,
		"log:12: the line is longer than",
	}
	if len(bad) != len(want) {
		t.Fatalf("got %d bad rows, want %d:\n%s", len(bad), len(want), strings.Join(bad, "\n"))
	}
	for i := range want {
		if !strings.HasPrefix(bad[i], want[i]) {
			t.Errorf("bad row %d: got %q, want it to begin with %q", i, bad[i], want[i])
		}
	}
}

func TestBadObjectsAreKeptWithFileLineAndCause(t *testing.T) {
	const log = `{"user_id":"u1","timestamp":"2024-03-13T10:21:14Z","event":"home"}
{"user_id":"u1","timestamp":"2024-03-13T10:
{"user_id":null,"timestamp":"2024-03-13T10:21:14Z","event":"home"}
{"user_id":{"id":1},"timestamp":"2024-03-13T10:21:14Z","event":"home"}
{"timestamp":"2024-03-13T10:21:14Z","event":"home"}
["u1"]
{"user_id":17,"timestamp":1710325274000,"event":true}
`
	rows, err := collect([]byte(log), shopColumns)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"",
		"log:2: unexpected end of JSON input",
		`log:3: field "user_id" is null`,
		`log:4: field "user_id" is not a plain value`,
		`log:5: there is no field "user_id"`,
		"log:6: json: cannot unmarshal array",
		"",
	}
	for i, w := range rows {
		switch {
		case w.Bad == nil && want[i] != "":
			t.Errorf("row %d parsed, want %q", i, want[i])
		case w.Bad != nil && (want[i] == "" || !strings.HasPrefix(w.Bad.Error(), want[i])):
			t.Errorf("row %d: got %v, want %q", i, w.Bad, want[i])
		}
	}
	if last := rows[len(rows)-1].Event; last.Key != "17" || last.Name != "true" {
		t.Errorf("numbers and booleans: got %+v", last)
	}
}

func TestUnreadableLogsAreErrorsThatSayWhere(t *testing.T) {
	const head = "user_id,event,timestamp\n"
	packed := gzipped(t, head+strings.Repeat("u1,home,2024-03-13 10:21:14\n", 3))
	tests := []struct {
		name string
		data []byte
		c    columns
		want string
	}{
		{"empty", nil, shopColumns, "log:1: the file is empty"},
		{"blank", []byte("\n\n"), shopColumns, "log:1: the file is empty"},
		{"array", []byte(`[{"user_id":"u"}]`), shopColumns, "log:1: this is a JSON array"},
		{"unknown key", []byte(head), columns{[]string{"user_id", "device"}, "timestamp", "event"},
			`log:1: there is no column "device"; there are "user_id", "event", "timestamp"; choose one with -key`},
		{"unknown time", []byte(head), columns{[]string{"user_id"}, "when", "event"}, "choose one with -time"},
		{"unknown event", []byte("\n" + head), columns{[]string{"user_id"}, "timestamp", "what"}, `log:2: there is no column "what"`},
		{"unknown field", []byte(`{"user_id":"u","timestamp":1}`), shopColumns,
			`log:1: there is no column "event"; there are "timestamp", "user_id"; choose one with -event`},
		{"no gzip after all", []byte{0x1f, 0x8b, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7}, shopColumns, "log:1: unpack gzip"},
		{"gzip header cut off", packed[:5], shopColumns, "log:1: unpack gzip: the file ends too early"},
		{"gzip cut off", packed[:len(packed)-6], shopColumns, "log:5: unpack gzip: the file ends too early"},
	}
	for _, tt := range tests {
		_, err := collect(tt.data, tt.c)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
		if _, ok := errors.AsType[*rowError](err); !ok {
			t.Errorf("%s: got a %T, want a *rowError", tt.name, err)
		}
	}

	missing := filepath.Join(t.TempDir(), "none.csv")
	if _, _, err := openLog(missing); !errors.Is(err, fs.ErrNotExist) || err.Error() != missing+": no such file or directory" {
		t.Errorf("missing file: %v", err)
	}
	folder := t.TempDir()
	r, name, err := openLog(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := loadFeed(name, r, shopColumns); err == nil || !strings.HasPrefix(err.Error(), folder+":1: is a directory") {
		t.Errorf("a folder: %v", err)
	}
}

func TestAQuotedFieldMayRunOverLines(t *testing.T) {
	text := strings.Repeat("line\n\n", 40) + `he said ""yes""`
	rows, err := collect([]byte("user_id,event,timestamp\nu1,\""+text+"\",1\nu2,x,2\n"), shopColumns)
	if err != nil || len(rows) != 2 || rows[0].Bad != nil {
		t.Fatalf("%d rows, %v, %+v", len(rows), err, rows)
	}
	if want := strings.ReplaceAll(text, `""`, `"`); rows[0].Event.Name != want {
		t.Errorf("got %q, want %q", rows[0].Event.Name, want)
	}
	if rows[1].Line != 83 {
		t.Errorf("the row after it is on line %d, want 83", rows[1].Line)
	}
}

func TestReadingStopsWhenTheCallerDoes(t *testing.T) {
	const log = "user_id,event,timestamp\nu1,home,1\nu2,home,2\nu3,home,3\n"
	n := 0
	for range readRows("log", strings.NewReader(log), shopColumns) {
		if n++; n == 2 {
			break // an iterator that went on would panic here
		}
	}
	if n != 2 {
		t.Errorf("saw %d rows, want 2", n)
	}
}

func TestJoinedKeysStayApart(t *testing.T) {
	if got := joinKey([]string{"a|b"}); got != "a|b" {
		t.Errorf("one column: got %q, want it as it is", got)
	}
	if got := joinKey([]string{"u1", "phone"}); got != "u1|phone" {
		t.Errorf("got %q", got)
	}
	seen := map[string][]string{}
	for _, values := range [][]string{{"a", "b|c"}, {"a|b", "c"}, {`a\`, "b"}, {"a", `\b`}, {`a\|b`, "c"}, {`a\`, "b|c"}} {
		key := joinKey(values)
		if before, ok := seen[key]; ok {
			t.Errorf("%q and %q both give %q", before, values, key)
		}
		seen[key] = values
	}
}

func FuzzReadRows(f *testing.F) {
	f.Add([]byte("user_id,event,timestamp\nu1,\"home,1\nu2,\"a\nb\",2\n"))
	f.Add([]byte(`{"user_id":"u1","timestamp":1,"event":"x"}` + "\n{\n"))
	f.Add([]byte("\x1f\x8b\x08\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		last := 0
		rows, _ := collect(data, shopColumns)
		for _, w := range rows {
			if w.Line <= last {
				t.Fatalf("line %d after line %d", w.Line, last)
			}
			last = w.Line
			if w.Bad == nil {
				if _, err := encodeEvent(w.Event); err != nil {
					t.Fatalf("row %d parsed but does not encode: %v", w.Line, err)
				}
			}
		}
	})
}
