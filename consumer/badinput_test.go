package consumer_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/destination/s3destination"
	"github.com/towpath/towpath/destination/snsdestination"
	"github.com/towpath/towpath/destination/sqsdestination"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/dynamoshards"
	"github.com/towpath/towpath/shard/kinesisshards"
)

// contradictions are settings each of which is right without the other.
var contradictions = []wrongConfig{
	{"positions and lanes", func(c *consumer.Config) {
		c.Positions, c.ParallelizationFactor = checkpointtest.NewPositions(), 2
	}, []string{"ParallelizationFactor is 2", "Positions is set", "want 1"}},
	{"positions without order", func(c *consumer.Config) {
		c.Positions, c.Unordered = checkpointtest.NewPositions(), true
	}, []string{"Unordered and Positions"}},
	{"positions and keys set aside", func(c *consumer.Config) {
		c.Positions, c.SetAside.Delays = checkpointtest.NewPositions(), []time.Duration{time.Second}
	}, []string{"SetAside and Positions"}},
	{"positions and a limit of keys", func(c *consumer.Config) {
		c.Positions, c.KeyLimit = checkpointtest.NewPositions(), batching.KeyLimit{RecordsPerSecond: 1}
	}, []string{"KeyLimit and Positions"}},
	{"positions and several handlers", func(c *consumer.Config) {
		c.Positions, c.Handler = checkpointtest.NewPositions(), nil
		c.Handlers = []consumer.NamedHandler{{Name: "a", Handler: &tally{}}, {Name: "b", Handler: &tally{}}}
	}, []string{"Handlers and Positions"}},
	{"one handler and several", func(c *consumer.Config) {
		c.Handlers = []consumer.NamedHandler{{Name: "a", Handler: &tally{}}}
	}, []string{"Handler and Handlers are both set"}},
	{"windows and state of the handler's own", func(c *consumer.Config) {
		c.TumblingWindow, c.Handler = time.Minute, &consumer.Collect{Flush: func(context.Context, *consumer.Collected) error { return nil }}
	}, []string{"TumblingWindow is set", "Waker"}},
	{"state of no windows", func(c *consumer.Config) { c.TumblingState = batching.AtMost(7) }, []string{"TumblingState is", "TumblingWindow is 0"}},
	{"positions and parked keys", func(c *consumer.Config) {
		c.Positions, c.Park.Keys, c.KeyLimit.RecordsPerSecond = checkpointtest.NewPositions(), 1, 1
	}, []string{"Park and Positions", "KeyLimit and Positions"}},
}

