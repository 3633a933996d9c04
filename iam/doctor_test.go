package iam_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/doctor"
	"github.com/towpath/towpath/iam"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/takeover"
)

// The doctor asks for what its policy allows, and finds nothing refused; what it
// tries with ProbeWrites leaves the tables as they are.
func TestDoctorAsksForWhatItsPolicyAllows(t *testing.T) {
	each(t, func(t *testing.T, f *fleet) {
		all := dynamocheckpoint.Open(dynamodb.NewFromConfig(f.AWS.Config("admin")), streamtest.Application, func(o *dynamocheckpoint.Options) { o.CreateTables = true })
		if err := errors.Join(all.PrepareStates(t.Context()), all.PrepareParking(t.Context())); err != nil {
			t.Fatal(err)
		}
		g := f.guarding(iam.Scope{}, iam.Doctor)
		report := f.examine(g, false)
		for _, found := range report.Findings {
			if found.Level == doctor.Failure {
				t.Errorf("%s: %s", found.Check, found.Found)
			}
		}
		g.agrees(t)

		if report := f.examine(g, true); report.Count(doctor.Failure) != 7 {
			t.Errorf("7 writes are refused to the doctor, and it says: %+v", report.Findings)
		}
		before := f.AWS.DynamoDB().Tables()
		report = f.examine(guarded(t, f.AWS, iam.Scope{Stream: f.scope.Stream, Application: streamtest.Application}, iam.Doctor, iam.Leases), true)
		if report.Count(doctor.Failure) != 0 {
			t.Errorf("with the permissions of workers beside it finds: %+v", report.Findings)
		}
		if after := f.AWS.DynamoDB().Tables(); len(after) != len(before) {
			t.Errorf("there are tables %v, and there were %v", after, before)
		}
		for _, found := range report.Findings {
			if found.Check == "permissions" && strings.Contains(found.Found, "could not be tried") {
				t.Error(found.Found)
			}
		}
		for _, table := range f.AWS.DynamoDB().Tables() {
			page, err := dynamodb.NewFromConfig(f.AWS.Config("admin")).Scan(t.Context(), &dynamodb.ScanInput{TableName: &table})
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range page.Items {
				for _, v := range row {
					if s, ok := v.(*types.AttributeValueMemberS); ok && strings.Contains(s.Value, "doctor") {
						t.Errorf("the doctor wrote into table %s: %v", table, row)
					}
				}
			}
		}
	})
}

// With a fan-out consumer, which policies name in two ways, the doctor says each
// permission once, and finds none refused.
func TestDoctorSaysEachPermissionOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := iam.Scope{Stream: clicks}
		f := newFleet(t, newRig(t, s), s, []iam.Mode{iam.Bootstrap, iam.BootstrapFanOut}, iam.FanOut, iam.Leases)
		defer f.Close()
		f.start("a")
		time.Sleep(5 * time.Second)
		cfg := f.guarding(iam.Scope{}, iam.Doctor, iam.FanOut).config(f.AWS, "operator")
		client := dynamodb.NewFromConfig(cfg)
		facts, err := doctor.Gather(t.Context(), doctor.Config{
			Application: streamtest.Application, Dynamo: client, Source: f.source(cfg, nil), Kinesis: kinesis.NewFromConfig(cfg),
			Table: dynamocheckpoint.Open(client, streamtest.Application), FanOut: streamtest.Application, Watch: 3 * time.Second,
		})
		if err != nil {
			t.Fatal(err)
		}
		seen := map[asked]bool{}
		for _, p := range facts.Permissions {
			if a := (asked{p.Action, p.On}); seen[a] || p.Err != nil {
				t.Errorf("%s, said before: %v (%v)", a, seen[a], p.Err)
			} else {
				seen[a] = true
			}
		}
		if !seen[asked{"kinesis:DescribeStreamConsumer", streamtest.Stream + "/consumer/" + streamtest.Application}] {
			t.Errorf("the consumer is not among %v", facts.Permissions)
		}
	})
}

