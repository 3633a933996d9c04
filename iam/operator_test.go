package iam_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/iam"
	"github.com/towpath/towpath/overview"
	"github.com/towpath/towpath/reposition"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
)

// mover is one that moves the positions of an application behind a guard.
func (f *fleet) mover(g *guard, application string, create bool) *reposition.Mover {
	f.t.Helper()
	cfg := g.config(f.AWS, "operator")
	m, err := reposition.Open(reposition.Config{
		Leases: dynamocheckpoint.Open(dynamodb.NewFromConfig(cfg), application, func(o *dynamocheckpoint.Options) { o.CreateTables = create }),
		Source: f.source(cfg, nil), By: "ada", Silence: 8 * time.Second, Patience: time.Minute,
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return m
}

// each runs a test over a stream of Kinesis and over that of a table, with a
// fleet at work in it whose worker a is dead.
func each(t *testing.T, do func(t *testing.T, f *fleet)) {
	for name, s := range map[string]iam.Scope{"kinesis": {Stream: clicks}, "table": {Stream: orders}} {
		read := iam.Polling
		if name == "table" {
			read = iam.Changes
		}
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, newRig(t, s), s, []iam.Mode{iam.Bootstrap}, read, iam.Leases)
				defer f.Close()
				f.PutN(40, 10)
				a := f.start("a")
				f.b = f.start("b")
				f.Await("everything handled", f.AllDone)
				time.Sleep(15 * time.Second)
				a.Kill()
				time.Sleep(2 * time.Second)
				do(t, f)
			})
		})
	}
}

func (f *fleet) guarding(s iam.Scope, modes ...iam.Mode) *guard {
	s.Stream, s.Application = f.scope.Stream, streamtest.Application
	return guarded(f.t, f.AWS, s, modes...)
}

// first is the id of a shard that has a row and is not finished.
func (f *fleet) first() string {
	for _, row := range f.Rows() {
		if !row.Finished() {
			return row.Shard
		}
	}
	f.t.Fatal("there is no shard")
	return ""
}

func TestStatusWritesNothing(t *testing.T) {
	for _, action := range actionsOf(t, iam.Scope{Stream: clicks, Application: "a"}, iam.Status) {
		for _, verb := range []string{"Put", "Update", "Delete", "Create", "Write", "Tag"} {
			if strings.Contains(action, ":"+verb) || strings.Contains(action, verb+"Item") {
				t.Errorf("status allows %s", action)
			}
		}
	}
	each(t, func(t *testing.T, f *fleet) {
		g := f.guarding(iam.Scope{}, iam.Status)
		m := f.mover(g, streamtest.Application, false)
		if _, err := m.Seek(t.Context(), reposition.Target{To: shard.TrimHorizon()}); err != nil {
			t.Error(err)
		}
		if _, err := m.Seek(t.Context(), reposition.Target{Shard: f.first(), To: shard.TrimHorizon()}); err != nil {
			t.Error(err)
		}
		if _, err := m.Underway(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := f.table(g.config(f.AWS, "operator"), false).Sessions(t.Context()); err != nil {
			t.Error(err)
		}
		g.agrees(t)
		plan, err := m.Seek(t.Context(), reposition.Target{To: shard.TrimHorizon()})
		if err == nil {
			err = m.Apply(t.Context(), plan)
		}
		if err == nil {
			t.Error("positions were moved with the policy of status")
		}
	})
}

func TestOperatorAsksForWhatItsPolicyAllows(t *testing.T) {
	each(t, func(t *testing.T, f *fleet) {
		g := f.guarding(iam.Scope{}, iam.Operator)
		m := f.mover(g, streamtest.Application, false)
		apply := func(plan *reposition.Plan, err error) {
			t.Helper()
			if err == nil {
				err = m.Apply(t.Context(), plan)
			}
			if err != nil {
				t.Error(err)
			}
		}
		apply(m.Seek(t.Context(), reposition.Target{To: shard.TrimHorizon()})) // a is dead, and its session is revoked
		f.Await("everything handled again", f.AllDone)
		apply(m.Seek(t.Context(), reposition.Target{Shard: f.first(), To: shard.TrimHorizon()}))
		plan, err := m.Seek(t.Context(), reposition.Target{Shard: f.first(), To: shard.TrimHorizon()})
		if err != nil {
			t.Error(err)
		}
		if _, err := f.b.Stop(); err != nil {
			t.Error(err)
		}
		row, _ := f.AWS.DynamoDB().Item(streamtest.Application, dynamofake.Item{"leaseKey": dynamofake.S(f.first())})
		racing(f, "UpdateItem", streamtest.Application)
		if err := m.Apply(t.Context(), plan); err == nil {
			t.Error("moved a row that is not there any more")
		}
		f.PutRow(row)
		f.replaceShards()
		f.PutN(10, 10)
		apply(m.Reset(t.Context(), shard.TrimHorizon())) // makes the rows of the new shards
		f.start("c")
		f.Await("everything handled once more", f.AllDone)
		g.agrees(t)
	})
}

func TestForkAsksForWhatItsPolicyAllows(t *testing.T) {
	each(t, func(t *testing.T, f *fleet) {
		s := iam.Scope{Stream: f.scope.Stream, Application: "shadow", From: streamtest.Application}
		g := guarded(t, f.AWS, s, iam.Fork)
		m := f.mover(g, "shadow", true)
		from := dynamocheckpoint.Open(dynamodb.NewFromConfig(g.config(f.AWS, "operator")), streamtest.Application)
		plan, err := m.Fork(t.Context(), reposition.Origin{Rows: from, Name: streamtest.Application})
		if err == nil {
			err = m.Apply(t.Context(), plan)
		}
		if err != nil {
			t.Error(err)
		}
		racing(f, "TransactWriteItems", "shadow")
		again, err := m.Fork(t.Context(), reposition.Origin{Rows: from, Name: streamtest.Application, Force: true})
		if err == nil {
			err = m.Apply(t.Context(), again)
		}
		if err != nil {
			t.Error(err)
		}
		g.agrees(t)
	})
}

// racing has somebody delete a row just before the operator writes it for the
// first time from now on.
func racing(f *fleet, operation, table string) {
	key := f.first()
	var gone atomic.Bool
	f.AWS.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
		if c.Caller == "operator" && c.Operation == operation && strings.Contains(string(c.Body), `"`+key+`"`) && gone.CompareAndSwap(false, true) {
			if err := f.AWS.DynamoDB().Delete(table, dynamofake.Item{"leaseKey": dynamofake.S(key)}); err != nil {
				f.t.Error(err)
			}
		}
		return awsfake.Fault{}
	})
}

