package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mutant is one promise broken on purpose.
type mutant struct {
	// Name says what is broken, in a few words with hyphens.
	Name string
	// File is the production file, from the root of the module.
	File string
	// In is where in the file: a text that is there once, with all that follows up
	// to the next empty line. If it is empty, it is the whole file.
	In string
	// Old stands there exactly once, and New is put in its place.
	Old, New string
	// Breaks is the promise that does not hold any more.
	Breaks string
	// By is the test that has to fail.
	By test
}

// test is what kills mutants: tests of one package.
type test struct {
	Package string // from the root of the module, as ./consumer
	Run     string // the pattern of -run
	Flags   string // the test's own, such as seeds that are pinned
}

// String is the command line without a mutant.
func (t test) String() string {
	return strings.TrimSpace(fmt.Sprintf("go test ./%s -run '%s' %s", strings.TrimPrefix(t.Package, "./"), t.Run, t.Flags))
}

// all are the mutants of every room.
func all() []mutant {
	return slices.Concat(rows, sessions, decisions, engine, handling, drivers, swarm)
}

// apply is the text with the mutant in it. It is an error if the place is not
// there, or not alone.
func (m mutant) apply(text string) (string, error) {
	from, to := 0, len(text)
	if m.In != "" {
		if n := strings.Count(text, m.In); n != 1 {
			return "", fmt.Errorf("mutant %s: %q is %d times in %s, want once", m.Name, m.In, n, m.File)
		}
		from = strings.Index(text, m.In)
		if n := strings.Index(text[from:], "\n\n"); n >= 0 {
			to = from + n
		}
	}
	place := text[from:to]
	if n := strings.Count(place, m.Old); n != 1 {
		return "", fmt.Errorf("mutant %s: its text is %d times in %s, want once: %q", m.Name, n, m.File, m.Old)
	}
	if m.Old == m.New {
		return "", fmt.Errorf("mutant %s changes nothing", m.Name)
	}
	return text[:from] + strings.Replace(place, m.Old, m.New, 1) + text[to:], nil
}

// alone writes the changed file and an overlay that names it into a folder, and
// returns the overlay's path.
func (m mutant) alone(root, folder string) (string, error) {
	original := filepath.Join(root, m.File)
	text, err := os.ReadFile(original)
	if err != nil {
		return "", fmt.Errorf("mutant %s: %w", m.Name, err)
	}
	changed, err := m.apply(string(text))
	if err != nil {
		return "", err
	}
	replacement := filepath.Join(folder, filepath.Base(m.File))
	if err := os.WriteFile(replacement, []byte(changed), 0o600); err != nil {
		return "", fmt.Errorf("mutant %s: %w", m.Name, err)
	}
	said, err := json.Marshal(map[string]map[string]string{"Replace": {original: replacement}})
	if err != nil {
		return "", fmt.Errorf("mutant %s: %w", m.Name, err)
	}
	path := filepath.Join(folder, "overlay.json")
	if err := os.WriteFile(path, said, 0o600); err != nil {
		return "", fmt.Errorf("mutant %s: %w", m.Name, err)
	}
	return path, nil
}
