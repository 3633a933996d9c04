package main

import (
	"encoding/json"
	"errors"
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