func actionsOf(t *testing.T, s iam.Scope, modes ...iam.Mode) (all []string) {
	t.Helper()
	p, err := iam.For(s, modes...)
	if err != nil {
		t.Fatal(err)
	}
	for _, st := range p.Statement {
		all = append(all, st.Action...)
	}
	return all
}

// What a program makes once stays out of the role of what runs for years, and no
// mode allows an action by a wildcard or on every resource.
func TestWorkersMayNotMakeTables(t *testing.T) {
	s := iam.Scope{
		Stream: clicks, Application: "a", Once: "o", From: "f", Overflow: "arn:aws:s3:::states", Tags: true,
		Destinations: []string{"arn:aws:sqs:" + here + ":letters", "arn:aws:s3:::letters"},
	}
	for _, m := range iam.Modes() {
		s := s
		if m == iam.Changes {
			s.Stream = orders
		}
		if m != iam.Send && m != iam.Redrive && m != iam.Failures {
			s.Destinations = nil
		}
		p, err := iam.For(s, m)
		if err != nil {
			t.Error(err)
		}
		making := strings.HasPrefix(string(m), "bootstrap") || m == iam.Fork
		for _, st := range p.Statement {
			for _, action := range st.Action {
				if !making && (strings.Contains(action, "Create") || strings.Contains(action, "Register") || strings.Contains(action, "Tag")) {
					t.Errorf("mode %s allows %s", m, action)
				}
				if strings.Contains(action, "*") {
					t.Errorf("mode %s allows %s", m, action)
				}
			}
			for _, resource := range st.Resource {
				if resource == "*" || strings.Contains(strings.TrimSuffix(resource, "*"), "*") {
					t.Errorf("mode %s allows %s on %s", m, st.Action, resource)
				}
			}
		}
	}
}

// Every mode is named in the tests above that run it.
func TestEveryModeIsRun(t *testing.T) {
	source, err := os.ReadFile("mode.go")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var tests string
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		tests += string(text)
	}
	named := 0
	for line := range strings.Lines(string(source)) {
		words := strings.Fields(line)
		if i := slices.Index(words, "Mode"); i == 1 && words[2] == "=" {
			named++
			if !strings.Contains(tests, "iam."+words[0]+")") && !strings.Contains(tests, "iam."+words[0]+"}") && !strings.Contains(tests, "iam."+words[0]+",") {
				t.Errorf("mode %s is run by no test", words[0])
			}
		}
	}
	if named != len(iam.Modes()) {
		t.Errorf("%d modes are named, and the table has %d", named, len(iam.Modes()))
	}
}

// What the commands that look ask for is within the policy of status: the whole
// picture, where the next record is and where the tip.
func TestLookingNeedsStatusAlone(t *testing.T) {
	each(t, func(t *testing.T, f *fleet) {
		g := f.guarding(iam.Scope{}, iam.Status)
		cfg := g.config(f.AWS, "operator")
		source := f.source(cfg, nil)
		picture, err := overview.Look(t.Context(), overview.Config{Tables: f.table(cfg, false), Source: source})
		if err != nil {
			t.Fatal(err)
		}
		stream, err := source.Describe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range picture.Shards {
			if _, err := source.Open(s.Start(stream)).Next(t.Context()); err != nil {
				t.Error(err)
			}
			if _, err := source.Open(shard.Start{Stream: stream, Shard: s.ID, After: shard.Latest()}).Next(t.Context()); err != nil {
				t.Error(err)
			}
		}
		g.agrees(t)
	})
}
