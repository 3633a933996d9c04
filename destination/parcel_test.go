package destination_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
)

// TestWavesKeepOrderAndLimits cuts records made at random.
func TestWavesKeepOrderAndLimits(t *testing.T) {
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 6))
		records := destinationtest.SampleEmitted(rng.IntN(60), 1+rng.IntN(10))
		for i := range records {
			records[i].Data = make([]byte, rng.IntN(40))
		}
		limit, maxBytes := 1+rng.IntN(8), rng.IntN(3)*50
		size := func(e *batching.Emitted) int { return len(e.Data) }
		next := map[string]int{} // by key, which of its records comes next
		of := map[string][]string{}
		for _, e := range records {
			of[e.Key] = append(of[e.Key], e.ID)
		}
		n := 0
		for _, run := range destination.Waves(records, limit, maxBytes, size) {
			seen, bytes := map[string]bool{}, 0
			for _, e := range run {
				if seen[e.Key] || of[e.Key][next[e.Key]] != e.ID {
					t.Fatalf("seed %d: %s is out of its place", seed, e.ID)
				}
				seen[e.Key] = true
				next[e.Key]++
				bytes += size(&e)
				n++
			}
			if len(run) == 0 || len(run) > limit || maxBytes > 0 && bytes > maxBytes && len(run) > 1 {
				t.Fatalf("seed %d: a run of %d records with %d bytes, the limits are %d and %d", seed, len(run), bytes, limit, maxBytes)
			}
		}
		if n != len(records) {
			t.Fatalf("seed %d: %d of %d records are in a run", seed, n, len(records))
		}
	}
}

// TestRecordsWithoutAnIDAreNoRepeats: a queue would drop all but the first, and a
// bucket keep the last alone.
func TestRecordsWithoutAnIDAreNoRepeats(t *testing.T) {
	seenID, seenKey := map[string]bool{}, map[string]bool{}
	for _, e := range []batching.Emitted{{Data: []byte("a")}, {Data: []byte("b")}, {Key: "b"}, {Key: "a"}, {ID: "a"}, {ID: "b"}} {
		id, key := destination.RepeatID("", &e), destination.EmittedKey(&e)
		if seenID[id] || seenKey[key] {
			t.Errorf("%+v passes for another", e)
		}
		seenID[id], seenKey[key] = true, true
		if again := e; destination.RepeatID("", &again) != id || destination.EmittedKey(&again) != key {
			t.Errorf("a repeat of %+v passes for another", e)
		}
	}
}

// TestKeyGroupsAreTakenByTheService: a key that is no token becomes one, and one
// key is never two groups.
func TestKeyGroupsAreTakenByTheService(t *testing.T) {
	of := destinationtest.SampleEmitted(1, 1)[0]
	for _, key := range []string{"", "alice", "with space", "é", "\x00", fmt.Sprintf("%0129d", 1)} {
		e := of
		e.Key = key
		got := destination.KeyGroup(&e)
		if got == "" || len(got) > destination.MaxFIFOTokenBytes || got != destination.KeyGroup(&e) {
			t.Errorf("key %.20q gives the group %q", key, got)
		}
		switch key {
		case "":
			if got != of.Of.Shard {
				t.Errorf("without a key the group is %q, want the shard", got)
			}
		case "alice":
			if got != key {
				t.Errorf("the group is %q, want the key", got)
			}
		}
	}
}

func ExampleWaves() {
	records := []batching.Emitted{{ID: "1", Key: "a"}, {ID: "2", Key: "a"}, {ID: "3", Key: "b"}, {ID: "4", Key: "c"}}
	for _, run := range destination.Waves(records, 2, 0, (*batching.Emitted).Size) {
		fmt.Println("together:")
		for _, e := range run {
			fmt.Println(e.ID, "of", e.Key)
		}
	}
	// Output:
	// together:
	// 1 of a
	// 3 of b
	// together:
	// 2 of a
	// 4 of c
}
