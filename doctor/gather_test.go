package doctor_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	ktypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/doctor"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// over is what the doctor is told of a rig.
func over(rig *streamtest.Rig) doctor.Config {
	cfg := rig.AWS.Config("doctor")
	client, k := dynamodb.NewFromConfig(cfg), kinesis.NewFromConfig(cfg)
	return doctor.Config{
		Application: streamtest.Application, Dynamo: client, Kinesis: k, Table: dynamocheckpoint.Open(client, streamtest.Application),
		Source: kinesisshards.Open(k, streamtest.Stream, func(o *kinesisshards.Options) { o.Limit = 1 }),
		Sample: kinesisshards.Open(k, streamtest.Stream),
	}
}

// What is really so is found: a fleet that was stopped, a backlog, a table that
// loses rows, a key of one's own, a sample of what arrives.
func TestGatherSeesWhatIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 2)
		defer rig.Close()
		cfg := rig.AWS.Config("admin")
		rig.PutN(40, 10)
		w := rig.Start("w1")
		rig.Await("everything handled", rig.AllDone)
		time.Sleep(20 * time.Second)
		w.Stop()
		rig.PutN(40, 10)
		time.Sleep(14 * time.Hour)
		for range 30 {
			rig.Put("hot", strings.Repeat("x", 1<<20-3))
			time.Sleep(time.Second)
		}
		_, err := kinesis.NewFromConfig(cfg).StartStreamEncryption(t.Context(), &kinesis.StartStreamEncryptionInput{
			StreamName: aws.String(streamtest.Stream), EncryptionType: ktypes.EncryptionTypeKms, KeyId: aws.String("alias/ours"),
		})
		d := dynamodb.NewFromConfig(cfg)
		_, ttl := d.UpdateTimeToLive(t.Context(), &dynamodb.UpdateTimeToLiveInput{
			TableName: aws.String(streamtest.Application), TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String("gone"), Enabled: aws.Bool(true)},
		})
		_, recover := d.UpdateContinuousBackups(t.Context(), &dynamodb.UpdateContinuousBackupsInput{
			TableName: aws.String(streamtest.Application), PointInTimeRecoverySpecification: &types.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: aws.Bool(true)},
		})
		if err := errors.Join(err, ttl, recover); err != nil {
			t.Fatal(err)
		}

		facts, err := doctor.Gather(t.Context(), over(rig))
		if err != nil {
			t.Fatal(err)
		}
		report := doctor.Examine(facts)
		for _, want := range []struct {
			check string
			level doctor.Level
			found string
		}{
			{"encryption", doctor.Note, "alias/ours"},
			{"tables", doctor.Failure, "attribute gone"},
			{"retention", doctor.Warning, "is 14 h behind, 58 %"},
			{"distribution", doctor.Warning, "in the last minute"},
			{"workers", doctor.Warning, "no worker is at work"},
			{"owners", doctor.Note, "nobody works 2 shards"},
		} {
			found := false
			for _, f := range report.Findings {
				found = found || f.Check == want.check && f.Level == want.level && strings.Contains(f.Found, want.found)
			}
			if !found {
				t.Errorf("no %s of %s says %q: %+v", want.level, want.check, want.found, report.Findings)
			}
		}
		if !facts.Tables[0].Recovers || facts.Tables[1].Recovers {
			t.Errorf("point-in-time recovery: %+v", facts.Tables)
		}
		if calls := rig.AWS.Count("doctor", "dynamodb", "UpdateItem") + rig.AWS.Count("doctor", "dynamodb", "PutItem") + rig.AWS.Count("doctor", "dynamodb", "TransactWriteItems"); calls != 0 {
			t.Errorf("the doctor wrote %d times", calls)
		}
	})
}

