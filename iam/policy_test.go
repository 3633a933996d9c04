package iam_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/towpath/towpath/iam"
)

// Everything that is wrong with a scope is said at once.
func TestScopeIsRefusedWithAllItsProblems(t *testing.T) {
	for name, c := range map[string]struct {
		scope iam.Scope
		modes []iam.Mode
		want  []string
	}{
		"nothing":            {iam.Scope{}, nil, []string{"no mode is given"}},
		"no stream":          {iam.Scope{Application: "a"}, []iam.Mode{iam.Polling, iam.Leases}, []string{"mode polling needs Stream", `Table "a": give its ARN, or Stream`}},
		"another kind":       {iam.Scope{Stream: orders, Application: "a"}, []iam.Mode{iam.Polling}, []string{"mode polling needs Stream, the ARN of a stream of Kinesis"}},
		"another service":    {iam.Scope{Stream: "arn:aws:sqs:eu-west-1:1:q"}, []iam.Mode{iam.Polling}, []string{"want the ARN of a stream of Kinesis"}},
		"a wildcard":         {iam.Scope{Stream: "arn:aws:kinesis:eu-west-1:1:stream/*"}, []iam.Mode{iam.Polling}, []string{"is the ARN of nothing"}},
		"a variable":         {iam.Scope{Stream: "arn:aws:kinesis:eu-west-1:1:stream/${aws:username}"}, []iam.Mode{iam.Polling}, []string{"is the ARN of nothing"}},
		"a wildcard table":   {iam.Scope{Stream: clicks, Application: "a*"}, []iam.Mode{iam.Leases}, []string{`Table "a*"`, `Sessions "a*-sessions"`}},
		"no account":         {iam.Scope{Stream: "arn:aws:kinesis:eu-west-1::stream/s"}, []iam.Mode{iam.Polling}, []string{"names no region or no account"}},
		"an unknown mode":    {iam.Scope{Stream: clicks}, []iam.Mode{"all"}, []string{`mode "all" is none: want one of polling, fan-out,`}},
		"nowhere to send":    {iam.Scope{Stream: clicks}, []iam.Mode{iam.Send}, []string{"mode send needs Destinations"}},
		"redrive of a topic": {iam.Scope{Destinations: []string{"arn:aws:sns:eu-west-1:1:t"}}, []iam.Mode{iam.Redrive}, []string{"mode redrive needs Destinations", "no mode that is given does anything with arn:aws:sns"}},
		"a key of no use":    {iam.Scope{Once: tableARN("o"), StreamKey: "arn:aws:kms:eu-west-1:1:key/k"}, []iam.Mode{iam.Once}, []string{"StreamKey: no mode that is given reads a stream of Kinesis"}},
		"a key that is none": {iam.Scope{Stream: clicks, StreamKey: clicks}, []iam.Mode{iam.Polling}, []string{"want the ARN of a key of KMS"}},
		"another's consumer": {iam.Scope{Stream: clicks, Consumer: "arn:aws:kinesis:eu-west-1:1:stream/other/consumer/c:1"}, []iam.Mode{iam.FanOut}, []string{"Consumer"}},
	} {
		_, err := iam.For(c.scope, c.modes...)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v; want …%s…", name, err, want)
			}
		}
	}
}

// A key is allowed only through the service that the data is in.
func TestKeysAreAllowedThroughTheirServiceOnly(t *testing.T) {
	p, err := iam.For(iam.Scope{
		Stream: "arn:aws-cn:kinesis:cn-north-1:123456789012:stream/clicks", Application: "clickstream",
		StreamKey:      "arn:aws-cn:kms:cn-north-1:123456789012:key/one",
		Destinations:   []string{"arn:aws-cn:sqs:cn-north-1:123456789012:letters", "arn:aws-cn:s3:::letters", "arn:aws-cn:firehose:cn-north-1:123456789012:deliverystream/d"},
		DestinationKey: "arn:aws-cn:kms:cn-north-1:123456789012:key/two",
	}, iam.Polling, iam.Leases, iam.Send)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range p.Statement {
		if strings.Contains(s.Sid, "Key") {
			text, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(text))
		}
	}
	want := []string{
		`{"Sid":"StreamKey","Effect":"Allow","Action":["kms:Decrypt"],"Resource":["arn:aws-cn:kms:cn-north-1:123456789012:key/one"],"Condition":{"StringEquals":{"kms:ViaService":["kinesis.cn-north-1.amazonaws.com.cn"]}}}`,
		`{"Sid":"DestinationKey","Effect":"Allow","Action":["kms:Decrypt","kms:GenerateDataKey"],"Resource":["arn:aws-cn:kms:cn-north-1:123456789012:key/two"],"Condition":{"StringEquals":{"kms:ViaService":["sqs.cn-north-1.amazonaws.com.cn"]}}}`,
		`{"Sid":"DestinationKey2","Effect":"Allow","Action":["kms:GenerateDataKey"],"Resource":["arn:aws-cn:kms:cn-north-1:123456789012:key/two"],"Condition":{"StringEquals":{"kms:ViaService":["s3.cn-north-1.amazonaws.com.cn"]}}}`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// One table for all modes: what two of them ask for stands there once.
func TestModesTogetherAreOnePolicy(t *testing.T) {
	p, err := iam.For(iam.Scope{Stream: clicks, Application: "clickstream"}, iam.Polling, iam.Leases, iam.Status, iam.Operator)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, s := range p.Statement {
		if seen[s.Sid] {
			t.Errorf("two statements are called %s", s.Sid)
		}
		seen[s.Sid] = true
		for i := 1; i < len(s.Action); i++ {
			if s.Action[i-1] >= s.Action[i] {
				t.Errorf("%s: %s stands before %s", s.Sid, s.Action[i-1], s.Action[i])
			}
		}
	}
}
