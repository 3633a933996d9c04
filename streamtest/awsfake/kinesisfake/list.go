package kinesisfake

import (
	"slices"
	"time"
)

type listShardsInput struct {
	named
	NextToken               *string
	ExclusiveStartShardId   *string
	MaxResults              *int
	StreamCreationTimestamp *epoch
	ShardFilter             *shardFilter
}

type shardFilter struct {
	Type      string
	ShardId   *string
	Timestamp *epoch
}

type listShardsOutput struct {
	Shards    []shardDescription
	NextToken string `json:",omitempty"`
}

type shardDescription struct {
	ShardId               string
	ParentShardId         string `json:",omitempty"`
	AdjacentParentShardId string `json:",omitempty"`
	HashKeyRange          hashKeyRange
	SequenceNumberRange   sequenceNumberRange
}

type hashKeyRange struct{ StartingHashKey, EndingHashKey string }

type sequenceNumberRange struct {
	StartingSequenceNumber string
	EndingSequenceNumber   string `json:",omitempty"`
}

// listing is what a NextToken of ListShards holds.
type listing struct {
	stream uint64 // its birth
	after  int    // the number of the last shard told; -1 before the first
	filter int    // index in filters
	at     int64  // the filter's time, in milliseconds
	issued time.Time
}

// filters are the types of a ShardFilter; the first is also that of no filter.
var filters = []string{"FROM_TRIM_HORIZON", "AT_TRIM_HORIZON", "AT_LATEST", "AT_TIMESTAMP", "FROM_TIMESTAMP", "AFTER_SHARD_ID"}

func (s *Service) listShards(in listShardsInput) (out listShardsOutput, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	most := defaultListMax
	if in.MaxResults != nil {
		if *in.MaxResults < 1 || *in.MaxResults > 10000 {
			return out, refusal("ValidationException", "MaxResults must be from 1 to 10000.")
		}
		most = min(*in.MaxResults, defaultListMax)
	}
	t, l, err := s.listing(in)
	if err != nil {
		return out, err
	}
	now := s.now()
	out.Shards = []shardDescription{}
	for _, d := range t.shards[min(max(l.after+1, 0), len(t.shards)):] {
		if !l.wants(t, d, now) {
			continue
		}
		if len(out.Shards) == most {
			out.NextToken = seal(listToken, int64(l.stream), int64(l.after), int64(l.filter), l.at, now.UnixNano())
			break
		}
		out.Shards = append(out.Shards, d.describe())
		l.after = d.number
	}
	return out, nil
}

// listing is what a request begins or goes on with.
func (s *Service) listing(in listShardsInput) (*stream, listing, error) {
	if in.NextToken != nil {
		if in.StreamName != "" || in.ExclusiveStartShardId != nil || in.StreamCreationTimestamp != nil || in.ShardFilter != nil {
			return nil, listing{}, invalid("NextToken and StreamName, StreamCreationTimestamp, ExclusiveStartShardId or ShardFilter cannot be given together.")
		}
		return s.resume(*in.NextToken)
	}
	t, err := s.find(in.named)
	if err != nil {
		return nil, listing{}, err
	}
	if c := in.StreamCreationTimestamp; c != nil && time.Time(*c).UnixMilli() != t.created.UnixMilli() {
		return nil, listing{}, notFound("Stream %s under account %s was not created at that time.", t.name, account)
	}
	l := listing{stream: t.birth, after: -1}
	if in.ExclusiveStartShardId != nil {
		if l.after, err = t.number(*in.ExclusiveStartShardId); err != nil {
			return nil, l, err
		}
	}
	f := in.ShardFilter
	if f == nil {
		return t, l, nil
	}
	if l.filter = slices.Index(filters, f.Type); l.filter < 0 {
		return nil, l, refusal("ValidationException", "ShardFilter type %q is none of %v", f.Type, filters)
	}
	if byTime := f.Type == "AT_TIMESTAMP" || f.Type == "FROM_TIMESTAMP"; byTime != (f.Timestamp != nil) {
		return nil, l, invalid("The Timestamp of a ShardFilter goes with AT_TIMESTAMP and FROM_TIMESTAMP only, and they need it; the type is %s.", f.Type)
	}
	if byShard := f.Type == "AFTER_SHARD_ID"; byShard != (f.ShardId != nil) {
		return nil, l, invalid("The ShardId of a ShardFilter goes with AFTER_SHARD_ID only, and that needs it; the type is %s.", f.Type)
	}
	if f.Timestamp != nil {
		l.at = time.Time(*f.Timestamp).UnixMilli()
	}
	if f.ShardId != nil {
		if l.after, err = t.number(*f.ShardId); err != nil {
			return nil, l, err
		}
	}
	return t, l, nil
}

// resume goes on where a token says.
func (s *Service) resume(token string) (*stream, listing, error) {
	var stream, after, filter, at, issued int64
	if !unseal(token, listToken, &stream, &after, &filter, &at, &issued) || filter < 0 || filter >= int64(len(filters)) {
		return nil, listing{}, invalid("NextToken is invalid.")
	}
	l := listing{uint64(stream), int(after), int(filter), at, time.Unix(0, issued)}
	now := s.now()
	if now.Sub(l.issued) > tokenTTL {
		return nil, l, refusal("ExpiredNextTokenException", "NextToken was issued more than %s ago.", tokenTTL)
	}
	for _, t := range s.streams {
		if t.birth == l.stream {
			t.settle(now)
			return t, l, nil
		}
	}
	return nil, l, notFound("The stream of the NextToken does not exist under account %s.", account)
}

// wants reports whether a shard belongs to the list.
func (l listing) wants(t *stream, d *shard, now time.Time) bool {
	horizon := t.horizon(now)
	if d.expired(horizon) {
		return false
	}
	open, at := d.closed.IsZero(), time.UnixMilli(l.at)
	switch filters[l.filter] {
	case "AT_LATEST":
		return open
	case "AT_TRIM_HORIZON":
		return !d.created.After(horizon) && (open || d.closed.After(horizon))
	case "AT_TIMESTAMP":
		return !d.created.After(at) && (open || !d.closed.Before(at))
	case "FROM_TIMESTAMP":
		return open || !d.closed.Before(at)
	}
	return true
}

func (d *shard) hashKeyRange() hashKeyRange {
	return hashKeyRange{d.low.String(), d.high.String()}
}

func (d *shard) describe() shardDescription {
	out := shardDescription{
		ShardId:             d.id,
		HashKeyRange:        d.hashKeyRange(),
		SequenceNumberRange: sequenceNumberRange{d.starting(), d.ending},
	}
	if len(d.parents) > 0 {
		out.ParentShardId = d.parents[0].id
	}
	if len(d.parents) > 1 {
		out.AdjacentParentShardId = d.parents[1].id
	}
	return out
}
