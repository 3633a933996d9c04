package dynamoshards

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/internal/dice"
	"github.com/towpath/towpath/shard"
)

const (
	// listings is how often a listing that contradicts itself is read anew. Its
	// pages are not of one moment: shards roll over between them.
	listings = 3
	// betweenListings is the first wait before that; it doubles.
	betweenListings = 100 * time.Millisecond
	// pagePatience is for how long one page is asked for while the service asks
	// to slow down: it grants ten DescribeStream a second to the whole account,
	// and a fleet that starts at once needs more. A listing that gave up at the
	// first refusal would begin with the first page for ever.
	pagePatience = 20 * time.Second
	pageWait     = 150 * time.Millisecond
	pageMost     = 3 * time.Second
)

// List returns every shard the service lists, each once. A stream that does not
// exist is shard.ErrNoStream.
//
// A listing that contradicts itself is read again, up to three times in all. If
// it still does, a parent that is listed as open though its child is listed too
// counts as closed where the child begins.
func (s *Source) List(ctx context.Context) ([]shard.Shard, error) {
	arn, err := s.arn(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the shards of %s: %w", s, err)
	}
	for try := 1; ; try++ {
		shards, err := s.pages(ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: &arn})
		if err != nil {
			return nil, fmt.Errorf("list the shards of %s: %w", s, failed("DescribeStream", err))
		}
		if try == listings || contradiction(shards) == "" {
			return closed(shards), nil
		}
		if err := clock.Sleep(ctx, doubled(betweenListings, time.Second, try)); err != nil {
			return nil, fmt.Errorf("list the shards of %s: %w", s, err)
		}
	}
}

// childrenOf are the shards that name one as their parent. The service is asked
// for them alone; a server that does not know the question answers with all.
func (s *Source) childrenOf(ctx context.Context, arn, shardID string) ([]shard.Shard, error) {
	shards, err := s.pages(ctx, &dynamodbstreams.DescribeStreamInput{
		StreamArn: &arn, ShardFilter: &types.ShardFilter{Type: types.ShardFilterTypeChildShards, ShardId: &shardID},
	})
	if isInvalid(err) {
		shards, err = s.pages(ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: &arn})
	}
	return slices.DeleteFunc(shards, func(d shard.Shard) bool { return !slices.Contains(d.Parents, shardID) }), err
}

// pages reads all pages once.
func (s *Source) pages(ctx context.Context, in *dynamodbstreams.DescribeStreamInput) ([]shard.Shard, error) {
	var all []shard.Shard
	known := map[string]bool{}
	for {
		out, err := s.page(ctx, in)
		if err != nil {
			return nil, err
		}
		if out.StreamDescription == nil {
			return nil, errors.New("the answer is empty")
		}
		for _, described := range out.StreamDescription.Shards {
			d := fromListing(described)
			if d.ID == "" || known[d.ID] {
				continue
			}
			known[d.ID] = true
			all = append(all, d)
		}
		last := aws.ToString(out.StreamDescription.LastEvaluatedShardId)
		switch {
		case last == "":
			return all, nil
		case last == aws.ToString(in.ExclusiveStartShardId):
			return nil, fmt.Errorf("the service gives the page after %s again and again", last)
		}
		next := *in
		next.ExclusiveStartShardId = &last
		in = &next
	}
}

// page asks for one page, again if the service asks to slow down.
func (s *Source) page(ctx context.Context, in *dynamodbstreams.DescribeStreamInput) (*dynamodbstreams.DescribeStreamOutput, error) {
	began := time.Now()
	for try := 1; ; try++ {
		out, err := s.describePage(ctx, in)
		if err == nil || kind(err) != troubleThrottled || time.Since(began) > pagePatience {
			return out, err
		}
		most := doubled(pageWait, pageMost, try)
		if sleepErr := clock.Sleep(ctx, most/2+dice.From(ctx).N(most/2, "list")); sleepErr != nil {
			return nil, fmt.Errorf("%w: %w", sleepErr, err)
		}
	}
}

func (s *Source) describePage(ctx context.Context, in *dynamodbstreams.DescribeStreamInput) (*dynamodbstreams.DescribeStreamOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return s.client.DescribeStream(ctx, in, fewTries)
}

func fromListing(d types.Shard) shard.Shard {
	out := shard.Shard{ID: aws.ToString(d.ShardId)}
	if parent := aws.ToString(d.ParentShardId); parent != "" {
		out.Parents = []string{parent}
	}
	if r := d.SequenceNumberRange; r != nil {
		out.FirstSequence, out.LastSequence = aws.ToString(r.StartingSequenceNumber), aws.ToString(r.EndingSequenceNumber)
	}
	return out
}

// contradiction says why a listing cannot be that of one moment, or nothing: a
// parent is open though its child is there, or is not there though older shards
// are. Ids grow with the time at which a shard was made, and retention takes the
// oldest first.
func contradiction(shards []shard.Shard) string {
	listed := make(map[string]shard.Shard, len(shards))
	oldest := ""
	for _, d := range shards {
		listed[d.ID] = d
		if oldest == "" || d.ID < oldest {
			oldest = d.ID
		}
	}
	for _, d := range shards {
		for _, id := range d.Parents {
			parent, there := listed[id]
			switch {
			case there && parent.Open():
				return fmt.Sprintf("%s is open, and its child %s is listed", id, d.ID)
			case !there && id > oldest:
				return fmt.Sprintf("%s, the parent of %s, is not listed, and older shards are", id, d.ID)
			}
		}
	}
	return ""
}

// closed is the listing with each parent closed whose child is listed.
func closed(shards []shard.Shard) []shard.Shard {
	begins := map[string]string{}
	for _, d := range shards {
		for _, parent := range d.Parents {
			begins[parent] = d.FirstSequence
		}
	}
	for i, d := range shards {
		if first, ok := begins[d.ID]; ok && d.Open() {
			shards[i].LastSequence = first
			if first == "" {
				shards[i].LastSequence = d.FirstSequence
			}
		}
	}
	return shards
}

func enabled(status types.StreamStatus) bool {
	return status != types.StreamStatusDisabled && status != types.StreamStatusDisabling
}
