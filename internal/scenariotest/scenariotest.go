// Package scenariotest runs a file of situations through a decision and compares
// what comes out with what the file says, so that a reader sees a rule by its
// cases and a changed rule by its difference.
//
// A situation is a title behind a hash sign, lines of input, a line of four
// dashes, and the lines expected; a blank line ends it. Lines of the input that
// begin with a hash sign are comments.
//
//	# in order
//	begin 1 2
//	done 1
//	----
//	begin 1 2: mark TRIM_HORIZON, pending 2, oldest 1
//	done 1: mark 1, pending 1, arrived 1s, oldest 2
//
// A test binary that imports the package has the flag -update, which writes what
// comes out into the files instead. Read the difference before it is committed.
package scenariotest

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what comes out into the scenario files")

// Run gives each situation of a file to run, as a subtest with the situation's
// title: its input line by line, trimmed and without comments. What run returns
// is compared with the lines expected, and the difference is shown.
func Run(t *testing.T, file string, run func(t *testing.T, input []string) []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	situations := parse(string(text))
	for i := range situations {
		s := &situations[i]
		t.Run(s.title, func(t *testing.T) {
			got := strings.Join(run(t, s.input), "\n") + "\n"
			if !*update && got != s.want {
				t.Errorf("%s\n%s", file, difference(s.want, got))
			}
			s.want = got
		})
	}
	if *update {
		if err := os.WriteFile(file, []byte(format(situations)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

type situation struct {
	title string
	head  string   // all that stands before the dashes, as it is written
	input []string // the lines of head that say something
	want  string
}

func parse(text string) (all []situation) {
	for block := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		var s situation
		s.head, s.want, _ = strings.Cut(block+"\n", "----\n")
		title, body, _ := strings.Cut(s.head, "\n")
		s.title = strings.TrimPrefix(title, "# ")
		for line := range strings.Lines(body) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				s.input = append(s.input, line)
			}
		}
		all = append(all, s)
	}
	return all
}

// format is the text that parse reads.
func format(situations []situation) string {
	var blocks []string
	for _, s := range situations {
		blocks = append(blocks, s.head+"----\n"+s.want)
	}
	return strings.Join(blocks, "\n")
}

// difference shows the two texts line by line, with a sign before those lines
// that only one of them has at that place.
func difference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	var b strings.Builder
	for i := range max(len(w), len(g)) {
		if i < len(w) && i < len(g) && w[i] == g[i] {
			b.WriteString("  " + w[i] + "\n")
			continue
		}
		if i < len(w) {
			b.WriteString("- " + w[i] + "\n")
		}
		if i < len(g) {
			b.WriteString("+ " + g[i] + "\n")
		}
	}
	return b.String()
}
