package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/iam"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/streamtest/awsfake"
)

const (
	kinesisStream = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"
	tableStream   = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders/stream/2026-01-01T00:00:00.000"
	streamKey     = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd"
)

// creations remembers the tables that the driver makes.
type creations struct {
	*dynamodb.Client
	made map[string]*dynamodb.CreateTableInput
}

func (c creations) CreateTable(ctx context.Context, in *dynamodb.CreateTableInput, o ...func(*dynamodb.Options)) (*dynamodb.CreateTableOutput, error) {
	c.made[*in.TableName] = in
	return c.Client.CreateTable(ctx, in, o...)
}

// The tables of the template are those that the driver makes: names, keys,
// indexes and billing.
func TestTablesAreThoseThatTheDriverMakes(t *testing.T) {
	c := creations{dynamodb.NewFromConfig(awsfake.New().Config("worker")), map[string]*dynamodb.CreateTableInput{}}
	driver := dynamocheckpoint.Open(c, "clickstream", func(o *dynamocheckpoint.Options) { o.CreateTables = true })
	ctx := t.Context()
	if err := driver.Prepare(ctx, shard.Stream{ARN: kinesisStream}); err != nil {
		t.Fatal(err)
	}
	if err := driver.PrepareStates(ctx); err != nil {
		t.Fatal(err)
	}
	if err := driver.PrepareParking(ctx); err != nil {
		t.Fatal(err)
	}
	all := openTemplate(t, "cloudformation/application.yaml", map[string]any{
		"StreamArn": kinesisStream, "KeepStates": "true", "ParkKeys": "true", "RememberEffects": "true"})
	tables := map[string]map[string]any{}
	for _, properties := range all.resources("AWS::DynamoDB::Table") {
		tables[properties["TableName"].(string)] = properties
	}
	beside := []string{"DeletionProtectionEnabled", "PointInTimeRecoverySpecification", "Tags"}
	for name, made := range c.made {
		got := maps.Clone(tables[name])
		for _, property := range beside {
			if got[property] == nil {
				t.Errorf("table %s: no %s", name, property)
			}
			delete(got, property)
		}
		if want := asProperties(t, made); !reflect.DeepEqual(normal(got), want) {
			t.Errorf("table %s is\n %v\nand the driver makes\n %v", name, normal(got), want)
		}
		delete(tables, name)
	}
	// What is left is that of package once, whose driver makes none: its doc.go
	// says what it needs.
	effects := tables["clickstream-effects"]
	if len(tables) != 1 || fmt.Sprint(effects["KeySchema"]) != "[map[AttributeName:id KeyType:HASH]]" ||
		fmt.Sprint(effects["TimeToLiveSpecification"]) != "map[AttributeName:expiration Enabled:true]" {
		t.Errorf("the driver makes %v, and beside the template has %v", slices.Sorted(maps.Keys(c.made)), tables)
	}
	// Without its settings an application has the two tables that it needs.
	plain := openTemplate(t, "cloudformation/application.yaml", map[string]any{"StreamArn": kinesisStream})
	if got := len(plain.resources("AWS::DynamoDB::Table")); got != 2 {
		t.Errorf("a plain application has %d tables, want 2", got)
	}
}

// asProperties are the properties that CloudFormation calls a request's fields.
func asProperties(t *testing.T, in *dynamodb.CreateTableInput) map[string]any {
	t.Helper()
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return normal(withoutNulls(m)).(map[string]any)
}

// withoutNulls is v without the fields that a request does not set.
func withoutNulls(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, one := range v {
			if v[k] = withoutNulls(one); v[k] == nil || v[k] == "" {
				delete(v, k)
			}
		}
	case []any:
		for i := range v {
			v[i] = withoutNulls(v[i])
		}
	}
	return v
}

