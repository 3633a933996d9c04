package towpath_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// Every fault and every defect of others names the tests that cause it. That the
// tests are there, TestNamedTestsExist sees.
func TestEveryFaultNamesItsTests(t *testing.T) {
	row := regexp.MustCompile(`^\| (\d+) \|.*\|([^|]*)\|$`)
	faults, others, _ := strings.Cut(read(t, "docs/faults.md"), "\n## What has happened to others\n")
	for _, table := range []struct {
		name, text string
		rows       int
	}{{"faults", faults, 45}, {"what has happened to others", others, 37}} {
		tests := map[string]string{}
		for line := range strings.Lines(table.text) {
			if match := row.FindStringSubmatch(strings.TrimSpace(line)); match != nil {
				tests[match[1]] = match[2]
			}
		}
		for i := 1; i <= table.rows; i++ {
			if named := tests[fmt.Sprint(i)]; !strings.Contains(named, "`Test") && !strings.Contains(named, "`Fuzz") {
				t.Errorf("%s: row %d names no test", table.name, i)
			}
		}
		if len(tests) != table.rows {
			t.Errorf("%s: %d rows, want %d", table.name, len(tests), table.rows)
		}
	}
}
