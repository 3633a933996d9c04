package towpath_test

import (
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/iam"
)

// A link from one text to another file of the repository leads somewhere, and
// one to a heading leads to a heading.
func TestLinksResolve(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	walkModule(t, ".md", func(file string) {
		for _, m := range link.FindAllStringSubmatch(withoutCode(read(t, file)), -1) {
			target, heading, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			if target != "" {
				target = path.Join(path.Dir(file), target)
			} else {
				target = file
			}
			if _, err := os.Stat(filepath.FromSlash(target)); err != nil {
				t.Errorf("%s links to %s, which is not there", file, m[1])
			} else if heading != "" && strings.HasSuffix(target, ".md") && !slices.Contains(headings(read(t, target)), heading) {
				t.Errorf("%s links to %s, which has no such heading", file, m[1])
			}
		}
	})
}

// headings are the anchors of a text's headings, as code hosts make them.
func headings(text string) (anchors []string) {
	for line := range strings.Lines(withoutCode(text)) {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			anchor := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(title)), " ", "-")
			anchors = append(anchors, regexp.MustCompile(`[^\p{L}\p{N}_-]`).ReplaceAllString(anchor, ""))
		}
	}
	return anchors
}

var fenced = regexp.MustCompile("(?ms)^```.*?^```")

func withoutCode(text string) string { return fenced.ReplaceAllString(text, "") }

// The Go code that the texts show is code that is compiled and run: each block
// stands, line for line, in a test or in an example program.
func TestGoCodeInTextsIsTested(t *testing.T) {
	var tested strings.Builder
	hold := func(file string) { tested.WriteString(trimLines(read(t, file))) }
	walkModule(t, ".go", func(file string) {
		if strings.HasSuffix(file, "_test.go") || strings.HasPrefix(file, "examples/") {
			hold(file)
		}
	})
	contributed, err := filepath.Glob("contrib/*/*_test.go") // modules of their own
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range contributed {
		hold(filepath.ToSlash(file))
	}
	block := regexp.MustCompile("(?ms)^```go\n(.*?)^```")
	blocks := 0
	walkModule(t, ".md", func(file string) {
		for _, m := range block.FindAllStringSubmatch(read(t, file), -1) {
			blocks++
			if !strings.Contains(tested.String(), trimLines(m[1])) {
				t.Errorf("%s shows Go code that no test and no example holds line for line:\n%s", file, m[1])
			}
		}
	})
	if blocks == 0 {
		t.Error("no Go code was found in the texts")
	}
}

