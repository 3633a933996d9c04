package kinesisshards_test

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/shard/kpl"
)

// aggregated is a record with n user records in it.
func aggregated(sequence string, n int) types.Record {
	a := kpl.Aggregator{Mixed: true, MaxBytes: 1 << 20}
	for i := range n {
		a.Add(kpl.User{PartitionKey: fmt.Sprint("user-", i), Data: fmt.Append(nil, sequence, " has ", i)})
	}
	r := records(sequence)[0]
	r.Data, r.PartitionKey = a.Flush().Data, new("a")
	return r
}

// framed is a record with the frame of an aggregate round any message.
func framed(sequence, message string) types.Record {
	sum := md5.Sum([]byte(message))
	r := records(sequence)[0]
	r.Data = append([]byte("\xf3\x89\x9a\xc2"+message), sum[:]...)
	return r
}

func positions(records []shard.Record) string {
	var all []string
	for i := range records {
		all = append(all, records[i].Position().String())
	}
	return strings.Join(all, " ")
}

func TestUserRecordsAreDeliveredOneByOne(t *testing.T) {
	s := &script{pages: []page{
		{records: append(records("10"), aggregated("11", 3), framed("12", "garbage!"), records("13")[0]), next: "b"},
	}}
	s.read(t, shard.TrimHorizon(), 1, func(t *testing.T, r *tail) {
		if got, want := positions(r.records), "10 11 11/1 11/2 12 13"; got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
		for i, u := range r.records[1:4] {
			if u.PartitionKey != fmt.Sprint("user-", i) || string(u.Data) != fmt.Sprint("11 has ", i) || u.ArrivedAt.IsZero() || u.Stream != "arn" || !u.Keyed {
				t.Errorf("user record %d is %+v", i, u)
			}
		}
		if r.odd != (shard.Aggregates{Malformed: 1}) {
			t.Errorf("odd are %+v, want the malformed one", r.odd)
		}
	})
}

// A reader that begins within an aggregate delivers what lies behind its start,
// and nothing of a record that is no aggregate after all.
func TestAReaderGoesOnWithinAnAggregate(t *testing.T) {
	badDigest := aggregated("10", 3)
	badDigest.Data[len(badDigest.Data)-1]++
	tests := []struct {
		name  string
		after shard.Position
		first types.Record
		want  string
	}{
		{"its first", shard.After("10", 0), aggregated("10", 3), "10/1 10/2 11"},
		{"its second", shard.After("10", 1), aggregated("10", 3), "10/2 11"},
		{"its last", shard.After("10", 2), aggregated("10", 3), "11"},
		{"none of it", shard.After("10", 9), aggregated("10", 3), "11"},
		{"a plain record", shard.After("10", 0), records("10")[0], "11"},
		{"within a plain record", shard.After("10", 5), records("10")[0], "11"},
		{"malformed", shard.After("10", 0), framed("10", "garbage!"), "11"},
		{"wrong digest", shard.After("10", 0), badDigest, "11"},
		{"without user records", shard.After("10", 0), framed("10", "\x0a\x01k"), "11"},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			s := &script{pages: []page{{records: []types.Record{c.first, records("11")[0]}, next: "b"}}}
			s.read(t, c.after, 1, func(t *testing.T, r *tail) {
				if got := positions(r.records); got != c.want || r.skipped > 0 || len(r.loss) > 0 || r.odd != (shard.Aggregates{}) {
					t.Errorf("got %s, skipped %d, lost %v, odd %+v; want %s", got, r.skipped, r.loss, r.odd, c.want)
				}
			})
		})
	}
}

// What becomes too large for one chunk comes in several, without another read or
// a wait between them. What is said of the beginning of a page comes with the
// first, what is said of its end with the last.
func TestALargeAggregateComesInParts(t *testing.T) {
	const limit = 10
	s := &script{
		pages: []page{{
			records:  []types.Record{aggregated("11", 25), records("12")[0], aggregated("13", 12)},
			children: []types.ChildShard{{ShardId: new("shardId-000000000007"), ParentShards: []string{shard0}}},
		}},
		options: func(o *kinesisshards.Options) { o.Limit = limit },
	}
	s.read(t, shard.After("10", 0), 0, func(t *testing.T, r *tail) {
		began := time.Now()
		var parts []shard.Chunk
		for len(parts) == 0 || !parts[len(parts)-1].Ended {
			must(t, r.Ready(t.Context()))
			c, err := r.Next(t.Context())
			must(t, err)
			parts = append(parts, c)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("the parts took %v, want no wait", took)
		}
		reads := slices.DeleteFunc(slices.Clone(s.asked), func(a string) bool { return !strings.HasPrefix(a, "read") })
		if len(parts) != 4 || len(reads) != 1 {
			t.Fatalf("got %d parts of %d reads, want 4 of one", len(parts), len(reads))
		}
		n := 0
		for i, c := range parts {
			last := i == len(parts)-1
			if len(c.Records) > limit || c.Bytes() > r.MaxBytes() || len(c.Records) < limit && !last {
				t.Errorf("part %d has %d records, want %d", i, len(c.Records), limit)
			}
			if (c.Loss != nil) != (i == 0) || c.Ended != last || (len(c.Children) > 0) != last || (c.Behind > 0) == last {
				t.Errorf("part %d: loss %v, ended %v, children %v, behind %v", i, c.Loss, c.Ended, c.Children, c.Behind)
			}
			n += len(c.Records)
		}
		if n != 38 {
			t.Errorf("%d records came, want 38", n)
		}
		must(t, r.Ready(t.Context()))
		if c, err := r.Next(t.Context()); err != nil || !c.Ended || len(c.Records) > 0 {
			t.Errorf("after the end came %+v, %v", c, err)
		}
	})
}

