package batching_test

import (
	"strings"
	"testing"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/shard"
)

// What is sent on is what was made of handled records, in their order.
func TestOnlyWhatWasMadeOfHandledRecordsIsKept(t *testing.T) {
	records := []shard.Record{{Sequence: "10"}, {Sequence: "11"}, {Sequence: "12"}, {Sequence: "13"}}
	earlier := shard.Record{Sequence: "5"}
	b := &batching.Batch{Records: records}
	for _, e := range []batching.Emitted{
		{Of: &records[2], Data: []byte("c1")}, {Of: &records[0], Data: []byte("a1")}, {Of: &records[1], Data: []byte("b1")},
		{Data: []byte("d1")}, {Of: &records[0], Data: []byte("a2")}, {Of: &earlier, Data: []byte("e1")},
	} {
		b.Emit(e)
	}
	for _, test := range []struct {
		name    string
		verdict batching.Verdict
		want    string
	}{
		{"all handled", batching.Verdict{Handled: 4}, "e1 a1 a2 b1 c1 d1"},
		{"one rejected", batching.Verdict{Handled: 4, Rejected: []batching.Rejection{{Index: 1}}}, "e1 a1 a2 c1 d1"},
		{"failed from the third on", batching.Verdict{Handled: 2}, "a1 a2 b1"},
		{"failed", batching.Verdict{}, ""},
	} {
		var got []string
		for _, e := range batching.Kept(b.Call.Emitted(), records, test.verdict) {
			got = append(got, string(e.Data))
		}
		if text := strings.Join(got, " "); text != test.want {
			t.Errorf("%s: kept %q, want %q", test.name, text, test.want)
		}
	}
}
