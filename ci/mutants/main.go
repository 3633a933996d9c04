// Command mutants proves the tests: it breaks one promise of the library after
// another, and wants a test to fail each time. A mutant is a text in a production
// file and what stands there instead; the file in the tree is never touched, as the
// compiler is given the changed one by an overlay. Nothing in the library knows of
// mutants.
//
//	go run ./ci/mutants                  all of them
//	go run ./ci/mutants -only take       those with "take" in their names
//	go run ./ci/mutants -only shards     those that tests of such a package kill
//	go run ./ci/mutants -list            what there is, with the promise each breaks
//
// First every test that is to kill a mutant is run without one, and has to pass. A
// mutant is killed if its test is built and fails. One that does not compile, or
// whose test does not end, is not: neither proves anything. The last line of the
// output is a JSON object; the status is 1 unless every mutant was killed.
//
// The lists are in the files list….go, by room. When a mutant's text moves, a test
// of this package says so.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// summary is the last line.
type summary struct {
	Mutants int     `json:"mutants"`
	Killed  int     `json:"killed"`
	Seconds float64 `json:"seconds"`
}

func main() {
	only := flag.String("only", "", "run the mutants with this in their names, or in the package whose tests kill them")
	list := flag.Bool("list", false, "print the mutants and run nothing")
	asJSON := flag.Bool("json", false, "print a JSON object for each mutant")
	every := flag.Bool("every", false, "run all tests of the package instead of the one that is to kill, and name those that fail")
	verbose := flag.Bool("v", false, "print what the test that killed a mutant said")
	parallel := flag.Int("p", 2, "how many mutants run at a time")
	limit := flag.Duration("timeout", 3*time.Minute, "how long one test may take")
	flag.Parse()

	mutants := chosen(*only)
	if *list {
		for _, m := range mutants {
			fmt.Printf("%s\n\t%s: %s\n\tkilled by %s\n", m.Name, m.File, m.Breaks, m.By)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	began := time.Now()
	killed, err := run(ctx, settings{limit: *limit, parallel: max(1, *parallel), every: *every, verbose: *verbose}, mutants, func(r result) {
		show(r, *asJSON, *verbose, *every)
	})
	line, _ := json.Marshal(summary{Mutants: len(mutants), Killed: killed, Seconds: time.Since(began).Round(100 * time.Millisecond).Seconds()})
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
	}
	fmt.Println(string(line))
	if err != nil || killed < len(mutants) || killed == 0 {
		os.Exit(1)
	}
}

// chosen are the mutants with only in their names or packages.
func chosen(only string) []mutant {
	var some []mutant
	for _, m := range all() {
		if strings.Contains(m.Name, only) || strings.Contains(m.By.Package, only) {
			some = append(some, m)
		}
	}
	return some
}

// show prints what became of a mutant.
func show(r result, asJSON, verbose, every bool) {
	if asJSON {
		line, _ := json.Marshal(map[string]any{
			"name": r.mutant.Name, "file": r.mutant.File, "breaks": r.mutant.Breaks, "by": r.mutant.By.String(),
			"verdict": r.verdict.String(), "failed": r.failed, "seconds": r.took.Round(100 * time.Millisecond).Seconds(),
		})
		fmt.Println(string(line))
		return
	}
	by := r.mutant.By.String()
	if every {
		by = strings.Join(r.failed, " ")
	}
	fmt.Printf("%-8s %-42s %5.1fs  %s\n", r.verdict, r.mutant.Name, r.took.Seconds(), by)
	if r.verdict != killed {
		fmt.Printf("         %s: %s\n", r.mutant.File, r.mutant.Breaks)
	}
	if said := tail(r.said, 30); said != "" && (verbose || r.verdict == broken) {
		fmt.Println("         " + strings.ReplaceAll(said, "\n", "\n         "))
	}
}

// tail is the last lines of an output.
func tail(said string, lines int) string {
	all := strings.Split(strings.TrimSpace(said), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
