//go:build unix

package streamtest_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
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
// come on top. Each has had a page of records before. Memory is heap and stacks after a collection, less what there was
// before; the time is the processor's, over ten seconds in which each shard is
// read as often as one from which nothing has come for a minute.
//
//	go test ./streamtest -run '^$' -bench IdleShards -benchtime 1x
func BenchmarkIdleShards(b *testing.B) {
	const shards, lasts = 1000, 10 * time.Second
	for b.Loop() {
		emptyHeap, emptyStacks := memoryInUse()
		answers := &readyAnswers{shards: shards}
		client := kinesis.NewFromConfig(aws.Config{
			Region: "eu-west-1", HTTPClient: answers, Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
		})
		c, err := consumer.New(consumer.Config{
			Name: streamtest.Application, Leases: checkpointtest.NewTable(), Logger: slog.New(slog.DiscardHandler),
			Source: kinesisshards.Open(client, streamtest.Stream, func(o *kinesisshards.Options) {
				o.PollFloor, o.PollCeiling = 3*time.Second, 3*time.Second
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
		heap, stacks := memoryInUse()
		b.ReportMetric(float64(heap-emptyHeap)/shards/1024, "heap-KB/shard")
		b.ReportMetric(float64(stacks-emptyStacks)/shards/1024, "stack-KB/shard")
		b.ReportMetric(float64(runtime.NumGoroutine())/shards, "goroutines/shard")
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	}
}

// memoryInUse is the heap and the stacks, in bytes.
func memoryInUse() (heap, stacks int64) {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc), int64(m.StackInuse)
}

// processorTime is what this process has used.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// firstPage is how many records each shard has when it is read first.
const firstPage = 2000

var readyData = base64.StdEncoding.EncodeToString(make([]byte, 100))

// readyAnswers is a Kinesis to whose shards nothing comes any more.
type readyAnswers struct {
	shards int
	read   atomic.Int64
}

func (a *readyAnswers) Do(r *http.Request) (*http.Response, error) {
	var asked struct{ ShardId, ShardIterator string }
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		return nil, err
	}
	r.Body.Close()
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
		body.WriteString(`{"Records":[`)
		for i := 0; i < firstPage && asked.ShardIterator == longIterator; i++ {
			if i > 0 {
				body.WriteByte(',')
			}
			fmt.Fprintf(&body, `{"SequenceNumber":"4960%052d","PartitionKey":"user-%d","Data":%q,"ApproximateArrivalTimestamp":1.7e9}`, i+1, i, readyData)
		}
		fmt.Fprintf(&body, `],"MillisBehindLatest":0,"NextShardIterator":"%s%012d"}`, longIterator, a.read.Add(1))
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
