package kinesisshards

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/shard"
)

// maxIteratorAge is how old a shard iterator is used. The service lets one
// expire after five minutes.
const maxIteratorAge = 4*time.Minute + 30*time.Second

// iterator is a shard iterator with its age. The zero iterator is none.
type iterator struct {
	token string
	at    time.Time // when it was asked for, by the host's clock
}

func (i iterator) usable(now time.Time) bool {
	return i.token != "" && now.Sub(i.at) < maxIteratorAge
}

// request is the question for an iterator at a position, and whether the answer
// has to begin with the record at that position.
func request(p shard.Position) (in kinesis.GetShardIteratorInput, anchored bool) {
	switch {
	case p.IsRecord():
		in.ShardIteratorType = types.ShardIteratorTypeAtSequenceNumber
		in.StartingSequenceNumber = &p.Sequence
		return in, true
	case p.IsAtTime(), p.IsLatest() && !p.At.IsZero():
		in.ShardIteratorType = types.ShardIteratorTypeAtTimestamp
		// The service counts in milliseconds; what is finer is cut, so that the
		// iterator is never later than asked for.
		in.Timestamp = aws.Time(p.At.Truncate(time.Millisecond))
	case p.IsLatest():
		in.ShardIteratorType = types.ShardIteratorTypeLatest
	default:
		in.ShardIteratorType = types.ShardIteratorTypeTrimHorizon
	}
	return in, false
}
