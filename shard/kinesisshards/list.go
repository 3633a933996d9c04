package kinesisshards

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/shard"
)

const (
	// maxRestarts is how often a listing is begun anew because its page token
	// expired. A token lives for 300 s, so that one expiry is bad luck and three
	// are not.
	maxRestarts = 3
	// maxIdlePages is how many pages may follow one another without a shard that
	// was not there before.
	maxIdlePages = 100
)

// List returns every shard the service lists, in its order, each once. A stream
// that does not exist is shard.ErrNoStream.
func (s *Source) List(ctx context.Context) ([]shard.Shard, error) {
	n, err := s.stream()
	if err != nil {
		return nil, err
	}
	for restart := 0; ; restart++ {
		shards, err := s.list(ctx, n)
		if code(err) == "ExpiredNextTokenException" && restart < maxRestarts {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list the shards of %s: %w", s, failed("ListShards", err))
		}
		return shards, nil
	}
}

// list reads all pages once.
func (s *Source) list(ctx context.Context, n name) ([]shard.Shard, error) {
	var all []shard.Shard
	known := map[string]bool{}
	in := &kinesis.ListShardsInput{StreamName: text(n.short)}
	if n.arn != "" {
		in.StreamName, in.StreamARN = nil, text(n.arn)
	}
	for idle := 0; ; {
		out, err := s.listPage(ctx, in)
		if err != nil {
			return nil, err
		}
		fresh := 0
		for _, described := range out.Shards {
			d := fromListing(described)
			if d.ID == "" || known[d.ID] {
				continue
			}
			known[d.ID] = true
			all = append(all, d)
			fresh++
		}
		token := aws.ToString(out.NextToken)
		if token == "" {
			return all, nil
		}
		if idle++; fresh > 0 {
			idle = 0
		}
		if token == aws.ToString(in.NextToken) || idle > maxIdlePages {
			return nil, fmt.Errorf("the service gives page after page without a new shard, after %d shards", len(all))
		}
		// A token stands for the whole question and is given alone.
		in = &kinesis.ListShardsInput{NextToken: &token}
	}
}

func (s *Source) listPage(ctx context.Context, in *kinesis.ListShardsInput) (*kinesis.ListShardsOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return s.client.ListShards(ctx, in, fewTries)
}

func fromListing(d types.Shard) shard.Shard {
	out := shard.Shard{ID: aws.ToString(d.ShardId), Parents: parents(d.ParentShardId, d.AdjacentParentShardId)}
	if r := d.HashKeyRange; r != nil {
		out.Hashes = shard.HashRange{Start: aws.ToString(r.StartingHashKey), End: aws.ToString(r.EndingHashKey)}
	}
	if r := d.SequenceNumberRange; r != nil {
		out.FirstSequence, out.LastSequence = aws.ToString(r.StartingSequenceNumber), aws.ToString(r.EndingSequenceNumber)
	}
	return out
}

func fromAnswer(d types.ChildShard) shard.Shard {
	out := shard.Shard{ID: aws.ToString(d.ShardId)}
	for _, id := range d.ParentShards {
		out.Parents = append(out.Parents, parents(&id)...)
	}
	if r := d.HashKeyRange; r != nil {
		out.Hashes = shard.HashRange{Start: aws.ToString(r.StartingHashKey), End: aws.ToString(r.EndingHashKey)}
	}
	return out
}

// parents are the ids that are there. Some servers say "null" or give an empty
// id for a parent that is not.
func parents(ids ...*string) []string {
	var there []string
	for _, id := range ids {
		if s := aws.ToString(id); s != "" && s != "null" {
			there = append(there, s)
		}
	}
	return there
}
