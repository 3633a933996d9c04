package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/towpath/towpath/ci/ledger"
	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
)

// judge enters records into the stream and the ledger, and then rows.
func judge(handled int, rows ...string) []string {
	l := ledger.NewAudit(nil)
	a := newRowAudit(l)
	for i := 1; i <= 9; i++ {
		a.stored(put{key: "k", shard: "s", sequence: fmt.Sprint(100 * i), number: i, poison: i == 3})
		if i <= handled {
			l.Enter(ledger.Entry{Worker: "w", Tenure: "w/s@1", Shard: "s", Sequence: fmt.Sprint(100 * i), Key: "k", Number: i})
		}
	}
	for _, line := range rows {
		a.enter(parseRow(strings.ReplaceAll(line, " ", "\t")))
	}
	return a.violations
}

func TestRowsAreHeldAgainstWhatTheyPromise(t *testing.T) {
	for _, tt := range []struct {
		name    string
		handled int
		rows    []string
		want    int
	}{
		{"progress", 5, []string{"1 s a/1  1 TRIM_HORIZON 0 ", "2 s a/1  2 200 0 ", "2 s given 300", "3 s a/1  3 500 0 "}, 0},
		{"a position beyond poison that was not sent", 5, []string{"1 s a/1  1 TRIM_HORIZON 0 ", "3 s a/1  3 500 0 ", "4 s given 300"}, 1},
		{"a position beyond what is handled", 2, []string{"0 s given 300", "1 s a/1  1 TRIM_HORIZON 0 ", "2 s a/1  2 400 0 "}, 1},
		{"the end before all is handled", 8, []string{"0 s given 300", "1 s a/1  1 TRIM_HORIZON 0 ", "2 s a/1  2 SHARD_END 0 "}, 1},
		{"a position that goes back", 5, []string{"0 s given 300", "1 s a/1  1 500 0 ", "2 s a/1  2 400 0 "}, 1},
		{"one that was moved by hand", 5, []string{"0 s given 300", "1 s a/1  1 500 0 ", "2 s a/1  2 400 0 1"}, 0},
		{"a counter that goes back", 5, []string{"0 s given 300", "1 s a/1  5 500 0 ", "2 s a/1  4 500 0 "}, 1},
		{"a position without a counter", 5, []string{"0 s given 300", "1 s a/1  5 400 0 ", "2 s a/1  5 500 0 "}, 1},
		{"an ask", 5, []string{"0 s given 300", "1 s a/1  5 400 0 ", "2 s b/1 a/1 5 400 0 "}, 0},
		{"a row that was deleted and made again", 5, []string{"0 s given 300", "1 s a/1  5 400 0 ", "2 s", "3 s a/1  1000000000 TRIM_HORIZON 0 "}, 0},
		{"one that begins to count anew", 5, []string{"0 s given 300", "1 s a/1  5 400 0 ", "2 s", "3 s a/1  1 400 0 "}, 1},
		{"half a line", 5, []string{"1 s a/1"}, 1},
	} {
		if got := judge(tt.handled, tt.rows...); len(got) != tt.want {
			t.Errorf("%s: %d violations %q, want %d", tt.name, len(got), got, tt.want)
		}
	}
}

func TestRowIsReadAsItWasEntered(t *testing.T) {
	item := dynamofake.Item{
		"leaseKey": dynamofake.S("s"), "leaseOwner": dynamofake.S("b/2"), "checkpointOwner": dynamofake.S("a/1"), "leaseCounter": dynamofake.N(7),
		"checkpoint": dynamofake.S("500"), "checkpointSubSequenceNumber": dynamofake.N(3), "seekGen": dynamofake.N(2),
	}
	got := parseRow(strings.TrimSuffix(rowLine(nil, item), "\n"))
	got.at = 0
	want := row{shard: "s", owner: "b/2", holding: "a/1", counter: 7, checkpoint: "500", sub: 3, seek: 2}
	if got != want || got.holder() != "a" {
		t.Errorf("got %+v of %q, want %+v of a", got, got.holder(), want)
	}
	if got := parseRow(strings.TrimSuffix(rowLine(item, nil), "\n")); !got.deleted || got.shard != "s" {
		t.Errorf("a deleted row is %+v", got)
	}
}
