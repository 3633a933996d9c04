package kinesisshards

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/internal/dice"
	"github.com/towpath/towpath/shard"
)

const (
	// maxExpiries is how many page tokens of a listing may expire with no page
	// between them. A token lives for 300 s, so that one expiry is bad luck and
	// three are not.
	maxExpiries = 3
	// pagePatience is for how long one page is asked for while the service asks to
	// slow down: a fleet that starts at once on a stream of many pages needs more
	// than it is granted, and a listing that gave up at the first refusal would
	// begin with the first page for ever.
	pagePatience = 20 * time.Second
	pageWait     = 150 * time.Millisecond
	pageMost     = 3 * time.Second
	// maxIdlePages is how many pages may follow one another without a shard that
	// was not there before.
	maxIdlePages = 100
)

// List returns every shard the service lists, in its order, each once. A stream
// that does not exist is shard.ErrNoStream. A page that is refused because too
// much was asked is asked for again, and one whose token has expired behind the
// last shard that was listed: what has been read is not read a second time.
func (s *Source) List(ctx context.Context) ([]shard.Shard, error) {
	n, err := s.stream()
	if err != nil {
		return nil, err
	}
	shards, err := s.list(ctx, n)
	if err != nil {
		return nil, fmt.Errorf("list the shards of %s: %w", s, failed("ListShards", err))
	}
	return shards, nil
}

// list reads all pages once.
func (s *Source) list(ctx context.Context, n name) ([]shard.Shard, error) {
	var all []shard.Shard
	known := map[string]bool{}
	in, last := listingFrom(n, ""), ""
	for idle, expired := 0, 0; ; {
		out, err := s.patientPage(ctx, in)
		if code(err) == "ExpiredNextTokenException" && expired < maxExpiries {
			expired++
			in = listingFrom(n, last)
			continue
		}
		if err != nil {
			return nil, err
		}
		expired = 0
		if len(out.Shards) > 0 {
			last = aws.ToString(out.Shards[len(out.Shards)-1].ShardId)
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

// listingFrom asks for the shards behind one, or for all.
func listingFrom(n name, after string) *kinesis.ListShardsInput {
	in := &kinesis.ListShardsInput{StreamName: text(n.short), ExclusiveStartShardId: text(after)}
	if n.arn != "" {
		in.StreamName, in.StreamARN = nil, text(n.arn)
	}
	return in
}

// patientPage asks for one page, again if the service asks to slow down.
func (s *Source) patientPage(ctx context.Context, in *kinesis.ListShardsInput) (*kinesis.ListShardsOutput, error) {
	began := time.Now()
	for try := 1; ; try++ {
		out, err := s.listPage(ctx, in)
		if err == nil || kind(err) != troubleThrottled || time.Since(began) > pagePatience {
			return out, err
		}
		most := doubled(pageWait, pageMost, try)
		if sleepErr := clock.Sleep(ctx, most/2+dice.From(ctx).N(most/2, "list")); sleepErr != nil {
			return nil, fmt.Errorf("%w: %w", sleepErr, err)
		}
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
