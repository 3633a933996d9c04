package dynamofake

import (
	"cmp"
	"slices"
	"time"
)

// maxShardPage is how many shards DescribeStream, and streams ListStreams,
// answers at once:
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_DescribeStream.html
const maxShardPage = 100

type describeStreamInput struct {
	StreamArn             string
	Limit                 *int
	ExclusiveStartShardId string
	ShardFilter           *struct{ Type, ShardId string }
}

// describeStream is DescribeStream.
func (s *Service) describeStream(in describeStreamInput) (any, error) {
	t, err := s.streamOf(in.StreamArn)
	if err != nil {
		return nil, err
	}
	limit, err := pageLimit(in.Limit, maxShardPage)
	if err != nil {
		return nil, err
	}
	shards := t.listed(s.now().Add(-s.hides))
	if f := in.ShardFilter; f != nil {
		if f.Type != "CHILD_SHARDS" {
			return nil, unknownValue("shardFilter.type", f.Type, "[CHILD_SHARDS]")
		}
		shards = slices.DeleteFunc(shards, func(d *streamShard) bool { return d.parent != f.ShardId })
	}
	if from := in.ExclusiveStartShardId; from != "" {
		shards = slices.DeleteFunc(shards, func(d *streamShard) bool { return cmp.Compare(d.id, from) <= 0 })
	}
	description := object{
		"StreamArn": t.arn(), "StreamLabel": t.label, "StreamViewType": t.view, "TableName": t.table,
		"StreamStatus":            map[bool]string{true: "ENABLED", false: "DISABLED"}[t.enabled()],
		"CreationRequestDateTime": float64(t.created.UnixMilli()) / 1000,
		"KeySchema":               t.schema.elements(),
	}
	if len(shards) > limit {
		shards = shards[:limit]
		description["LastEvaluatedShardId"] = shards[limit-1].id
	}
	answered := make([]object, len(shards))
	for i, d := range shards {
		span := object{"StartingSequenceNumber": d.starting}
		if d.ending != "" {
			span["EndingSequenceNumber"] = d.ending
		}
		answered[i] = object{"ShardId": d.id, "SequenceNumberRange": span}
		if d.parent != "" {
			answered[i]["ParentShardId"] = d.parent
		}
	}
	description["Shards"] = answered
	return object{"StreamDescription": description}, nil
}

// listed are the shards of a stream by id, without those made after a moment.
func (t *stream) listed(until time.Time) []*streamShard {
	shards := slices.DeleteFunc(slices.Clone(t.shards), func(d *streamShard) bool { return d.created.After(until) })
	slices.SortFunc(shards, func(a, b *streamShard) int { return cmp.Compare(a.id, b.id) })
	return shards
}

func pageLimit(asked *int, most int) (int, error) {
	switch {
	case asked == nil:
		return most, nil
	case *asked < 1:
		return 0, invalid("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1", *asked)
	case *asked > most:
		return 0, invalid("One or more parameter values were invalid: Limit cannot be greater than the maximum: %d", most)
	}
	return *asked, nil
}

// listStreams is ListStreams. The newest of a table comes first.
func (s *Service) listStreams(in struct {
	TableName               string
	Limit                   *int
	ExclusiveStartStreamArn string
}) (any, error) {
	limit, err := pageLimit(in.Limit, maxShardPage)
	if err != nil {
		return nil, err
	}
	_, _ = s.streamOf("") // forgets those that are over
	all := slices.DeleteFunc(slices.Clone(s.streams), func(t *stream) bool { return in.TableName != "" && t.table != in.TableName })
	slices.SortFunc(all, func(a, b *stream) int { return cmp.Or(cmp.Compare(a.table, b.table), cmp.Compare(b.label, a.label)) })
	if from := in.ExclusiveStartStreamArn; from != "" {
		at := slices.IndexFunc(all, func(t *stream) bool { return t.arn() == from })
		if at < 0 {
			return nil, invalid("The provided starting stream is not one of the list")
		}
		all = all[at+1:]
	}
	answer := object{}
	if len(all) > limit {
		all = all[:limit]
		answer["LastEvaluatedStreamArn"] = all[limit-1].arn()
	}
	streams := make([]object, len(all))
	for i, t := range all {
		streams[i] = object{"StreamArn": t.arn(), "TableName": t.table, "StreamLabel": t.label}
	}
	answer["Streams"] = streams
	return answer, nil
}
