package iam_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/towpath/towpath/iam"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// The only account and region of the AWS in the process.
const here = awsfake.Region + ":" + awsfake.Account

// asked is one action on one resource.
type asked struct{ action, resource string }

func (a asked) String() string { return a.action + " on " + a.resource }

// guard stands before an AWS as IAM does: it refuses what the policy does not
// allow, and notes what was asked for.
type guard struct {
	next   aws.HTTPClient
	policy iam.Policy

	mu      sync.Mutex // guards the rest; never held while a call runs
	used    map[asked]bool
	refused map[asked]bool
}

// guarded makes a guard with the policy for a scope and modes.
func guarded(t *testing.T, a *awsfake.AWS, s iam.Scope, modes ...iam.Mode) *guard {
	t.Helper()
	policy, err := iam.For(s, modes...)
	if err != nil {
		t.Fatal(err)
	}
	return &guard{next: a.HTTPClient(), policy: policy, used: map[asked]bool{}, refused: map[asked]bool{}}
}

// config is an aws.Config whose calls the guard sees.
func (g *guard) config(a *awsfake.AWS, caller string) aws.Config {
	cfg := a.Config(caller)
	cfg.HTTPClient = g
	return cfg
}

// Do lets a call through, or refuses it.
func (g *guard) Do(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	all := asksOf(r, body)
	var denied *asked
	g.mu.Lock()
	for _, a := range all {
		if g.allows(a, r) {
			g.used[a] = true
		} else {
			g.refused[a], denied = true, &a
		}
	}
	g.mu.Unlock()
	if denied != nil {
		text := fmt.Sprintf(`{"__type":"AccessDeniedException","message":"not authorized to perform: %s"}`, denied)
		return &http.Response{
			StatusCode: http.StatusForbidden, Status: "403 Forbidden", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}, "X-Amzn-Errortype": {"AccessDeniedException"}},
			Body:   io.NopCloser(strings.NewReader(text)), ContentLength: int64(len(text)), Request: r,
		}, nil
	}
	return g.next.Do(r)
}

// allows evaluates the policy.
func (g *guard) allows(a asked, r *http.Request) bool {
	return slices.ContainsFunc(g.policy.Statement, func(s iam.Statement) bool {
		if s.Effect != "Allow" || !slices.Contains(s.Action, a.action) ||
			!slices.ContainsFunc(s.Resource, func(pattern string) bool { return like(pattern, a.resource) }) {
			return false
		}
		for operator, keys := range s.Condition {
			for key, values := range keys {
				if operator != "StringLike" || key != "s3:prefix" ||
					!slices.ContainsFunc(values, func(p string) bool { return like(p, r.URL.Query().Get("prefix")) }) {
					return false
				}
			}
		}
		return true
	})
}

// like matches a name with a pattern of IAM.
func like(pattern, name string) bool {
	return regexp.MustCompile(`^` + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, `.*`) + `$`).MatchString(name)
}

// agrees fails the test if something was refused that is not in tolerated, or if
// something is allowed that was never asked for.
func (g *guard) agrees(t *testing.T, tolerated ...asked) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, a := range slices.SortedFunc(maps.Keys(g.refused), byName) {
		if !slices.Contains(tolerated, a) {
			t.Errorf("asked for and not allowed: %s", a)
		}
	}
	for _, a := range tolerated {
		if !g.refused[a] {
			t.Errorf("not asked for, though it is said to be: %s", a)
		}
	}
	for _, s := range g.policy.Statement {
		for _, action := range s.Action {
			for _, resource := range s.Resource {
				if strings.HasPrefix(action, "kms:") {
					continue // services ask for these in the name of the caller
				}
				if !slices.ContainsFunc(slices.Collect(maps.Keys(g.used)), func(a asked) bool { return a.action == action && like(resource, a.resource) }) {
					t.Errorf("allowed and never asked for: %s on %s", action, resource)
				}
			}
		}
	}
}

func byName(a, b asked) int { return cmp.Compare(a.String(), b.String()) }

