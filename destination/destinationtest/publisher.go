package destinationtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
)

// PublisherRig is a publisher under test, with the ways to look behind it.
type PublisherRig struct {
	// Publisher is new, and what it publishes to is empty.
	Publisher destination.Publisher
	// Published reads what the service holds, in the order of acceptance, which
	// need hold per key alone. It may be called several times and always returns
	// everything.
	Published func(t *testing.T) []Published
	// MaxBytes is the size of the largest message the service takes; 0 is no
	// limit.
	MaxBytes int
	// BatchLimit is the most records of one call and BatchBytes their most bytes;
	// 0 is no limit. Calls tells what each call had that reached the service; nil
	// if there is no way to.
	BatchLimit, BatchBytes int
	Calls                  func(t *testing.T) []Call
	// Attributed tells that key and attributes arrive, beside the payload or in a
	// document around it.
	Attributed bool
	// Nameless tells that the record's id does not arrive.
	Nameless bool
	// Once tells that the service recognises a repeat.
	Once bool
	// Unordered tells that Published need not be in order.
	Unordered bool
	// Rewrites tells that the server writes JSON anew, so that a number may lose
	// digits.
	Rewrites bool
	// Free tells that the publisher was opened to fill its calls whatever the keys
	// are, so that what is behind a refused record of its key does not wait.
	Free bool
	// Load reads a payload that went to a store; nil if there is no store.
	Load func(t *testing.T, uri string) []byte
	// RefuseSome makes the service refuse the records that refuse is true of, and
	// no other, until the returned function is called; nil if there is no way to.
	// refuse may be called by several goroutines.
	RefuseSome func(t *testing.T, refuse func(data []byte) bool) (restore func())
	// Refuse makes the service refuse everything until the returned function is
	// called; nil if there is no way to.
	Refuse func(t *testing.T) (restore func())
}

// Published is one emitted record that a service holds.
type Published struct {
	// ID and Key are the record's; empty where the service does not keep them.
	ID, Key string
	// Data is the payload; Ref says where it lies if it is not here.
	Data []byte
	Ref  *destination.PayloadRef
	// Attributes are the record's own.
	Attributes map[string]string
	// Bytes is what the message counts towards MaxBytes; 0 is not known.
	Bytes int
}

// Call is what one call of a service had.
type Call struct{ Records, Bytes int }

// Unwrap reads a message of a form: its body and what stands beside it.
func Unwrap(t testing.TB, form destination.Form, body []byte, attributes map[string]string) Published {
	t.Helper()
	own := maps.Clone(attributes)
	for _, name := range []string{destination.AttributeID, destination.AttributeKey, destination.AttributeForm} {
		delete(own, name)
	}
	out := Published{ID: attributes[destination.AttributeID], Key: attributes[destination.AttributeKey], Data: body, Attributes: own}
	told := attributes[destination.AttributeForm] == "document"
	if form == destination.FormText && !told {
		return out
	}
	d, err := destination.ParseDocument(body)
	if err != nil {
		if told || form == destination.FormDocument {
			t.Errorf("%v: %.200q", err, body)
		}
		return out
	}
	return Published{ID: d.ID, Key: d.Key, Data: d.Data, Ref: d.Ref, Attributes: d.Attributes}
}

// RunPublisher checks the contract of destination.Publisher on a new rig for each
// promise.
func RunPublisher(t *testing.T, open func(t *testing.T) PublisherRig) {
	for _, promise := range []struct {
		name  string
		check func(*testing.T, PublisherRig)
	}{
		{"EmittedArrivesWhole", emittedArrivesWhole},
		{"HostileBytesArriveWhole", hostileBytesArriveWhole},
		{"OrderOfAKeyIsKept", orderOfAKeyIsKept},
		{"OrderIsKeptOverRefusals", orderIsKeptOverRefusals},
		{"RestIsWhatIsLeft", restIsWhatIsLeft},
		{"RefusalIsAPublishError", refusalIsAPublishError},
		{"RepeatHasTheSameID", repeatHasTheSameID},
		{"EverySizeIsTold", everySizeIsTold},
		{"CallsKeepTheLimits", callsKeepTheLimits},
		{"EndedContextPublishesNothing", endedContextPublishesNothing},
		{"PublishesMayOverlap", publishesMayOverlap},
		{"NothingIsAccepted", nothingIsAccepted},
	} {
		t.Run(promise.name, func(t *testing.T) { promise.check(t, open(t)) })
	}
}

