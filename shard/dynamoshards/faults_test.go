package dynamoshards_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/dynamoshards"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// bubble runs a test on a stream of one shard, in virtual time.
func bubble(t *testing.T, test func(t *testing.T, c *cloud, id string)) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t, 1)
		test(t, c, c.fake.StreamShards(table)[0].ID)
	})
}

func (c *cloud) putN(t *testing.T, id, prefix string, n int) {
	t.Helper()
	for i := range n {
		c.put(t, id, "k", []byte(fmt.Sprint(prefix, i)))
	}
}

// start is where to begin to read a shard of the cloud's stream.
func (c *cloud) start(t *testing.T, id string, after shard.Position) shard.Start {
	t.Helper()
	stream, err := c.source().Describe(t.Context())
	must(t, err)
	return shard.Start{Stream: stream, Shard: id, After: after}
}

func (o *reading) data() (all []string) {
	for _, r := range o.records {
		_, data := unwrap(r)
		all = append(all, string(data))
	}
	return all
}

func (o *reading) has(t *testing.T, want ...string) {
	t.Helper()
	if got := o.data(); !slices.Equal(got, want) {
		t.Errorf("read %q, want %q", got, want)
	}
}

// An iterator that expired while nobody read is replaced by one behind the last
// record delivered, not by one where the reader began.
func TestExpiredIteratorGoesOnBehindTheLastRecord(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud, id string) {
		c.putN(t, id, "a", 3)
		r := c.source().Open(c.start(t, id, shard.TrimHorizon()))
		read(t, r, 3).has(t, "a0", "a1", "a2")
		for range 3 {
			time.Sleep(14*time.Minute - time.Second) // the reader believes in it, and the service does not
			remove := c.Intercept(func(_ context.Context, call awsfake.Call) awsfake.Fault {
				if call.Operation == "GetRecords" {
					return awsfake.Fail("ExpiredIteratorException", 400)
				}
				return awsfake.Fault{}
			})
			out := &reading{}
			out.step(t.Context(), t, r)
			remove()
			if len(out.errs) != 1 {
				t.Errorf("an iterator that expires at once: errors %v", out.errs)
			}
			time.Sleep(16 * time.Minute)
			c.putN(t, id, "b", 1)
			read(t, r, 1).has(t, "b0")
		}
	})
}

// LATEST that was not pinned becomes a moment with the first iterator: if that
// expires before the first record, what came meanwhile is read from the horizon,
// and what came before is dropped.
func TestLatestSurvivesAnExpiredIterator(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud, id string) {
		c.putN(t, id, "before", 3)
		time.Sleep(2 * time.Minute)
		r := c.source().Open(c.start(t, id, shard.Latest()))
		read(t, r, 0)
		out := &reading{}
		out.step(t.Context(), t, r)
		time.Sleep(time.Hour)
		c.putN(t, id, "after", 2)
		read(t, r, 2).has(t, "after0", "after1")
	})
}

// There is no iterator that begins at a time: what is older is dropped, once.
func TestStartAtATimeDropsWhatIsOlder(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud, id string) {
		for i := range 5 {
			c.putN(t, id, fmt.Sprint(i, "-"), 1)
			time.Sleep(7 * time.Second)
		}
		pinned := shard.Latest()
		pinned.At = time.Now().Add(-17 * time.Second)
		for _, after := range []shard.Position{pinned, shard.AtTime(pinned.At)} {
			read(t, c.source().Open(c.start(t, id, after)), 2).has(t, "3-0", "4-0")
		}
	})
}

// What the trim horizon passed while the reader stood still is a loss with the
// whole window. It is told with the first record behind it, and until then the
// shard does not count as read to its tip.
func TestTrimmedWhileReadingIsALoss(t *testing.T) {
	for _, where := range []string{"GetRecords", "GetShardIterator"} {
		bubble(t, func(t *testing.T, c *cloud, id string) {
			c.fake.StreamTimes(0, 24*time.Hour)
			c.putN(t, id, "a", 2)
			r := c.source(func(o *dynamoshards.Options) { o.Limit = 1 }).Open(c.start(t, id, shard.TrimHorizon()))
			first := read(t, r, 1).records[0]
			told := false
			if where == "GetShardIterator" {
				c.Intercept(func(_ context.Context, call awsfake.Call) awsfake.Fault {
					if call.Operation == where && strings.Contains(string(call.Body), "AFTER") {
						told = true
						return awsfake.Fail("TrimmedDataAccessException", 400)
					}
					return awsfake.Fault{}
				})
			}
			time.Sleep(25 * time.Hour)
			out := &reading{}
			for range 10 {
				out.step(t.Context(), t, r)
				if out.last.Loss != nil || out.last.Behind == 0 {
					t.Errorf("while nothing lies behind the window: loss %v, behind %v", out.last.Loss, out.last.Behind)
				}
			}
			c.putN(t, id, "b", 1)
			out = read(t, r, 1)
			out.has(t, "b0")
			if len(out.losses) != 1 || len(out.errs) != 0 {
				t.Fatalf("losses %v, errors %v; want one loss", out.losses, out.errs)
			}
			loss := out.losses[0]
			if loss.After != first.Position() || loss.Until != out.records[0].Position() ||
				!loss.LastArrival.Equal(first.ArrivedAt) || !loss.FirstArrival.Equal(out.records[0].ArrivedAt) {
				t.Errorf("got the loss %+v", loss)
			}
			if where == "GetShardIterator" && !told {
				t.Error("GetShardIterator was not asked")
			}
		})
	}
}

