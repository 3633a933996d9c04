package iam_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/destination/s3destination"
	"github.com/towpath/towpath/destination/sqsdestination"
	"github.com/towpath/towpath/follow"
	"github.com/towpath/towpath/iam"
	"github.com/towpath/towpath/redrive"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/tape"
)

// What the commands of towpath do, with the libraries that they do it with.

func TestTailAsksForWhatItsPolicyAllows(t *testing.T) {
	each(t, func(t *testing.T, f *fleet) {
		g := guarded(t, f.AWS, iam.Scope{Stream: f.scope.Stream}, iam.Tail)
		n := 0
		err := follow.Run(t.Context(), follow.Config{
			Source: f.source(g.config(f.AWS, "operator"), nil), ToTip: true,
			Take: func(context.Context, *shard.Record) error { n++; return nil },
		})
		if err != nil || n == 0 {
			t.Errorf("got %d records and %v", n, err)
		}
		g.agrees(t)
	})
}

func TestPlayAsksForWhatItsPolicyAllows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := newRig(t, iam.Scope{Stream: clicks})
		defer rig.End()
		g := guarded(t, rig.AWS, iam.Scope{Stream: clicks}, iam.Play)
		f := &fleet{Rig: rig, t: t, scope: iam.Scope{Stream: clicks}}
		cfg := g.config(rig.AWS, "operator")
		source := f.source(cfg, nil)
		_, described := source.Describe(t.Context())
		_, listed := source.List(t.Context())
		left := 3
		_, err := tape.Play(t.Context(), tape.Config{Into: tape.Into(kinesis.NewFromConfig(cfg), clicks), Events: func() (tape.Event, error) {
			if left--; left < 0 {
				return tape.Event{}, io.EOF
			}
			return tape.Event{Key: "k", Keyed: true, Data: []byte("x")}, nil
		}})
		if err := errors.Join(described, listed, err); err != nil {
			t.Error(err)
		}
		g.agrees(t)
	})
}

func TestFailuresAsksForWhatItsPolicyAllows(t *testing.T) {
	for _, service := range []string{"sqs", "s3"} {
		synctest.Test(t, func(t *testing.T) {
			a := awsfake.New()
			name, arn := sinks[service].make(t, a)
			if err := sinks[service].open(a.Config("worker"), name).Send(t.Context(), destinationtest.Sample(3)); err != nil {
				t.Fatal(err)
			}
			g := guarded(t, a, iam.Scope{Destinations: []string{arn}}, iam.Failures)
			cfg := g.config(a, "operator")
			var from destination.Mailbox = sqsdestination.OpenMailbox(sqs.NewFromConfig(cfg), name)
			if service == "s3" {
				from = s3destination.OpenMailbox(s3.NewFromConfig(cfg, pathStyle), name, "given-up")
			}
			got, err := redrive.Run(t.Context(), redrive.Config{From: from, DryRun: true})
			if err != nil || got.Letters[redrive.Ready] != 1 {
				t.Errorf("%s: %+v, %v", service, got, err)
			}
			g.agrees(t)
		})
	}
}

func TestSteeringAsksForWhatItsPolicyAllows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := iam.Scope{Stream: clicks}
		f := newFleet(t, newRig(t, s), s, []iam.Mode{iam.Bootstrap}, iam.Polling, iam.Leases)
		defer f.Close()
		f.start("a")
		time.Sleep(5 * time.Second)
		g := guarded(t, f.AWS, iam.Scope{Stream: clicks, Application: streamtest.Application}, iam.Steer)
		table := f.table(g.config(f.AWS, "operator"), false)
		_, listed := table.List(t.Context())
		steering := consumer.Steer(table)
		err := errors.Join(listed,
			steering.Pause(t.Context(), consumer.PauseOf{Key: "k"}),
			steering.Resume(t.Context(), consumer.PauseOf{Key: "k"}),
			steering.SetFleetConcurrency(t.Context(), batching.AtMost(2)),
		)
		kept, asked := steering.FleetKeeps(t.Context())
		if err := errors.Join(err, asked); err != nil {
			t.Errorf("%v, kept: %v", err, kept)
		}
		g.agrees(t)
	})
}

func TestReleaseAsksForWhatItsPolicyAllows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := iam.Scope{Stream: clicks}
		f := newFleet(t, newRig(t, s), s, []iam.Mode{iam.Bootstrap}, iam.Polling, iam.Leases)
		defer f.Close()
		f.start("a")
		time.Sleep(5 * time.Second)
		f.start("b")
		time.Sleep(5 * time.Second)
		g := guarded(t, f.AWS, iam.Scope{Stream: clicks, Application: streamtest.Application}, iam.Release)
		table := f.table(g.config(f.AWS, "operator"), false)
		_, read := table.Control(t.Context())
		rows, listed := table.List(t.Context())
		sessions, looked := table.SessionsNow(t.Context())
		if err := errors.Join(read, listed, looked); err != nil || len(sessions) != 2 {
			t.Fatalf("%v, %d sessions", err, len(sessions))
		}
		row, to := rows[0], sessions[0].ID
		if to == row.Owner {
			to = sessions[1].ID
		}
		if _, err := table.Ask(t.Context(), row, to); err != nil {
			t.Error(err)
		}
		if err := table.Tell(t.Context(), row.Owner, shard.Hint{Kind: shard.HintDrain, Key: row.Key, Counter: row.Counter}); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Second)
		if now, err := table.Get(t.Context(), row.Key); err != nil || now.Owner != to || now.CheckpointOwner != "" {
			t.Errorf("the row is %v: %v", now, err)
		}
		g.agrees(t)
	})
}

// A key of the stream is used as the modes need it.
func TestKeyOfTheStreamFollowsTheModes(t *testing.T) {
	for mode, want := range map[iam.Mode]string{iam.Tail: "kms:Decrypt", iam.Play: "kms:GenerateDataKey"} {
		actions := actionsOf(t, iam.Scope{Stream: clicks, StreamKey: "arn:aws:kms:" + here + ":key/k"}, mode)
		if got := strings.Join(actions, " "); !strings.Contains(got, want) || strings.Count(got, "kms:") != 1 {
			t.Errorf("mode %s allows %s, want %s", mode, got, want)
		}
	}
}
