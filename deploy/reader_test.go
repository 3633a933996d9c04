package deploy

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var dump = flag.String("dump", "", "folder into which what is read of each YAML file is written as JSON, for ci/deploy.sh")

// The reader of these tests reads every file there is. ci/deploy.sh has it write
// what it read, and compares that with what PyYAML reads.
func TestEveryFileIsRead(t *testing.T) {
	files, err := filepath.Glob("*/*.yaml")
	if err != nil || len(files) < 9 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, file := range files {
		doc := readYAML(t, file)
		if *dump == "" {
			continue
		}
		text, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.ReplaceAll(filepath.ToSlash(file), "/", "+") + ".json"
		if err := os.WriteFile(filepath.Join(*dump, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// What the reader does not understand is an error, and never something else.
func TestReaderRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, text := range []string{
		"a: &anchor 1", "a: *alias", "a: {b: 1", "a: [1, 2", "a: yes", "a: 1\na: 2", "a: \"x", "a:\n\tb: 1", "a: 1\n   b: 2", "- a\n- b",
		"a: `x`", "a: {b 1}", "a: \"x\" y", "a: \"\\n\"", "a", "",
	} {
		if doc, err := parseYAML(text); err == nil {
			t.Errorf("%q was read as %v", text, doc)
		}
	}
	doc, err := parseYAML("a: # why\n  - {b: [x, 'y, z'], \"c:d\": \"#\"} # why not\n  - e: !Sub \"${f}:g\"\n    h: >-\n      one\n      two\ni: http://j#k\n")
	text, _ := json.Marshal(doc)
	if want := `{"a":[{"b":["x","y, z"],"c:d":"#"},{"e":{"Fn::Sub":"${f}:g"},"h":"one two"}],"i":"http://j#k"}`; err != nil || string(text) != want {
		t.Errorf("got %s (%v), want %s", text, err, want)
	}
}
