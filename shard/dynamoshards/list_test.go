package dynamoshards_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// Seven hundred shards and a service that grants ten pages a second to two
// hundred callers: every listing comes to its end, with every shard in it.
func TestListingOfHundredsOfShardsProgressesUnderThrottling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t, 350)
		must(t, c.fake.Rollover(table))
		var granted atomic.Int64
		second := time.Now()
		lock := make(chan struct{}, 1)
		c.Intercept(func(_ context.Context, call awsfake.Call) awsfake.Fault {
			if call.Operation != "DescribeStream" {
				return awsfake.Fault{}
			}
			lock <- struct{}{}
			defer func() { <-lock }()
			if time.Since(second) >= time.Second {
				second = time.Now()
				granted.Store(0)
			}
			if granted.Add(1) > 10 {
				return awsfake.Fail("ThrottlingException", 400)
			}
			return awsfake.Fault{}
		})
		done := make(chan int)
		const workers = 10
		began := time.Now()
		for range workers {
			go func() { // awaited below
				shards, err := c.source().List(t.Context())
				if err != nil {
					t.Error(err)
				}
				done <- len(shards)
			}()
		}
		for range workers {
			if n := <-done; n != 700 {
				t.Errorf("a listing has %d shards, want 700", n)
			}
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("ten listings of seven pages took %v", took)
		}
	})
}

// Shards roll over while the pages are read: the listing is read again, and no
// parent is open beside its child.
func TestListingThatContradictsItselfIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t, 150)
		rolls := 0
		c.Intercept(func(_ context.Context, call awsfake.Call) awsfake.Fault {
			if call.Operation == "DescribeStream" && strings.Contains(string(call.Body), "ExclusiveStart") && rolls == 0 {
				rolls++
				time.Sleep(time.Millisecond)
				must(t, c.fake.Rollover(table))
			}
			return awsfake.Fault{}
		})
		shards, err := c.source().List(t.Context())
		must(t, err)
		var want []string
		ends := map[string]string{}
		for _, d := range c.fake.StreamShards(table) {
			want, ends[d.ID] = append(want, d.ID), d.Ending
		}
		if got := listed(shards); !slices.Equal(got, want) || rolls != 1 {
			t.Errorf("the listing has %d shards, want %d", len(got), len(want))
		}
		for _, d := range shards {
			if d.LastSequence != ends[d.ID] {
				t.Fatalf("%s ends at %q, want %q", d.ID, d.LastSequence, ends[d.ID])
			}
		}
	})
}

// If it contradicts itself for good, a parent is closed where its child begins.
func TestParentOfAListedChildIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t, 101) // the second page begins with the youngest
		rolled := false       // in this listing
		c.Intercept(func(_ context.Context, call awsfake.Call) awsfake.Fault {
			first := !strings.Contains(string(call.Body), "ExclusiveStart")
			if call.Operation == "DescribeStream" && !first && !rolled {
				time.Sleep(time.Millisecond)
				must(t, c.fake.Rollover(table))
			}
			rolled = !first
			return awsfake.Fault{}
		})
		shards, err := c.source().List(t.Context())
		must(t, err)
		byID := map[string]shard.Shard{}
		for _, d := range shards {
			byID[d.ID] = d
		}
		for _, d := range shards {
			for _, id := range d.Parents {
				if parent, ok := byID[id]; ok && parent.Open() {
					t.Fatalf("%s is open, and has the child %s", id, d.ID)
				}
			}
		}
	})
}