// parts are values that are of the right type and cannot work, and numbers that
// are none.
var parts = []wrongConfig{
	{"a stream that is a nil pointer", func(c *consumer.Config) { c.Source = (*kinesisshards.Source)(nil) }, []string{"Source is a *kinesisshards.Source that is nil"}},
	{"a stream without a client or a name", func(c *consumer.Config) { c.Source = kinesisshards.Open(nil, "a b") }, []string{"Source: client is nil", "a b"}},
	{"a table's stream that is none", func(c *consumer.Config) {
		c.Source = dynamoshards.Open(nil, "arn:aws:kinesis:us-east-1:000000000000:stream/clicks")
	}, []string{"Source: client is nil", "stream/clicks"}},
	{"leases that are a nil pointer", func(c *consumer.Config) { c.Leases = (*dynamocheckpoint.Table)(nil) }, []string{"Leases is a *dynamocheckpoint.Table that is nil"}},
	{"leases without a client or a name", func(c *consumer.Config) { c.Leases = dynamocheckpoint.Open(nil, "") }, []string{"Leases: the client is nil", `Leases: TableName is ""`}},
	{"positions that are a nil pointer", func(c *consumer.Config) { c.Positions = (*checkpointtest.Positions)(nil) }, []string{"Positions is a *checkpointtest.Positions that is nil"}},
	{"a handler that is a nil function", func(c *consumer.Config) { c.Handler = consumer.HandlerFunc(nil) }, []string{"Handler is a consumer.HandlerFunc that is nil"}},
	{"a handler that is a nil pointer", func(c *consumer.Config) { c.Handler = (*consumer.Collect)(nil) }, []string{"Handler is a *consumer.Collect that is nil"}},
	{"each record to nothing", func(c *consumer.Config) { c.Handler = consumer.Each[int](nil) }, []string{"Handler: the function that handles a record is nil"}},
	{"each record without a codec", func(c *consumer.Config) {
		c.Handler = consumer.EachRecord(nil, func(context.Context, *shard.Record, int) error { return nil })
	}, []string{"Handler: the codec is nil"}},
	{"a collection of less than nothing", func(c *consumer.Config) {
		c.Handler = &consumer.Collect{MaxBytes: -1, MaxRecords: -2, MaxAge: -3}
	}, []string{"Handler: Flush is missing", "Handler: MaxBytes is -1", "Handler: MaxRecords is -2", "Handler: MaxAge is -3ns"}},
	{"a destination that is a nil pointer", func(c *consumer.Config) {
		c.OnFailure, c.OnSuccess, c.EmitTo = (*sqsdestination.Queue)(nil), (*sqsdestination.Queue)(nil), (*sqsdestination.Queue)(nil)
	}, []string{"OnFailure is a *sqsdestination.Queue that is nil", "OnSuccess is a *sqsdestination.Queue", "EmitTo is a *sqsdestination.Queue"}},
	{"a queue by its ARN", func(c *consumer.Config) {
		c.OnFailure = sqsdestination.Open(&sqs.Client{}, "arn:aws:sqs:us-east-1:000000000000:failures")
	}, []string{"OnFailure: the queue is", "want its URL"}},
	{"a topic that is a queue", func(c *consumer.Config) {
		c.OnSuccess = snsdestination.Open(&sns.Client{}, "arn:aws:sqs:us-east-1:000000000000:failures")
	}, []string{"OnSuccess: the topic is", "want its ARN"}},
	{"a bucket with its path", func(c *consumer.Config) {
		c.EmitTo = s3destination.Open(&s3.Client{}, "s3://failures/letters", func(o *s3destination.Options) { o.Concurrency = -1 })
	}, []string{"EmitTo: the bucket is", "EmitTo: Concurrency is -1"}},
	{"a fan-out to nobody and a fallback to nothing", func(c *consumer.Config) {
		c.OnFailure, c.OnSuccess = destination.Fanout(), destination.Fallback(destination.Discard, nil)
	}, []string{"OnFailure: there is no destination in it", "OnSuccess: destination 2 of 2 is nil"}},
	{"several handlers, each with something wrong", func(c *consumer.Config) {
		c.Handler = nil
		c.Handlers = []consumer.NamedHandler{
			{Handler: &tally{}},
			{Name: "a b", Handler: consumer.HandlerFunc(nil)},
			{Name: "c", BatchSize: -1, ParallelizationFactor: -1, MaximumBatchBytes: -1, MaximumBatchingWindow: -1},
			{Name: "c", Handler: &tally{}, MaximumRecordAge: -1, HandlerTimeout: -1, MaximumRetryAttempts: batching.AtMost(-1)},
			{Name: "d", Handler: &tally{}, OnFailure: (*sqsdestination.Queue)(nil), EmitTo: destination.Fanout()},
		}
	}, []string{
		"Handlers[0].Name is empty", `Handlers[1] "a b": Name holds`, `Handlers[1] "a b": Handler is a consumer.HandlerFunc that is nil`,
		`Handlers[2] "c": Handler is missing`, `Handlers[2] "c": BatchSize is -1`, `Handlers[2] "c": ParallelizationFactor is -1`,
		`Handlers[2] "c": MaximumBatchBytes is -1`, `Handlers[2] "c": MaximumBatchingWindow is -1ns`, `Handlers[3] "c": Name is that of another`,
		`Handlers[3] "c": MaximumRecordAge is -1ns`, `Handlers[3] "c": HandlerTimeout is -1ns`, `Handlers[3] "c": MaximumRetryAttempts is -1`,
		`Handlers[4] "d": OnFailure is a *sqsdestination.Queue that is nil`, `Handlers[4] "d": EmitTo: there is no destination`,
	}},
	{"windows of less than nothing", func(c *consumer.Config) {
		c.TumblingWindow, c.TumblingState = -1, batching.AtMost(0)
	}, []string{"TumblingWindow is -1ns, want 0, or 1s to 15m", "TumblingState is 0"}},
	{"a rate that is no number", func(c *consumer.Config) { c.RecordsPerSecond = math.NaN() }, []string{"RecordsPerSecond is NaN", "0 to 1e9"}},
	{"a rate without end", func(c *consumer.Config) { c.RecordsPerSecond = math.Inf(1) }, []string{"RecordsPerSecond is +Inf", "0 to 1e9"}},
	{"a key's rate that is no number", func(c *consumer.Config) { c.KeyLimit.RecordsPerSecond = math.NaN() }, []string{"KeyLimit.RecordsPerSecond is NaN"}},
	{"a negative burst", func(c *consumer.Config) {
		c.KeyLimit = batching.KeyLimit{RecordsPerSecond: 1, Burst: -1}
	}, []string{"KeyLimit.Burst is -1"}},
	{"a breaker with negative bounds", func(c *consumer.Config) { c.Breaker = consumer.Breaker{Failures: -1, Cooldown: -1} }, []string{"Breaker.Failures is -1", "Breaker.Cooldown is -1ns"}},
	{"a cooldown of nothing", func(c *consumer.Config) { c.Breaker.Cooldown = time.Second }, []string{"Breaker.Cooldown is 1s", "Breaker.Failures is 0"}},
	{"surroundings of nothing", func(c *consumer.Config) { c.Breaker.Surroundings = func(error) bool { return true } }, []string{"Breaker.Surroundings is set", "Breaker.Failures is 0"}},
	{"until no time", func(c *consumer.Config) { c.Until = consumer.Arrival(time.Time{}) }, []string{"Until is Arrival of the zero time"}},
	{"a negative age", func(c *consumer.Config) { c.MaximumRecordAge = -1 }, []string{"MaximumRecordAge is -1ns", "1m0s"}},
	{"a negative number in flight", func(c *consumer.Config) { c.MaximumInFlight = -1 }, []string{"MaximumInFlight is -1"}},
	{"a pattern that is no JSON, and an empty one", func(c *consumer.Config) { c.Filters = []string{"{", "{}"} }, []string{"Filters: pattern 1", "Filters: pattern 2"}},
	{"an operator that is none", func(c *consumer.Config) { c.Filters = []string{`{"data":{"a":[{"like":"b"}]}}`} }, []string{"Filters: ", "like"}},
	{"more patterns than ten", func(c *consumer.Config) {
		c.Filters = slices.Repeat([]string{`{"data":{"a":[1]}}`}, 11)
	}, []string{"Filters: there are 11 patterns", "at most 10"}},
}

