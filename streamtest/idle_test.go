//go:build unix

package streamtest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest"
)

// What a thousand idle shards cost: the engine, the driver and the SDK's client,
// whose calls are answered at once and in the process, so that sockets and TLS
// come on top. Memory is heap and stacks after a collection, less what there was
// before; the time is the processor's, over ten seconds in which each shard is
// read as often as one from which nothing has come for a minute.
//
//	go test ./streamtest -run '^$' -bench IdleShards -benchtime 1x
func BenchmarkIdleShards(b *testing.B) {
	const shards, lasts = 1000, 10 * time.Second
	for b.Loop() {
		empty := memoryInUse()
		answers := &readyAnswers{shards: shards}
		client := kinesis.NewFromConfig(aws.Config{
			Region: "eu-west-1", HTTPClient: answers, Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
		})
		c, err := consumer.New(consumer.Config{
			Name: streamtest.Application, Leases: checkpointtest.NewTable(), Logger: slog.New(slog.DiscardHandler),
			Source: kinesisshards.Open(client, streamtest.Stream, func(o *kinesisshards.Options) {
				o.PollFloor, o.PollCeiling = 2*time.Second, 2*time.Second
			}),
			Handler: consumer.HandlerFunc(func(context.Context, *batching.Batch) error { return nil }),
		})
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(b.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		for answers.read.Load() < 2*shards {
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(5 * time.Second)
		reads, began, used := answers.read.Load(), time.Now(), processorTime(b)
		time.Sleep(lasts)
		used, reads = processorTime(b)-used, answers.read.Load()-reads
		b.ReportMetric(used.Seconds()/time.Since(began).Seconds(), "cores")
		b.ReportMetric(float64(used.Microseconds())/float64(reads), "cpu-us/read")
		b.ReportMetric(float64(memoryInUse()-empty)/shards/1024, "KB/shard")
		b.ReportMetric(float64(runtime.NumGoroutine())/shards, "goroutines/shard")
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	}
}

// memoryInUse is the heap and the stacks, in bytes.
func memoryInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// processorTime is what this process has used.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// readyAnswers is a Kinesis without records.
type readyAnswers struct {
	shards int
	read   atomic.Int64
}

func (a *readyAnswers) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		io.Copy(io.Discard, r.Body)
		r.Body.Close()
	}
	var body bytes.Buffer
	switch r.Header.Get("X-Amz-Target") {
	case "Kinesis_20131202.DescribeStreamSummary":
		fmt.Fprintf(&body, `{"StreamDescriptionSummary":{"StreamName":%q,"StreamARN":"arn:aws:kinesis:eu-west-1:123456789012:stream/clicks","StreamStatus":"ACTIVE","RetentionPeriodHours":24,"StreamCreationTimestamp":1.7e9,"OpenShardCount":%d,"EnhancedMonitoring":[]}}`, streamtest.Stream, a.shards)
	case "Kinesis_20131202.ListShards":
		body.WriteString(`{"Shards":[`)
		for i := range a.shards {
			if i > 0 {
				body.WriteByte(',')
			}
			fmt.Fprintf(&body, `{"ShardId":"shardId-%012d","HashKeyRange":{"StartingHashKey":"%d","EndingHashKey":"%d"},"SequenceNumberRange":{"StartingSequenceNumber":"1"}}`, i, i*10, i*10+9)
		}
		body.WriteString(`]}`)
	case "Kinesis_20131202.GetShardIterator":
		body.WriteString(`{"ShardIterator":"` + longIterator + `"}`)
	case "Kinesis_20131202.GetRecords":
		fmt.Fprintf(&body, `{"Records":[],"MillisBehindLatest":0,"NextShardIterator":"%s%012d"}`, longIterator, a.read.Add(1))
	default:
		return nil, fmt.Errorf("no answer for %s", r.Header.Get("X-Amz-Target"))
	}
	return &http.Response{
		StatusCode: 200, ProtoMajor: 1, ProtoMinor: 1, Request: r, ContentLength: int64(body.Len()),
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "Date": {time.Now().UTC().Format(http.TimeFormat)}},
		Body:   io.NopCloser(&body),
	}, nil
}

// longIterator has as many characters as those of Kinesis.
var longIterator = string(bytes.Repeat([]byte("AAAAAAAAAAG"), 20))
