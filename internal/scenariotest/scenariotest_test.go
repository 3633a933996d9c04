package scenariotest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const text = `# words are counted
one two
  # a remark
three
----
2
1

# a second situation
four five six
----
3
`

func count(_ *testing.T, input []string) (out []string) {
	for _, line := range input {
		out = append(out, string(rune('0'+len(strings.Fields(line)))))
	}
	return out
}

func write(t *testing.T, text string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "words.txt")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestRunGivesTheInputWithoutRemarks(t *testing.T) {
	var got [][]string
	Run(t, write(t, text), func(t *testing.T, input []string) []string {
		got = append(got, input)
		return count(t, input)
	})
	if len(got) != 2 || !slices.Equal(got[0], []string{"one two", "three"}) || !slices.Equal(got[1], []string{"four five six"}) {
		t.Errorf("the inputs are %q", got)
	}
}

func TestUpdateKeepsAllButWhatIsExpected(t *testing.T) {
	*update = true
	defer func() { *update = false }()
	file := write(t, strings.Replace(text, "2\n1\n", "9\n", 1))
	Run(t, file, count)
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != text {
		t.Errorf("the file is now\n%s\nwant\n%s", got, text)
	}
}

func TestDifferenceMarksWhatOnlyOneSideHas(t *testing.T) {
	if got, want := difference("a\nb", "a\nc\nd"), "  a\n- b\n+ c\n+ d\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