// Parts that cannot work are refused at construction, with the name of the field
// and what it should be.
func TestPartsThatCannotWorkAreRefused(t *testing.T) { wantRefused(t, parts) }

// A handler that names a record which it was not given has failed, and the error
// says which record that was.
func TestARecordThatIsNotInTheBatchIsNamed(t *testing.T) {
	for _, answer := range []func(*shard.Record, error) error{batching.FailFrom, batching.Reject} {
		synctest.Test(t, func(t *testing.T) {
			stream, failed := letters(), &destinationtest.Recorder{}
			cfg := config(stream, checkpointtest.NewTable())
			cfg.OnFailure, cfg.MaximumRetryAttempts, cfg.Until = failed, batching.AtMost(0), consumer.CaughtUp()
			cfg.Handler = consumer.HandlerFunc(func(context.Context, *batching.Batch) error {
				return answer(&shard.Record{Shard: "shardId-000000000000", Sequence: "77"}, errors.New("boom"))
			})
			c, err := consumer.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Run(t.Context()); err != nil {
				t.Error(err)
			}
			all := failed.Accepted()
			if len(all) == 0 {
				t.Fatal("nothing was given up")
			}
			for _, f := range all {
				if want := "named what is not in its batch (shardId-000000000000/77)"; f.Err == nil || !strings.Contains(f.Err.Error(), want) {
					t.Errorf("the error is %v, want it to say %q", f.Err, want)
				}
			}
		})
	}
}

// Settings that contradict each other are refused, and the error names both.
func TestContradictionsNameBothFields(t *testing.T) { wantRefused(t, contradictions) }
