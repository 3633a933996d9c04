package kpl_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kpl"
)

// aggregate has a user record for each of data, keyed k0, k1, and so on.
func aggregate(data ...string) []byte {
	a := kpl.Aggregator{Mixed: true, MaxBytes: 1 << 20}
	for i, d := range data {
		a.Add(kpl.User{PartitionKey: fmt.Sprint("k", i), Data: []byte(d)})
	}
	return a.Flush().Data
}

func raw(sequence string, data []byte) shard.Record {
	return shard.Record{Stream: "arn", Shard: "shard", Sequence: sequence, PartitionKey: "raw", Keyed: true, Data: data}
}

// page has a plain record, two aggregates with one without user records between
// them, one that is malformed, one with a wrong digest, and another plain one.
func page() []shard.Record {
	wrong := aggregate("no", "digest")
	wrong[len(wrong)-1]++
	return []shard.Record{
		raw("1", []byte("plain")), raw("2", aggregate("a", "b", "c")), raw("3", frame(str(1, "nobody"))),
		raw("4", aggregate("d", "e")), raw("5", frame(str(1, "x")+user(7, "bad"))), raw("6", wrong), raw("7", []byte("last")),
	}
}

func shown(records []shard.Record) []string {
	var out []string
	for _, r := range records {
		data := string(r.Data)
		if strings.HasPrefix(data, magic) {
			data = "whole"
		}
		out = append(out, fmt.Sprintf("%s:%s=%s", r.Position(), r.PartitionKey, data))
	}
	return out
}

var unpacked = []string{
	"1:raw=plain", "2:k0=a", "2/1:k1=b", "2/2:k2=c", "4:k0=d", "4/1:k1=e", "5:raw=whole", "6:raw=whole", "7:raw=last",
}

// However little is taken at a time, all comes out once, in order, and what is
// odd is counted once.
func TestUnpackerHandsOutPartsOfAnySize(t *testing.T) {
	for _, most := range []struct {
		records int
		bytes   int64
	}{{1, 1 << 20}, {2, 1 << 20}, {3, 1 << 20}, {100, 0}, {100, 600}, {100, 1 << 20}} {
		var u kpl.Unpacker
		u.Feed(page())
		var got []shard.Record
		malformed, parts := 0, 0
		for more := true; more; more = u.Left() {
			part, odd := u.Take(most.records, most.bytes)
			if len(part) == 0 || len(part) > most.records || size(part) > most.bytes && len(part) > 1 {
				t.Errorf("a part has %d records of %d bytes, want 1 to %d, %d bytes", len(part), size(part), most.records, most.bytes)
			}
			got = append(got, part...)
			malformed += odd.Malformed
			parts++
		}
		if !slices.Equal(shown(got), unpacked) || malformed != 1 {
			t.Errorf("%+v: got %s, %d malformed", most, shown(got), malformed)
		}
		if most.records == 1 && parts != len(unpacked) {
			t.Errorf("%d parts of one record, want %d", parts, len(unpacked))
		}
		for i := range got {
			if got[i].Stream != "arn" || got[i].Shard != "shard" || !got[i].Keyed {
				t.Errorf("record %d is %+v", i, got[i])
			}
		}
	}
}

func size(records []shard.Record) (n int64) {
	for i := range records {
		n += int64(records[i].Size())
	}
	return n
}

// Behind every position of a page, what comes out is what lies behind it.
func TestUnpackerGoesOnBehindEveryPosition(t *testing.T) {
	var everything kpl.Unpacker
	everything.Feed(page())
	records, _ := everything.Take(100, 1<<20)
	for i := range records {
		u := kpl.Unpacker{After: records[i].Position()}
		at := slices.IndexFunc(page(), func(r shard.Record) bool { return r.Sequence == records[i].Sequence })
		u.Feed(page()[at:]) // as a reader does that was started there
		got, odd := u.Take(100, 1<<20)
		if !slices.Equal(shown(got), unpacked[i+1:]) {
			t.Errorf("after %s: got %s, want %s", records[i].Position(), shown(got), unpacked[i+1:])
		}
		if want := i < 6; (odd.Malformed == 1) != want {
			t.Errorf("after %s: %d malformed", records[i].Position(), odd.Malformed)
		}
	}
	// A position beyond the end of an aggregate, and the words.
	for after, want := range map[shard.Position][]string{
		shard.After("2", 9): unpacked[4:], shard.After("1", 4): unpacked[1:], shard.TrimHorizon(): unpacked, shard.Latest(): unpacked,
	} {
		u := kpl.Unpacker{After: after}
		u.Feed(page())
		if got, _ := u.Take(100, 1<<20); !slices.Equal(shown(got), want) {
			t.Errorf("after %s: got %s, want %s", after, shown(got), want)
		}
	}
}