// A context that ends between two parts loses nothing.
func TestAStopBetweenTwoPartsLosesNothing(t *testing.T) {
	s := &script{
		pages:   []page{{records: []types.Record{aggregated("11", 5)}, next: "b"}},
		options: func(o *kinesisshards.Options) { o.Limit = 2 },
	}
	s.read(t, shard.TrimHorizon(), 1, func(t *testing.T, r *tail) {
		over, cancel := context.WithCancel(t.Context())
		cancel()
		if err := r.Ready(over); !errors.Is(err, context.Canceled) {
			t.Errorf("Ready gave %v", err)
		}
		if _, err := r.Next(over); !errors.Is(err, context.Canceled) {
			t.Errorf("Next gave %v", err)
		}
		r.until(5)
		if got := positions(r.records); got != "11 11/1 11/2 11/3 11/4" {
			t.Errorf("got %s", got)
		}
	})
}

// An aggregate without user records delivers nothing. What comes behind it is
// delivered, and a shard whose last record it is ends.
func TestAnAggregateWithoutUserRecordsIsPassed(t *testing.T) {
	children := []types.ChildShard{{ShardId: new("shardId-000000000007"), ParentShards: []string{shard0}}}
	s := &script{pages: []page{
		{records: []types.Record{framed("11", "\x0a\x01k")}, next: "b"},
		{records: []types.Record{framed("12", "\x0a\x01k"), records("13")[0]}, next: "c"},
		{records: []types.Record{framed("14", "\x0a\x01k")}, children: children},
	}}
	s.read(t, shard.AtTime(time.Now()), 3, func(t *testing.T, r *tail) {
		if got := positions(r.records); got != "13" || !r.ended || len(r.errs) > 0 || r.skipped > 0 {
			t.Errorf("got %s, ended %v, skipped %d, errors %v", got, r.ended, r.skipped, r.errs)
		}
	})
}

// The range that the start names decides what lies outside; a start that names
// none has nothing outside.
func TestWhatLiesOutsideIsToldByTheRange(t *testing.T) {
	none, everything := shard.HashRange{Start: "0", End: "0"}, shard.HashRange{Start: "0", End: "340282366920938463463374607431768211455"}
	for _, c := range []struct {
		hashes shard.HashRange
		policy kpl.Policy
		want   int
		odd    shard.Aggregates
	}{
		{none, kpl.Deliver, 3, shard.Aggregates{}},
		{none, kpl.Report, 3, shard.Aggregates{Outside: 3}},
		{none, kpl.Drop, 0, shard.Aggregates{Outside: 3, Dropped: 3}},
		{none, kpl.Whole, 1, shard.Aggregates{}},
		{shard.HashRange{}, kpl.Drop, 3, shard.Aggregates{}},
		{everything, kpl.Report, 3, shard.Aggregates{}},
	} {
		s := &script{pages: []page{{records: []types.Record{aggregated("11", 3)}, next: "b"}}}
		synctest.Test(t, func(t *testing.T) {
			source := kinesisshards.Open(s, clicks, func(o *kinesisshards.Options) { o.Aggregated = c.policy })
			r := &tail{t: t, Reader: source.Open(shard.Start{Shard: shard0, Hashes: c.hashes, Stream: shard.Stream{ARN: "arn"}})}
			must(t, r.step())
			if len(r.records) != c.want || r.odd != c.odd {
				t.Errorf("%v of %v: got %d records, %+v; want %d, %+v", c.policy, c.hashes, len(r.records), r.odd, c.want, c.odd)
			}
		})
	}
}

func TestAPolicyThatIsNoneIsRefused(t *testing.T) {
	err := kinesisshards.Open(&script{}, clicks, func(o *kinesisshards.Options) { o.Aggregated, o.Limit = 7, -1 }).Validate()
	if err == nil || !strings.Contains(err.Error(), "Aggregated") || !strings.Contains(err.Error(), "Limit") {
		t.Errorf("got %v, want both problems", err)
	}
}
