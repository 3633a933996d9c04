package destination_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
)

// shaky is a service in memory that keeps order and refuses at random.
type shaky struct {
	rng      *rand.Rand
	limit    int
	refuse   float64 // of an entry
	fail     float64 // of a call, half of them after it was applied
	accepted []string
	most     int // records of one call
}

var errShaky = errors.New("connection reset")

func (s *shaky) send(_ context.Context, parcels []destination.Parcel) ([]error, error) {
	s.most = max(s.most, len(parcels))
	lost := s.rng.Float64() < s.fail
	if lost && s.rng.IntN(2) == 0 {
		return nil, errShaky
	}
	fates := make([]error, len(parcels))
	for i, p := range parcels {
		if s.rng.Float64() < s.refuse {
			fates[i] = &destination.EntryError{Code: "InternalError", Message: "try again"}
			continue
		}
		s.accepted = append(s.accepted, p.Record.ID)
	}
	if lost {
		return nil, errShaky
	}
	return fates, nil
}

// TestCourierKeepsOrderWhateverIsRefused publishes until nothing is left, over a
// service that refuses entries and loses calls and answers. Of each key the first
// acceptances are in order, and nothing is lost.
func TestCourierKeepsOrderWhateverIsRefused(t *testing.T) {
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 5))
			s := &shaky{rng: rng, limit: 1 + rng.IntN(12), refuse: 0.6 * rng.Float64(), fail: 0.4 * rng.Float64()}
			records := destinationtest.SampleEmitted(1+rng.IntN(80), 1+rng.IntN(9))
			c := destination.Courier{Destination: "shaky", Limit: s.limit, Send: s.send, Singly: rng.IntN(2) == 0}
			left := records
			for round := 0; len(left) > 0; round++ {
				err := c.Publish(t.Context(), left)
				var refused *destination.PublishError
				if err != nil && !errors.As(err, &refused) || round > 5000 {
					t.Fatalf("seed %d: error %v in round %d", seed, err, round)
				}
				if err == nil {
					break
				}
				left = refused.Rest
			}
			first := map[string]int{}
			for i, id := range s.accepted {
				if _, ok := first[id]; !ok {
					first[id] = i
				}
			}
			last := map[string]int{}
			for _, e := range records {
				at, ok := first[e.ID]
				if before, any := last[e.Key]; !ok || any && at < before {
					t.Fatalf("seed %d: %s was accepted %v, before one in front of it", seed, e.ID, ok)
				}
				last[e.Key] = at
			}
			if s.most > s.limit {
				t.Errorf("seed %d: a call had %d records, the limit is %d", seed, s.most, s.limit)
			}
		})
	}
}

// TestCourierTakesNoAnswerForARefusal: a service that tells the fate of too few
// has accepted nothing for sure.
func TestCourierTakesNoAnswerForARefusal(t *testing.T) {
	c := destination.Courier{Destination: "short", Limit: 10, Send: func(context.Context, []destination.Parcel) ([]error, error) {
		return []error{nil}, nil
	}}
	err := c.Publish(t.Context(), destinationtest.SampleEmitted(3, 3))
	var refused *destination.PublishError
	if !errors.As(err, &refused) || len(refused.Rest) != 3 {
		t.Errorf("error %v, want one with all 3 left", err)
	}
}

// TestCourierStopsAtAServiceThatIsGone: it does not ask for every key.
func TestCourierStopsAtAServiceThatIsGone(t *testing.T) {
	for _, singly := range []bool{false, true} {
		calls := 0
		c := destination.Courier{Destination: "gone", Limit: 4, Singly: singly, Send: func(_ context.Context, p []destination.Parcel) ([]error, error) {
			calls++
			if singly {
				return slices.Repeat([]error{errShaky}, len(p)), nil
			}
			return nil, errShaky
		}}
		if err := c.Publish(t.Context(), destinationtest.SampleEmitted(100, 50)); !errors.Is(err, errShaky) || calls != 1 {
			t.Errorf("singly %v: error %v after %d calls, want 1", singly, err, calls)
		}
	}
}

func TestDocumentsComeBack(t *testing.T) {
	for i, data := range []string{"", "text", "\xff\x00", `{"n":1e400,"a":[true,null,"\u2028"]}`, `"s"`, " {\n } ", "{\"u\":\"\ufffe\"}", `{"a":1,"a":2}`} {
		e := batching.Emitted{ID: "stream/shard/1#0", Key: "k\xff", Data: []byte(data), Attributes: map[string]string{"b": "2", "a": "\n"}}
		text := destination.NewDocument(&e)
		if strings.ContainsAny(string(text), "\n\u2028\ufffe") {
			t.Errorf("%d: %q is not on one line", i, text)
		}
		d, err := destination.ParseDocument(text)
		if err != nil {
			t.Errorf("%d: %v", i, err)
			continue
		}
		want := data
		switch i {
		case 5:
			want = "{}" // without white space
		case 6:
			want = `{"u":"\ufffe"}`
		}
		if d.ID != e.ID || d.Key != e.Key || string(d.Data) != want || d.Attributes["a"] != "\n" || d.Ref != nil {
			t.Errorf("%d: read %+v of %s", i, d, text)
		}
	}
	for _, bad := range []string{"", "{}", `{"id":"x"}`, `{"id":1,"text":""}`, `[]`, `{"id":"canary","text":1}`} {
		if d, err := destination.ParseDocument([]byte(bad)); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q was read as %+v, error %v", bad, d, err)
		}
	}
}

// TestDiscardPublishes: what is emitted is dropped when the user says so.
func TestDiscardPublishes(t *testing.T) {
	if err := destination.Discard.Publish(t.Context(), destinationtest.SampleEmitted(2, 1)); err != nil {
		t.Error(err)
	}
}

func ExampleNewDocument() {
	e := batching.Emitted{ID: "clicks/shardId-7/42#0", Key: "alice", Data: []byte(`{ "click": 1 }`)}
	text := destination.NewDocument(&e)
	fmt.Println(string(text))
	d, err := destination.ParseDocument(text)
	fmt.Println(d.Key, string(d.Data), err)
	// Output:
	// {"id":"clicks/shardId-7/42#0","key":"alice","data":{"click":1}}
	// alice {"click":1} <nil>
}

func ExampleCourier() {
	// A service that takes two records in a call, and never one with "no" in it.
	courier := destination.Courier{
		Destination: "echo", Form: destination.FormBytes, Limit: 2,
		Send: func(_ context.Context, parcels []destination.Parcel) ([]error, error) {
			fates := make([]error, len(parcels))
			for i, p := range parcels {
				if strings.Contains(string(p.Body), "no") {
					fates[i] = &destination.EntryError{Code: "Refused", Message: "not this one"}
					continue
				}
				fmt.Println(string(p.Body))
			}
			return fates, nil
		},
	}
	err := courier.Publish(context.Background(), []batching.Emitted{
		{Key: "a", Data: []byte("a1")}, {Key: "b", Data: []byte("b1 no")}, {Key: "b", Data: []byte("b2")}, {Key: "a", Data: []byte("a2")},
	})
	fmt.Println(err)
	// Output:
	// a1
	// a2
	// publish to echo: 2 records were not accepted: Refused: not this one
}