// SampleEmitted are n records as a handler emits them, of so many keys in turn,
// the same each time.
func SampleEmitted(n, keys int) []batching.Emitted {
	b := batching.Batch{Call: &batching.Call{}}
	for i := range n {
		b.Records = append(b.Records, record(i))
		b.Records[i].PartitionKey = fmt.Sprintf("canary-key-%d", i%keys)
	}
	for i := range n {
		b.Emit(batching.Emitted{Of: &b.Records[i], Data: fmt.Appendf(nil, `{"canary":"data","number":%d}`, i)})
	}
	return b.Call.Emitted()
}

func emittedArrivesWhole(t *testing.T, rig PublisherRig) {
	records := SampleEmitted(5, 5)
	records[1].Attributes = map[string]string{"type": "click", "tenant.id": "canary-tenant"}
	records[2].Of = nil
	publish(t, rig, records)
	wantPublished(t, rig, records)
}

func hostileBytesArriveWhole(t *testing.T, rig PublisherRig) {
	var all strings.Builder
	for c := range 256 {
		all.WriteByte(byte(c))
	}
	texts := []string{
		"", " ", "\x00", all.String(), "\xff\xfe", "\u2028\u2029\ufffe\uffff\U0001ffff", "\ufffd", "\u202egnp.exe", `"`, "null", "true", "-0",
		`{"n":12345678901234567890.123,"a":[1,{"b":"\u0000\ufffe"}]}`, "[1,2]", `"text"`, `{"id":"forged","data":1}`, `{"`, "{}",
		strings.Repeat("[", 600) + strings.Repeat("]", 600), strings.Repeat(`{"a":`, 600) + "1" + strings.Repeat("}", 600),
		"{\"u\":\"\ufffe\u2028\x7f\"}", "<script>&amp;", "line\nline\r\n", "日本語 🚣", "\xed\xa0\x80",
	}
	records := SampleEmitted(len(texts), len(texts))
	for i, text := range texts {
		records[i].Data = []byte(text)
		records[i].Key = fmt.Sprintf("%d%s", i, text)
		records[i].Attributes = map[string]string{"odd": text}
	}
	many := map[string]string{}
	for i := range 20 {
		many[fmt.Sprintf("name-%d", i)] = "v"
	}
	records[0].Attributes, records[1].Attributes, records[2].Attributes = many, map[string]string{"": "empty name"}, map[string]string{"AWS.x": "1", "a..b": "2", "é": "3"}
	for i := range records {
		for name, v := range records[i].Attributes {
			records[i].Attributes[name] = strings.ToValidUTF8(v, "\ufffd") // only payload and key may be bytes
		}
	}
	publish(t, rig, records)
	wantPublished(t, rig, records)
}

func orderOfAKeyIsKept(t *testing.T, rig PublisherRig) {
	records := SampleEmitted(60, 7)
	publish(t, rig, records)
	wantPublished(t, rig, records)
}

// orderIsKeptOverRefusals refuses every record the first time, and some of them
// three times.
func orderIsKeptOverRefusals(t *testing.T, rig PublisherRig) {
	if rig.RefuseSome == nil {
		return
	}
	records := SampleEmitted(24, 4)
	var mu sync.Mutex
	tried := map[string]int{}
	defer rig.RefuseSome(t, func(data []byte) bool {
		mu.Lock()
		defer mu.Unlock()
		i := slices.IndexFunc(records, func(e batching.Emitted) bool { return bytes.Contains(data, numberOf(e)) })
		if i < 0 {
			return false
		}
		at := string(numberOf(records[i]))
		tried[at]++
		return tried[at] <= 1+i%3
	})()
	left := records
	for round := 0; len(left) > 0; round++ {
		if round > 100 {
			t.Fatalf("%d records are left after 100 rounds", len(left))
		}
		err := rig.Publisher.Publish(t.Context(), left)
		if err == nil {
			break
		}
		left = wantRest(t, rig, err, nil)
	}
	wantPublished(t, rig, records)
}

