package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
)

// What is put is in the bucket, through a split and a kill, whatever the seed.
func TestEveryEventIsInTheBucket(t *testing.T) {
	for seed := range 6 {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var stdout, stderr strings.Builder
				args := []string{"-json", "-records", "600", "-seed", fmt.Sprint(seed), "-shards", fmt.Sprint(1 + seed%3)}
				status := run(t.Context(), args, &stdout, &stderr)
				var r report
				if err := json.Unmarshal([]byte(stdout.String()), &r); err != nil {
					t.Fatalf("%v: %s%s", err, &stdout, &stderr)
				}
				if status != 0 || r.Lost != 0 || r.Unknown != 0 || r.Archived != r.Events || r.Events < 1000 {
					t.Errorf("status %d: %+v\n%s", status, r, &stderr)
				}
				if r.Failed != 7 || r.Rubbish != 7 || r.Skipped < r.Control || r.Control == 0 {
					t.Errorf("%d of 7 records that are no logs failed, %d of %d control messages were skipped", r.Failed, r.Skipped, r.Control)
				}
				if r.Hours < 3 || r.Objects < 2*r.Hours || r.Kills != 1 || r.Splits != 1 {
					t.Errorf("%+v", r)
				}
			})
		})
	}
}

// What a run did not keep is said, and is its status.
func TestReportSaysWhatIsMissing(t *testing.T) {
	put := map[string]bool{"a": true, "b": true, "c": true}
	var r report
	r.compare(put, found{events: map[string]int{"a": 1, "b": 3, "x": 1}})
	if r.Lost != 1 || r.Unknown != 1 || r.Duplicates != 2 || r.exitStatus() != 1 {
		t.Errorf("%+v", r)
	}
	var table strings.Builder
	if err := r.writeTable(&table); err != nil || !strings.Contains(table.String(), "PROBLEM: 1 events that were put are in no object") {
		t.Errorf("%v: %s", err, &table)
	}
}

func TestFlagsOfTheOtherModeAreRefused(t *testing.T) {
	for _, test := range []struct {
		args, wants string
	}{
		{"-bucket b", "-bucket needs -stream"},
		{"-stream s -bucket b -records 5", "-records has no meaning with -stream"},
		{"-stream s", "-stream, -bucket and -table each need a name"},
		{"-stream s -bucket b -age 0s", "-age 0s is out of range"},
		{"-workers 1", "-workers 1 is out of range"},
		{"what", `"what" stands there without a flag`},
	} {
		var stdout, stderr strings.Builder
		if status := run(t.Context(), strings.Fields(test.args), &stdout, &stderr); status != 2 || !strings.Contains(stderr.String(), test.wants) {
			t.Errorf("%s: status %d, %s; want %s", test.args, status, &stderr, test.wants)
		}
	}
	var stdout, stderr strings.Builder
	if status := run(t.Context(), []string{"-h"}, &stdout, &stderr); status != 0 || !strings.Contains(stdout.String(), "-records N") {
		t.Errorf("-h: status %d, %s", status, &stdout)
	}
}
