package main

import (
	"errors"
	"flag"
	"io"
	"reflect"
	"strings"
	"testing"
)

func TestFlagsHaveDefaultsThatRun(t *testing.T) {
	got, err := parseFlags(nil, io.Discard)
	want := options{Columns: shopColumns, Poison: 5, Seed: 1, Workers: 3, Shards: 4, Table: "clickstream"}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestPoisonIsForTheDefaultLogUnlessAskedFor(t *testing.T) {
	for args, want := range map[string]int{
		"":                       5,
		"-poison 0":              0,
		"-poison 3":              3,
		"-input x.csv":           0,
		"-input x.csv -poison 2": 2,
	} {
		if o, err := parseFlags(strings.Fields(args), io.Discard); err != nil || o.Poison != want {
			t.Errorf("%q: poison %d, %v; want %d", args, o.Poison, err, want)
		}
	}
}

func TestFlagsAreRead(t *testing.T) {
	o, err := parseFlags(strings.Fields("-input c.csv -key=user,device -time at -event what -seed 9 -aggregate -json -dashboard -workers 2 -shards 1"), io.Discard)
	want := options{Input: "c.csv", Columns: columns{[]string{"user", "device"}, "at", "what"}, Seed: 9, Aggregate: true, JSON: true, Dashboard: true, Workers: 2, Shards: 1, Table: "clickstream"}
	if err != nil || !reflect.DeepEqual(o, want) {
		t.Errorf("got %+v, %v; want %+v", o, err, want)
	}
	o, err = parseFlags(strings.Fields("-stream clicks -table leases -create-tables -failures s3://bucket/failed/clicks/"), io.Discard)
	if err != nil || !o.Create || o.Stream != "clicks" || o.Table != "leases" || o.Failures != (failures{"s3", "bucket", "failed/clicks"}) {
		t.Errorf("got %+v, %v", o, err)
	}
	for text, kind := range map[string]string{
		"https://sqs.eu-west-1.amazonaws.com/123456789012/failed": "sqs",
		"http://localhost:4566/000000000000/failed":               "sqs",
		"arn:aws:sns:eu-west-1:123456789012:failed":               "sns",
		"s3://bucket": "s3",
		"":            "",
	} {
		if f, err := parseFailures(text); err != nil || f.Kind != kind {
			t.Errorf("%q: %+v, %v; want %s", text, f, err, kind)
		}
	}
}

func TestWrongFlagsSayWhatToDo(t *testing.T) {
	for args, wants := range map[string]string{
		"-nonsense":                       "not defined: -nonsense",
		"-workers many":                   "invalid value",
		"-workers 0":                      "choose 1 to 32",
		"-shards 65":                      "choose 1 to 64",
		"-poison -1":                      "choose 0 to",
		"clicks.csv":                      "write -input clicks.csv",
		"-input=":                         "name a file",
		"-key=a,,b":                       "empty column",
		"-key=a,a":                        "twice",
		"-time=":                          "need the name of a column",
		"-stream=":                        "name a Kinesis data stream",
		"-table t":                        "-table needs -stream",
		"-failures s3://b/p":              "-failures needs -stream",
		"-stream s -failures /tmp/failed": "write an SQS queue's URL",
		"-stream s -failures arn:aws:sqs:eu-west-1:123456789012:q": "write an SQS queue's URL",
		"-stream s -input x":   "-input has no meaning with -stream",
		"-stream s -poison 3":  "-poison has no meaning with -stream",
		"-workers 0 -shards 0": "-shards 0 is out of range",
	} {
		_, err := parseFlags(strings.Fields(args), io.Discard)
		if err == nil || !strings.Contains(err.Error(), wants) {
			t.Errorf("%s: %v, want it to say %q", args, err, wants)
			continue
		}
		if got := flagStatus(err); got != 2 {
			t.Errorf("%s: exit status %d, want 2", args, got)
		}
	}
}

func TestHelpNamesEveryFlagAndIsNoFailure(t *testing.T) {
	var help strings.Builder
	_, err := parseFlags([]string{"-h"}, &help)
	if !errors.Is(err, flag.ErrHelp) || flagStatus(err) != 0 {
		t.Errorf("got %v, status %d", err, flagStatus(err))
	}
	for _, name := range append(append([]string{"json", "stream"}, onlyDemo...), onlyService...) {
		if !strings.Contains(help.String(), "\n  -"+name) {
			t.Errorf("the help does not name -%s", name)
		}
	}
}
