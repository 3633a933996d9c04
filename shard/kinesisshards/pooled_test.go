package kinesisshards_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
)

func pooled(o *kinesisshards.Options)   { o.Pooled = true }
func poisoned(o *kinesisshards.Options) { o.Pooled, o.Poison = true, true }

// pagesOf are answers one behind the other.
func pagesOf(pages, records, size int) *canned {
	c := &canned{}
	for i := range pages {
		c.answers = append(c.answers, answer{body: jsonPage(1+i*records, records, size)})
	}
	return c
}

func next(t *testing.T, r shard.Reader) shard.Chunk {
	t.Helper()
	chunk, err := r.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return chunk
}

// Memory that is not released is nobody else's, however much is read.
func TestWhatIsNotReleasedStays(t *testing.T) {
	c := pagesOf(20, 50, 200)
	r := c.open(c.client(), pooled)
	want := bytes.Repeat([]byte("towpath "), 25)
	var kept []shard.Chunk
	for i := range 20 {
		chunk := next(t, r)
		if chunk.Release == nil {
			t.Fatal("the chunk is not lent")
		}
		if i%2 == 0 {
			kept = append(kept, chunk)
		} else {
			chunk.Release()
		}
	}
	for i, chunk := range kept {
		for j := range chunk.Records {
			if !bytes.Equal(chunk.Records[j].Data, want) {
				t.Fatalf("record %d of chunk %d is %q", j, i, chunk.Records[j].Data)
			}
		}
	}
}

// Whoever keeps what is released sees it at once; sequence numbers and keys may be
// kept.
func TestReleasedPayloadsArePoisoned(t *testing.T) {
	c := pagesOf(3, 50, 200)
	r := c.open(c.client(), poisoned)
	chunk := next(t, r)
	first := chunk.Records[0]
	chunk.Release()
	chunk.Release() // once more does nothing
	for i := range chunk.Records {
		if got := chunk.Records[i].Data; !bytes.Equal(got, bytes.Repeat([]byte{0xDB}, 200)) {
			t.Fatalf("record %d is still %q", i, got)
		}
	}
	second := next(t, r)
	if got := first.Data; !bytes.Equal(got, bytes.Repeat([]byte{0xDB}, 200)) {
		t.Errorf("poisoned memory was used again: %q", got)
	}
	if first.PartitionKey != "key-0" || len(first.Sequence) != 56 || second.Records[0].Sequence <= first.Sequence {
		t.Errorf("the text of %+v has changed", first)
	}
}

// With memory that goes back, reading makes next to no garbage: what is left are
// the records themselves and their text.
func TestReleasedMemoryIsUsedAgain(t *testing.T) {
	const records, size, pages = 300, 1000, 15
	// Of the page that cost least: a pool may forget what it was given.
	bytesPerRecord := func(options ...func(*kinesisshards.Options)) float64 {
		c := pagesOf(pages, records, size)
		r := c.open(c.client(), options...)
		least := uint64(math.MaxUint64)
		for range pages {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if chunk := next(t, r); chunk.Release != nil {
				chunk.Release()
			}
			runtime.ReadMemStats(&after)
			least = min(least, after.TotalAlloc-before.TotalAlloc)
		}
		return float64(least) / records
	}
	kept, lent := bytesPerRecord(), bytesPerRecord(pooled)
	t.Logf("bytes a record: %.0f kept, %.0f pooled", kept, lent)
	if kept < size || lent > size/2 {
		t.Errorf("a record of %d bytes costs %.0f bytes of memory kept and %.0f pooled, want at least its payload, and at most half of it", size, kept, lent)
	}
}

// A page whose aggregates do not fit into one chunk is not lent: what is left
// unread lies in it.
func TestAggregatesInPartsAreNotLent(t *testing.T) {
	whole := aggregated("7", 30)
	body := fmt.Appendf(nil, `{"Records":[{"SequenceNumber":"7","PartitionKey":"a","Data":"%s"}],"NextShardIterator":"next","MillisBehindLatest":0}`,
		base64.StdEncoding.EncodeToString(whole.Data))
	for _, of := range []struct {
		limit int
		lent  []bool
	}{{10, []bool{false, false, false}}, {100, []bool{true}}} {
		c := &canned{answers: []answer{{body: body}}}
		r := c.open(c.client(), poisoned, func(o *kinesisshards.Options) { o.Limit = of.limit })
		var lent []bool
		var all []shard.Record
		for range of.lent {
			chunk := next(t, r)
			lent = append(lent, chunk.Release != nil)
			all = append(all, chunk.Records...)
		}
		if !slices.Equal(lent, of.lent) || len(all) != 30 {
			t.Errorf("limit %d: lent %v, want %v; %d records", of.limit, lent, of.lent, len(all))
		}
		for i := range all {
			if string(all[i].Data) != fmt.Sprint("7 has ", i) {
				t.Errorf("limit %d: record %d is %q", of.limit, i, all[i].Data)
			}
		}
	}
}

// A client of which it is not known what its answers lie in lends nothing.
func TestAnswersOfOthersAreNotLent(t *testing.T) {
	c := pagesOf(1, 3, 10)
	if chunk := next(t, c.open(plain{c.client()}, poisoned)); chunk.Release != nil || len(chunk.Records) != 3 {
		t.Errorf("got %+v, want three records that are not lent", chunk)
	}
}

// Poison without anything that is released is a mistake.
func TestPoisonNeedsPooled(t *testing.T) {
	c := &canned{}
	err := kinesisshards.Open(c.client(), clicks, func(o *kinesisshards.Options) { o.Poison = true }).Validate()
	if err == nil || err.Error() != "Poison is set without Pooled, want both: nothing is released" {
		t.Errorf("got %v", err)
	}
}