// What cannot be asked is told, whichever look it is, and what it would have shown
// is not called well.
func TestGatherTellsWhatItCouldNotAsk(t *testing.T) {
	denied := func(operation string, from int64) func(*streamtest.Rig) {
		return func(rig *streamtest.Rig) {
			var n atomic.Int64
			rig.AWS.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
				if c.Caller != "doctor" || c.Operation != operation || n.Add(1) < from {
					return awsfake.Fault{}
				}
				return awsfake.Fail("AccessDeniedException", 400)
			})
		}
	}
	for name, c := range map[string]struct {
		spoil       func(*streamtest.Rig)
		check, says string
		never       string // a check that may not be ok
	}{
		"the lease table's description": {denied("DescribeTable", 1), "permissions", "dynamodb:DescribeTable on " + streamtest.Application + " is not allowed", "permissions"},
		"what else is allowed":          {denied("DescribeTable", 1), "not asked", "what else is allowed on table " + streamtest.Application, "permissions"},
		"an iterator":                   {denied("GetShardIterator", 1), "not asked", "whether kinesis:GetRecords is allowed: it needs an iterator", "permissions"},
		"the tables beside KCL's leases": {func(rig *streamtest.Rig) {
			rig.AWS.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
				if c.Caller == "doctor" && c.Operation == "Scan" && strings.Contains(string(c.Body), "-CoordinatorState") {
					return awsfake.Fail("AccessDeniedException", 400)
				}
				return awsfake.Fault{}
			})
		}, "not asked", streamtest.Application + "-CoordinatorState, if there is one: not allowed", "KCL"},
		"what the fleet is told, at the second look": {denied("GetItem", 3), "not asked", "what the fleet is told: not allowed", ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rig := streamtest.New(t, 1)
				defer rig.Close()
				w := rig.Start("w1")
				rig.Await("the shard", func() bool { return len(w.Consumer.Status().Shards) == 1 })
				c.spoil(rig)
				facts, err := doctor.Gather(t.Context(), over(rig))
				if err != nil {
					t.Fatal(err)
				}
				told := false
				report := doctor.Examine(facts)
				for _, f := range report.Findings {
					told = told || f.Check == c.check && strings.Contains(f.Found, c.says)
					if f.Check == c.never && f.Level == doctor.OK {
						t.Errorf("%s is called well: %s", f.Check, f.Found)
					}
				}
				if !told {
					t.Errorf("no finding of %s says %q: %+v", c.check, c.says, report.Findings)
				}
			})
		})
	}
}

// A control row that could not be read in time is not one to be repaired.
func TestGatherTellsATimeOutFromAFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 1)
		defer rig.Close()
		w := rig.Start("w1")
		rig.Await("the shard", func() bool { return len(w.Consumer.Status().Shards) == 1 })
		rig.AWS.Intercept(func(ctx context.Context, c awsfake.Call) awsfake.Fault {
			if c.Caller == "doctor" && c.Operation == "GetItem" {
				return awsfake.Lose()
			}
			return awsfake.Fault{}
		})
		facts, err := doctor.Gather(t.Context(), over(rig))
		if err != nil {
			t.Fatal(err)
		}
		if facts.Second.ControlFault != nil {
			t.Errorf("a row that was not read is at fault: %v", facts.Second.ControlFault)
		}
		for _, f := range doctor.Examine(facts).Findings {
			if f.Check == "told" || f.Check == "claim" {
				t.Errorf("%s says %q", f.Check, f.Found)
			}
		}
	})
}

// Before the first start there is no lease table, and what the workers will be
// allowed of the stream can be asked all the same.
func TestGatherProbesTheStreamWithoutTables(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 1)
		defer rig.Close()
		facts, err := doctor.Gather(t.Context(), over(rig))
		if !errors.Is(err, checkpoint.ErrNoTable) {
			t.Fatalf("got %v, want ErrNoTable", err)
		}
		if len(facts.Permissions) != 4 || facts.Permissions[0].Err != nil {
			t.Errorf("probed were %+v, want the four calls of polling", facts.Permissions)
		}
		for _, f := range doctor.Examine(facts).Findings {
			if f.Check == "KCL" || f.Check == "rows" {
				t.Errorf("%s says %q of a table that is not there", f.Check, f.Found)
			}
		}
	})
}

func TestIncompleteConfigIsRefusedAllAtOnce(t *testing.T) {
	_, err := doctor.Gather(t.Context(), doctor.Config{Watch: -1})
	for _, want := range []string{"Application", "Table", "Dynamo", "Source", "Kinesis or Changes", "Watch"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error says nothing of %s: %v", want, err)
		}
	}
}
