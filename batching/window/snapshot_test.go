package window

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/shard"
)

func randomBook(r *rand.Rand) *book {
	b := newBook()
	b.mark = r.Int64N(1 << 40)
	if r.IntN(2) == 0 {
		b.hashes = hashes{set: true, last: hashOf("x")}
		b.floors = append(b.floors, floor{b.hashes, b.mark + 1})
	}
	for k := range r.IntN(5) {
		var panes []pane
		for i := range 1 + r.IntN(3) {
			p := pane{span: span{int64(i) * 100, int64(i)*100 + 1 + r.Int64N(99)}, open: r.IntN(2) == 0, revision: r.IntN(3)}
			for range r.IntN(3) {
				p.given = append(p.given, span{1, 2 + r.Int64N(1<<50)})
			}
			p.state = bytes.Repeat([]byte{7}, r.IntN(20))
			panes = append(panes, p)
		}
		key := strings.Repeat("k", k)
		b.panes[key] = panes
		b.bytes += sizeOf(key, panes)
		b.count += len(panes)
	}
	return b
}

func TestSnapshotReadsWhatItWrote(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		want := randomBook(r)
		data := want.snapshot()
		got, err := readBook(data)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.snapshot(), data) || got.bytes != want.bytes || got.count != want.count {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		if len(data) > want.bytes+len(want.floors)*64+64 {
			t.Fatalf("a snapshot of %d bytes counts only %d", len(data), want.bytes)
		}
		// One byte that is cut off or changed is seen.
		for i := range data {
			broken := bytes.Clone(data)
			broken[i] ^= 1 << r.IntN(8)
			if _, err := readBook(broken); !errors.Is(err, ErrState) {
				t.Fatalf("byte %d changed: error %v, want ErrState", i, err)
			}
			if _, err := readBook(data[:i]); !errors.Is(err, ErrState) {
				t.Fatalf("cut off at %d: error %v, want ErrState", i, err)
			}
		}
	}
}

func FuzzReadBook(f *testing.F) {
	r := rand.New(rand.NewPCG(2, 2))
	for range 20 {
		f.Add(randomBook(r).snapshot()[1:])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		// The sum is made right, so that what lies behind it is reached.
		w := &writer{b: append([]byte{kindBook}, body...)}
		b, err := readBook(w.seal())
		if err != nil {
			if !errors.Is(err, ErrState) {
				t.Errorf("error %v is no ErrState", err)
			}
			return
		}
		again, err := readBook(b.snapshot())
		if err != nil || !bytes.Equal(again.snapshot(), b.snapshot()) {
			t.Errorf("what was read is not read again: %v", err)
		}
		b.wind(1)
		b.draft().advance(1<<62, 1)
	})
}

// half is the lower or upper half of all hashes.
func half(upper bool) shard.HashRange {
	top := new(big.Int).Lsh(big.NewInt(1), 128)
	middle := new(big.Int).Rsh(top, 1)
	one := big.NewInt(1)
	if upper {
		return shard.HashRange{Start: middle.String(), End: new(big.Int).Sub(top, one).String()}
	}
	return shard.HashRange{Start: "0", End: new(big.Int).Sub(middle, one).String()}
}

// whole is all of them.
func whole() shard.HashRange {
	return shard.HashRange{Start: half(false).Start, End: half(true).End}
}

// keyIn is a key in a half.
func keyIn(upper bool) string {
	for i := 0; ; i++ {
		key := fmt.Sprint("key-", i)
		if h := md5.Sum([]byte(key)); (h[0] >= 128) == upper {
			return key
		}
	}
}

func ranged(t *testing.T, r shard.HashRange, mark int64, keys ...string) *book {
	t.Helper()
	b := newBook()
	var err error
	if b.hashes, err = parseHashes(r); err != nil {
		t.Fatal(err)
	}
	b.mark = mark
	for _, key := range keys {
		b.panes[key] = []pane{{span: span{100, 200}, open: true, state: []byte(key)}}
	}
	return b
}

