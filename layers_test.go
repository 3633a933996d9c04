package towpath_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/towpath/towpath"

// floors is the map of the house. A package imports only lower floors; one that
// is not named here does not belong. The first pattern that matches counts.
var floors = []struct {
	pattern string
	floor   int
}{
	{"examples/*", 5}, // yours would stand here
	{"cmd/*", 5},
	{"ci/ledger", 0},  // what worker processes enter, and its audit
	{"ci/traffic", 4}, // a stream that such processes work, and one of them
	{"ci/*", 5},       // programs of the checks

	{"internal/scenariotest", 0}, // files of situations, for the tests of decisions
	{"internal/lineartest", 3},   // whether a table is what it is taken for
	{"internal/servertest", 4},   // where the servers of a test are
	{"internal/queuetest", 4},    // what is in their queues
	{"streamtest", 4},            // a fleet over faults, and a ledger of what it did
	{"internal/modelcheck", 4},   // every state that the steps of the protocol reach
	{"internal/swarmtest", 5},    // whole fleets under faults drawn by seed
	{"redrive", 4},               // what was given up, once more
	{"reposition", 4},            // positions, moved by hand
	{"tape", 4},                  // what a stream said, in a file
	{"telemetry", 4},             // what a worker does, as metrics
	{"health", 4},                // whether a worker lives, and is ready
	{"dashboard", 4},             // a fleet, as a page
	{"doctor", 4},                // what is wrong with an application
	{"takeover", 4},              // what another library left behind
	{"deploy", 5},                // manifests, and the tests of them

	{"consumer", 3},      // the engine: owns every goroutine
	{"shard/*shards", 3}, // drivers: they share the engine's floor, so it cannot see them
	{"checkpoint/*checkpoint", 3},
	{"destination/*destination", 3},
	{"codec/*codec", 3},
	{"*/*test", 3},            // fake and conformance suite of the interface that the room defines
	{"streamtest/awsfake", 3}, // an AWS in the process

	{"batching/filter", 2},          // which records a handler is to see
	{"batching/window", 2},          // state over spans of time
	{"once", 2},                     // effects that a repeat does not repeat
	{"once/*once", 3},               // where it is kept which have happened
	{"overview", 2},                 // a fleet, as its tables show it
	{"destination", 2},              // where what is given up goes
	{"streamtest/awsfake/*fake", 2}, // one service each, on the wire alone

	{"checkpoint", 1}, // how far
	{"shard/kpl", 1},  // many records in one
	{"batching", 1},   // what one call gets, and what its failure leads to
	{"codec", 1},
	{"follow", 1},        // a stream, read by somebody who looks on
	{"shard/streams", 1}, // many streams as one source

	{"autoscale", 0},            // how many workers a backlog needs
	{"cost", 0},                 // what an application costs a month
	{"iam", 0},                  // which calls of AWS are allowed to whom
	{"shard", 0},                // the words
	{"internal/clock", 0},       // elapsed time on one host
	{"internal/dice", 0},        // what a worker draws at random
	{"internal/answerbound", 0}, // how much of an HTTP answer is read
	{".", 0},                    // the landing page

	{"internal/recordpage", 0}, // the answers of GetRecords, read from their bytes
}

// engineOnly is what the engine and everything below it may import from outside
// the standard library and this module.
var engineOnly = []string{"golang.org/x/sync/", "golang.org/x/time/", "golang.org/x/sys/"}

// nobody is what no package imports, and why.
var nobody = map[string]string{
	"C":              "the library is pure Go",
	"unsafe":         "no measured need",
	"plugin":         "the library is linked, not loaded",
	"net/http/pprof": "it registers handlers in the user's process",
	"expvar":         "it registers handlers in the user's process",
	"encoding/gob":   "it is not safe on bytes of strangers",
}

// testsOnly are the modules that tests alone are written with.
var testsOnly = map[string]bool{"github.com/anishathalye/porcupine": true, "pgregory.net/rapid": true}

const sdkConfig = "github.com/aws/aws-sdk-go-v2/config"

