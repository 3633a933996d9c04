package kinesisshards

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
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

// request is where to ask the service to begin for a position, and whether what
// comes has to begin with the record at that position.
func request(p shard.Position) (at types.StartingPosition, anchored bool) {
	switch {
	case p.IsRecord():
		at.Type, at.SequenceNumber = types.ShardIteratorTypeAtSequenceNumber, &p.Sequence
		return at, true
	case p.IsAtTime(), p.IsLatest() && !p.At.IsZero():
		// The service counts in milliseconds; what is finer is cut, so that reading
		// never begins later than asked for.
		at.Type, at.Timestamp = types.ShardIteratorTypeAtTimestamp, aws.Time(p.At.Truncate(time.Millisecond))
	case p.IsLatest():
		at.Type = types.ShardIteratorTypeLatest
	default:
		at.Type = types.ShardIteratorTypeTrimHorizon
	}
	return at, false
}