// numberOf is the part of a sample's payload that no other has.
func numberOf(e batching.Emitted) []byte {
	_, number, _ := bytes.Cut(e.Data, []byte(`"number":`))
	return append([]byte(`number":`), number...)
}

// restIsWhatIsLeft refuses the third record of one key: those behind it wait, and
// no other key does.
func restIsWhatIsLeft(t *testing.T, rig PublisherRig) {
	if rig.RefuseSome == nil {
		return
	}
	records := SampleEmitted(30, 3) // the third of key 1 is number 7
	bad := records[7]
	restore := rig.RefuseSome(t, func(data []byte) bool { return bytes.Contains(data, numberOf(bad)) })
	err := rig.Publisher.Publish(t.Context(), records)
	restore()
	var want, accepted []batching.Emitted
	for i, e := range records {
		if i == 7 || i > 7 && e.Key == bad.Key && !rig.Free {
			want = append(want, e)
		} else {
			accepted = append(accepted, e)
		}
	}
	rest := wantRest(t, rig, err, want)
	if !strings.Contains(err.Error(), bad.Of.ID()) {
		t.Errorf("error %q does not name the record that %s was made of", err, bad.Of.ID())
	}
	wantPublished(t, rig, accepted)
	publish(t, rig, rest)
	wantPublished(t, rig, records)
}

func refusalIsAPublishError(t *testing.T, rig PublisherRig) {
	if rig.Refuse == nil {
		return
	}
	records := SampleEmitted(12, 5)
	restore := rig.Refuse(t)
	err := rig.Publisher.Publish(t.Context(), records)
	restore()
	wantRest(t, rig, err, records)
	if n := len(rig.Published(t)); n != 0 {
		t.Errorf("the service holds %d records after a refusal, want none", n)
	}
	publish(t, rig, records)
	wantPublished(t, rig, records)
}

func repeatHasTheSameID(t *testing.T, rig PublisherRig) {
	records := SampleEmitted(6, 3)
	publish(t, rig, records)
	publish(t, rig, SampleEmitted(6, 3))
	got := rig.Published(t)
	want := 12
	if rig.Once {
		want = 6
	}
	if len(got) != want {
		t.Errorf("after a repeat the service holds %d records, want %d", len(got), want)
	}
	for _, p := range got {
		if !rig.Nameless && !slices.ContainsFunc(records, func(e batching.Emitted) bool { return e.ID == p.ID && bytes.Equal(e.Data, p.Data) }) {
			t.Errorf("the service holds a record with the id %q, which was not emitted", p.ID)
		}
	}
	other := SampleEmitted(7, 3)[6:]
	publish(t, rig, other)
	if n := len(rig.Published(t)); n != want+1 {
		t.Errorf("after another record the service holds %d, want %d", n, want+1)
	}
}

func endedContextPublishesNothing(t *testing.T, rig PublisherRig) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	records := SampleEmitted(3, 3)
	err := rig.Publisher.Publish(ctx, records)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Publish with an ended context: error %v, want context.Canceled", err)
	}
	wantRest(t, rig, err, records)
	if n := len(rig.Published(t)); n != 0 {
		t.Errorf("the service holds %d records, want none", n)
	}
}

func publishesMayOverlap(t *testing.T, rig PublisherRig) {
	records := SampleEmitted(32, 4)
	var publishes sync.WaitGroup
	for k := range 4 {
		publishes.Go(func() {
			var own []batching.Emitted
			for i := k; i < len(records); i += 4 {
				own = append(own, records[i])
			}
			if err := rig.Publisher.Publish(t.Context(), own); err != nil {
				t.Errorf("publish %d: %v", k, err)
			}
		})
	}
	publishes.Wait()
	wantPublished(t, rig, records)
}

func nothingIsAccepted(t *testing.T, rig PublisherRig) {
	if err := rig.Publisher.Publish(t.Context(), nil); err != nil {
		t.Errorf("Publish of no records: %v", err)
	}
	if n := len(rig.Published(t)); n != 0 {
		t.Errorf("the service holds %d records, want none", n)
	}
}
