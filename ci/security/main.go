// Command security reads the report of gosec, in JSON from standard input, and
// fails for every finding that justified.go does not explain, and for every
// explanation that explains nothing any more.
//
//	gosec -quiet -no-fail -fmt json ./... | go run ./ci/security
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	dir, err := os.Getwd()
	if err != nil {
		fmt.Fprintln(os.Stderr, "security:", err)
		os.Exit(1)
	}
	os.Exit(run(dir, os.Stdin, os.Stdout))
}

// finding is one of gosec's.
type finding struct {
	Rule    string `json:"rule_id"`
	File    string `json:"file"`
	Line    string `json:"line"`
	Details string `json:"details"`
}

// report is what gosec writes.
type report struct {
	Issues []finding
	Stats  struct{ Files, Lines int }
}

// run judges a report about the module in dir.
func run(dir string, in io.Reader, out io.Writer) int {
	var r report
	if err := json.NewDecoder(in).Decode(&r); err != nil {
		fmt.Fprintln(out, "security: read gosec's report:", err)
		return 1
	}
	if r.Stats.Files == 0 {
		fmt.Fprintln(out, "security: gosec has looked at no file")
		return 1
	}
	status := 0
	used := make([]int, len(justified))
	for _, f := range r.Issues {
		file, err := filepath.Rel(dir, f.File)
		if err != nil {
			file = f.File
		}
		file = filepath.ToSlash(file)
		i := slices.IndexFunc(justified, func(j justification) bool { return j.explains(f.Rule, file) })
		if i < 0 {
			fmt.Fprintf(out, "%s:%s: %s: %s\n", file, f.Line, f.Rule, f.Details)
			status = 1
			continue
		}
		used[i]++
	}
	for i, n := range used {
		if n == 0 {
			fmt.Fprintf(out, "ci/security/justified.go: %s in %s explains nothing any more\n", justified[i].rule, justified[i].files)
			status = 1
		}
	}
	fmt.Fprintf(out, "gosec: %d files, %d lines, %d findings, %d explained\n", r.Stats.Files, r.Stats.Lines, len(r.Issues), explained(used))
	return status
}

func explained(used []int) (n int) {
	for _, u := range used {
		n += u
	}
	return n
}

// justification says why a rule does not hold for some files.
type justification struct {
	rule  string
	files string // paths from the root: patterns of path.Match, or folders with a slash at the end, by spaces
	why   string
}

func (j justification) explains(rule, file string) bool {
	return rule == j.rule && slices.ContainsFunc(strings.Fields(j.files), func(pattern string) bool {
		if strings.HasSuffix(pattern, "/") {
			return strings.HasPrefix(file, pattern)
		}
		ok, err := path.Match(pattern, file)
		return ok && err == nil
	})
}
