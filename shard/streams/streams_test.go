package streams_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
	"github.com/towpath/towpath/shard/streams"
)

func stream(name string, shards int) *shardtest.Stream {
	return shardtest.NewStream(shards, func(o *shardtest.Options) { o.Name = name })
}

// known is a source with its streams described and listed.
func known(t *testing.T, s *streams.Source) []shard.Member {
	t.Helper()
	if _, err := s.Describe(t.Context()); err != nil {
		t.Fatal(err)
	}
	members, err := s.Look(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	return members
}

// renamed has records say the id that their shard has among many, after it was
// seen that they say the one of the service, so that the suite knows them again.
type renamed struct {
	shard.Source
}

func (s renamed) Open(start shard.Start) shard.Reader {
	return &renamedReader{Reader: s.Source.Open(start), id: start.Shard}
}

type renamedReader struct {
	shard.Reader
	id string
}

func (r *renamedReader) Next(ctx context.Context) (shard.Chunk, error) {
	c, err := r.Reader.Next(ctx)
	for i := range c.Records {
		if plain := shard.PlainID(r.id); c.Records[i].Shard != plain {
			return c, fmt.Errorf("a record says it is of %s, want %s", c.Records[i].Shard, plain)
		}
		c.Records[i].Shard = r.id
	}
	return c, err
}

// One stream among many keeps every promise of a source, by the ids that its
// shards have there. Its records say where they come from as they do alone.
func TestOneOfManyKeepsThePromisesOfASource(t *testing.T) {
	shardtest.RunSourceInBubble(t, func(t *testing.T) shardtest.Rig {
		s, gone := stream("clicks", 2), stream("gone", 2)
		gone.Delete()
		must := func(t *testing.T, err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		members := known(t, streams.Of([]shard.Source{stream("orders", 3), s}))
		return shardtest.Rig{
			Source: renamed{members[1].Source}, Missing: gone, Largest: 10 << 20,
			Put: func(t *testing.T, shardID, key string, data []byte) {
				_, err := s.PutTo(shard.PlainID(shardID), key, data)
				must(t, err)
			},
			Split: func(t *testing.T, shardID string) {
				_, _, err := s.Split(shard.PlainID(shardID))
				must(t, err)
			},
			Merge: func(t *testing.T, a, b string) {
				_, err := s.Merge(shard.PlainID(a), shard.PlainID(b))
				must(t, err)
			},
			Trim: func(t *testing.T, shardID string, n int) { must(t, s.Trim(shard.PlainID(shardID), n)) },
			Fail: func(t *testing.T, n int) {
				s.Fault(func(c shardtest.Call) error {
					if c.Op != shardtest.Next || n == 0 {
						return nil
					}
					n--
					return errors.New("as told")
				})
			},
		}
	})
}

// Shards of streams that have the same ids do not get in each other's way.
func TestShardsOfManyStreamsHaveIDsOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := stream("a", 2), stream("b", 2)
		s := streams.Of([]shard.Source{a, b})
		if early, err := s.List(t.Context()); err != nil || len(early) != 4 {
			t.Errorf("before anybody has asked, %d shards are listed, %v", len(early), err)
		}
		if _, err := a.PutTo("shardId-000000000000", "key", []byte("of a")); err != nil {
			t.Fatal(err)
		}
		if _, _, err := b.Split("shardId-000000000000"); err != nil {
			t.Fatal(err)
		}
		listed, err := s.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, one := range listed {
			key, _, ok := shard.SplitID(one.ID)
			if !ok || seen[one.ID] {
				t.Errorf("%s is not an id of its own", one.ID)
			}
			seen[one.ID] = true
			for _, parent := range one.Parents {
				if of, _, _ := shard.SplitID(parent); of != key || !seen[parent] {
					t.Errorf("the parent of %s is %s", one.ID, parent)
				}
			}
		}
		if len(listed) != 6 {
			t.Errorf("%d shards are listed, want 6", len(listed))
		}
		r := s.Open(shard.Start{Shard: listed[0].ID, After: shard.TrimHorizon()})
		chunk, err := r.Next(t.Context())
		if err != nil || len(chunk.Records) != 1 || chunk.Records[0].Stream != a.ARN() {
			t.Errorf("got %+v, %v", chunk, err)
		}
		if most := s.Open(shard.Start{}).MaxBytes(); most < 10<<20 {
			t.Errorf("a read brings %d bytes at most", most)
		}
		for _, id := range []string{"shardId-000000000000", "000000000000:c:1:shardId-000000000000"} {
			if _, err := s.Open(shard.Start{Shard: id}).Next(t.Context()); !errors.Is(err, shard.ErrNoStream) {
				t.Errorf("%s: got %v, want that there is no such stream", id, err)
			}
		}
	})
}