// normal is v with the attributes' definitions in one order, which means nothing.
func normal(v any) any {
	if m, ok := v.(map[string]any); ok {
		if list, ok := m["AttributeDefinitions"].([]any); ok {
			slices.SortFunc(list, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		}
	}
	return v
}

// Whatever the parameters are, the policies are those of package iam.
func TestPoliciesAreThoseOfPackageIAM(t *testing.T) {
	seen := 0
	for _, values := range combinations(map[string][]any{
		"Reading":      {"polling", "fan-out", "changes"},
		"StreamKeyArn": {"", streamKey}, "KeepStates": {"false", "true"}, "ParkKeys": {"false", "true"}, "RememberEffects": {"false", "true"},
	}) {
		scope := iam.Scope{Stream: kinesisStream, Application: "clickstream", Destinations: []string{
			"arn:aws:sqs:eu-west-1:123456789012:clickstream-letters",
			"arn:aws:s3:::clickstream-letters-123456789012-eu-west-1/letters",
		}}
		modes := map[any]iam.Mode{"polling": iam.Polling, "fan-out": iam.FanOut, "changes": iam.Changes}
		worker := []iam.Mode{modes[values["Reading"]], iam.Leases}
		if values["Reading"] == "changes" {
			if scope.Stream = tableStream; values["StreamKeyArn"] != "" {
				continue // the key of a table is DynamoDB's matter
			}
		}
		scope.StreamKey = values["StreamKeyArn"].(string)
		for parameter, mode := range map[string]iam.Mode{"KeepStates": iam.State, "ParkKeys": iam.Parking, "RememberEffects": iam.Once} {
			if values[parameter] == "true" {
				worker = append(worker, mode)
			}
		}
		if values["RememberEffects"] == "true" {
			scope.Once = "clickstream-effects"
		}
		slices.SortStableFunc(worker, func(a, b iam.Mode) int { return slices.Index(iam.Modes(), a) - slices.Index(iam.Modes(), b) })
		worker = append(worker, iam.Send)

		values["StreamArn"] = scope.Stream
		got := openTemplate(t, "cloudformation/application.yaml", values).resources("AWS::IAM::ManagedPolicy")
		people := iam.Scope{Stream: scope.Stream, Application: scope.Application}
		for name, want := range map[string]struct {
			scope iam.Scope
			modes []iam.Mode
		}{
			"WorkerPolicy":   {scope, worker},
			"StatusPolicy":   {people, []iam.Mode{iam.Status}},
			"OperatorPolicy": {people, []iam.Mode{iam.Operator}},
			"RedrivePolicy":  {iam.Scope{Destinations: scope.Destinations}, []iam.Mode{iam.Redrive}},
		} {
			policy, err := iam.For(want.scope, want.modes...)
			if err != nil {
				t.Fatal(err)
			}
			wantText, gotText := asJSON(t, policy), asJSON(t, got[name]["PolicyDocument"])
			if gotText != wantText {
				t.Fatalf("with %v, %s is\n%s\nand package iam says\n%s", values, name, gotText, wantText)
			}
			// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
			if len(wantText) > 6144 {
				t.Errorf("with %v, %s has %d characters, and IAM takes 6,144", values, name, len(wantText))
			}
		}
		seen++
	}
	if seen != 40 {
		t.Errorf("%d combinations were looked at, want 40", seen)
	}
}

// asJSON is v as JSON with its names in order.
func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var again any
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	text, err = json.Marshal(again)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What holds positions, records or letters stays when a stack is deleted.
func TestNothingIsLostWithAStack(t *testing.T) {
	for _, path := range []string{"cloudformation/application.yaml", "cloudformation/stream.yaml"} {
		for name, r := range readYAML(t, path)["Resources"].(map[string]any) {
			r := r.(map[string]any)
			switch r["Type"] {
			case "AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::S3::Bucket", "AWS::Kinesis::Stream":
				if r["DeletionPolicy"] != "Retain" || r["UpdateReplacePolicy"] != "Retain" {
					t.Errorf("%s: %s goes with its stack", path, name)
				}
			}
		}
	}
}
