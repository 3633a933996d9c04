package dynamofake

import (
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"time"
)

// What GetRecords answers at most, and how long an iterator can be used:
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
const (
	maxStreamPage   = 1000
	maxStreamBytes  = 1 << 20
	streamIterators = 15 * time.Minute
)

type getShardIteratorInput struct{ StreamArn, ShardId, ShardIteratorType, SequenceNumber string }

// streamIterator is what a shard iterator holds. Nothing is kept for it.
type streamIterator struct {
	ARN    string
	Shard  string
	Next   int   // of all records the shard ever had
	Issued int64 // in nanoseconds
}

// getShardIterator is GetShardIterator. That a number was trimmed is told by
// GetRecords, as DynamoDB Local does; the real service may tell it here.
func (s *Service) getShardIterator(in getShardIteratorInput) (any, error) {
	t, err := s.streamOf(in.StreamArn)
	if err != nil {
		return nil, notFound("Stream does not exist")
	}
	d, err := t.shard(in.ShardId)
	if err != nil {
		return nil, err
	}
	place, err := d.place(in)
	if err != nil {
		return nil, err
	}
	return object{"ShardIterator": s.iterator(t, d, place)}, nil
}

func (s *Service) iterator(t *stream, d *streamShard, next int) string {
	b, _ := json.Marshal(streamIterator{t.arn(), d.id, next, s.now().UnixNano()}) // texts and numbers always marshal
	return t.arn() + "|001|" + base64.StdEncoding.EncodeToString(b)
}

// place is where a new iterator stands.
func (d *streamShard) place(in getShardIteratorInput) (int, error) {
	after := 0
	switch in.ShardIteratorType {
	case "TRIM_HORIZON", "LATEST":
		if in.SequenceNumber != "" {
			return 0, invalid("One or more parameter values were invalid: SequenceNumber should not be passed for this iterator type")
		}
		if in.ShardIteratorType == "LATEST" {
			return d.trimmed + len(d.records), nil
		}
		return d.trimmed, nil
	case "AFTER_SEQUENCE_NUMBER":
		after = 1
	case "AT_SEQUENCE_NUMBER":
	default:
		return 0, unknownValue("shardIteratorType", in.ShardIteratorType, "[AFTER_SEQUENCE_NUMBER, LATEST, AT_SEQUENCE_NUMBER, TRIM_HORIZON]")
	}
	number, ok := new(big.Int).SetString(in.SequenceNumber, 10)
	switch {
	case in.SequenceNumber == "" || !ok:
		return 0, invalid("One or more parameter values were invalid: Invalid SequenceNumber")
	case len(in.SequenceNumber) < 21 || len(in.SequenceNumber) > 40:
		return 0, invalid("1 validation error detected: Value '%s' at 'sequenceNumber' failed to satisfy constraint: Member must have length greater than or equal to 21", in.SequenceNumber)
	case number.Cmp(numeric(d.starting)) < 0, d.ending != "" && number.Cmp(numeric(d.ending)) > 0:
		return 0, invalid("Invalid SequenceNumber for the shard")
	case d.trimmedUpTo != "" && number.Cmp(numeric(d.trimmedUpTo)) <= 0:
		if after == 1 && number.Cmp(numeric(d.trimmedUpTo)) == 0 {
			return d.trimmed, nil
		}
		return d.trimmed - 1, nil
	}
	for i, r := range d.records {
		switch number.Cmp(numeric(r.sequence)) {
		case 0:
			return d.trimmed + i + after, nil
		case -1:
			return d.trimmed + i, nil
		}
	}
	return d.trimmed + len(d.records), nil
}

// numeric is the value of a sequence number that this fake gave out.
func numeric(sequence string) *big.Int {
	n, _ := new(big.Int).SetString(sequence, 10)
	return n
}

// getRecords is GetRecords. The answer to the last records of a closed shard has
// no next iterator.
func (s *Service) getRecords(in struct {
	ShardIterator string
	Limit         *int
}) (any, error) {
	if in.Limit != nil && *in.Limit > maxStreamPage {
		return nil, invalid("One or more parameter values were invalid: Limit should be less than or equal to %d", maxStreamPage)
	}
	limit, err := pageLimit(in.Limit, maxStreamPage)
	if err != nil {
		return nil, err
	}
	i, ok := parseStreamIterator(in.ShardIterator)
	if !ok {
		return nil, invalid("Invalid ShardIterator")
	}
	if s.now().Sub(time.Unix(0, i.Issued)) > s.iterators {
		return nil, &apiError{code: "ExpiredIteratorException", message: "Iterator expired"}
	}
	t, err := s.streamOf(i.ARN)
	if err != nil {
		return nil, err
	}
	d, err := t.shard(i.Shard)
	if err != nil {
		return nil, err
	}
	if i.Next < d.trimmed {
		return nil, &apiError{code: "TrimmedDataAccessException", message: "The operation attempted to read past the oldest stream record in a shard"}
	}
	rest := d.records[min(i.Next-d.trimmed, len(d.records)):]
	bodies, size := []json.RawMessage{}, 0
	for _, r := range rest {
		if size += r.size; len(bodies) == limit || size > maxStreamBytes && len(bodies) > 0 {
			break
		}
		bodies = append(bodies, r.body)
	}
	answer := object{"Records": bodies}
	if d.ending == "" || len(bodies) < len(rest) {
		answer["NextShardIterator"] = s.iterator(t, d, i.Next+len(bodies))
	}
	return answer, nil
}

func parseStreamIterator(text string) (i streamIterator, ok bool) {
	_, sealed, ok := strings.Cut(text, "|001|")
	if !ok {
		return i, false
	}
	b, err := base64.StdEncoding.DecodeString(sealed)
	return i, err == nil && json.Unmarshal(b, &i) == nil && i.Next >= 0
}
