package kinesisshards_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
)

// slow is a script whose DescribeStreamSummary takes a second.
type slow struct{ *script }

func (s slow) DescribeStreamSummary(ctx context.Context, in *kinesis.DescribeStreamSummaryInput, o ...func(*kinesis.Options)) (*kinesis.DescribeStreamSummaryOutput, error) {
	time.Sleep(time.Second)
	return s.script.DescribeStreamSummary(ctx, in, o...)
}

func TestListReadsEveryPageWithTheTokenAlone(t *testing.T) {
	s := &script{listings: []listing{
		{shards: []types.Shard{listed("a", "1", "")}, token: "1"},
		{token: "2"}, // an empty page is not the last
		{shards: []types.Shard{listed("a", "1", ""), listed("b", "1", "9", "x", "y")}},
	}}
	shards, err := kinesisshards.Open(s, clicks).List(t.Context())
	must(t, err)
	if len(shards) != 2 || shards[0].ID != "a" || !slices.Equal(shards[1].Parents, []string{"x", "y"}) || shards[1].Open() {
		t.Errorf("got %+v, want a, and b with the parents x and y, closed", shards)
	}
	s.wantAsked(t, "list name=clicks token=", "list name= token=1", "list name= token=2")
}

func TestListGoesOnBehindTheLastShardWhenItsTokenExpired(t *testing.T) {
	expired := listing{err: refusal("ExpiredNextTokenException", "old")}
	first := listing{shards: []types.Shard{listed("a", "1", "")}, token: "1"}
	s := &script{listings: []listing{first, expired, {shards: []types.Shard{listed("b", "1", "")}}}}
	shards, err := kinesisshards.Open(s, clicks).List(t.Context())
	if err != nil || len(shards) != 2 {
		t.Errorf("got %v, %v, want two shards", shards, err)
	}
	s.wantAsked(t, "list name=clicks token=", "list name= token=1", "list name=clicks token= after=a")
	s.listings = []listing{first}
	for range 10 {
		s.listings = append(s.listings, listing{token: "1"}, expired)
	}
	for range 10 {
		s.listings = append(s.listings, expired)
	}
	if _, err := kinesisshards.Open(s, clicks).List(t.Context()); err == nil {
		t.Error("a token that always expires gave no error")
	}
}

func TestListGoesOnFromThePageThatWasThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slowDown := listing{err: refusal("LimitExceededException", "slow down")}
		s := &script{listings: []listing{
			{shards: []types.Shard{listed("a", "1", "")}, token: "1"}, slowDown, slowDown, slowDown,
			{shards: []types.Shard{listed("b", "1", "")}},
		}}
		shards, err := kinesisshards.Open(s, clicks).List(t.Context())
		if err != nil || len(shards) != 2 {
			t.Errorf("got %v, %v, want two shards", shards, err)
		}
		s.wantAsked(t, "list name=clicks token=", "list name= token=1", "list name= token=1", "list name= token=1", "list name= token=1")
		for range 1000 {
			s.listings = append(s.listings, slowDown)
		}
		began := time.Now()
		if _, err := kinesisshards.Open(s, clicks).List(t.Context()); !errors.Is(err, shard.ErrThrottled) || time.Since(began) > 30*time.Second {
			t.Errorf("got %v after %v, want throttling told in half a minute", err, time.Since(began))
		}
	})
}

func TestListOfAServiceThatGoesInCirclesEnds(t *testing.T) {
	for name, token := range map[string]func(i int) string{
		"same token":  func(int) string { return "1" },
		"two in turn": func(i int) string { return fmt.Sprint(i % 2) },
	} {
		s := &script{}
		for i := range 1000 {
			s.listings = append(s.listings, listing{shards: []types.Shard{listed("a", "1", "")}, token: token(i)})
		}
		if _, err := kinesisshards.Open(s, clicks).List(t.Context()); err == nil || len(s.listings) == 0 {
			t.Errorf("%s: got %v after %d pages, want an error soon", name, err, 1000-len(s.listings))
		}
	}
}
