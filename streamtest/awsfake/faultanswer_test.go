package awsfake_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/streamtest/awsfake"
)

// read is one GetRecords from the beginning of the stream.
func read(t *testing.T, a *awsfake.AWS, c *kinesis.Client) (*kinesis.GetRecordsOutput, error) {
	t.Helper()
	it, err := c.GetShardIterator(t.Context(), &kinesis.GetShardIteratorInput{
		StreamName: aws.String("clicks"), ShardId: aws.String("shardId-000000000000"), ShardIteratorType: types.ShardIteratorTypeTrimHorizon,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: it.ShardIterator})
}

// onRead is a fault that every GetRecords meets.
func onRead(a *awsfake.AWS, f awsfake.Fault) {
	a.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
		if c.Operation == "GetRecords" {
			return f
		}
		return awsfake.Fault{}
	})
}

// A body that was cut or garbled on its way is an error, never an empty answer;
// what a service with a bug says is believed.
func TestFaultSpoilsTheBodyOfAnAnswer(t *testing.T) {
	swap := awsfake.Rewrite(func(answer []byte) []byte {
		return bytes.Replace(answer, []byte(`"PartitionKey":"k"`), []byte(`"PartitionKey":"other"`), 1)
	})
	for name, c := range map[string]struct {
		fault awsfake.Fault
		key   string
		fails string
	}{
		"cut":       {fault: awsfake.Truncate(0.5), fails: "unexpected EOF"},
		"cut first": {fault: awsfake.Truncate(0), fails: "unexpected EOF"},
		"garbled":   {fault: awsfake.Garble(0), fails: "deserialization failed"},
		"rewritten": {fault: swap, key: "other"},
		"none":      {key: "k"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newStream(t)
			client := once(a, "w")
			if err := put(t.Context(), client); err != nil {
				t.Fatal(err)
			}
			onRead(a, c.fault)
			out, err := read(t, a, client)
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Errorf("GetRecords: %v, want an error with %q", err, c.fails)
				}
				return
			}
			if err != nil || len(out.Records) != 1 || *out.Records[0].PartitionKey != c.key {
				t.Errorf("GetRecords: %+v, %v, want one record of key %s", out, err, c.key)
			}
		})
	}
}

// Over a socket a body that is cut ends in the middle too.
func TestFaultTruncatesOverASocket(t *testing.T) {
	a := newStream(t)
	url, stop, err := a.Serve()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	config := awsfake.LoopbackConfig("w", url)
	config.RetryMaxAttempts = 1
	client := kinesis.NewFromConfig(config)
	if err := put(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	onRead(a, awsfake.Truncate(0.5))
	if _, err := read(t, a, client); err == nil || !strings.Contains(err.Error(), "unexpected EOF") {
		t.Errorf("GetRecords: %v, want an unexpected end", err)
	}
}

// An orphan is applied when its caller has long gone on, even if its context has
// ended by then.
func TestFaultAppliesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newStream(t)
		remove := a.Intercept(func(context.Context, awsfake.Call) awsfake.Fault { return awsfake.ApplyLate(3 * time.Second) })
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		err := put(ctx, once(a, "w"))
		cancel()
		remove()
		if took := time.Since(began); !errors.Is(err, syscall.ECONNRESET) || took != 0 {
			t.Errorf("put: %v after %v, want a broken connection at once", err, took)
		}
		for _, at := range []struct {
			after   time.Duration
			applied int
		}{{2 * time.Second, 0}, {4 * time.Second, 1}} {
			time.Sleep(at.after - time.Since(began))
			synctest.Wait()
			if n := a.Kinesis().Count("clicks"); n != at.applied {
				t.Errorf("after %v there are %d records, want %d", at.after, n, at.applied)
			}
		}
	})
}
