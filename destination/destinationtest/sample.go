package destinationtest

import (
	"errors"
	"fmt"
	"time"

	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/shard"
)

const (
	sampleStream = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"
	sampleShard  = "shardId-000000000007"
)

// sampleTime is when the first record of a sample arrived.
var sampleTime = time.Date(2026, 3, 1, 23, 59, 59, 250_000_000, time.UTC)

// Sample is a failure of n records of a Kinesis stream, the same each time.
func Sample(n int) destination.Failure {
	f := destination.Failure{
		Application: "clickstream",
		Worker:      "worker-1",
		Stream:      sampleStream,
		Shard:       sampleShard,
		Condition:   destination.RetryAttemptsExhausted,
		Attempts:    3,
		Err:         errors.New("insert click: connection refused"),
		At:          sampleTime.Add(time.Minute),
	}
	for i := range n {
		f.Records = append(f.Records, record(i))
	}
	return f
}

// record is the i-th record of a sample.
func record(i int) shard.Record {
	return shard.Record{
		Stream:       sampleStream,
		Shard:        sampleShard,
		Sequence:     fmt.Sprintf("4966%052d", i+1),
		PartitionKey: fmt.Sprintf("visitor-%d", i),
		Keyed:        true,
		Data:         fmt.Appendf(nil, `{"click":%d}`, i),
		ArrivedAt:    sampleTime.Add(time.Duration(i) * time.Millisecond),
	}
}
