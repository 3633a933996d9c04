package destination_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/shard"
)

// memory is a store in a map.
type memory map[string][]byte

func (m memory) Put(_ context.Context, key string, body []byte, _ string) (string, error) {
	m[key] = bytes.Clone(body)
	return "memory://" + key, nil
}

type brokenStore struct{}

var errBroken = errors.New("broken")

func (brokenStore) Put(context.Context, string, []byte, string) (string, error) { return "", errBroken }

func size(m destination.Message) int {
	n := len(m.Body)
	for _, a := range m.Attributes {
		n += len(a.Name) + len("String") + len(a.Value)
	}
	return n
}

// TestPackLosesNoRecordAndKeepsTheLimit packs batches made at random, with sizes
// around the limit.
func TestPackLosesNoRecordAndKeepsTheLimit(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 3))
		f := destinationtest.Sample(1 + rng.IntN(60))
		for i := range f.Records {
			f.Records[i].Data = make([]byte, rng.IntN(1<<rng.IntN(14)))
		}
		p := destination.Packing{MaxBytes: 8<<10 + rng.IntN(20<<10), Attributed: rng.IntN(2) == 0}
		messages, err := p.Pack(t.Context(), f)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		var got []shard.Record
		for _, m := range messages {
			if n := size(m); n > p.MaxBytes {
				t.Fatalf("seed %d: a message of %d bytes, the limit is %d", seed, n, p.MaxBytes)
			}
			e, err := destination.ParseEnvelope(m.Body)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if m.Omitted {
				if !e.Omitted || len(m.Part.Records) != 1 {
					t.Fatalf("seed %d: omitted %v of %d records", seed, e.Omitted, len(m.Part.Records))
				}
				if err := e.Open(m.Part.Event()); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
			}
			got = append(got, e.Failure.Records...)
		}
		if diff := difference(destination.Failure{Records: got}, destination.Failure{Records: f.Records}); diff != "" {
			t.Fatalf("seed %d: %s", seed, diff)
		}
	}
}

// TestPackSplitsARepeatAlike changes everything that may differ between two
// sendings of the same records.
func TestPackSplitsARepeatAlike(t *testing.T) {
	ids := func(messages []destination.Message) (ids []string) {
		for _, m := range messages {
			ids = append(ids, m.Part.ID())
		}
		return ids
	}
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 4))
		f := destinationtest.Sample(2 + rng.IntN(20))
		for i := range f.Records {
			f.Records[i].Data = make([]byte, rng.IntN(1500))
		}
		p := destination.Packing{MaxBytes: 8<<10 + rng.IntN(4<<10), Attributed: true}
		first, err := p.Pack(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		f.Worker, f.Err = strings.Repeat("w", 300), errors.New(strings.Repeat("\x00", 300))
		f.Attempts, f.Condition, f.At = 1<<40, destination.Rejected, time.Time{}
		again, err := p.Pack(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := ids(first), ids(again); !slices.Equal(a, b) {
			t.Fatalf("seed %d: first %q, then %q", seed, a, b)
		}
	}
}