// asksOf is what IAM is asked before a request is answered.
func asksOf(r *http.Request, body []byte) []asked {
	service := strings.Split(r.Header.Get("Authorization"), "/")[3]
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	var in map[string]any
	_ = json.Unmarshal(body, &in) // of the services that speak JSON
	word := func(key string) string { s, _ := in[key].(string); return s }
	switch service {
	case "dynamodb":
		return ofDynamo(operation, in, word)
	case "kinesis":
		return ofKinesis(operation, word)
	case "sqs":
		parts := strings.Split(word("QueueUrl"), "/")
		return one("sqs:"+strings.TrimSuffix(operation, "Batch"), "arn:aws:sqs:"+here+":"+parts[len(parts)-1])
	case "sns":
		form, _ := url.ParseQuery(string(body))
		return one("sns:"+strings.TrimSuffix(form.Get("Action"), "Batch"), form.Get("TopicArn"))
	case "events":
		entries, _ := in["Entries"].([]any)
		var all []asked
		for _, e := range entries {
			bus, _ := e.(map[string]any)["EventBusName"].(string)
			if !strings.HasPrefix(bus, "arn:") {
				bus = "arn:aws:events:" + here + ":event-bus/" + bus
			}
			all = append(all, asked{"events:" + operation, bus})
		}
		return all
	case "states":
		return one("states:"+operation, word("stateMachineArn"))
	case "firehose":
		return one("firehose:"+operation, "arn:aws:firehose:"+here+":deliverystream/"+word("DeliveryStreamName"))
	case "lambda":
		name, _ := url.PathUnescape(strings.Split(r.URL.EscapedPath(), "/")[3])
		return one("lambda:InvokeFunction", name)
	case "s3":
		return ofS3(r)
	}
	return one(service+":"+operation, "of a service that this test does not know")
}

func one(action, resource string) []asked { return []asked{{action, resource}} }

func tableARN(name string) string {
	if strings.HasPrefix(name, "arn:") {
		return name
	}
	return "arn:aws:dynamodb:" + here + ":table/" + name
}

func ofDynamo(operation string, in map[string]any, word func(string) string) []asked {
	switch operation {
	case "ListStreams":
		return one("dynamodb:ListStreams", tableARN(word("TableName"))+"/stream/any")
	case "DescribeStream", "GetShardIterator":
		return one("dynamodb:"+operation, word("StreamArn"))
	case "GetRecords": // by an iterator alone, of the only stream there is
		return one("dynamodb:GetRecords", tableARN(streamtest.Table)+"/stream/any")
	case "BatchWriteItem":
		var all []asked
		items, _ := in["RequestItems"].(map[string]any)
		for table := range items {
			all = append(all, asked{"dynamodb:BatchWriteItem", tableARN(table)})
		}
		return all
	case "TransactWriteItems": // allowed by what is in it
		actions := map[string]string{
			"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem",
		}
		var all []asked
		items, _ := in["TransactItems"].([]any)
		for _, item := range items {
			for kind, what := range item.(map[string]any) {
				table, _ := what.(map[string]any)["TableName"].(string)
				all = append(all, asked{"dynamodb:" + actions[kind], tableARN(table)})
			}
		}
		return all
	}
	resource := tableARN(word("TableName"))
	if index := word("IndexName"); index != "" {
		resource += "/index/" + index
	}
	all := one("dynamodb:"+operation, resource)
	if _, tags := in["Tags"]; tags && operation == "CreateTable" {
		all = append(all, asked{"dynamodb:TagResource", resource})
	}
	return all
}

func ofKinesis(operation string, word func(string) string) []asked {
	stream, consumer := word("StreamARN"), word("ConsumerARN")
	if name := word("StreamName"); stream == "" && name != "" {
		stream = "arn:aws:kinesis:" + here + ":stream/" + name
	}
	if consumer != "" && stream == "" {
		stream, _, _ = strings.Cut(consumer, "/consumer/")
	}
	switch action := "kinesis:" + operation; operation {
	case "SubscribeToShard":
		return one(action, consumer)
	case "DescribeStreamConsumer": // of the stream and of the consumer, as the call names it: by name, there is no time of creation
		return []asked{{action, stream}, {action, cmp.Or(consumer, stream+"/consumer/"+word("ConsumerName"))}}
	default:
		return one(action, stream)
	}
}

func ofS3(r *http.Request) []asked {
	// In the name of the host or at the beginning of the path.
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if host, _, ofBucket := strings.Cut(r.URL.Host, ".s3."); ofBucket {
		bucket, key = host, strings.TrimPrefix(r.URL.Path, "/")
	}
	arn := "arn:aws:s3:::" + bucket
	if r.URL.Query().Get("list-type") == "2" {
		return one("s3:ListBucket", arn)
	}
	action := map[string]string{"GET": "s3:GetObject", "HEAD": "s3:GetObject", "PUT": "s3:PutObject", "DELETE": "s3:DeleteObject"}[r.Method]
	return one(action, arn+"/"+key)
}
