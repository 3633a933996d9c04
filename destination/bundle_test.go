package destination_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
)

// bundler is a service that takes all records of one key in a call as one
// message. It refuses some, loses some calls, and does not take a message with a
// record of the id bad at all.
type bundler struct {
	t            *testing.T
	rng          *rand.Rand
	limit, bytes int
	bundle       int
	refuse, fail float64
	bad          string
	accepted     []string
	calls        int
}

var errBad = errors.New("a record that is not taken")

func (s *bundler) send(_ context.Context, parcels []destination.Parcel) ([]error, error) {
	s.calls++
	sizes, counts, all := map[string]int{}, map[string]int{}, 0
	for _, p := range parcels {
		n := p.Size() + len(p.Record.Key) + 32
		sizes[p.Record.Key] += n
		counts[p.Record.Key]++
		all += n
	}
	for key, n := range sizes {
		if n > s.bundle && counts[key] > 1 {
			s.t.Errorf("%d records of a key have %d bytes, at most %d", counts[key], n, s.bundle)
		}
	}
	if len(sizes) > s.limit || all > s.bytes && len(parcels) > 1 {
		s.t.Errorf("a call has %d keys and %d bytes, at most %d and %d", len(sizes), all, s.limit, s.bytes)
	}
	lost := s.rng.Float64() < s.fail
	if lost && s.rng.IntN(2) == 0 {
		return nil, errShaky
	}
	fates := make([]error, len(parcels))
	ofKey := map[string]error{}
	for i, p := range parcels {
		if p.Record.ID == s.bad {
			return nil, errBad
		}
		if _, known := ofKey[p.Record.Key]; !known {
			ofKey[p.Record.Key] = nil
			if s.rng.Float64() < s.refuse {
				ofKey[p.Record.Key] = &destination.EntryError{Code: "InternalError", Message: "try again"}
			}
		}
		fates[i] = ofKey[p.Record.Key]
	}
	for i, p := range parcels {
		if fates[i] == nil {
			s.accepted = append(s.accepted, p.Record.ID)
		}
	}
	if lost {
		return nil, errShaky
	}
	return fates, nil
}

// Records that go as one message for each key keep their order whatever is
// refused, and no message is too large.
func TestBundlesKeepOrderAndLimits(t *testing.T) {
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 7))
			records := destinationtest.SampleEmitted(1+rng.IntN(80), 1+rng.IntN(9))
			s := &bundler{
				t: t, rng: rng, limit: 1 + rng.IntN(6), bundle: 1 + rng.IntN(2000), bytes: 500 + rng.IntN(3000),
				refuse: 0.6 * rng.Float64(), fail: 0.3 * rng.Float64(),
			}
			for i := range records {
				records[i].Data = []byte(strings.Repeat("x", rng.IntN(300)))
				records[i].Attributes = nil
			}
			c := destination.Courier{
				Destination: "bundler", Form: destination.FormBytes, Limit: s.limit, LimitBytes: s.bytes, Bundle: s.bundle, Send: s.send,
				Extra:   func(e *batching.Emitted) int { return len(e.Key) },
				Isolate: func(err error) bool { return errors.Is(err, errBad) },
			}
			publishAll(t, c, records)
			inOrder(t, records, s.accepted)
		})
	}
}

// One record that the service does not take holds up its key alone, and those of
// its key before it are sent.
func TestABadRecordOfABundleIsFound(t *testing.T) {
	for seed := range uint64(50) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 8))
			records := destinationtest.SampleEmitted(2+rng.IntN(40), 1+rng.IntN(4))
			bad := records[rng.IntN(len(records))]
			s := &bundler{t: t, rng: rng, limit: 500, bundle: 1 << 20, bytes: 1 << 20, bad: bad.ID}
			c := destination.Courier{
				Destination: "bundler", Limit: 500, LimitBytes: s.bytes, Bundle: s.bundle, Send: s.send, Form: destination.FormBytes,
				Extra:   func(e *batching.Emitted) int { return len(e.Key) },
				Isolate: func(err error) bool { return errors.Is(err, errBad) },
			}
			err := c.Publish(t.Context(), records)
			var refused *destination.PublishError
			if !errors.As(err, &refused) || !errors.Is(err, errBad) {
				t.Fatalf("seed %d: got %v, want the bad record", seed, err)
			}
			held := false
			for _, e := range records {
				if e.Key != bad.Key {
					continue
				}
				held = held || e.ID == bad.ID
				if got := contains(refused.Rest, e.ID); got != held {
					t.Errorf("seed %d: %s of the bad record's key is left: %v, want %v", seed, e.ID, got, held)
				}
			}
			for _, e := range refused.Rest {
				if e.Key != bad.Key {
					t.Errorf("seed %d: %s is left, which is of another key", seed, e.ID)
				}
			}
		})
	}
}

// Few keys that emit much take few calls.
func TestBundlesTakeFewCalls(t *testing.T) {
	var records []batching.Emitted
	for i := range 3_000 {
		records = append(records, batching.Emitted{ID: fmt.Sprint(i), Key: fmt.Sprint("key-", i%3), Data: []byte("payload")})
	}
	s := &bundler{t: t, rng: rand.New(rand.NewPCG(1, 1)), limit: 500, bundle: 50_000, bytes: 10 << 20}
	c := destination.Courier{Destination: "bundler", Form: destination.FormBytes, Limit: 500, LimitBytes: s.bytes, Bundle: s.bundle, Send: s.send,
		Extra: func(e *batching.Emitted) int { return len(e.Key) }}
	publishAll(t, c, records)
	if s.calls > 2 {
		t.Errorf("it took %d calls, want 1 or 2; without bundles it takes 1,000", s.calls)
	}
	inOrder(t, records, s.accepted)
}

func contains(records []batching.Emitted, id string) bool {
	for i := range records {
		if records[i].ID == id {
			return true
		}
	}
	return false
}

// publishAll publishes until nothing is left.
func publishAll(t *testing.T, p interface {
	Publish(context.Context, []batching.Emitted) error
}, records []batching.Emitted) {
	t.Helper()
	for left, round := records, 0; ; round++ {
		err := p.Publish(t.Context(), left)
		var refused *destination.PublishError
		if err != nil && !errors.As(err, &refused) || round > 5000 {
			t.Fatalf("error %v in round %d", err, round)
		}
		if err == nil {
			return
		}
		left = refused.Rest
	}
}

// inOrder fails the test unless every record was accepted, for the first time
// behind the first time of each of its key before it.
func inOrder(t *testing.T, records []batching.Emitted, accepted []string) {
	t.Helper()
	first := map[string]int{}
	for i, id := range accepted {
		if _, ok := first[id]; !ok {
			first[id] = i
		}
	}
	last := map[string]int{}
	for _, e := range records {
		at, ok := first[e.ID]
		if before, any := last[e.Key]; !ok || any && at < before {
			t.Fatalf("%s was accepted %v, before one in front of it", e.ID, ok)
		}
		last[e.Key] = at
	}
}