func trimLines(code string) string {
	var b strings.Builder
	for line := range strings.Lines(code) {
		if line = strings.TrimSpace(line); line != "" {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// The two commands that a reader tries first stand in the README as they are
// typed.
func TestReadmeShowsTheTwoCommands(t *testing.T) {
	readme := read(t, "README.md")
	for _, command := range []string{"go run ./examples/clickstream", "go test work"} {
		if !regexp.MustCompile(`(?m)^(\$ )?` + regexp.QuoteMeta(command) + `( |$)`).MatchString(readme) {
			t.Errorf("README.md does not show %q on a line of its own", command)
		}
	}
}

// The file map names every file of the packages that it maps, and no other.
func TestFileMapIsComplete(t *testing.T) {
	text := read(t, "ARCHITECTURE.md")
	start, end := strings.Index(text, "\n## File map\n"), strings.Index(text, "\n## What is not obvious\n")
	if start < 0 || end < start {
		t.Fatal("ARCHITECTURE.md has no file map before what is not obvious")
	}
	named := map[string]bool{}
	for _, m := range regexp.MustCompile("`([a-z_]+\\.go)`").FindAllStringSubmatch(text[start:end], -1) {
		named[m[1]] = true
	}
	there := map[string]bool{}
	walkModule(t, ".go", func(file string) {
		pkg, name := path.Split(file)
		there[name] = true
		mapped := slices.Contains([]string{"shard/", "checkpoint/", "batching/", "consumer/"}, pkg)
		if mapped && !named[name] && name != "doc.go" && !strings.HasSuffix(name, "_test.go") {
			t.Errorf("the file map of ARCHITECTURE.md does not name %s", file)
		}
	})
	for name := range named {
		if !there[name] {
			t.Errorf("the file map of ARCHITECTURE.md names %s, which is not there", name)
		}
	}
}

// A test that a text calls upon exists, here or in an adapter's own module.
func TestNamedTestsExist(t *testing.T) {
	var code strings.Builder
	walkModule(t, "_test.go", func(file string) { code.WriteString(read(t, file)) })
	adapters, err := filepath.Glob("contrib/*/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range adapters {
		code.WriteString(read(t, file))
	}
	walkModule(t, ".md", func(file string) {
		for _, m := range regexp.MustCompile("`(Test[A-Za-z]+)`").FindAllStringSubmatch(read(t, file), -1) {
			if !strings.Contains(code.String(), "func "+m[1]+"(") {
				t.Errorf("%s calls upon %s, which is not there", file, m[1])
			}
		}
	})
}

// Decisions are numbered without gaps, and the list of them is complete.
func TestDecisionsAreNumberedAndListed(t *testing.T) {
	list := read(t, "docs/decisions/README.md")
	entries, err := os.ReadDir("docs/decisions")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, entry := range entries {
		name := entry.Name()
		if name == "README.md" {
			continue
		}
		n++
		if want := fmt.Sprintf("%04d-", n); !strings.HasPrefix(name, want) || !strings.HasSuffix(name, ".md") {
			t.Errorf("docs/decisions/%s: want a name %s….md", name, want)
		}
		if !strings.Contains(list, "]("+name+")") {
			t.Errorf("docs/decisions/README.md does not list %s", name)
		}
		text := read(t, "docs/decisions/"+name)
		for _, part := range []string{"## Context", "## Decision", "## Consequence"} {
			if !strings.Contains(text, "\n"+part+"\n") {
				t.Errorf("docs/decisions/%s has no part %q", name, part)
			}
		}
	}
	if n == 0 {
		t.Error("there are no decisions")
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Every guide is in the index of the guides.
func TestEveryGuideIsInTheIndex(t *testing.T) {
	index := read(t, "docs/README.md")
	walkModule(t, ".md", func(file string) {
		guide, ok := strings.CutPrefix(file, "docs/")
		if !ok || guide == "README.md" || path.Dir(guide) == "decisions" && guide != "decisions/README.md" {
			return
		}
		if !strings.Contains(index, "]("+guide+")") {
			t.Errorf("docs/README.md does not list %s", guide)
		}
	})
}

// Every destination stands in the two tables that a reader chooses by.
func TestEveryDestinationIsInTheGuides(t *testing.T) {
	packages, err := filepath.Glob("destination/*destination")
	if err != nil || len(packages) == 0 {
		t.Fatal("there are no destinations", err)
	}
	packages = append(packages, "contrib/kafka")
	for _, guide := range []string{"docs/destinations.md", "docs/failures.md"} {
		text := read(t, guide)
		for _, pkg := range packages {
			pkg = filepath.ToSlash(pkg)
			if !strings.Contains(text, "`"+pkg+"`") && !strings.Contains(text, "`"+path.Base(pkg)+"`") {
				t.Errorf("%s does not name %s", guide, pkg)
			}
		}
	}
}

// Every mode of a policy stands in the guide that says who is to have it.
func TestEveryModeIsInTheGuide(t *testing.T) {
	guide := read(t, "docs/security.md")
	for _, mode := range iam.Modes() {
		if !strings.Contains(guide, "`"+string(mode)+"`") {
			t.Errorf("docs/security.md does not name the mode %s", mode)
		}
	}
}

// shownOtherwise are the packages whose Example has no output, and why.
var shownOtherwise = map[string]string{
	"streamtest": "a rig wants a test: what the Example shows is run by TestShownTestPasses",
}

// A newcomer sees on the page of each package how it is used: there is an
// Example, and it is run.
func TestEveryPackageHasAnExample(t *testing.T) {
	has, is := map[string]bool{}, map[string]bool{}
	example := regexp.MustCompile(`(?m)^func Example\w*\(\) \{`)
	declares := regexp.MustCompile(`(?m)^(func|type|var|const) `)
	output := regexp.MustCompile(`(?m)^\t// (Unordered o|O)utput:`)
	walkModule(t, ".go", func(file string) {
		pkg := path.Dir(file)
		if top, _, _ := strings.Cut(pkg, "/"); slices.Contains([]string{"internal", "ci", "cmd", "bench"}, top) {
			return
		}
		if !strings.HasSuffix(file, "_test.go") {
			is[pkg] = is[pkg] || declares.MatchString(read(t, file)) // a doc.go alone is no package to use
		} else if text := read(t, file); example.MatchString(text) && (output.MatchString(text) || shownOtherwise[pkg] != "") {
			has[pkg] = true
		}
	})
	for _, pkg := range slices.Sorted(maps.Keys(is)) {
		if is[pkg] && !has[pkg] {
			t.Errorf("package %s has no Example with an output that is compared", pkg)
		}
	}
}

// A metric that a guide names is one that there is.
func TestMetricsInTextsExist(t *testing.T) {
	all := read(t, "docs/metrics.md")
	walkModule(t, ".md", func(file string) {
		for _, m := range regexp.MustCompile("`(towpath\\.[a-z_]+\\.[a-z_.]+)`").FindAllStringSubmatch(read(t, file), -1) {
			if !strings.Contains(all, "`"+m[1]+"`") {
				t.Errorf("%s names the metric %s, which is not in docs/metrics.md", file, m[1])
			}
		}
	})
}

// Every field of a consumer's Config is set in an Example, or beside one in a file
// of examples, so that the page of some package shows what it is for.
func TestEverySettingIsShownInAnExample(t *testing.T) {
	var shown strings.Builder
	example := regexp.MustCompile(`(?ms)^func Example\w*\(\) \{$.*?^\}$`)
	walkModule(t, "_test.go", func(file string) {
		if strings.Contains(path.Base(file), "example") {
			shown.WriteString(read(t, file))
			return
		}
		for _, code := range example.FindAllString(read(t, file), -1) {
			shown.WriteString(code)
		}
	})
	for field := range reflect.TypeFor[consumer.Config]().Fields() {
		set := regexp.MustCompile(`\b` + field.Name + `\b\s*(:|=|,.*=)`)
		if field.IsExported() && !set.MatchString(shown.String()) {
			t.Errorf("no Example sets consumer.Config.%s", field.Name)
		}
	}
}
