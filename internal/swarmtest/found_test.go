package swarmtest

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
)

var write = flag.Uint64("write", 0, "a seed whose plan is written to testdata, to be played every time")

// Plans that have found something are played every time. They are kept as plans and
// not as seeds, so that they stay what they are when others are drawn from them.
//
//   - late-listing-*: a child whose other parent had only just come of a reshard
//     itself was read before that parent, as the listing, which was some seconds
//     old, had neither.
//   - late-write-without-session-*: a worker whose session was deleted by hand was
//     taken for one of another library.
//   - row-gone-owner-cut-*: a row was made anew while its owner, whose session lived
//     and who could not reach the table of the leases, still worked the shard.
//   - row-gone-then-trim-*: of a shard that is begun anew, as its row was deleted,
//     the first records were finished before and trimmed since. The checker took
//     them for jumped over.
func TestPlansThatFoundSomething(t *testing.T) {
	if *write != 0 {
		writePlan(t)
	}
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no plans: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var plan Plan
			if err := json.Unmarshal(text, &plan); err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				for _, v := range Play(Fakes(&plan), &plan).Violations {
					t.Error(v)
				}
			})
		})
	}
}

func writePlan(t *testing.T) {
	text, err := json.MarshalIndent(Draw(*write, sizes[*size]), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("testdata/plan.json", append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}