// examine looks the fleet over behind a guard.
func (f *fleet) examine(g *guard, writes bool) doctor.Report {
	f.t.Helper()
	cfg := g.config(f.AWS, "operator")
	client := dynamodb.NewFromConfig(cfg)
	looked := doctor.Config{
		Application: streamtest.Application, Dynamo: client, Source: f.source(cfg, nil),
		Table: dynamocheckpoint.Open(client, streamtest.Application), ProbeWrites: writes, Watch: 3 * time.Second,
	}
	if f.scope.Stream == clicks {
		looked.Kinesis = kinesis.NewFromConfig(cfg)
	} else {
		looked.Changes = streamtest.Table
	}
	facts, err := doctor.Gather(f.t.Context(), looked)
	if err != nil {
		f.t.Fatal(err)
	}
	return doctor.Examine(facts)
}

// What towpath cost counts, by the policy that is printed for it.
func TestCountingAsksForWhatItsPolicyAllows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := iam.Scope{Stream: clicks}
		f := newFleet(t, newRig(t, s), s, []iam.Mode{iam.Bootstrap}, iam.Polling, iam.Leases)
		defer f.Close()
		f.start("a")
		time.Sleep(5 * time.Second)
		g := f.guarding(iam.Scope{}, iam.Cost)
		cfg := g.config(f.AWS, "operator")
		client := dynamodb.NewFromConfig(cfg)
		table := dynamocheckpoint.Open(client, streamtest.Application)
		_, err := table.List(t.Context())
		_, sessions := table.Sessions(t.Context())
		_, described := client.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String(streamtest.Application)})
		_, stream := kinesis.NewFromConfig(cfg).DescribeStreamSummary(t.Context(), &kinesis.DescribeStreamSummaryInput{StreamName: aws.String(streamtest.Stream)})
		if err := errors.Join(err, sessions, described, stream); err != nil {
			t.Error(err)
		}
		g.agrees(t)
	})
}

// The report on another library's table, by the policy that is printed for it.
func TestReportOnATakeOverAsksForWhatItsPolicyAllows(t *testing.T) {
	each(t, func(t *testing.T, f *fleet) {
		g := f.guarding(iam.Scope{}, iam.Migrate)
		cfg := g.config(f.AWS, "operator")
		client := dynamodb.NewFromConfig(cfg)
		facts, err := takeover.Look(t.Context(), takeover.Config{
			Client: client, Table: dynamocheckpoint.Open(client, streamtest.Application), Source: f.source(cfg, nil),
		})
		if err != nil || takeover.Read(facts).Library != takeover.Towpath {
			t.Errorf("got %+v (%v)", takeover.Read(facts), err)
		}
		g.agrees(t)
	})
}

// Whatever mode reads a stream of Kinesis may use its key, and no other mode.
func TestReadersMayUseTheKeyOfTheStream(t *testing.T) {
	for _, m := range iam.Modes() {
		if m == iam.Changes {
			continue // of a table's stream, which has no key of its own
		}
		s := iam.Scope{
			Stream: clicks, Application: "a", Once: "o", From: "f", Overflow: "arn:aws:s3:::states",
			Destinations: []string{"arn:aws:sqs:" + here + ":letters", "arn:aws:s3:::letters"},
		}
		if m != iam.Send && m != iam.Redrive && m != iam.Failures {
			s.Destinations = nil
		}
		reads := false
		for _, action := range actionsOf(t, s, m) {
			reads = reads || action == "kinesis:GetRecords" || action == "kinesis:SubscribeToShard"
		}
		s.StreamKey = "arn:aws:kms:" + here + ":key/k"
		p, err := iam.For(s, m)
		decrypts := err == nil && slices.ContainsFunc(p.Statement, func(st iam.Statement) bool { return slices.Contains(st.Action, "kms:Decrypt") })
		if decrypts != reads {
			t.Errorf("mode %s reads: %v, may use the key: %v (%v)", m, reads, decrypts, err)
		}
	}
}
