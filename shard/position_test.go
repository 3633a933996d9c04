package shard

import (
	"bytes"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestPositionsAreOrderedAsKCLOrdersThem(t *testing.T) {
	ordered := []Position{
		AtTime(origin), TrimHorizon(), Latest(),
		After("0", 0), After("9", 0), After("10", 0), After("10", 1), After("10", 2), After("11", 0),
		After("49601189658422359378836298521827638475320189012309704722", 0),
		After("149601189658422359378836298521827638475320189012309704722", 0),
		End(),
	}
	for i, a := range ordered {
		for j, b := range ordered {
			if got, want := a.Compare(b), sign(i-j); got != want {
				t.Errorf("%s compared with %s is %d, want %d", a, b, got, want)
			}
		}
	}
	for _, equal := range [][2]Position{
		{{}, TrimHorizon()},
		{After("007", 0), After("7", 0)},
		{AtTime(origin), AtTime(origin.Add(time.Hour))}, // neither has delivered anything
	} {
		if c := equal[0].Compare(equal[1]); c != 0 {
			t.Errorf("%s compared with %s is %d, want 0", equal[0], equal[1], c)
		}
	}
}

func TestSequencesCompareByValue(t *testing.T) {
	for seed := range uint64(2000) {
		random := rand.New(rand.NewPCG(seed, 10))
		a, b := random.Uint64()>>random.IntN(64), random.Uint64()>>random.IntN(64)
		zeros := strings.Repeat("0", random.IntN(3))
		want := 0
		switch {
		case a < b:
			want = -1
		case a > b:
			want = 1
		}
		if got := CompareSequences(zeros+strconv.FormatUint(a, 10), strconv.FormatUint(b, 10)); got != want {
			t.Errorf("%d compared with %d is %d, want %d", a, b, got, want)
		}
	}
}

func TestPositionKnowsItsKind(t *testing.T) {
	for _, test := range []struct {
		p    Position
		kind string
		text string
	}{
		{Position{}, "trim", "TRIM_HORIZON"},
		{TrimHorizon(), "trim", "TRIM_HORIZON"},
		{Latest(), "latest", "LATEST"},
		{Position{Sequence: "LATEST", At: origin}, "latest", "LATEST@2026-03-01T12:00:00.000Z"},
		{AtTime(origin), "time", "AT_TIMESTAMP@2026-03-01T12:00:00.000Z"},
		{After("12", 0), "record", "12"},
		{After("12", 3), "record", "12/3"},
		{End(), "end", "SHARD_END"},
	} {
		var kinds []string
		for kind, is := range map[string]bool{
			"trim": test.p.IsTrimHorizon(), "latest": test.p.IsLatest(), "time": test.p.IsAtTime(),
			"record": test.p.IsRecord(), "end": test.p.IsEnd(),
		} {
			if is {
				kinds = append(kinds, kind)
			}
		}
		if !slices.Equal(kinds, []string{test.kind}) {
			t.Errorf("%s is %v, want %s", test.p, kinds, test.kind)
		}
		if got := test.p.String(); got != test.text {
			t.Errorf("%q, want %q", got, test.text)
		}
		if err := test.p.Validate(); err != nil {
			t.Errorf("%s is refused: %v", test.p, err)
		}
	}
}

func TestPositionFromOutsideIsValidated(t *testing.T) {
	for _, p := range []Position{
		{Sequence: "12a"}, {Sequence: "-1"}, {Sequence: " 1"}, {Sequence: "1.0"}, {Sequence: "shard_end"},
		{Sequence: "٣"}, {Sequence: strings.Repeat("1", 129)}, {Sequence: "1", Sub: -1},
		{Sequence: "AT_TIMESTAMP"}, {Sequence: "SHARD_END", Sub: -1},
	} {
		if err := p.Validate(); err == nil {
			t.Errorf("%q with index %d is believed", p.Sequence, p.Sub)
		}
	}
}

func TestRecordIsNamedForEver(t *testing.T) {
	r := Record{Stream: "arn:aws:kinesis:eu-west-1:1:stream/s", Shard: "shardId-0", Sequence: "12"}
	if got, want := r.ID(), "arn:aws:kinesis:eu-west-1:1:stream/s/shardId-0/12"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	r.Sub = 3
	if got := r.ID(); !strings.HasSuffix(got, "/12/3") {
		t.Errorf("%s, want the index behind the sequence number", got)
	}
	if r.Position() != After("12", 3) {
		t.Errorf("position %s, want 12/3", r.Position())
	}
	before := r.Size()
	r.Data, r.PartitionKey = make([]byte, 100), "key"
	if got := r.Size() - before; got != 103 {
		t.Errorf("payload and key count %d, want 103", got)
	}
	c := Chunk{Records: []Record{r, r}}
	if got, want := c.Bytes(), int64(2*r.Size()); got != want {
		t.Errorf("a chunk of two has %d bytes, want %d", got, want)
	}
}

func ExamplePosition_Compare() {
	positions := []Position{End(), After("10", 0), After("9", 0), After("9", 1), TrimHorizon()}
	slices.SortFunc(positions, Position.Compare)
	fmt.Println(positions)
	// Output: [TRIM_HORIZON 9 9/1 10 SHARD_END]
}

// FuzzCompareSequences holds the order of sequence numbers against math/big's.
func FuzzCompareSequences(f *testing.F) {
	f.Add("4959", "49590")
	f.Add("0", "00")
	f.Add("9", "10")
	f.Add("340282366920938463463374607431768211456", "340282366920938463463374607431768211455")
	f.Add("١", "-1")
	f.Fuzz(func(t *testing.T, a, b string) {
		p, q := After(a, 0), After(b, 0)
		if c := p.Compare(q); c != -q.Compare(p) || p.Compare(p) != 0 {
			t.Errorf("%q and %q: %d one way and %d the other", a, b, c, q.Compare(p))
		}
		if p.Validate() != nil || q.Validate() != nil || !p.IsRecord() || !q.IsRecord() {
			return
		}
		x, okx := new(big.Int).SetString(a, 10)
		y, oky := new(big.Int).SetString(b, 10)
		if !okx || !oky {
			t.Fatalf("%q or %q is believed, and is no number", a, b)
		}
		if got, want := CompareSequences(a, b), x.Cmp(y); got != want {
			t.Errorf("%q and %q: %d, want %d", a, b, got, want)
		}
	})
}

// Digits are digits at every place of a sequence number, and nothing else is.
func TestSequenceNumbersAreDigitsAlone(t *testing.T) {
	for length := 1; length <= 20; length++ {
		for at := range length {
			for c := range 256 {
				b := bytes.Repeat([]byte("9"), length)
				b[at] = byte(c)
				err := After(string(b), 0).Validate()
				if digit := '0' <= c && c <= '9'; (err == nil) != digit {
					t.Fatalf("%q at %d of %d: %v", byte(c), at, length, err)
				}
			}
		}
	}
}

func BenchmarkValidate(b *testing.B) {
	p := After("49590338271490256608559692538361571095921575989136588898", 0)
	for b.Loop() {
		if err := p.Validate(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCompareSequences compares neighbours of one shard, which differ in
// their last digits.
func BenchmarkCompareSequences(b *testing.B) {
	const x, y = "49601189658422359378836298521827638475320189012309704722", "49601189658422359378836298521827638475320189012309704723"
	b.ReportAllocs()
	for b.Loop() {
		if CompareSequences(x, y) >= 0 {
			b.Fatal("out of order")
		}
	}
}