func TestPackChecksTheClaim(t *testing.T) {
	store := memory{}
	p := destination.Packing{MaxBytes: 8 << 10, Store: store}
	f := destinationtest.Sample(3)
	f.Records[1].Data = make([]byte, 1<<20)
	messages, err := p.Pack(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	if len(messages) != 1 || !messages[0].Claimed || len(store) != 1 {
		t.Fatalf("%d messages, %d objects, want one of each", len(messages), len(store))
	}
	e, err := destination.ParseEnvelope(messages[0].Body)
	if err != nil {
		t.Fatal(err)
	}
	key := "payload/" + f.ObjectKey()
	if e.Ref == nil || e.Ref.URI != "memory://"+key || e.Omitted || e.Failure.Records != nil {
		t.Fatalf("the message refers to %+v, want %s", e.Ref, key)
	}
	damaged := bytes.Clone(store[key])
	damaged[len(damaged)/2] = 'B' // it was an A, and is base64 still
	if err := e.Open(damaged); err == nil {
		t.Error("a damaged payload was opened")
	}
	if err := e.Open(store[key][1:]); err == nil {
		t.Error("a payload that was cut was opened")
	}
	if err := e.Open(store[key]); err != nil {
		t.Error(err)
	}
	if diff := difference(destination.Failure{Records: e.Failure.Records}, destination.Failure{Records: f.Records}); diff != "" {
		t.Error(diff)
	}
	p.Store = brokenStore{}
	if _, err := p.Pack(t.Context(), f); !errors.Is(err, errBroken) {
		t.Errorf("with a broken store: error %v, want its error, and no message without the payload", err)
	}
}

func TestPackRefusesRatherThanOmitsIfAsked(t *testing.T) {
	p := destination.Packing{MaxBytes: 8 << 10, RequirePayload: true}
	f := destinationtest.Sample(3)
	f.Records[1].Data = make([]byte, 1<<20)
	messages, err := p.Pack(t.Context(), f)
	if !errors.Is(err, destination.ErrRefused) || messages != nil {
		t.Errorf("%d messages, error %v, want none and ErrRefused", len(messages), err)
	}
}

func TestPackingValidatesAllAtOnce(t *testing.T) {
	err := destination.Packing{MaxBytes: 100, Payload: 7, RequirePayload: true}.Validate()
	for _, want := range []string{"MaxBytes is 100", "Payload is 7", "RequirePayload is set"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
	if err := (destination.Packing{}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestObjectKeyIsAPathOfTheRecordsAlone(t *testing.T) {
	f := destinationtest.Sample(2)
	f.Records[1].Sub = 4
	const want = "clickstream/shardId-000000000007/2026/03/01/" +
		"49660000000000000000000000000000000000000000000000000001-" +
		"49660000000000000000000000000000000000000000000000000002.4-DIGEST.json"
	id := f.ID()
	digest := id[len(id)-16:]
	if got := strings.Replace(f.ObjectKey(), digest, "DIGEST", 1); got != want {
		t.Errorf("key is %s, want %s", got, want)
	}
	f.Records = f.Records[:1]
	if got, want := f.ObjectKey(), strings.Replace(want, "2.4-DIGEST", "1", 1); got != want {
		t.Errorf("key of one record is %s, want %s", got, want)
	}
	seen := map[string]string{}
	for _, name := range []string{"", ".", "..", "../..", "a/b", "a%2Fb", "a b", "é", "\x00", strings.Repeat("x", 2000), strings.Repeat("x", 2001)} {
		f.Application = name
		key := f.ObjectKey()
		parts := strings.Split(key, "/")
		if len(parts) != 6 || slices.Contains(parts, "") || slices.Contains(parts, "..") || slices.Contains(parts, ".") || len(key) > destination.MaxS3KeyBytes-256 {
			t.Errorf("application %.20q gives the key %s", name, key)
		}
		if before, ok := seen[key]; ok {
			t.Errorf("applications %.20q and %.20q have the same key %s", before, name, key)
		}
		seen[key] = name
	}
}

func TestFIFOTokensAreTakenByTheService(t *testing.T) {
	f := destinationtest.Sample(1)
	for _, key := range []string{"", "visitor", "with space", "é", strings.Repeat("k", 129), "\x00"} {
		f.Records[0].PartitionKey = key
		got := f.GroupID(destination.ByKey)
		if got == "" || len(got) > destination.MaxFIFOTokenBytes || strings.ContainsFunc(got, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("key %.20q gives the group %q", key, got)
		}
	}
	if got := f.GroupID(nil); got != f.Shard {
		t.Errorf("the group is %q, want the shard", got)
	}
	other := f
	other.Application = "other"
	if f.DeduplicationID() == other.DeduplicationID() {
		t.Error("two applications share a deduplication id: the failure of one would be dropped")
	}
}

// TestOtherRecordsAreNoRepeat: with lanes {1, 3, 5} is given up; after a restart
// without them {1, 2, 3, 4, 5} is. A queue that took the second for a repeat
// would lose 2 and 4.
func TestOtherRecordsAreNoRepeat(t *testing.T) {
	all := destinationtest.Sample(5)
	lane := all
	lane.Records = []shard.Record{all.Records[0], all.Records[2], all.Records[4]}
	for name, of := range map[string]func(*destination.Failure) string{
		"ID":              (*destination.Failure).ID,
		"RequestID":       (*destination.Failure).RequestID,
		"DeduplicationID": (*destination.Failure).DeduplicationID,
		"ObjectKey":       (*destination.Failure).ObjectKey,
	} {
		if of(&all) == of(&lane) {
			t.Errorf("%s is the same for other records: %s", name, of(&all))
		}
	}
}

func ExamplePacking() {
	// A topic takes 256 KiB. These twenty records have 20 KB each.
	f := destinationtest.Sample(20)
	for i := range f.Records {
		f.Records[i].Data = make([]byte, 20_000)
	}
	messages, err := destination.Packing{MaxBytes: destination.MaxSNSBytes}.Pack(context.Background(), f)
	if err != nil {
		fmt.Println(err)
	}
	for _, m := range messages {
		fmt.Println(len(m.Part.Records), "records in", len(m.Body) <= destination.MaxSNSBytes)
	}
	// Output:
	// 9 records in true
	// 9 records in true
	// 2 records in true
}

func ExampleParseEnvelope() {
	f := destinationtest.Sample(2)
	message, err := f.Envelope(destination.EnvelopeOptions{})
	if err != nil {
		fmt.Println(err)
	}
	e, err := destination.ParseEnvelope(message)
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(e.Failure.Condition, "after", e.Failure.Attempts, "attempts:", e.Failure.Err)
	for _, r := range e.Failure.Records {
		fmt.Println(r.PartitionKey, string(r.Data))
	}
	// Output:
	// RetryAttemptsExhausted after 3 attempts: insert click: connection refused
	// visitor-0 {"click":0}
	// visitor-1 {"click":1}
}
