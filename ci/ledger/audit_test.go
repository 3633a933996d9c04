package ledger

import (
	"fmt"
	"strings"
	"testing"
)

// play enters a story: words worker/key:number@sequence, and | for another phase
// after a release.
func play(t *testing.T, story string) *Audit {
	t.Helper()
	a := NewAudit(nil)
	a.Begin(false)
	for word := range strings.FieldsSeq(story) {
		if word == "|" {
			a.Begin(true)
			continue
		}
		var e Entry
		who, rest, _ := strings.Cut(word, "/")
		key, rest, _ := strings.Cut(rest, ":")
		if _, err := fmt.Sscanf(strings.Replace(rest, "@", " ", 1)+" ", "%d %s", &e.Number, &e.Sequence); err != nil {
			e.Sequence = fmt.Sprint(e.Number) // the place of its first copy
		}
		e.Worker, e.Tenure, e.Key = who, who, key
		a.Enter(e)
	}
	return a
}

func TestAuditKnowsLossOrderAndRepeats(t *testing.T) {
	for _, tt := range []struct {
		name, story                        string
		violations, repeated, afterRelease int
		accepted, missing                  int
	}{
		{"in order", "A/k:1 A/k:2 A/k:3", 0, 0, 0, 3, 0},
		{"a suffix is repeated", "A/k:1 A/k:2 A/k:3 B/k:2 B/k:3 B/k:4", 0, 2, 0, 4, 0},
		{"two at once", "A/k:1 A/k:2 B/k:2 A/k:3 B/k:3 B/k:4 A/k:4", 0, 3, 0, 4, 0},
		{"one is skipped for good", "A/k:1 A/k:3", 1, 0, 0, 3, 1},
		{"a successor skips", "A/k:1 B/k:3", 1, 0, 0, 3, 1},
		{"one comes late", "A/k:1 A/k:3 A/k:2", 2, 1, 0, 3, 0},
		{"a hole in what is repeated", "A/k:1 A/k:2 A/k:3 B/k:1 B/k:3", 1, 2, 0, 3, 0},
		{"the end is lost", "A/k:1 A/k:2", 0, 0, 0, 4, 2},
		{"nothing was handled", "A/j:1", 0, 0, 0, 2, 2},
		{"a release that repeats nothing", "A/k:1 A/k:2 | B/k:3", 0, 0, 0, 3, 0},
		{"a release that does", "A/k:1 A/k:2 | B/k:2 B/k:3", 0, 1, 1, 3, 0},
		{"a repeat later in the phase is not the release's", "A/k:1 | B/k:2 C/k:2", 0, 1, 0, 2, 0},
		{"put twice by the producer", "A/k:1 A/k:2 A/k:1@7 A/k:2@8 A/k:3", 0, 0, 0, 3, 0},
	} {
		a := play(t, tt.story)
		missing, _ := a.Missing(map[string]int{"k": tt.accepted})
		if len(a.Violations) != tt.violations || a.Repeated != tt.repeated || a.AfterRelease != tt.afterRelease || missing != tt.missing {
			t.Errorf("%s: %d violations %q, %d repeated, %d after a release, %d missing; want %d, %d, %d, %d", tt.name,
				len(a.Violations), a.Violations, a.Repeated, a.AfterRelease, missing, tt.violations, tt.repeated, tt.afterRelease, tt.missing)
		}
	}
}

func TestEntryIsWhatBothKindsOfWorkersWrite(t *testing.T) {
	e, err := Parse("kcl-1\t4\tshardId-000000000000\t495\t3\tkey-07\tkey-07 12\t99\n")
	want := Entry{Worker: "kcl-1", Tenure: "kcl-1/4", Shard: "shardId-000000000000", Sequence: "495", Sub: 3, Key: "key-07", Number: 12, At: 99}
	if err != nil || e != want {
		t.Errorf("got %+v, %v, want %+v", e, err, want)
	}
	for _, line := range []string{"", "a\tb", "w\t1\ts\t5\t0\tk\tother 1\t9", "w\t1\ts\t5\t0\tk\tk one\t9", "w\t1\ts\t5\tx\tk\tk 1\t9"} {
		if e, err := Parse(line); err == nil {
			t.Errorf("%q was read as %+v, want an error", line, e)
		}
	}
}
