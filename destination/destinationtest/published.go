package destinationtest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
)

func publish(t *testing.T, rig PublisherRig, records []batching.Emitted) {
	t.Helper()
	if err := rig.Publisher.Publish(t.Context(), records); err != nil {
		t.Fatalf("publish: %v", err)
	}
}

// wantPublished wants the service to hold the records, each once, those of one
// key in order.
func wantPublished(t *testing.T, rig PublisherRig, records []batching.Emitted) {
	t.Helper()
	got := rig.Published(t)
	if len(got) != len(records) {
		t.Fatalf("the service holds %d records, want %d", len(got), len(records))
	}
	want := slices.Clone(records)
	if rig.Unordered {
		slices.SortStableFunc(got, func(a, b Published) int { return bytes.Compare(a.Data, b.Data) })
		slices.SortStableFunc(want, func(a, b batching.Emitted) int { return bytes.Compare(a.Data, b.Data) })
	}
	used := make([]bool, len(got))
	last := map[string]int{} // by key, where the one before lies
	for _, e := range want {
		i := find(got, used, &e, rig)
		if i < 0 {
			t.Errorf("the service does not hold %s with %.80q", e.ID, e.Data)
			continue
		}
		used[i] = true
		if before, ok := last[e.Key]; ok && i < before && !rig.Unordered && !rig.Free {
			t.Errorf("%s was accepted before one of its key that was emitted before it", e.ID)
		}
		last[e.Key] = i
		same(t, rig, &got[i], &e)
	}
}

// find is where a record lies, by its id or, without one, by its payload.
func find(got []Published, used []bool, e *batching.Emitted, rig PublisherRig) int {
	for i := range got {
		if !used[i] && (rig.Nameless && bytes.Equal(got[i].Data, e.Data) || !rig.Nameless && got[i].ID == e.ID) {
			return i
		}
	}
	return -1
}

// same compares what arrived with what was emitted.
func same(t *testing.T, rig PublisherRig, p *Published, e *batching.Emitted) {
	t.Helper()
	data := p.Data
	if p.Ref != nil {
		if rig.Load == nil {
			t.Errorf("%s lies at %s, but there is no store", e.ID, p.Ref.URI)
			return
		}
		d := destination.Document{Ref: p.Ref}
		if err := d.Open(rig.Load(t, p.Ref.URI)); err != nil {
			t.Error(err)
		}
		data = d.Data
	}
	if !equalData(data, e.Data) && !(rig.Rewrites && equalJSON(data, e.Data)) {
		t.Errorf("%s arrived with %.120q, want %.120q", e.ID, data, e.Data)
	}
	if rig.Attributed && p.Key != e.Key {
		t.Errorf("%s arrived with the key %.80q, want %.80q", e.ID, p.Key, e.Key)
	}
	if rig.Attributed && len(p.Attributes)+len(e.Attributes) > 0 && !maps.Equal(p.Attributes, e.Attributes) {
		t.Errorf("%s arrived with the attributes %.200q, want %.200q", e.ID, fmt.Sprint(p.Attributes), fmt.Sprint(e.Attributes))
	}
}

// equalData lets JSON have escapes in the place of characters.
func equalData(got, want []byte) bool {
	if bytes.Equal(got, want) {
		return true
	}
	a := destination.NewDocument(&batching.Emitted{Data: got})
	b := destination.NewDocument(&batching.Emitted{Data: want})
	return bytes.Equal(a, b)
}

// equalJSON compares values, and numbers as far as a float goes.
func equalJSON(got, want []byte) bool {
	var a, b any
	return json.Unmarshal(got, &a) == nil && json.Unmarshal(want, &b) == nil && reflect.DeepEqual(a, b)
}