func TestPackagesImportOnlyLowerFloors(t *testing.T) {
	for _, f := range sources(t) {
		own, ok := floorOf(f.pkg)
		if !ok {
			t.Errorf("%s: package %s has no floor: name it in layers_test.go", f.path, f.pkg)
			continue
		}
		for _, imported := range f.imports {
			if why, ok := nobody[imported]; ok {
				t.Errorf("%s imports %s: %s", f.path, imported, why)
			}
			if strings.HasPrefix(imported, sdkConfig) && own < 5 {
				t.Errorf("%s imports %s: a library takes clients, only cmd and examples read the environment", f.path, imported)
			}
			if testsOnly[imported] && !f.test && !strings.HasSuffix(f.pkg, "test") {
				t.Errorf("%s imports %s: only tests and rooms for them do, so that no user's program links it", f.path, imported)
			}
			if imported == "testing" && !f.test && !strings.HasSuffix(f.pkg, "test") {
				t.Errorf("%s imports testing: only tests and rooms for them do, or its flags come along into services", f.path)
			}
			pkg, inside := inModule(imported)
			if !inside || f.external {
				continue // an external test may look down from above
			}
			floor, ok := floorOf(pkg)
			testRoom := f.test && strings.HasSuffix(pkg, "test") && roomFloor(pkg) <= own
			if ok && floor >= own && !testRoom {
				t.Errorf("%s (floor %d) imports %s (floor %d): want a lower floor", f.path, own, pkg, floor)
			}
		}
	}
}

// The engine compiles without the AWS SDK, and so does all that it decides with.
func TestEngineKnowsNoService(t *testing.T) {
	imports := map[string][]string{} // of each package, its tests left out
	for _, f := range sources(t) {
		if !f.test {
			imports[f.pkg] = append(imports[f.pkg], f.imports...)
		}
	}
	if len(imports["consumer"]) == 0 {
		t.Fatal("no sources of package consumer were found")
	}
	seen := map[string]bool{}
	for pkg, list := range imports {
		imports[pkg] = slices.Compact(slices.Sorted(slices.Values(list)))
	}
	var visit func(pkg string, chain []string)
	visit = func(pkg string, chain []string) {
		if seen[pkg] {
			return
		}
		seen[pkg] = true
		chain = append(slices.Clip(chain), pkg)
		for _, imported := range imports[pkg] {
			if next, inside := inModule(imported); inside {
				visit(next, chain)
			} else if first, _, _ := strings.Cut(imported, "/"); strings.Contains(first, ".") &&
				!slices.ContainsFunc(engineOnly, func(prefix string) bool { return strings.HasPrefix(imported, prefix) }) {
				t.Errorf("%s imports %s", strings.Join(chain, " → "), imported)
			}
		}
	}
	for pkg := range imports {
		if floor, ok := floorOf(pkg); ok && floor <= 2 || pkg == "consumer" {
			visit(pkg, nil)
		}
	}
}

// source is one Go file as the map sees it.
type source struct {
	path, pkg      string // relative to the module
	test, external bool   // a _test.go file; of a package …_test
	imports        []string
}

// sources reads the imports of every file of the module, whatever its build
// tags. It parses and does not ask the go command, whose answers a cached test
// would not notice to have changed.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	walkModule(t, ".go", func(file string) {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		f := source{path: file, pkg: path.Dir(file), test: strings.HasSuffix(file, "_test.go")}
		f.external = f.test && strings.HasSuffix(parsed.Name.Name, "_test")
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			f.imports = append(f.imports, imported)
		}
		all = append(all, f)
	})
	return all
}

// walkModule calls f with every file of the root module that ends in suffix, by
// its path with slashes. Modules of their own and hidden folders are left out.
func walkModule(t *testing.T, suffix string, f func(file string)) {
	t.Helper()
	err := filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			nested, err := filepath.Glob(filepath.Join(file, "go.mod"))
			hidden := file != "." && strings.HasPrefix(entry.Name(), ".")
			if err != nil || hidden || entry.Name() == "testdata" || file != "." && len(nested) > 0 {
				return fs.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(file, suffix) {
			f(filepath.ToSlash(file))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func floorOf(pkg string) (int, bool) {
	for _, row := range floors {
		if ok, _ := path.Match(row.pattern, pkg); ok {
			return row.floor, true
		}
	}
	return 0, false
}

// roomFloor is the floor of the room that a …test package stands beside.
func roomFloor(pkg string) int {
	floor, _ := floorOf(path.Dir(pkg))
	return floor
}

// inModule is the path of a package within this module, and false for others.
func inModule(imported string) (string, bool) {
	if imported == module {
		return ".", true
	}
	return strings.CutPrefix(imported, module+"/")
}
