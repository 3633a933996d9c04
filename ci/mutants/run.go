package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// settings are what the command line says of the run.
type settings struct {
	limit    time.Duration
	parallel int
	verbose  bool
	every    bool // not the test that is to kill a mutant, but all of its package
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
	failed  []string // the tests that failed: the first, or every one
	said    string   // what the compiler or the test said
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
	b := &bench{settings: s, root: root, folder: folder}
	if err := b.find(mutants); err != nil {
		return 0, err
	}
	sets := map[string][]mutant{} // by the package whose tests kill them
	for _, m := range mutants {
		sets[m.By.Package] = append(sets[m.By.Package], m)
	}
	results := make(chan result)
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(s.parallel)
	var failed error
	go func() { // ends with the last mutant; awaited by the loop below, through results
		for _, of := range slices.Sorted(maps.Keys(sets)) {
			group.Go(func() error { return b.tryAll(working, of, sets[of], results) })
		}
		failed = group.Wait()
		close(results)
	}()
	n := 0
	for r := range results {
		if r.verdict == killed {
			n++
		}
		tell(r)
	}
	return n, errors.Join(failed, ctx.Err())
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
	root, folder string
}

// find looks for the texts of all mutants: whoever has moved one is told of every
// other one, too.
func (b *bench) find(mutants []mutant) (moved error) {
	for _, m := range mutants {
		text, err := os.ReadFile(filepath.Join(b.root, m.File))
		if err == nil {
			_, err = m.apply(string(text))
		}
		moved = errors.Join(moved, err)
	}
	return moved
}

// tryAll tries the mutants that the tests of one package are to kill.
func (b *bench) tryAll(ctx context.Context, of string, mutants []mutant, results chan<- result) error {
	folder, err := os.MkdirTemp(b.folder, "set")
	if err != nil {
		return err
	}
	some, alone, path, err := b.together(folder, mutants)
	if err != nil {
		return err
	}
	binary := filepath.Join(folder, "mutants.test")
	if said, err := b.build(ctx, of, binary, path); err != nil {
		if b.verbose {
			fmt.Fprintln(os.Stderr, said)
		}
		if mutants, err = b.thatCompile(ctx, folder, mutants, results); err != nil {
			return err
		}
		if some, alone, path, err = b.together(folder, mutants); err != nil {
			return err
		}
		if said, err = b.build(ctx, of, binary, path); err != nil {
			return fmt.Errorf("build the tests of %s: %w\n%s", of, err, said)
		}
	}
	if err := b.sound(ctx, binary, mutants); err != nil {
		return err
	}
	for _, m := range some {
		results <- b.try(ctx, m, binary)
	}
	for _, m := range alone {
		results <- b.tryAlone(ctx, m, folder)
	}
	return nil
}

// together makes one overlay of the mutants that can share one.
func (b *bench) together(folder string, mutants []mutant) (some, alone []mutant, path string, err error) {
	o := &overlay{root: b.root, files: map[string]*changedFile{}}
	for _, m := range mutants {
		err := o.add(m)
		switch {
		case errors.Is(err, errAlone):
			alone = append(alone, m)
		case err != nil:
			return nil, nil, "", err
		default:
			some = append(some, m)
		}
	}
	path, err = o.write(folder)
	return some, alone, path, err
}

// thatCompile leaves out the mutants that do not, and reports them.
func (b *bench) thatCompile(ctx context.Context, folder string, mutants []mutant, results chan<- result) (good []mutant, err error) {
	for _, m := range mutants {
		began := time.Now()
		path, err := m.alone(b.root, folder)
		if err != nil {
			return nil, err
		}
		said, err := b.output(exec.CommandContext(ctx, "go", "build", "-overlay", path, "./"+filepath.Dir(m.File)), b.root)
		if err == nil {
			good = append(good, m)
			continue
		}
		results <- result{mutant: m, verdict: broken, said: said, took: time.Since(began)}
	}
	return good, nil
}

// sound runs every test that is to kill a mutant without one in force: it has to
// pass, and to be there.
func (b *bench) sound(ctx context.Context, binary string, mutants []mutant) error {
	seen := map[test]bool{}
	for _, m := range mutants {
		if seen[m.By] || b.every {
			continue
		}
		seen[m.By] = true
		said, err := b.play(ctx, m.By, binary, "")
		switch {
		case err != nil:
			return fmt.Errorf("%s fails without any mutant: %w\n%s", m.By, err, tail(said, 40))
		case strings.Contains(said, "no tests to run"):
			return fmt.Errorf("%s: there is no such test", m.By)
		}
	}
	return nil
}

var failure = regexp.MustCompile(`(?m)^--- FAIL: (\S+)`)

// tryAlone builds a test with one mutant and runs it.
func (b *bench) tryAlone(ctx context.Context, m mutant, folder string) result {
	began := time.Now()
	r := result{mutant: m, verdict: broken}
	path, err := m.alone(b.root, folder)
	if err != nil {
		r.said = err.Error()
		return r
	}
	binary := filepath.Join(folder, "mutant.test")
	if r.said, err = b.build(ctx, m.By.Package, binary, path); err == nil {
		r = b.try(ctx, m, binary)
	}
	r.took = time.Since(began)
	return r
}

// try runs a test with a mutant in force.
func (b *bench) try(ctx context.Context, m mutant, binary string) result {
	began := time.Now()
	r := result{mutant: m, verdict: broken}
	var err error
	r.said, err = b.play(ctx, m.By, binary, m.Name)
	var exit *exec.ExitError
	switch {
	case err == nil:
		r.verdict = survived
	case strings.Contains(r.said, "panic: test timed out after"), !errors.As(err, &exit), exit.ExitCode() < 0:
		// It hangs, or somebody has ended it.
	default:
		r.verdict = killed
		for _, found := range failure.FindAllStringSubmatch(r.said, -1) {
			r.failed = append(r.failed, found[1])
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
func (b *bench) play(ctx context.Context, t test, binary, mutant string) (string, error) {
	args := []string{"-test.run", t.Run, "-test.count=1", "-test.failfast"}
	if b.every {
		args = []string{"-test.run", "Test"}
	}
	args = append(append(args, "-test.timeout", b.limit.String()), strings.Fields(t.Flags)...)
	c := exec.CommandContext(ctx, binary, args...)
	c.Env = append(os.Environ(), chosenBy+"="+mutant)
	return b.output(c, filepath.Join(b.root, t.Package))
}

func (b *bench) output(c *exec.Cmd, folder string) (string, error) {
	var said bytes.Buffer
	c.Dir, c.Stdout, c.Stderr = folder, &said, &said
	err := c.Run()
	return said.String(), err
}
