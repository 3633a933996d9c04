package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// settings are what the command line says of the run.
type settings struct {
	limit    time.Duration
	parallel int
}

// verdict is what became of a mutant.
type verdict int

const (
	survived verdict = iota // its test passes all the same: a gap
	killed                  // its test fails
	broken                  // it does not compile, or its test does not end
)

// String is the verdict in a word.
func (v verdict) String() string { return [...]string{"SURVIVED", "killed", "ERROR"}[v] }

// result is a mutant's verdict.
type result struct {
	mutant  mutant
	verdict verdict
	failed  string // the first test that failed
	said    string // what the compiler or the test said
	took    time.Duration
}

// run tries all mutants and returns how many were killed. Its error is that
// nothing can be said: a text has moved, or a test fails without any mutant.
func run(ctx context.Context, s settings, mutants []mutant, tell func(result)) (int, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return 0, err
	}
	folder, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(folder)
	// All texts first: whoever has moved one is told of every other one, too.
	var moved error
	overlays := make([]string, len(mutants))
	for i, m := range mutants {
		own := filepath.Join(folder, fmt.Sprint(i))
		if err := os.Mkdir(own, 0o700); err != nil {
			return 0, err
		}
		if overlays[i], err = m.overlay(root, own); err != nil {
			moved = errors.Join(moved, err)
		}
	}
	if moved != nil {
		return 0, moved
	}
	b := &bench{settings: s, root: root}
	if err := b.sound(ctx, folder, mutants); err != nil {
		return 0, err
	}
	results := make(chan result)
	var group errgroup.Group
	group.SetLimit(s.parallel)
	go func() { // ends with the last mutant; awaited by the loop below, through results
		for i, m := range mutants {
			group.Go(func() error { results <- b.try(ctx, m, overlays[i]); return nil })
		}
		group.Wait() // none returns an error
		close(results)
	}()
	n := 0
	for r := range results {
		if r.verdict == killed {
			n++
		}
		tell(r)
	}
	return n, ctx.Err()
}

// moduleRoot is where the module's go.mod is.
func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/towpath/towpath").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// bench builds and runs tests.
type bench struct {
	settings
	root string
}

// sound runs every test that is to kill a mutant without one: it has to pass, and
// to be there.
func (b *bench) sound(ctx context.Context, folder string, mutants []mutant) error {
	tests := map[string][]test{} // by package
	seen := map[test]bool{}
	for _, m := range mutants {
		if !seen[m.By] {
			seen[m.By] = true
			tests[m.By.Package] = append(tests[m.By.Package], m.By)
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(b.parallel)
	for of, all := range tests {
		binary := filepath.Join(folder, strings.ReplaceAll(strings.TrimPrefix(of, "./"), "/", "-")+".test")
		group.Go(func() error {
			if said, err := b.build(ctx, of, binary, ""); err != nil {
				return fmt.Errorf("build the tests of %s: %w\n%s", of, err, said)
			}
			for _, t := range all {
				said, err := b.play(ctx, t, binary)
				switch {
				case err != nil:
					return fmt.Errorf("%s fails without any mutant: %w\n%s", t, err, tail(said, 40))
				case strings.Contains(said, "no tests to run"):
					return fmt.Errorf("%s: there is no such test", t)
				}
			}
			return os.Remove(binary)
		})
	}
	return group.Wait()
}

var firstFailure = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

// try builds a mutant's test with the mutant and runs it.
func (b *bench) try(ctx context.Context, m mutant, overlay string) result {
	began := time.Now()
	r := result{mutant: m, verdict: broken}
	binary := filepath.Join(filepath.Dir(overlay), "mutant.test")
	defer os.Remove(binary) // hundreds of them are gigabytes
	var err error
	if r.said, err = b.build(ctx, m.By.Package, binary, overlay); err == nil {
		r.said, err = b.play(ctx, m.By, binary)
		var exit *exec.ExitError
		switch {
		case err == nil:
			r.verdict = survived
		case strings.Contains(r.said, "panic: test timed out after"), !errors.As(err, &exit), exit.ExitCode() < 0:
			// It hangs, or somebody has ended it.
		default:
			r.verdict = killed
			if found := firstFailure.FindStringSubmatch(r.said); found != nil {
				r.failed = found[1]
			}
		}
	}
	r.took = time.Since(began)
	return r
}

// build links the tests of a package.
func (b *bench) build(ctx context.Context, of, binary, overlay string) (string, error) {
	args := []string{"test", "-c", "-o", binary, "-vet=off", "-ldflags=-s -w"}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	return b.output(exec.CommandContext(ctx, "go", append(args, of)...), b.root)
}

// play runs tests that are built, up to the first failure.
func (b *bench) play(ctx context.Context, t test, binary string) (string, error) {
	args := append([]string{"-test.run", t.Run, "-test.count=1", "-test.failfast", "-test.timeout", b.limit.String()}, strings.Fields(t.Flags)...)
	return b.output(exec.CommandContext(ctx, binary, args...), filepath.Join(b.root, t.Package))
}

func (b *bench) output(c *exec.Cmd, folder string) (string, error) {
	var said bytes.Buffer
	c.Dir, c.Stdout, c.Stderr = folder, &said, &said
	err := c.Run()
	return said.String(), err
}
