package towpath_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// The tables of complaints have every row, each with the tests that stage it. That
// the tests are there, TestNamedTestsExist sees.
func TestEveryComplaintNamesItsTests(t *testing.T) {
	row := regexp.MustCompile(`^\| (\d+) \|.*\|([^|]*)\|$`)
	tests := map[string]string{}
	for line := range strings.Lines(read(t, "docs/complaints.md")) {
		if match := row.FindStringSubmatch(strings.TrimSpace(line)); match != nil {
			tests[match[1]] = match[2]
		}
	}
	for i := 1; i <= 55; i++ {
		if !strings.Contains(tests[fmt.Sprint(i)], "`Test") {
			t.Errorf("row %d names no test", i)
		}
	}
}