// A listing that fails leaves the one from before, with the error, and is asked
// for again at intervals that grow; the others are asked each time.
func TestFailedListingLeavesTheOneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := stream("a", 2), stream("b", 1)
		s := streams.Of([]shard.Source{a, b})
		known(t, s)
		asked, refused := 0, errors.New("rate exceeded")
		a.Fault(func(c shardtest.Call) error {
			asked++
			return refused
		})
		if _, _, err := b.Split("shardId-000000000000"); err != nil {
			t.Fatal(err)
		}
		for range 600 {
			members, err := s.Look(t.Context(), false)
			if err != nil {
				t.Fatal(err)
			}
			if !errors.Is(members[0].Err, refused) || len(members[0].Listed) != 2 || !members[0].Described() {
				t.Fatalf("the one that fails: %+v", members[0])
			}
			if members[1].Err != nil || len(members[1].Listed) != 3 {
				t.Fatalf("the other: %+v", members[1])
			}
			time.Sleep(time.Second)
		}
		if asked < 10 || asked > 20 {
			t.Errorf("a stream that fails was asked %d times in ten minutes", asked)
		}
		a.Fault(nil)
		time.Sleep(time.Minute)
		if members, _ := s.Look(t.Context(), false); members[0].Err != nil {
			t.Errorf("after the trouble: %v", members[0].Err)
		}
	})
}

// A slow stream holds up the others for no longer than one call may take.
func TestSlowStreamDoesNotHoldUpTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []shard.Source
		for i := range 20 {
			all = append(all, stream(fmt.Sprint("s", i), 1))
		}
		s := streams.Of(all)
		known(t, s)
		silent := true
		all[0].(*shardtest.Stream).Fault(func(shardtest.Call) error {
			if silent {
				time.Sleep(19 * time.Second)
				return errors.New("no answer")
			}
			return nil
		})
		began := time.Now()
		if _, err := s.Look(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("it took %v", took)
		}
		for range 3 {
			time.Sleep(time.Minute)
			began = time.Now()
			if _, err := s.Look(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("it took %v for the second time", took)
			}
		}
		silent = false
		if err := s.Ask(t.Context()); err != nil {
			t.Fatal(err)
		}
		if m := s.Members()[0]; m.Err != nil {
			t.Errorf("after it has answered: %v", m.Err)
		}
	})
}

// A stream is known again by its Source or by its name, so that a function may
// make new Sources each time.
func TestStreamsAreKnownAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		described := 0
		real := map[string]*shardtest.Stream{"a": stream("a", 1), "b": stream("b", 1)}
		for _, one := range real {
			one.Fault(func(c shardtest.Call) error {
				mu.Lock()
				defer mu.Unlock()
				if c.Op == shardtest.Describe {
					described++
				}
				return nil
			})
		}
		s := streams.Ask(func(context.Context) ([]shard.Source, error) {
			return []shard.Source{&called{real["a"], "a"}, &called{real["b"], "b"}}, nil
		})
		before := known(t, s)
		for range 10 {
			if err := s.Ask(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		after := s.Members()
		if described != 4 { // when they were seen, and when they were verified
			t.Errorf("two streams were described %d times", described)
		}
		if len(after) != 2 || after[0].Key != before[0].Key || after[1].Key != before[1].Key {
			t.Errorf("got %v, want the two from before", after)
		}
	})
}

// called is a source with a name.
type called struct {
	shard.Source
	name string
}

func (c *called) String() string { return c.name }

