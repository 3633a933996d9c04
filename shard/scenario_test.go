package shard

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what comes out into the scenario files")

// scenarios runs a file of situations. Each is a title behind a hash sign, lines
// of input, a line of four dashes, and the lines expected; a blank line ends it.
// What differs is shown line by line; -update writes it into the file instead.
func scenarios(t *testing.T, file string, run func(t *testing.T, input []string) []string) {
	t.Helper()
	path := filepath.Join("testdata", file)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for i, block := range strings.Split(strings.TrimSpace(string(text)), "\n\n") {
		head, want, _ := strings.Cut(block+"\n", "----\n")
		title, body, _ := strings.Cut(head, "\n")
		title = strings.TrimPrefix(title, "# ")
		t.Run(title, func(t *testing.T) {
			var input []string
			for line := range strings.Lines(body) {
				if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
					input = append(input, line)
				}
			}
			got := strings.Join(run(t, input), "\n") + "\n"
			if i > 0 {
				out.WriteString("\n")
			}
			out.WriteString(head + "----\n" + got)
			if !*update && got != want {
				t.Errorf("%s\n%s", path, difference(want, got))
			}
		})
	}
	if *update {
		if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// difference shows the two texts line by line, with a sign before those lines
// that only one of them has at that place.
func difference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	var b strings.Builder
	for i := range max(len(w), len(g)) {
		switch {
		case i < len(w) && i < len(g) && w[i] == g[i]:
			b.WriteString("  " + w[i] + "\n")
		default:
			if i < len(w) {
				b.WriteString("- " + w[i] + "\n")
			}
			if i < len(g) {
				b.WriteString("+ " + g[i] + "\n")
			}
		}
	}
	return b.String()
}
