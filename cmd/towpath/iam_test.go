package main

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/towpath/towpath/iam"
)

// What the command prints is the policy of the library, as IAM reads it.
func TestIAMPrintsThePolicy(t *testing.T) {
	status, out, errs := tool(t, "", nil, "iam", "-mode", "polling,leases", "-mode", "send",
		"-stream", "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks", "-table", "clickstream", "-application", "clickstream",
		"-to", "arn:aws:sqs:eu-west-1:123456789012:letters,arn:aws:s3:::letters/given-up")
	if status != 0 || errs != "" {
		t.Fatalf("status %d, errors %q", status, errs)
	}
	var got, want iam.Policy
	want, err := iam.For(iam.Scope{
		Stream: "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks", Application: "clickstream",
		Destinations: []string{"arn:aws:sqs:eu-west-1:123456789012:letters", "arn:aws:s3:::letters/given-up"},
	}, iam.Polling, iam.Leases, iam.Send)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(want)
	if string(a) != string(b) {
		t.Errorf("printed\n%s\nwant\n%s", a, b)
	}
	if !strings.Contains(out, `"Resource": [`) || strings.Contains(out, `"Condition"`) {
		t.Errorf("printed %s", out)
	}
}

func TestIAMCalledWronglyIsStatusTwo(t *testing.T) {
	stream := "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"iam"}, "iam needs -mode MODE"},
		{[]string{"iam", "-mode", "everything"}, `mode "everything" is none`},
		{[]string{"iam", "-mode", "polling"}, "mode polling needs Stream"},
		{[]string{"iam", "-mode", "polling", "-stream", stream, "more"}, "iam takes no arguments"},
		{[]string{"iam", "-mode", "polling", "-stream", stream, "-role", "x"}, "role"},
	} {
		status, out, errs := tool(t, "", nil, c.args...)
		if status != 2 || out != "" || !strings.Contains(errs, c.want) {
			t.Errorf("%q: status %d, %q, errors %q; want 2, nothing, …%s…", c.args, status, out, errs, c.want)
		}
	}
}

// closed is a standard output that nobody reads any more.
type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, errors.New("write |1: broken pipe") }

// Whoever closes standard output gets a status, and not half a policy with 0.
func TestClosedOutputIsStatusOne(t *testing.T) {
	for _, args := range [][]string{
		{"towpath", "iam", "-mode", "polling", "-stream", "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"},
	} {
		var errs strings.Builder
		if status := run(t.Context(), args, strings.NewReader(""), closed{}, &errs); status != 1 || !strings.Contains(errs.String(), "broken pipe") {
			t.Errorf("%q: status %d, errors %q; want 1 and broken pipe", args, status, errs.String())
		}
	}
}

// A plan that cannot be printed is not carried out, whatever -yes says.
func TestMoveWhosePlanCannotBePrintedIsNotMade(t *testing.T) {
	_, table := served(t)
	before := positions(t, table)
	for _, args := range [][]string{
		{"towpath", "seek", "-application", "clickstream", "-stream", "clicks", "-to", "horizon", "-yes"},
		{"towpath", "seek", "-application", "clickstream", "-stream", "clicks", "-shard", "shardId-000000000000", "-to", "horizon", "-yes"},
		{"towpath", "reset", "-application", "clickstream", "-stream", "clicks", "-yes"},
	} {
		var errs strings.Builder
		if status := run(t.Context(), args, strings.NewReader(""), closed{}, &errs); status != 1 || !strings.Contains(errs.String(), "nothing is written") {
			t.Errorf("%q: status %d, errors %q; want 1 and that nothing is written", args, status, errs.String())
		}
	}
	if after := positions(t, table); !maps.Equal(after, before) {
		t.Errorf("positions are %v, want %v", after, before)
	}
}

// Calls to a server elsewhere are not made without TLS, unless somebody says so.
func TestEndpointWithoutTLSIsRefused(t *testing.T) {
	call := []string{"seek", "-application", "clickstream", "-stream", "clicks", "-to", "horizon"}
	for _, c := range []struct {
		variable, url string
		refused       bool
	}{
		{"AWS_ENDPOINT_URL", "http://192.0.2.7:4566", true},
		{"AWS_ENDPOINT_URL", "http://aws.example.org", true},
		{"AWS_ENDPOINT_URL", "http://localhost.example.org", true},
		{"AWS_ENDPOINT_URL", "http://127.0.0.1.example.org", true},
		{"AWS_ENDPOINT_URL_DYNAMODB", "http://192.0.2.7:4566", true},
		{"AWS_ENDPOINT_URL_KINESIS", "HTTP://192.0.2.7:4566", true},
		{"AWS_ENDPOINT_URL", "ftp://127.0.0.1", true},
		{"AWS_ENDPOINT_URL", "http://[::1]:1", false},
		{"AWS_ENDPOINT_URL", "http://localhost:1", false},
		{"AWS_ENDPOINT_URL", "http://127.0.0.2:1", false},
		{"AWS_ENDPOINT_URL", "https://127.0.0.1:1", false},
	} {
		t.Run(c.variable+"="+c.url, func(t *testing.T) {
			served(t)
			t.Setenv(c.variable, c.url)
			ctx, cancel := context.WithCancel(t.Context())
			cancel() // nothing is to be reached: what is not refused ends with this
			var out, errs strings.Builder
			status := run(ctx, append([]string{"towpath"}, call...), strings.NewReader(""), &out, &errs)
			if got := strings.Contains(errs.String(), "-insecure-endpoint"); got != c.refused || status == 0 {
				t.Errorf("status %d, errors %q; want it refused: %v", status, errs.String(), c.refused)
			}
			errs.Reset()
			if status := run(ctx, append([]string{"towpath"}, append(call, "-insecure-endpoint")...), strings.NewReader(""), &out, &errs); strings.Contains(errs.String(), "add -insecure-endpoint") {
				t.Errorf("with the flag: status %d, errors %q", status, errs.String())
			}
		})
	}
}

// Every command is in the table of what is needed, once, and its modes are some.
func TestEveryCommandSaysWhatItNeeds(t *testing.T) {
	said := map[string]int{}
	for _, n := range needs {
		for _, name := range n.commands {
			said[name]++
		}
		for _, m := range n.modes {
			if _, err := iam.ParseMode(string(m)); err != nil {
				t.Errorf("%v: %v", n.commands, err)
			}
		}
	}
	for _, c := range commands() {
		if said[c.Name] != 1 {
			t.Errorf("%s is said %d times to need something", c.Name, said[c.Name])
		}
		delete(said, c.Name)
	}
	for name := range said {
		t.Errorf("there is no command %s", name)
	}
}