// An item that did not change for days has lost nothing, whether the reader is
// the same or a new one that knows until when all had been read.
func TestIdleForLongerThanRetentionIsNoLoss(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud, id string) {
		c.fake.StreamTimes(0, 24*time.Hour)
		c.putN(t, id, "a", 2)
		r := c.source().Open(c.start(t, id, shard.TrimHorizon()))
		out := read(t, r, 2)
		last := out.records[1]
		for range 8 {
			time.Sleep(6 * time.Hour)
			for range 3 {
				out.step(t.Context(), t, r)
			}
		}
		c.putN(t, id, "b", 1)
		start := c.start(t, id, last.Position())
		start.LastArrival, start.ReadUpTo = last.ArrivedAt, out.last.Now
		if out.last.Behind != 0 {
			t.Errorf("three empty answers, and the shard is %v behind", out.last.Behind)
		}
		for name, r := range map[string]shard.Reader{"the same reader": r, "a new one": c.source().Open(start)} {
			got := read(t, r, 1)
			got.has(t, "b0")
			if len(got.losses)+len(got.errs) != 0 {
				t.Errorf("%s: losses %v, errors %v", name, got.losses, got.errs)
			}
		}
	})
}

// stripped gives answers without a next iterator.
type stripped struct{ dynamoshards.Client }

func (c stripped) GetRecords(ctx context.Context, in *dynamodbstreams.GetRecordsInput, o ...func(*dynamodbstreams.Options)) (*dynamodbstreams.GetRecordsOutput, error) {
	out, err := c.Client.GetRecords(ctx, in, o...)
	if err == nil {
		out.NextShardIterator = nil
	}
	return out, err
}

// The last page may have records and no iterator. That alone is no end.
func TestMissingIteratorAloneIsNoEnd(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud, id string) {
		c.putN(t, id, "a", 2)
		source := dynamoshards.Open(stripped{c.streams}, table)
		r := source.Open(c.start(t, id, shard.TrimHorizon()))
		out := read(t, r, 2)
		for range 200 {
			out.step(t.Context(), t, r)
		}
		if out.last.Ended || len(out.records) != 2 {
			t.Fatalf("an open shard ended: %t, %d records", out.last.Ended, len(out.records))
		}
		c.putN(t, id, "b", 1)
		must(t, c.fake.Rollover(table))
		out = read(t, r, -1)
		out.has(t, "b0")
		if n := len(out.last.Children); n != 1 || out.last.Children[0].Parents[0] != id {
			t.Errorf("ended with the children %v", out.last.Children)
		}
	})
}

// The shards of a stream that is disabled end without children.
func TestDisabledStreamEndsItsShards(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud, id string) {
		c.putN(t, id, "a", 2)
		source := c.source()
		r := source.Open(c.start(t, id, shard.TrimHorizon()))
		read(t, r, 2)
		c.putN(t, id, "b", 1)
		c.specify(t, false)
		began := time.Now()
		out := read(t, r, -1)
		out.has(t, "b0")
		if len(out.last.Children) != 0 || len(out.errs) != 0 || time.Since(began) > 5*time.Second {
			t.Errorf("ended with %v after %v; errors %v", out.last.Children, time.Since(began), out.errs)
		}
	})
}

func (c *cloud) specify(t *testing.T, on bool) {
	t.Helper()
	spec := &types.StreamSpecification{StreamEnabled: &on}
	if on {
		spec.StreamViewType = types.StreamViewTypeNewAndOldImages
	}
	_, err := dynamodb.NewFromConfig(c.Config("operator")).UpdateTable(t.Context(), &dynamodb.UpdateTableInput{TableName: new(table), StreamSpecification: spec})
	must(t, err)
}

// Children that are listed late are waited for; those that are not listed at all
// hold the end up for half a minute only.
func TestEndWaitsForChildrenThatAreListedLate(t *testing.T) {
	for late, want := range map[time.Duration]int{5 * time.Second: 1, time.Hour: 0} {
		bubble(t, func(t *testing.T, c *cloud, id string) {
			c.fake.HideNewShards(0)
			time.Sleep(2 * time.Hour)
			c.fake.HideNewShards(late)
			c.putN(t, id, "a", 2)
			must(t, c.fake.Rollover(table))
			began := time.Now()
			out := read(t, c.source().Open(c.start(t, id, shard.TrimHorizon())), -1)
			out.has(t, "a0", "a1")
			took := time.Since(began)
			if len(out.last.Children) != want || len(out.errs) != 0 || took > 35*time.Second || took < min(late, 30*time.Second) {
				t.Errorf("children listed after %v: ended with %d after %v, errors %v", late, len(out.last.Children), took, out.errs)
			}
		})
	}
}

