package follow_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/follow"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// looking is a stream in a bubble and a config that reads it into texts.
func looking(t *testing.T, shards int, do func(t *testing.T, a *awsfake.AWS, cfg *follow.Config, got *[]string)) {
	synctest.Test(t, func(t *testing.T) {
		a := awsfake.New()
		if err := a.Kinesis().CreateStream("clicks", shards); err != nil {
			t.Fatal(err)
		}
		var got []string
		do(t, a, &follow.Config{
			Source: kinesisshards.Open(kinesis.NewFromConfig(a.Config("looker")), "clicks"),
			Take: func(_ context.Context, r *shard.Record) error {
				got = append(got, string(r.Data))
				return nil
			},
		}, &got)
	})
}

// splitAll splits every open shard, and mergeAll merges them into one.
func splitAll(t *testing.T, a *awsfake.AWS) {
	t.Helper()
	for _, id := range openShards(a) {
		if _, _, err := a.Kinesis().Split("clicks", id); err != nil {
			t.Fatal(err)
		}
	}
}

func mergeAll(t *testing.T, a *awsfake.AWS) {
	t.Helper()
	for ids := openShards(a); len(ids) > 1; ids = openShards(a) {
		for i, one := range ids[1:] { // the first with its neighbour, whichever that is
			if _, err := a.Kinesis().Merge("clicks", ids[0], one); err == nil {
				break
			} else if i == len(ids)-2 {
				t.Fatal(err)
			}
		}
	}
}