func TestEachKeyGoesToOneChild(t *testing.T) {
	var keys []string
	for i := range 50 {
		keys = append(keys, fmt.Sprint("key-", i))
	}
	parent := ranged(t, whole(), 77, keys...)
	// These hash into the upper half, and are in the lower one all the same.
	foreign := ranged(t, half(false), 77, keys...)
	quarter := new(big.Int).Lsh(big.NewInt(1), 126)
	for _, c := range []struct {
		parent   *book
		children []shard.HashRange
	}{
		{parent, []shard.HashRange{half(false), half(true)}},
		{foreign, []shard.HashRange{
			{Start: "0", End: quarter.String()},
			{Start: new(big.Int).Add(quarter, big.NewInt(1)).String(), End: half(false).End},
		}},
		{parent, []shard.HashRange{{}}}, // a shard of a DynamoDB stream
	} {
		seen := map[string]int{}
		for _, r := range c.children {
			own, err := parseHashes(r)
			if err != nil {
				t.Fatal(err)
			}
			child, err := inherit(own, []*book{c.parent}, false, nil)
			if err != nil || child.mark != 77 {
				t.Fatalf("mark %d, error %v", child.mark, err)
			}
			for key := range child.panes {
				seen[key]++
			}
		}
		for _, key := range keys {
			if seen[key] != 1 {
				t.Errorf("%s is in %d of %d children", key, seen[key], len(c.children))
			}
		}
	}
}

// The parent that was further keeps its watermark for its keys: a window that it
// gave out and forgot does not begin again.
func TestAMergeBringsNoWindowBack(t *testing.T) {
	own, _ := parseHashes(whole())
	low, high := keyIn(false), keyIn(true)
	child, err := inherit(own, []*book{ranged(t, half(false), 500, low), ranged(t, half(true), 50, high)}, false, nil)
	if err != nil || child.mark != 50 || len(child.panes) != 2 {
		t.Fatalf("%+v, error %v", child, err)
	}
	for key, want := range map[string]int64{low: 500, high: 50} {
		if got := child.markFor(&shard.Record{PartitionKey: key}, child.mark); got != want {
			t.Errorf("%s: watermark %d, want %d", key, got, want)
		}
	}
	// It is handed on to the next generation, cut to its half, and goes when it
	// is reached.
	upper, _ := parseHashes(half(true))
	again, err := readBook(child.snapshot())
	if err != nil {
		t.Fatal(err)
	}
	if next, err := inherit(upper, []*book{again}, false, nil); err != nil || len(next.floors) != 0 {
		t.Errorf("floors %v, error %v, want none in the upper half", next.floors, err)
	}
	d := again.draft()
	d.advance(500, 0)
	d.commit(0)
	if len(again.floors) != 0 {
		t.Errorf("floors %v, want none", again.floors)
	}
}

func TestAMergeOfTwoStatesOfOneKeyNeedsMerge(t *testing.T) {
	own, _ := parseHashes(whole())
	parents := func() []*book { return []*book{ranged(t, half(false), 1, "k"), ranged(t, half(true), 2, "k")} }
	if _, err := inherit(own, parents(), false, nil); !errors.Is(err, ErrMerge) {
		t.Errorf("error %v, want ErrMerge", err)
	}
	joined := func(into, from []byte) ([]byte, error) { return append(bytes.Clone(into), from...), nil }
	b, err := inherit(own, parents(), false, joined)
	if err != nil || len(b.panes["k"]) != 1 || string(b.panes["k"][0].state) != "kk" {
		t.Errorf("%+v, error %v", b.panes, err)
	}
}

func TestAShardDoesNotBeginOnWhatItDoesNotUnderstand(t *testing.T) {
	a, err := New(Spec[int, int]{Size: 1e9, Add: func(context.Context, *int, *shard.Record, int) error { return nil },
		Close: func(context.Context, *Closed[int]) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]batching.Restored{
		"own":       {State: []byte("no")},
		"inherited": {Inherited: map[string][]byte{"p": []byte("no")}},
	} {
		if err := a.Restore(t.Context(), r); !errors.Is(err, ErrState) {
			t.Errorf("%s: error %v, want ErrState", name, err)
		}
	}
	if err := a.Restore(t.Context(), batching.Restored{Hashes: shard.HashRange{Start: "a", End: "b"}}); err == nil {
		t.Error("a range that is none was taken")
	}
}
