package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is the module's, from this folder.
const root = "../.."

// A mutant is a change of one place. Whoever moves that place is told here, and
// not by a check that takes minutes.
func TestTextOfEveryMutantIsThereOnce(t *testing.T) {
	texts := map[string]string{}
	for _, m := range all() {
		if _, ok := texts[m.File]; !ok {
			text, err := os.ReadFile(filepath.Join(root, m.File))
			if err != nil {
				t.Errorf("mutant %s: %v", m.Name, err)
				continue
			}
			texts[m.File] = string(text)
		}
		if _, err := m.apply(texts[m.File]); err != nil {
			t.Error(err)
		}
	}
}

// Every mutant says what it is, and breaks production code and not a test.
func TestMutantsAreNamedAndExplained(t *testing.T) {
	names := map[string]bool{}
	name := regexp.MustCompile(`^[a-z0-9-]+$`)
	for _, m := range all() {
		switch {
		case !name.MatchString(m.Name):
			t.Errorf("mutant %q: want a name in lower case with hyphens", m.Name)
		case names[m.Name]:
			t.Errorf("two mutants are called %s", m.Name)
		case m.Breaks == "" || m.By.Package == "" || m.By.Run == "":
			t.Errorf("mutant %s: it lacks the promise that it breaks, or the test", m.Name)
		case strings.HasSuffix(m.File, "_test.go") || strings.HasSuffix(filepath.Dir(m.File), "test"):
			t.Errorf("mutant %s: %s is a test", m.Name, m.File)
		}
		names[m.Name] = true
	}
	if n := len(names); n < 30 {
		t.Errorf("got %d mutants, want at least 30", n)
	}
	if len(swarm) != len(swarmSeeds) {
		t.Errorf("%d mutants are left to the swarm, want %d: one that is named there is in no list any more", len(swarm), len(swarmSeeds))
	}
}

// The tests that are to kill mutants are there: a pattern that matches nothing
// would let every mutant live.
func TestEveryMutantHasItsTest(t *testing.T) {
	found := map[string][]string{} // by package
	declared := regexp.MustCompile(`(?m)^func (Test\w+|Example\w*)\(`)
	for _, m := range all() {
		if _, ok := found[m.By.Package]; !ok {
			files, _ := filepath.Glob(filepath.Join(root, m.By.Package, "*_test.go"))
			for _, file := range files {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				for _, of := range declared.FindAllStringSubmatch(string(text), -1) {
					found[m.By.Package] = append(found[m.By.Package], of[1])
				}
			}
		}
		first, _, _ := strings.Cut(m.By.Run, "/")
		pattern, err := regexp.Compile(first)
		if err != nil {
			t.Errorf("mutant %s: %v", m.Name, err)
			continue
		}
		there := false
		for _, name := range found[m.By.Package] {
			there = there || pattern.MatchString(name)
		}
		if !there {
			t.Errorf("mutant %s: %s has no test %s", m.Name, m.By.Package, first)
		}
	}
}

// A text that is not there, or there twice, is no mutant.
func TestMutantIsOneChange(t *testing.T) {
	m := mutant{Name: "x", File: "f.go", Old: "a", New: "b"}
	for text, want := range map[string]string{"xay": "xby", "xy": "", "aa": ""} {
		got, err := m.apply(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
	if _, err := (mutant{Old: "a", New: "a"}).apply("a"); err == nil {
		t.Error("a mutant that changes nothing was taken")
	}
	m.In = "here"
	if got, err := m.apply("a\n\nhere a\n\na"); got != "a\n\nhere b\n\na" {
		t.Errorf("within a paragraph: got %q, %v", got, err)
	}
	for _, text := range []string{"a", "here\n\na", "here a here"} {
		if got, err := m.apply(text); err == nil {
			t.Errorf("%q: got %q, want an error", text, got)
		}
	}
}