func openShards(a *awsfake.AWS) (ids []string) {
	for _, s := range a.Kinesis().Shards("clicks") {
		if s.Closed.IsZero() {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

func put(t *testing.T, a *awsfake.AWS, key, data string) (shardID, sequence string) {
	t.Helper()
	shardID, sequence, err := a.Kinesis().Put("clicks", key, []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return shardID, sequence
}

// Of a stream that was split and merged each key's records come in their order,
// and all of them, however they are asked for.
func TestChildrenComeAfterTheirParents(t *testing.T) {
	for _, inOrder := range []bool{false, true} {
		looking(t, 2, func(t *testing.T, a *awsfake.AWS, cfg *follow.Config, got *[]string) {
			numbers := map[string]int{}
			some := func() {
				for i := range 40 {
					key := fmt.Sprint("key-", i%8)
					numbers[key]++
					put(t, a, key, fmt.Sprint(key, " ", numbers[key]))
					time.Sleep(10 * time.Millisecond)
				}
			}
			some()
			splitAll(t, a)
			some()
			mergeAll(t, a)
			some()
			time.Sleep(3 * time.Second)
			cfg.Until, cfg.InOrder = time.Now(), inOrder
			if err := follow.Run(t.Context(), *cfg); err != nil {
				t.Fatal(err)
			}
			came := map[string]int{}
			for _, text := range *got {
				key, number, _ := strings.Cut(text, " ")
				came[key]++
				if number != fmt.Sprint(came[key]) {
					t.Fatalf("in order %v: %s came as number %d", inOrder, text, came[key])
				}
			}
			if len(*got) != 120 {
				t.Errorf("in order %v: got %d records, want 120", inOrder, len(*got))
			}
		})
	}
}

// With InOrder, records of all shards come by their time of arrival.
func TestInOrderIsByArrival(t *testing.T) {
	looking(t, 4, func(t *testing.T, a *awsfake.AWS, cfg *follow.Config, got *[]string) {
		var want []string
		for i := range 200 {
			want = append(want, fmt.Sprint(i))
			put(t, a, fmt.Sprint("key-", i*7%13), fmt.Sprint(i))
			time.Sleep(5 * time.Millisecond)
		}
		time.Sleep(3 * time.Second)
		cfg.Until, cfg.InOrder = time.Now(), true
		if err := follow.Run(t.Context(), *cfg); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(*got, want) {
			t.Errorf("got %v", *got)
		}
	})
}

// To the tip, and no further: what is there is read, behind a reshard too, and
// nothing is waited for.
func TestToTipReadsWhatIsThere(t *testing.T) {
	looking(t, 2, func(t *testing.T, a *awsfake.AWS, cfg *follow.Config, got *[]string) {
		for round := range 3 {
			for i := range 10 {
				put(t, a, fmt.Sprint("key-", i), fmt.Sprint(round))
			}
			if round == 1 {
				mergeAll(t, a)
			} else {
				splitAll(t, a)
			}
		}
		began := time.Now()
		cfg.ToTip = true
		if err := follow.Run(t.Context(), *cfg); err != nil || len(*got) != 30 || time.Since(began) > time.Second {
			t.Errorf("got %d records after %v: %v", len(*got), time.Since(began), err)
		}
	})
}

// Only the shards are read that a key can be in, before and after a reshard, and of
// them only its records.
func TestAKeyIsReadFromItsShardsAlone(t *testing.T) {
	looking(t, 4, func(t *testing.T, a *awsfake.AWS, cfg *follow.Config, got *[]string) {
		mine := map[string]bool{}
		for i := range 40 {
			id, _ := put(t, a, fmt.Sprint("key-", i%8), fmt.Sprint("key-", i%8))
			if i%8 == 3 {
				mine[id] = true
			}
		}
		splitAll(t, a)
		for i := range 16 {
			id, _ := put(t, a, fmt.Sprint("key-", i%8), fmt.Sprint("key-", i%8))
			if i%8 == 3 {
				mine[id] = true
			}
		}
		time.Sleep(2 * time.Second)
		cfg.Keyed, cfg.Key, cfg.Until = true, "key-3", time.Now()
		read := map[string]bool{}
		cfg.Tell = func(e follow.Event) { read[e.Shard] = read[e.Shard] || e.Began != nil }
		if err := follow.Run(t.Context(), *cfg); err != nil {
			t.Fatal(err)
		}
		if len(*got) != 7 || slices.ContainsFunc(*got, func(s string) bool { return s != "key-3" }) {
			t.Errorf("got %v, want key-3 seven times", *got)
		}
		for id := range read {
			if !mine[id] {
				t.Errorf("%s was read, and the key is in %v", id, mine)
			}
		}
	})
}

// A shard that is named is read, and what came of it, and nothing else.
func TestANamedShardIsReadWithItsChildren(t *testing.T) {
	looking(t, 2, func(t *testing.T, a *awsfake.AWS, cfg *follow.Config, got *[]string) {
		var first string
		want := 0
		count := func(n int) {
			for i := range n {
				id, _ := put(t, a, fmt.Sprint("key-", i%8), "x")
				if first == "" {
					first = id
				}
			}
		}
		count(8)
		for _, r := range a.Kinesis().Records("clicks") {
			if r.ShardID == first {
				want++
			}
		}
		mergeAll(t, a)
		count(8)
		time.Sleep(2 * time.Second)
		cfg.Shards, cfg.Until = []string{first}, time.Now()
		if err := follow.Run(t.Context(), *cfg); err != nil {
			t.Fatal(err)
		}
		if len(*got) != want+8 {
			t.Errorf("got %d records, want %d", len(*got), want+8)
		}
		cfg.Shards = []string{"shardId-000000000099"}
		if err := follow.Run(t.Context(), *cfg); !errors.Is(err, shard.ErrNoShard) {
			t.Errorf("a shard that is not there: got %v", err)
		}
	})
}

// A read that is refused at the start is the end; later it is tried again.
func TestTroubleIsToldAndTriedAgain(t *testing.T) {
	looking(t, 1, func(t *testing.T, a *awsfake.AWS, cfg *follow.Config, got *[]string) {
		put(t, a, "key", "1")
		deny := func(_ context.Context, c awsfake.Call) awsfake.Fault {
			if c.Operation == "GetRecords" {
				return awsfake.Fail("AccessDeniedException", 400)
			}
			return awsfake.Fault{}
		}
		restore := a.Intercept(deny)
		if err := follow.Run(t.Context(), *cfg); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
			t.Errorf("a denied read: got %v", err)
		}
		restore()
		troubles := 0
		cfg.Tell = func(e follow.Event) {
			if e.Trouble != nil {
				troubles++
				restore()
			}
		}
		take := cfg.Take
		cfg.Take = func(ctx context.Context, r *shard.Record) error {
			_ = take(ctx, r)
			if len(*got) == 2 {
				return follow.ErrEnough
			}
			restore = a.Intercept(deny)
			put(t, a, "key", "2")
			return nil
		}
		if err := follow.Run(t.Context(), *cfg); err != nil || troubles != 1 || len(*got) != 2 {
			t.Errorf("got %v, %d troubles and %v", err, troubles, *got)
		}
	})
}

// A run ends with its context, and leaves no goroutine behind.
func TestRunEndsWithItsContext(t *testing.T) {
	looking(t, 3, func(t *testing.T, _ *awsfake.AWS, cfg *follow.Config, _ *[]string) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cfg.Start = shard.Latest()
		if err := follow.Run(ctx, *cfg); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestConfigSaysAllThatIsWrong(t *testing.T) {
	err := follow.Run(t.Context(), follow.Config{Start: shard.After("12", 0)})
	for _, field := range []string{"Source", "Take", "Start"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("got %v, want a word on %s", err, field)
		}
	}
}

// Over a split and a merge records of all shards come by their time of arrival, too:
// nothing overtakes what the children have.
func TestInOrderHoldsOverAReshard(t *testing.T) {
	looking(t, 3, func(t *testing.T, a *awsfake.AWS, cfg *follow.Config, got *[]string) {
		var want []string
		some := func() {
			for range 60 {
				want = append(want, fmt.Sprint(len(want)))
				put(t, a, fmt.Sprint("key-", len(want)*7%13), want[len(want)-1])
				time.Sleep(5 * time.Millisecond)
			}
		}
		some()
		if _, _, err := a.Kinesis().Split("clicks", openShards(a)[0]); err != nil {
			t.Fatal(err)
		}
		some()
		mergeAll(t, a)
		some()
		time.Sleep(3 * time.Second)
		cfg.Until, cfg.InOrder = time.Now(), true
		if err := follow.Run(t.Context(), *cfg); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(*got, want) {
			t.Errorf("got %v", *got)
		}
	})
}

// reticent is a source that does not tell children with the end of a shard, as a
// stream of DynamoDB may not, and fails to list them at first.
type reticent struct {
	shard.Source
	fail int // of the listings behind the first
	list int
}

func (r *reticent) List(ctx context.Context) ([]shard.Shard, error) {
	if r.list++; r.list > 1 && r.list <= 1+r.fail {
		return nil, errors.New("too many lists")
	}
	return r.Source.List(ctx)
}

func (r *reticent) Open(at shard.Start) shard.Reader { return reticentReader{r.Source.Open(at)} }

type reticentReader struct{ shard.Reader }

func (r reticentReader) Next(ctx context.Context) (shard.Chunk, error) {
	c, err := r.Reader.Next(ctx)
	c.Children = nil
	return c, err
}

// A listing that fails long after the beginning is made again, and ends nothing
// before it has failed as often as a read may.
func TestAListingThatFailsIsMadeAgain(t *testing.T) {
	for fail, reads := range map[int]bool{0: true, 3: true, 100: false} {
		looking(t, 1, func(t *testing.T, a *awsfake.AWS, cfg *follow.Config, got *[]string) {
			put(t, a, "key", "1")
			splitAll(t, a)
			put(t, a, "key", "2")
			troubles := 0
			cfg.Source, cfg.ToTip = &reticent{Source: cfg.Source, fail: fail}, true
			cfg.Tell = func(e follow.Event) {
				if e.Trouble != nil {
					troubles++
				}
			}
			err := follow.Run(t.Context(), *cfg)
			if reads && (err != nil || len(*got) != 2 || troubles != fail) || !reads && (err == nil || !strings.Contains(err.Error(), "list the children of")) {
				t.Errorf("%d listings that fail: got %v, %d troubles and %v", fail, *got, troubles, err)
			}
		})
	}
}
