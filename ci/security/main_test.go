package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// judge runs the check over findings of rule and file, as "G404 consumer/x.go".
func judge(t *testing.T, findings ...string) (int, string) {
	t.Helper()
	r := report{}
	r.Stats.Files = 1
	for _, f := range findings {
		rule, file, _ := strings.Cut(f, " ")
		r.Issues = append(r.Issues, finding{Rule: rule, File: "/src/" + file, Line: "7", Details: "something"})
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	return run("/src", strings.NewReader(string(text)), &out), out.String()
}

// example is a finding that a justification explains.
func example(j justification) string {
	file := strings.Fields(j.files)[0]
	if strings.HasSuffix(file, "/") {
		file += "deep/x.go"
	}
	return j.rule + " " + file
}

func TestFindingsAreExplainedOrFail(t *testing.T) {
	var all []string
	for _, j := range justified {
		if j.why == "" {
			t.Errorf("%s in %s has no reason", j.rule, j.files)
		}
		all = append(all, example(j))
	}
	if status, out := judge(t, all...); status != 0 {
		t.Errorf("status %d, %s", status, out)
	}
	if status, out := judge(t, append(all, "G402 consumer/tls.go")...); status != 1 || !strings.Contains(out, "consumer/tls.go:7: G402: something") {
		t.Errorf("an unexplained finding: status %d, %s", status, out)
	}
	if status, out := judge(t, all[1:]...); status != 1 || !strings.Contains(out, "explains nothing any more") {
		t.Errorf("an explanation too many: status %d, %s", status, out)
	}
}

func TestReportThatIsNoneFails(t *testing.T) {
	for _, text := range []string{"", "gosec: not found", `{"Issues":[],"Stats":{"files":0}}`} {
		var out strings.Builder
		if status := run("/src", strings.NewReader(text), &out); status != 1 {
			t.Errorf("%q: status %d, %s", text, status, out.String())
		}
	}
}