// The policies differ in what becomes of user records whose hash lies in another
// shard, and in whether they are counted.
func TestPoliciesForWhatLiesOutside(t *testing.T) {
	lower := shard.HashRange{Start: "0", End: "170141183460469231731687303715884105727"}
	data := aggregate("a", "b", "c", "d", "e", "f")
	var inside, everyone []string
	for i, d := range []string{"a", "b", "c", "d", "e", "f"} {
		everyone = append(everyone, d)
		if lower.Holds(shard.PointOf(fmt.Sprint("k", i))) {
			inside = append(inside, d)
		}
	}
	if len(inside) == 0 || len(inside) == len(everyone) {
		t.Fatalf("%v of %v lie inside, want some", inside, everyone)
	}
	out := len(everyone) - len(inside)
	tests := []struct {
		policy kpl.Policy
		want   []string
		odd    shard.Aggregates
	}{
		{kpl.Deliver, everyone, shard.Aggregates{}},
		{kpl.Report, everyone, shard.Aggregates{Outside: out}},
		{kpl.Drop, inside, shard.Aggregates{Outside: out, Dropped: out}},
		{kpl.Whole, []string{string(data)}, shard.Aggregates{}},
	}
	for _, c := range tests {
		u := kpl.Unpacker{Policy: c.policy, Hashes: kpl.NewRange(lower)}
		u.Feed([]shard.Record{raw("1", data)})
		records, odd := u.Take(100, 1<<20)
		var got []string
		for _, r := range records {
			got = append(got, string(r.Data))
		}
		if !slices.Equal(got, c.want) || odd != c.odd {
			t.Errorf("%s: got %q, %+v; want %q, %+v", c.policy, got, odd, c.want, c.odd)
		}
	}
}

// A page without an aggregate is not touched.
func TestUnpackerLeavesPlainRecordsAlone(t *testing.T) {
	records := []shard.Record{raw("1", []byte("a")), raw("2", nil), raw("3", []byte(magic))}
	var u kpl.Unpacker
	u.Feed(records)
	got, _ := u.Take(1, 0)
	if len(got) != 3 || &got[0] != &records[0] || u.Left() {
		t.Errorf("got %v, left %v", shown(got), u.Left())
	}
	if got, _ := u.Take(1, 0); len(got) != 0 {
		t.Errorf("they came again: %v", shown(got))
	}
}

func TestPoliciesSayWhatTheyAre(t *testing.T) {
	for p, want := range map[kpl.Policy]string{kpl.Deliver: "deliver", kpl.Report: "report", kpl.Drop: "drop", kpl.Whole: "whole"} {
		if p.String() != want || p.Validate() != nil {
			t.Errorf("got %s, %v", p, p.Validate())
		}
	}
	if p := kpl.Policy(9); p.Validate() == nil || p.String() != "Policy(9)" {
		t.Errorf("got %s, %v", p, p.Validate())
	}
}

// Whatever a page has in it, it comes out the same in parts of any size, and
// behind any of its positions.
func FuzzUnpacker(f *testing.F) {
	f.Add([]byte(str(1, "a")+user(0, "x")+user(0, "y")), []byte("plain"), uint8(1), uint8(1))
	f.Add([]byte("garbage!"), aggregate("a", "b"), uint8(3), uint8(0))
	f.Fuzz(func(t *testing.T, message, data []byte, part, behind uint8) {
		page := func() []shard.Record {
			return []shard.Record{raw("1", frame(string(message))), raw("2", data), raw("3", frame(string(data)))}
		}
		var at kpl.Unpacker
		at.Feed(page())
		whole, odd := at.Take(1<<30, 1<<40)
		var parts kpl.Unpacker
		parts.Feed(page())
		var got []shard.Record
		for more := true; more; more = parts.Left() {
			some, o := parts.Take(1+int(part), 1<<40)
			got = append(got, some...)
			odd.Malformed -= o.Malformed
		}
		if !slices.Equal(shown(got), shown(whole)) || odd.Malformed != 0 {
			t.Fatalf("in parts came %q, at once %q, and %d malformed more", shown(got), shown(whole), odd.Malformed)
		}
		if len(whole) == 0 {
			return
		}
		i := int(behind) % len(whole)
		rest := kpl.Unpacker{After: whole[i].Position()}
		rest.Feed(page())
		got, _ = rest.Take(1<<30, 1<<40)
		if !slices.Equal(shown(got), shown(whole[i+1:])) {
			t.Fatalf("behind %s came %q, want %q", whole[i].Position(), shown(got), shown(whole[i+1:]))
		}
	})
}