// wantRest wants a *destination.PublishError that shows nothing of the records,
// with this rest, unless that is nil, and returns the rest.
func wantRest(t *testing.T, rig PublisherRig, err error, want []batching.Emitted) []batching.Emitted {
	t.Helper()
	var refused *destination.PublishError
	if !errors.As(err, &refused) {
		t.Fatalf("error %v, want a *destination.PublishError", err)
	}
	if !strings.Contains(err.Error(), rig.Publisher.String()) {
		t.Errorf("error %q does not name %s", err, rig.Publisher)
	}
	if strings.Contains(err.Error(), "canary") {
		t.Errorf("error %q shows what is in a record", err)
	}
	if len(refused.Rest) == 0 {
		t.Fatalf("error %v with nothing that is left", err)
	}
	if want == nil {
		return refused.Rest
	}
	ids := func(all []batching.Emitted) (ids []string) {
		for _, e := range all {
			ids = append(ids, cmp.Or(e.ID, "none"))
		}
		return ids
	}
	if got, want := ids(refused.Rest), ids(want); !slices.Equal(got, want) {
		t.Errorf("left are\n%s, want\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	return refused.Rest
}

// everySizeIsTold publishes records whose messages are one byte below, at and
// above the limit, and far above it, each with another of its key behind it.
func everySizeIsTold(t *testing.T, rig PublisherRig) {
	if rig.MaxBytes == 0 {
		records := SampleEmitted(1, 1)
		records[0].Data = bytes.Repeat([]byte{0xfb}, 10<<20)
		publish(t, rig, records)
		wantPublished(t, rig, records)
		return
	}
	records := SampleEmitted(9, 4)
	probe := records[8:]
	probe[0].Data = filled(1000)
	publish(t, rig, probe)
	beside := rig.Published(t)[0].Bytes - 1000
	if beside < 0 {
		t.Fatalf("the rig does not tell what a message counts")
	}
	sizes := []int{rig.MaxBytes - 1, rig.MaxBytes, rig.MaxBytes + 1, 2 * rig.MaxBytes}
	for i, size := range sizes {
		records[i].Data = filled(size - beside)
	}
	if rig.Load != nil {
		publish(t, rig, records[:8])
		for _, p := range rig.Published(t) {
			inside := p.ID != records[2].ID && p.ID != records[3].ID
			if inside != (p.Ref == nil) {
				t.Errorf("%s: its payload is in the message is %v, want %v", p.ID, p.Ref == nil, inside)
			}
			if p.Bytes > rig.MaxBytes {
				t.Errorf("a message has %d bytes, the limit is %d", p.Bytes, rig.MaxBytes)
			}
		}
		wantPublished(t, rig, slices.Concat(probe, records[:8]))
		return
	}
	err := rig.Publisher.Publish(t.Context(), records[:8])
	accepted := []batching.Emitted{records[8], records[0], records[1], records[4], records[5]}
	left := []batching.Emitted{records[2], records[3], records[6], records[7]}
	if rig.Free {
		accepted, left = append(accepted, left[2:]...), left[:2]
	}
	rest := wantRest(t, rig, err, left)
	if !errors.Is(err, destination.ErrRefused) {
		t.Errorf("error %v, want ErrRefused", err)
	}
	for _, want := range []string{fmt.Sprint(rig.MaxBytes + 1), fmt.Sprint(rig.MaxBytes), "set a Store", records[2].Of.ID()} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %s", err, want)
		}
	}
	wantPublished(t, rig, accepted)
	for i := range rest {
		rest[i].Data = []byte(`{"short":1}`)
	}
	publish(t, rig, rest)
}

// filled is a JSON object of n bytes.
func filled(n int) []byte {
	const head, tail = `{"canary":"`, `"}`
	return slices.Concat([]byte(head), bytes.Repeat([]byte{'x'}, n-len(head)-len(tail)), []byte(tail))
}

// callsKeepTheLimits publishes small records and large ones of many keys, and
// wants calls that are full but not too full.
func callsKeepTheLimits(t *testing.T, rig PublisherRig) {
	if rig.BatchLimit == 0 {
		return
	}
	n := 2*rig.BatchLimit + rig.BatchLimit/2
	records := SampleEmitted(n, n)
	if rig.BatchBytes > 0 {
		large := min(rig.BatchBytes/3, rig.MaxBytes-4096)
		for i := range min(7, n) {
			records[i*(n-1)/6].Data = filled(large + i)
		}
	}
	publish(t, rig, records)
	wantPublished(t, rig, records)
	if rig.Calls == nil {
		return
	}
	calls := rig.Calls(t)
	for _, c := range calls {
		if c.Records > rig.BatchLimit || rig.BatchBytes > 0 && c.Bytes > rig.BatchBytes {
			t.Errorf("a call had %d records with %d bytes, the limits are %d and %d", c.Records, c.Bytes, rig.BatchLimit, rig.BatchBytes)
		}
	}
	most := 3
	if rig.BatchBytes > 0 {
		most += 7
	}
	if len(calls) > most {
		t.Errorf("%d records of as many keys took %d calls, want at most %d", n, len(calls), most)
	}
}