// What is gone is told apart: the shard, the stream, and a stream that another
// has replaced.
func TestWhatIsGoneIsNamed(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*testing.T, *cloud, string)
		want error
	}{
		{"the shard", func(t *testing.T, c *cloud, id string) {
			must(t, c.fake.Rollover(table))
			must(t, c.fake.DropShard(table, id))
		}, shard.ErrNoShard},
		{"the stream", func(t *testing.T, c *cloud, _ string) {
			c.specify(t, false)
			time.Sleep(24 * time.Hour)
		}, shard.ErrNoStream},
		{"the table", func(_ *testing.T, c *cloud, _ string) {
			c.fake.DropTable(table)
			time.Sleep(24 * time.Hour)
		}, shard.ErrNoStream},
		{"the stream, and there is another", func(t *testing.T, c *cloud, _ string) {
			c.specify(t, false)
			time.Sleep(24 * time.Hour)
			c.specify(t, true)
		}, shard.ErrNoStream},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, cl *cloud, id string) {
				cl.putN(t, id, "a", 1)
				r := dynamoshards.Open(cl.streams, table).Open(cl.start(t, id, shard.TrimHorizon()))
				read(t, r, 1)
				c.do(t, cl, id)
				time.Sleep(20 * time.Minute) // the iterator has expired
				out := &reading{}
				out.step(t.Context(), t, r)
				if len(out.errs) != 1 || !errors.Is(out.errs[0], c.want) {
					t.Errorf("got %v, want %v", out.errs, c.want)
				}
			})
		})
	}
}

// ended gives every shard an ending number, as some servers do to open ones.
type endedAll struct{ dynamoshards.Client }

func (c endedAll) DescribeStream(ctx context.Context, in *dynamodbstreams.DescribeStreamInput, o ...func(*dynamodbstreams.Options)) (*dynamodbstreams.DescribeStreamOutput, error) {
	out, err := c.Client.DescribeStream(ctx, in, o...)
	if err == nil {
		for i := range out.StreamDescription.Shards {
			out.StreamDescription.Shards[i].SequenceNumberRange = &streamtypes.SequenceNumberRange{
				StartingSequenceNumber: new("100000000000000000001"), EndingSequenceNumber: new("100000000000000000002"),
			}
		}
	}
	return out, err
}

// A shard that is listed as closed and gives iterators is read on.
func TestEndingNumberAloneIsNoEnd(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud, id string) {
		r := dynamoshards.Open(endedAll{c.streams}, table).Open(c.start(t, id, shard.TrimHorizon()))
		for i := range 100 {
			c.putN(t, id, fmt.Sprint(i, "-"), 1)
			if out := read(t, r, 1); out.last.Ended {
				t.Fatal("an open shard ended")
			}
		}
	})
}

// A shard is read four times a second at most, with a backlog too, and once a
// second when it has been quiet.
func TestShardIsReadFourTimesASecond(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud, id string) {
		c.putN(t, id, "a", 60)
		reads := func() int { return c.Count("tester", "dynamodbstreams", "GetRecords") }
		r := c.source(func(o *dynamoshards.Options) { o.Limit = 2 }).Open(c.start(t, id, shard.TrimHorizon()))
		began := time.Now()
		read(t, r, 60)
		if took := time.Since(began); reads() != 30 || took < 6500*time.Millisecond || took > 8*time.Second {
			t.Errorf("30 pages took %d reads and %v, want 30 and some 7s", reads(), took)
		}
		out := &reading{}
		for began = time.Now(); time.Since(began) < time.Minute; {
			out.step(t.Context(), t, r)
		}
		before := reads()
		for began = time.Now(); time.Since(began) < time.Minute; {
			out.step(t.Context(), t, r)
		}
		if n := reads() - before; n < 58 || n > 62 {
			t.Errorf("a quiet shard was read %d times in a minute, want 60", n)
		}
	})
}

// A shard that is throttled waits longer and longer, and loses its place never.
func TestThrottledReaderBacksOff(t *testing.T) {
	bubble(t, func(t *testing.T, c *cloud, id string) {
		c.putN(t, id, "a", 3)
		r := c.source().Open(c.start(t, id, shard.TrimHorizon()))
		remove := c.Intercept(func(_ context.Context, call awsfake.Call) awsfake.Fault {
			if call.Service == "dynamodbstreams" {
				return awsfake.Fail("ThrottlingException", 400)
			}
			return awsfake.Fault{}
		})
		out := &reading{}
		for began := time.Now(); time.Since(began) < time.Minute; {
			out.step(t.Context(), t, r)
		}
		remove()
		if n := len(out.errs); n < 8 || n > 40 || !errors.Is(out.errs[0], shard.ErrThrottled) {
			t.Errorf("a minute of throttling had %d reads, the first of which failed with %v", n, out.errs[0])
		}
		read(t, r, 3).has(t, "a0", "a1", "a2")
	})
}
