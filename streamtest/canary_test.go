package streamtest_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/codec"
	"github.com/towpath/towpath/codec/msgpackcodec"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination/sqsdestination"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/dynamoshards"
	"github.com/towpath/towpath/shard/kpl"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
)

const canary = streamtest.Canary

// putCanaries puts records that are canaries from key to payload, among them
// aggregates that are none and JSON of every wrong kind.
func putCanaries(rig *streamtest.Rig) {
	magic := "\xf3\x89\x9a\xc2"
	garbage := "\x0a\x0e" + canary + strings.Repeat(canary, 3)
	sum := md5.Sum([]byte(garbage))
	for i, data := range []string{
		canary, `"` + canary + `"`, `{"` + canary + `":1}`, `{"At":"` + canary + `"}`, `{"N":"` + canary + `"}`, `{"N":1} ` + canary,
		magic, magic + canary + "0123456789abcdef", magic + garbage + string(sum[:]), "\xa9" + canary, "\xdd\x7f\xff\xff\xff" + canary, "",
	} {
		rig.Put(fmt.Sprint(canary, "-", i), data)
	}
}

// errDown is what a handler says that keeps its records to itself.
var errDown = errors.New("the store is down")

// What is in records stands in no line of the log, at any level, whatever
// becomes of them: they cannot be decoded, or are no aggregates, handlers fail,
// panic, hang and give up, keys are set aside and parked, destinations refuse.
func TestNoLogShowsARecord(t *testing.T) {
	type click struct {
		N  int
		At time.Time
	}
	each := func(c codec.Codec) consumer.Handler {
		return consumer.EachRecord(c, func(context.Context, *shard.Record, click) error { return errDown })
	}
	for name, change := range map[string]func(*consumer.Config){
		"json":        func(c *consumer.Config) { c.Handler = each(codec.JSON) },
		"strict json": func(c *consumer.Config) { c.Handler = each(codec.JSONCodec{DisallowUnknownFields: true}) },
		"msgpack":     func(c *consumer.Config) { c.Handler = each(msgpackcodec.Codec{}) },
		"panics": func(c *consumer.Config) {
			c.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
				_ = b.Records[0].Data[1_000_000] // out of range, and the stack is the library's
				return nil
			})
		},
		"hangs": func(c *consumer.Config) {
			c.HandlerTimeout = time.Second
			c.Handler = consumer.HandlerFunc(func(ctx context.Context, _ *batching.Batch) error {
				time.Sleep(10 * time.Second)
				return ctx.Err()
			})
		},
		"parked": func(c *consumer.Config) {
			c.SetAside = batching.SetAside{After: 1, Delays: []time.Duration{time.Second}}
			c.Park = consumer.Park{Keys: 20, RetryEvery: 20 * time.Second}
			c.Handler = consumer.HandlerFunc(func(_ context.Context, b *batching.Batch) error {
				return batching.FailFrom(b.First(), errDown)
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rig := streamtest.New(t, 1)
				defer rig.Close()
				letters := rig.AWS.SQS().CreateQueue("letters")
				var refused atomic.Int64
				rig.AWS.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
					if c.Service == "sqs" {
						if refused.Add(1)%2 == 1 {
							return awsfake.Fail("InvalidMessageContents", 400)
						}
					}
					return awsfake.Fault{}
				})
				putCanaries(rig)
				set := func(c *consumer.Config) {
					c.BisectBatchOnError, c.MaximumRetryAttempts = true, batching.AtMost(1)
					c.OnFailure = sqsdestination.Open(sqs.NewFromConfig(rig.AWS.Config("w")), letters)
					c.Filters = []string{`{"partitionKey":[{"exists":true}]}`}
					change(c)
				}
				w := rig.Start("w", set)
				time.Sleep(40 * time.Second)
				w.Kill()
				rig.Start("v", set)
				time.Sleep(40 * time.Second)
				if rig.Logged() < 10 {
					t.Errorf("%d lines were logged, so that nothing was tried", rig.Logged())
				}
			})
		})
	}
}

// The changes of a table have canaries in keys, attributes and their names.
func TestNoLogShowsAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.NewTable(t, 1)
		defer rig.Close()
		for i := range 5 {
			rig.Put(fmt.Sprint(canary, i), canary)
		}
		if err := rig.AWS.DynamoDB().Put(streamtest.Table, dynamofake.Item{"id": dynamofake.S(canary), canary: dynamofake.S(canary)}); err != nil {
			t.Fatal(err)
		}
		var calls atomic.Int64
		rig.Start("w", func(c *consumer.Config) {
			c.Handler = consumer.EachRecord(dynamoshards.Codec{}, func(_ context.Context, _ *shard.Record, _ dynamoshards.Change) error {
				if calls.Add(1)%2 == 1 {
					return errDown
				}
				return nil
			})
		})
		rig.Await("everything handled", rig.AllDone)
	})
	// What the source would not write: a change that cannot be read.
	for _, data := range []string{
		`{"dynamodb":{"NewImage":{"` + canary + `":{"M":{"` + canary + `":{"` + canary + `":"x"}}}}}}`,
		`{"dynamodb":{"Keys":{"id":{"S":{"` + canary + `":1}}}}}`, canary, `{"dynamodb":{"ApproximateCreationDateTime":` + strings.Repeat("9", 400) + `}}`,
	} {
		var c dynamoshards.Change
		if err := (dynamoshards.Codec{}).Decode([]byte(data), &c); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("decode %.60s: %v", data, err)
		}
	}
}

// An error about an aggregate tells its place and not what is in it.
func TestMalformedAggregateIsNotQuoted(t *testing.T) {
	garbage := []byte("\x0a\x06" + canary)
	sum := md5.Sum(garbage)
	_, err := kpl.Decode(bytes.Join([][]byte{[]byte("\xf3\x89\x9a\xc2"), garbage, sum[:]}, nil))
	if err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("error %v", err)
	}
}
