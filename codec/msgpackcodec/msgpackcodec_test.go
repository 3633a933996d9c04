package msgpackcodec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/towpath/towpath/codec"
)

type click struct {
	Visitor string `msgpack:"visitor"`
	Count   int    `msgpack:"count"`
}

// TestDecodeSurvivesLyingLengths has the records that end a process which hands
// them to the decoder as they are.
func TestDecodeSurvivesLyingLengths(t *testing.T) {
	for name, data := range map[string][]byte{
		"array32":          {0xdd, 0x7f, 0xff, 0xff, 0xff},
		"array32, all":     {0xdd, 0xff, 0xff, 0xff, 0xff},
		"map32":            {0xdf, 0x7f, 0xff, 0xff, 0xff},
		"map32, all":       {0xdf, 0xff, 0xff, 0xff, 0xff},
		"array16":          {0xdc, 0xff, 0xff, 0xc0},
		"map16":            {0xde, 0x00, 0x01, 0xc0},
		"bin32":            {0xc6, 0x7f, 0xff, 0xff, 0xff, 0x00},
		"str32":            {0xdb, 0x7f, 0xff, 0xff, 0xff, 0x00},
		"ext32":            {0xc9, 0x7f, 0xff, 0xff, 0xff, 0xff, 0x00},
		"deep arrays":      bytes.Repeat([]byte{0x91}, 10<<20),
		"deep maps":        bytes.Repeat([]byte{0x81}, 10<<20),
		"deep wide arrays": bytes.Repeat([]byte{0xdd, 0x00, 0x10, 0x00, 0x00}, 2<<20),
		"within":           {0x81, 0xa1, 'a', 0xdd, 0x7f, 0xff, 0xff, 0xff},
		"fixstr":           {0xbf, 'a'},
		"fixext":           {0xd8, 0xff, 0x00},
		"never used":       {0xc1},
		"nothing":          {},
		"trailing":         {0xc0, 0xc0},
		"length cut":       {0xdd, 0x00},
	} {
		for _, into := range []any{new(any), new([]int64), new([]click), new(map[string]any), new(click), new([]byte), new(string)} {
			before := allocated()
			err := Codec{}.Decode(data, into)
			if err == nil {
				t.Errorf("%s into %T: no error", name, into)
			}
			if n := allocated() - before; n > 1<<20 {
				t.Errorf("%s into %T allocated %d bytes", name, into, n)
			}
		}
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func TestDecodeBoundsDepthExactly(t *testing.T) {
	nested := func(n int) []byte { return append(bytes.Repeat([]byte{0x91}, n), 0xc0) }
	if err := (Codec{}).Decode(nested(defaultDepth), new(any)); err != nil {
		t.Errorf("%d deep: %v", defaultDepth, err)
	}
	if err := (Codec{}).Decode(nested(defaultDepth+1), new(any)); err == nil {
		t.Errorf("%d deep: no error", defaultDepth+1)
	}
	if err := (Codec{MaxDepth: 2}).Decode(nested(3), new(any)); err == nil {
		t.Error("3 deep with MaxDepth 2: no error")
	}
	if err := (Codec{MaxDepth: math.MaxInt}).Decode(nested(largestDepth), new(any)); err != nil {
		t.Errorf("%d deep with no MaxDepth to speak of: %v", largestDepth, err)
	}
	if err := (Codec{MaxDepth: math.MaxInt}).Decode(nested(largestDepth+1), new(any)); err == nil {
		t.Errorf("%d deep with no MaxDepth to speak of: no error", largestDepth+1)
	}
}

func TestDecodeRunsNoExtension(t *testing.T) {
	ran := false
	msgpack.RegisterExtDecoder(42, click{}, func(*msgpack.Decoder, reflect.Value, int) error {
		ran = true
		panic("the extension ran")
	})
	t.Cleanup(func() { msgpack.UnregisterExt(42) })
	data := []byte{0xd4, 42, 0x00}
	var v any
	if err := (Codec{}).Decode(data, &v); err == nil || ran {
		t.Errorf("the extension ran: %v, error %v", ran, err)
	}
	if err := (Codec{AllowExtensions: true}).Decode(data, &v); err == nil || !strings.Contains(quoted(err), "panic: the extension ran") {
		t.Errorf("error %v, want the panic", err)
	}
	for n, want := range map[int]bool{0: false, 4: true, 5: false, 8: true, 12: true} {
		data := append([]byte{0xc7, byte(n), 0xff}, make([]byte, n)...)
		var at time.Time
		if err := (Codec{}).Decode(data, &at); (err == nil) != want {
			t.Errorf("a timestamp of %d bytes: error %v", n, err)
		}
	}
}

// TestDecodeAgreesWithTheLibrary decodes values made at random both ways.
func TestDecodeAgreesWithTheLibrary(t *testing.T) {
	for seed := range uint64(3000) {
		rng := rand.New(rand.NewPCG(seed, 5))
		data, err := msgpack.Marshal(randomValue(rng, 4))
		if err != nil {
			t.Fatal(err)
		}
		var got, want any
		if err := msgpack.Unmarshal(data, &want); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if err := (Codec{}).Decode(data, &got); err != nil {
			t.Fatalf("seed %d: %v: %x", seed, err, data)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: got %v, want %v", seed, got, want)
		}
		for n := 0; n < len(data); n += 1 + len(data)/500 {
			if err := walk(data[:n], defaultDepth, false); err == nil {
				t.Fatalf("seed %d: cut at %d of %d: no error", seed, n, len(data))
			}
		}
	}
}

func randomValue(rng *rand.Rand, depth int) any {
	kinds := 12
	if depth == 0 {
		kinds = 10
	}
	switch rng.IntN(kinds) {
	case 0:
		return nil
	case 1:
		return rng.IntN(2) == 0
	case 2:
		return int64(rng.Uint64() >> rng.IntN(64))
	case 3:
		return -int64(rng.Uint64() >> (1 + rng.IntN(63)))
	case 4:
		return rng.Uint64() >> rng.IntN(64)
	case 5:
		return rng.Float32()
	case 6:
		return rng.Float64()
	case 7:
		return strings.Repeat("s", rng.IntN(1<<rng.IntN(18)))
	case 8:
		return make([]byte, rng.IntN(1<<rng.IntN(18)))
	case 9:
		return time.Unix(rng.Int64N(1<<40), rng.Int64N(1e9)*int64(rng.IntN(2)))
	case 10:
		list := make([]any, rng.IntN(20))
		for i := range list {
			list[i] = randomValue(rng, depth-1)
		}
		return list
	}
	m := map[string]any{}
	for i := range rng.IntN(20) {
		m[fmt.Sprint(i)] = randomValue(rng, depth-1)
	}
	return m
}

func TestDecodeKnowsEveryLargeForm(t *testing.T) {
	for _, n := range []int{1 << 16, 1<<16 - 1, 1 << 8, 1<<8 - 1, 32, 31, 16, 15} {
		list, text := make([]int, n), strings.Repeat("x", n)
		m := map[int]int{}
		for i := range n {
			m[i] = i
		}
		for _, v := range []any{list, text, []byte(text), m} {
			data, err := Codec{}.Encode(v)
			if err != nil {
				t.Fatal(err)
			}
			back := reflect.New(reflect.TypeOf(v))
			if err := (Codec{}).Decode(data, back.Interface()); err != nil {
				t.Fatalf("%T of %d: %v", v, n, err)
			}
			if !reflect.DeepEqual(back.Elem().Interface(), v) {
				t.Errorf("%T of %d came back as another", v, n)
			}
		}
	}
}

// quoted is what a decoder itself said, which is not logged.
func quoted(err error) string {
	var d *codec.DecodeError
	if !errors.As(err, &d) {
		return "no DecodeError"
	}
	return d.Err.Error()
}

type angry struct{}

func (angry) DecodeMsgpack(*msgpack.Decoder) error { panic(errors.New("angry")) }
func (angry) EncodeMsgpack(*msgpack.Encoder) error { panic(errors.New("angry")) }

func TestPanicsAreErrors(t *testing.T) {
	if err := (Codec{}).Decode([]byte{0x80}, &angry{}); err == nil || !strings.Contains(quoted(err), "angry") || strings.Contains(err.Error(), "angry") {
		t.Errorf("Decode: error %v", err)
	}
	if _, err := (Codec{}).Encode(angry{}); err == nil || !strings.Contains(err.Error(), "angry") {
		t.Errorf("Encode: error %v", err)
	}
	if err := (Codec{}).Decode([]byte{0x81, 0x90, 0xc0}, new(map[any]any)); err == nil {
		t.Error("a map with an array as a key: no error")
	}
	for _, into := range []any{nil, click{}, (*click)(nil)} {
		if err := (Codec{}).Decode([]byte{0x80}, into); err == nil {
			t.Errorf("into %#v: no error", into)
		}
	}
}

func TestOptionsReachTheLibrary(t *testing.T) {
	type tagged struct {
		Visitor string `json:"visitor"`
	}
	data, err := Codec{StructTag: "json"}.Encode(tagged{"ada"})
	if err != nil {
		t.Fatal(err)
	}
	var c click
	if err := (Codec{DisallowUnknownFields: true}).Decode(data, &c); err != nil || c.Visitor != "ada" {
		t.Errorf("got %+v, error %v", c, err)
	}
	data, _ = Codec{}.Encode(map[string]int{"new": 1})
	if err := (Codec{DisallowUnknownFields: true}).Decode(data, &c); err == nil {
		t.Error("an unknown member was accepted")
	}
	if err := (Codec{}).Decode(data, &c); err != nil {
		t.Error(err)
	}
}

func TestWalkAllocatesNothing(t *testing.T) {
	data := sample()
	if n := testing.AllocsPerRun(100, func() {
		if err := walk(data, defaultDepth, false); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func sample() []byte {
	data, _ := Codec{}.Encode(map[string]any{
		"visitor": "ada", "count": 3, "at": time.Unix(1772409599, 0), "price": 9.99,
		"tags": []string{"a", "b", "c"}, "page": map[string]any{"path": "/electronics", "status": 200},
	})
	return data
}

func FuzzWalk(f *testing.F) {
	f.Add(sample())
	f.Add([]byte{0xdd, 0x7f, 0xff, 0xff, 0xff})
	f.Add([]byte{0xc7, 4, 0xff, 0, 0, 0, 0})
	for seed := range uint64(20) {
		data, _ := msgpack.Marshal(randomValue(rand.New(rand.NewPCG(seed, 6)), 3))
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		err := walk(data, defaultDepth, false)
		var v any
		decoded := Codec{}.Decode(data, &v)
		if err != nil && decoded == nil {
			t.Fatalf("the walk says %v, and yet it was decoded", err)
		}
		if err != nil {
			return
		}
		// What the walk lets through is one whole value to the library as well.
		d := msgpack.NewDecoder(bytes.NewReader(data))
		if err := d.Skip(); err != nil {
			t.Errorf("the library can not skip it: %v", err)
		}
	})
}

func BenchmarkWalk(b *testing.B) {
	data := sample()
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := walk(data, defaultDepth, false); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	data := sample()
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		var v any
		if err := (Codec{}).Decode(data, &v); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWalkLarge shows that the time grows with the length: 10 MiB is the
// largest record.
func BenchmarkWalkLarge(b *testing.B) {
	for _, n := range []int{10 << 10, 1 << 20, 10 << 20} {
		data := binary.BigEndian.AppendUint32([]byte{0xdd}, uint32(n))
		data = append(data, bytes.Repeat([]byte{0x90}, n)...)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if err := walk(data, defaultDepth, false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
