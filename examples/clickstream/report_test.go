package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

func TestExitStatusIsZeroOnlyIfThePromiseWasKept(t *testing.T) {
	good := report{Read: 10, Handled: 6, Filtered: 1, Failed: 3, Redelivered: 9, Crashes: 1}
	if got := good.exitStatus(); got != 0 {
		t.Errorf("a good run: status %d, problems %q", got, good.problems())
	}
	breaks := map[string]func(*report){
		"10 records were read": func(r *report) { r.Handled-- },
		"10 records were":      func(r *report) { r.Failed++ },
		"1 record lost":        func(r *report) { r.Lost = 1 },
		"2 events out":         func(r *report) { r.OrderViolations = 2 },
	}
	for wants, spoil := range breaks {
		bad := good
		spoil(&bad)
		if got := bad.exitStatus(); got != 1 {
			t.Errorf("%s: status %d, want 1", wants, got)
		}
		if text := strings.Join(bad.problems(), "\n"); !strings.Contains(text, wants) {
			t.Errorf("problems %q do not say %q", text, wants)
		}
	}
}

func TestWhatWasPutAndHasNoEndIsLost(t *testing.T) {
	r := report{Lost: 2} // passed by retention
	r.book(totals{Read: 8, Handled: 5, Failed: 1, Filtered: 1}, 10)
	if r.Lost != 5 || r.exitStatus() != 1 {
		t.Errorf("lost %d, want 5; status %d, want 1", r.Lost, r.exitStatus())
	}
}

func TestJSONHasTheNamesThatScriptsRead(t *testing.T) {
	var out strings.Builder
	if err := (report{Read: 1, Seconds: 1.23456}).writeJSON(&out); err != nil {
		t.Fatal(err)
	}
	const want = `{"read":1,"handled":0,"redelivered":0,"filtered":0,"failed":0,"lost":0,"order_violations":0,` +
		`"sessions":0,"shards":0,"reshards":0,"handovers":0,"crashes":0,"seconds":1.235}` + "\n"
	if out.String() != want {
		t.Errorf("got %s, want %s", out.String(), want)
	}
	if !json.Valid([]byte(out.String())) {
		t.Error("not JSON")
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 31106: "31,106", 1234567: "1,234,567", -999: "-999", -1000: "-1,000"} {
		if got := thousands(n); got != want {
			t.Errorf("thousands(%d) = %q, want %q", n, got, want)
		}
	}
}

func Example_report() {
	r := report{Shards: 7, Reshards: 2, Handovers: 5, Crashes: 1, Seconds: 6.4, labelled: 3605}
	r.book(totals{Read: 31_111, Handled: 31_106, Failed: 5, Redelivered: 212, Keys: 600, Sessions: 3605}, 31_112)
	_ = r.writeTable(os.Stdout)
	// Output:
	// read                  31,111  records, each counted once
	//   handled             31,106
	//   filtered                 0
	//   failed                   5  in the failure destination
	// lost                       1
	// order violations           0
	// redelivered              212  recognised, without a second effect
	// sessions               3,605  of 3,605 labelled in the log
	// shards                     7  closed ones included
	// reshards                   2
	// handovers                  5
	// crashes                    1
	// seconds                  6.4  4,860 events a second
	// PROBLEM: 1 record lost
}