// Sources that cannot be told apart are described, and what cannot be described
// is not taken for gone.
func TestNamesakesAreDescribedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := stream("a", 1), stream("b", 1)
		fail := false
		s := streams.Ask(func(context.Context) ([]shard.Source, error) {
			if fail {
				one.Fault(func(shardtest.Call) error { return errors.New("denied") })
			}
			return []shard.Source{&called{one, "clicks"}, &called{two, "clicks"}}, nil
		})
		before := known(t, s)
		if err := s.Ask(t.Context()); err != nil {
			t.Fatal(err)
		}
		if after := s.Members(); len(after) != 2 || after[0].Key != before[0].Key || after[1].Key != before[1].Key {
			t.Errorf("got %v, want the two from before", after)
		}
		fail = true
		if err := s.Ask(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, ok := s.Of(before[0].Key.ID("shardId-000000000000")); !ok {
			t.Error("a stream that could not be described is taken for one that is not named any more")
		}
	})
}

// Two streams of one key, in two Regions, are not both read: their rows would be
// the same.
func TestStreamsOfOneKeyAreNotBothRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := streams.Of([]shard.Source{stream("a", 1), elsewhere{stream("a", 1)}})
		_, err := s.Describe(t.Context())
		if err == nil || !strings.Contains(err.Error(), "have the same key") {
			t.Errorf("got %v", err)
		}
		s = streams.Of([]shard.Source{stream("b", 1), stream("b", 1)})
		if _, err := s.Describe(t.Context()); err == nil || !strings.Contains(err.Error(), "named twice") {
			t.Errorf("got %v", err)
		}
	})
}

// elsewhere is a stream in another Region.
type elsewhere struct{ shard.Source }

func (e elsewhere) Describe(ctx context.Context) (shard.Stream, error) {
	s, err := e.Source.Describe(ctx)
	s.ARN = strings.Replace(s.ARN, "us-east-1", "eu-west-1", 1)
	return s, err
}

// A function that names what cannot be read leaves the streams as they were.
func TestBadListLeavesTheStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list := []shard.Source{stream("a", 1)}
		s := streams.Ask(func(context.Context) ([]shard.Source, error) { return list, nil })
		known(t, s)
		list = []shard.Source{nil, streams.StartAt(stream("b", 1), shard.End())}
		err := s.Ask(t.Context())
		if err == nil || !strings.Contains(err.Error(), "stream 0 is nil") || !strings.Contains(err.Error(), "stream 1") {
			t.Errorf("got %v", err)
		}
		if got := s.Members(); len(got) != 1 || !got[0].Described() {
			t.Errorf("got %v, want the stream from before", got)
		}
		list = nil
		if err := s.Ask(t.Context()); err != nil || len(s.Members()) != 0 {
			t.Errorf("got %v and %v, want none", s.Members(), err)
		}
		if listed, err := s.List(t.Context()); err != nil || len(listed) != 0 {
			t.Errorf("got %v, %v", listed, err)
		}
	})
}

// Everything that is wrong with a list is told at once.
func TestEverythingWrongIsToldAtOnce(t *testing.T) {
	var missing *shardtest.Stream
	a := stream("a", 1)
	for _, c := range []struct {
		source *streams.Source
		want   []string
	}{
		{streams.Of(nil), []string{"no streams"}},
		{streams.Ask(nil), []string{"no streams"}},
		{streams.Of([]shard.Source{a, missing, a, streams.Of([]shard.Source{a})}), []string{"stream 1 is nil", "stream 2", "named twice", "stream 3", "itself many streams"}},
		{streams.Of([]shard.Source{streams.StartAt(a, shard.Position{Sequence: "AT_TIMESTAMP"})}, func(o *streams.Options) { o.Every = 2 * time.Hour }),
			[]string{"StartAt: position AT_TIMESTAMP has no time", "Every is 2h0m0s, want 1s to 1h"}},
		{streams.Of([]shard.Source{a}, func(o *streams.Options) { o.ForgetAfter, o.OnRecreated = -1, 9 }), []string{"ForgetAfter", "OnRecreated is 9"}},
	} {
		err := c.source.Validate()
		if err == nil {
			t.Errorf("nothing is wrong with what should say %q", c.want)
			continue
		}
		missing := slices.DeleteFunc(slices.Clone(c.want), func(s string) bool { return strings.Contains(err.Error(), s) })
		if len(missing) > 0 {
			t.Errorf("got %v, without %q", err, missing)
		}
	}
	if err := streams.Of([]shard.Source{a}).Validate(); err != nil {
		t.Error(err)
	}
}
