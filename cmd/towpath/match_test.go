package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tool runs the command over files whose contents are given by name, and shows
// what it answers with the folder's name taken out.
func tool(t *testing.T, in string, files map[string]string, args ...string) (status int, out, errs string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i := range args {
		if _, ok := files[args[i]]; ok {
			args[i] = filepath.Join(dir, args[i])
		}
	}
	var o, e bytes.Buffer
	status = run(t.Context(), append([]string{"towpath"}, args...), strings.NewReader(in), &o, &e)
	return status, o.String(), strings.ReplaceAll(e.String(), dir+string(filepath.Separator), "")
}

func TestMatchAnswersEachRecordWithALine(t *testing.T) {
	records := strings.Join([]string{
		`{"partitionKey":"1","data":"eyJldmVudCI6ImJ1eSJ9"}`, // {"event":"buy"}
		``,
		`{"partitionKey":"1","data":"eyJldmVudCI6InZpZXcifQ=="}`,
		`{"kinesis":{"partitionKey":"1","data":"eyJldmVudCI6ImJ1eSJ9"},"eventSource":"aws:kinesis","eventSourceARN":"arn:aws:kinesis:eu-west-1:1:stream/s"}`,
		`{"partitionKey":"1","data":"bm8ganNvbg=="}`,
		`{"eventName":"INSERT","dynamodb":{"NewImage":{"state":{"S":"done"}}}}`,
	}, "\n")
	for _, c := range []struct {
		name, pattern, want string
	}{
		{"on the payload", `{"data":{"event":["buy"]}}`, "match\nno match\nmatch\nno match\nno match\n"},
		{"on the key", `{"partitionKey":["1"]}` + "\n", "match\nmatch\nmatch\nmatch\nno match\n"},
		{"on the image", `{"dynamodb":{"NewImage":{"state":{"S":["done"]}}}}`, "no match\nno match\nno match\nno match\nmatch\n"},
		{"criteria", `{"Filters":[{"Pattern":"{\"data\":{\"event\":[\"view\"]}}"},{"Pattern":"{\"eventName\":[\"INSERT\"]}"}]}`, "no match\nmatch\nno match\nno match\nmatch\n"},
	} {
		status, out, errs := tool(t, records, map[string]string{"p.json": c.pattern}, "match", "-pattern", "p.json")
		if status != 0 || out != c.want || errs != "" {
			t.Errorf("%s: status %d, %q, errors %q; want 0, %q", c.name, status, out, errs, c.want)
		}
	}
}

func TestSeveralPatternFilesAreJoinedByOr(t *testing.T) {
	files := map[string]string{"a.json": `{"partitionKey":["a"]}`, "b.json": `{"partitionKey":["b"]}`}
	in := `{"partitionKey":"a","data":""}` + "\n" + `{"partitionKey":"b","data":""}` + "\n" + `{"partitionKey":"c","data":""}` + "\n"
	status, out, errs := tool(t, in, files, "match", "--pattern", "a.json", "-p", "b.json")
	if status != 0 || out != "match\nmatch\nno match\n" {
		t.Errorf("status %d, %q, errors %q", status, out, errs)
	}
}

func TestBadPatternIsStatusTwoWithItsPlace(t *testing.T) {
	files := map[string]string{
		"good.json": `{"partitionKey":["a"]}`,
		"bad.json":  "{\n  \"data\": {\"price\": [{\"wildcard\": \"1*\"}]}\n}\n",
		"cut.json":  `{"data":`,
		"none.json": ``,
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"match", "-pattern", "good.json", "-pattern", "bad.json"}, `bad.json: pattern 2, line 2, column 23, at data.price: "wildcard" is no operator`},
		{[]string{"match", "-pattern", "cut.json"}, "cut.json: pattern 1, line 1, column 9: the pattern is not JSON"},
		{[]string{"match", "-pattern", "none.json"}, "none.json: pattern 1, line 1, column 1: the pattern is not JSON"},
		{[]string{"match", "-pattern", "missing.json"}, "missing.json"},
		{[]string{"match"}, "match needs -pattern FILE"},
		{[]string{"match", "-patern", "good.json"}, "patern"},
		{[]string{"match", "-pattern", "good.json", "records.json"}, "records come from standard input"},
		{[]string{"mach"}, `there is no command "mach"`},
	} {
		status, out, errs := tool(t, `{"partitionKey":"a","data":""}`, files, c.args...)
		if status != 2 || out != "" || !strings.Contains(errs, c.want) {
			t.Errorf("%q: status %d, %q, errors %q; want 2, nothing, …%s…", c.args, status, out, errs, c.want)
		}
	}
}

func TestBadRecordIsStatusOneWithItsLine(t *testing.T) {
	for in, want := range map[string]string{
		`rubbish`:              "standard input, line 2: not a record: invalid character",
		`{"partitionKey":"a"}`: `line 2: not a record: it has neither "data" in base64 nor "dynamodb"`,
		`{"data":"%%%"}`:       "line 2: not a record: illegal base64",
		`{"data":"","approximateArrivalTimestamp":"soon"}`: "line 2",
		`{"data":"` + strings.Repeat("A", 17<<20) + `"}`:   "line 2: bufio.Scanner: token too long",
	} {
		first := `{"partitionKey":"a","data":""}` + "\n"
		status, out, errs := tool(t, first+in, map[string]string{"p.json": `{"partitionKey":["a"]}`}, "match", "-pattern", "p.json")
		if status != 1 || out != "match\n" || !strings.Contains(errs, want) {
			t.Errorf("%.40q: status %d, %q, errors %q; want 1, the first answer, …%s…", in, status, out, errs, want)
		}
	}
}
