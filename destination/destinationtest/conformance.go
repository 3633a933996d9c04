package destinationtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/shard"
)

// Rig is a destination under test, with the ways to look behind it.
type Rig struct {
	// Destination is new and empty.
	Destination destination.Destination
	// Accepted reads what the service holds, in the order of acceptance. It may
	// be called several times and always returns everything.
	Accepted func(t *testing.T) []Accepted
	// MaxBytes is the size of the largest message the service takes, attributes
	// included; 0 is no limit.
	MaxBytes int
	// Attributed tells that the service keeps attributes beside a message, and
	// that their size counts.
	Attributed bool
	// Load reads a payload that went to a store; nil if there is no store.
	Load func(t *testing.T, uri string) []byte
	// Once tells that the service recognises a repeat.
	Once bool
	// Refuse makes the service refuse everything until the returned function is
	// called; nil if there is no way to.
	Refuse func(t *testing.T) (restore func())
}

// Accepted is one message that a service holds.
type Accepted struct {
	// ID is what the service knows the message by and a repeat has again: a
	// key, a deduplication id. Empty if there is no such thing.
	ID string
	// Body is the envelope.
	Body []byte
	// Attributes are what stands beside it.
	Attributes map[string]string
}

// RunDestination checks the contract of destination.Destination on a new rig for
// each promise.
func RunDestination(t *testing.T, open func(t *testing.T) Rig) {
	for _, promise := range []struct {
		name  string
		check func(*testing.T, Rig)
	}{
		{"AcceptedIsReadable", acceptedIsReadable},
		{"HostileBytesComeBack", hostileBytesComeBack},
		{"EverySizeIsAccepted", everySizeIsAccepted},
		{"LargeBatchLosesNothing", largeBatchLosesNothing},
		{"RepeatIsRecognisable", repeatIsRecognisable},
		{"EndedContextSendsNothing", endedContextSendsNothing},
		{"RefusalIsAnError", refusalIsAnError},
		{"SendsMayOverlap", sendsMayOverlap},
		{"NoRecordsIsAnError", noRecordsIsAnError},
	} {
		t.Run(promise.name, func(t *testing.T) { promise.check(t, open(t)) })
	}
}

func acceptedIsReadable(t *testing.T, rig Rig) {
	f := Sample(3)
	send(t, rig, f)
	got := only(t, rig)
	e := parse(t, rig, got.Body)
	sameRecords(t, e.Failure.Records, f.Records)
	if e.ID != f.ID() || e.Failure.Condition != f.Condition || e.Failure.Attempts != f.Attempts ||
		e.Failure.Application != f.Application || e.Failure.Worker != f.Worker || e.Failure.Shard != f.Shard {
		t.Errorf("envelope says %+v, want what was sent: %+v", e.Failure, f)
	}
	if e.Failure.Err == nil || e.Failure.Err.Error() != f.Err.Error() {
		t.Errorf("envelope says error %v, want %v", e.Failure.Err, f.Err)
	}
	if !rig.Attributed {
		return
	}
	for _, a := range f.Attributes() {
		if got.Attributes[a.Name] != a.Value {
			t.Errorf("attribute %s is %q, want %q", a.Name, got.Attributes[a.Name], a.Value)
		}
	}
}

func hostileBytesComeBack(t *testing.T, rig Rig) {
	f := Sample(0)
	var all strings.Builder
	for c := range 256 {
		all.WriteByte(byte(c))
	}
	for i, text := range []string{
		"", "\x00", all.String(), "\xff\xfe", "\u2028\u2029\ufffe\uffff\U0001ffff", "\u202egnp.exe",
		`"}]}`, `\"`, "<script>&amp;", "{\"Records\":[]}\n{\"Records\":[]}", "\xed\xa0\x80", "日本語 🚣",
	} {
		r := record(i)
		r.Data, r.PartitionKey = []byte(text), text
		f.Records = append(f.Records, r)
	}
	f.Err = errors.New(all.String() + strings.Repeat("\x1b[31m", 500))
	send(t, rig, f)
	accepted := rig.Accepted(t)
	sameRecords(t, gather(t, rig, accepted), f.Records)
	for _, m := range accepted {
		if i := bytes.IndexFunc(m.Body, func(r rune) bool { return r < ' ' || r == 0x7f }); i >= 0 {
			t.Errorf("a message has the control character %#x at %d", m.Body[i], i)
		}
	}
}

// gather puts the records of several messages in the order of the shard.
func gather(t *testing.T, rig Rig, accepted []Accepted) (records []shard.Record) {
	t.Helper()
	for _, m := range accepted {
		records = append(records, parse(t, rig, m.Body).Failure.Records...)
	}
	slices.SortFunc(records, func(a, b shard.Record) int { return a.Position().Compare(b.Position()) })
	return records
}

// largeBatchLosesNothing sends a batch of several times the limit, twice, the
// second time as another worker with another error would.
func largeBatchLosesNothing(t *testing.T, rig Rig) {
	size := rig.MaxBytes
	if size == 0 {
		size = 1 << 20
	}
	f := Sample(40)
	for i := range f.Records {
		f.Records[i].Data = bytes.Repeat([]byte{byte(i)}, size/16+i*7)
	}
	send(t, rig, f)
	first := rig.Accepted(t)
	var ids []string
	for _, m := range first {
		if n := messageSize(m); rig.MaxBytes > 0 && n > rig.MaxBytes {
			t.Errorf("a message has %d bytes, the limit is %d", n, rig.MaxBytes)
		}
		ids = append(ids, parse(t, rig, m.Body).ID)
	}
	sameRecords(t, gather(t, rig, first), f.Records)

	f.Worker, f.Err, f.Attempts = "another worker", errors.New(strings.Repeat("another error ", 60)), 12345
	send(t, rig, f)
	var again []string
	for _, m := range rig.Accepted(t) {
		again = append(again, parse(t, rig, m.Body).ID)
	}
	slices.Sort(ids)
	slices.Sort(again)
	if got := slices.Compact(again); !slices.Equal(got, ids) {
		t.Errorf("with a repeat the ids are %q, want those of the first time alone: %q", got, ids)
	}
}

func repeatIsRecognisable(t *testing.T, rig Rig) {
	f := Sample(2)
	send(t, rig, f)
	first := only(t, rig)
	f.Worker, f.Attempts, f.At = "another worker", f.Attempts+1, f.At.AddDate(0, 0, 3)
	send(t, rig, f)
	all := rig.Accepted(t)
	want := 2
	if rig.Once {
		want = 1
	}
	if len(all) != want {
		t.Errorf("after a repeat the service holds %d messages, want %d", len(all), want)
	}
	for _, m := range all {
		a, b := parse(t, rig, first.Body), parse(t, rig, m.Body)
		if m.ID != first.ID || b.ID != a.ID || b.RequestID != a.RequestID {
			t.Errorf("a repeat has the ids %q %q %q, want %q %q %q", m.ID, b.ID, b.RequestID, first.ID, a.ID, a.RequestID)
		}
	}
	other := Sample(2)
	other.Records = other.Records[1:]
	send(t, rig, other)
	if n := len(rig.Accepted(t)); n != want+1 {
		t.Errorf("after another failure the service holds %d messages, want %d", n, want+1)
	}
}

func endedContextSendsNothing(t *testing.T, rig Rig) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := rig.Destination.Send(ctx, Sample(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("Send with an ended context: error %v, want context.Canceled", err)
	}
	if n := len(rig.Accepted(t)); n != 0 {
		t.Errorf("the service holds %d messages, want none", n)
	}
}

func refusalIsAnError(t *testing.T, rig Rig) {
	if rig.Refuse == nil {
		return
	}
	restore := rig.Refuse(t)
	f := Sample(2)
	err := rig.Destination.Send(t.Context(), f)
	restore()
	var refused *destination.SendError
	if !errors.As(err, &refused) {
		t.Fatalf("Send to a service that refuses: error %v, want a *destination.SendError", err)
	}
	for _, want := range []string{rig.Destination.String(), f.Shard, f.Records[0].Sequence} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not name %s", err, want)
		}
	}
	if strings.Contains(err.Error(), f.Records[0].PartitionKey) || strings.Contains(err.Error(), string(f.Records[0].Data)) {
		t.Errorf("error %q shows what is in the record", err)
	}
	if n := len(rig.Accepted(t)); n != 0 {
		t.Errorf("the service holds %d messages after a refusal, want none", n)
	}
	send(t, rig, f)
	sameRecords(t, parse(t, rig, only(t, rig).Body).Failure.Records, f.Records)
}

func sendsMayOverlap(t *testing.T, rig Rig) {
	const n = 8
	var sends sync.WaitGroup
	for i := range n {
		sends.Go(func() {
			f := Sample(0)
			f.Records = []shard.Record{record(i)}
			if err := rig.Destination.Send(t.Context(), f); err != nil {
				t.Errorf("send %d: %v", i, err)
			}
		})
	}
	sends.Wait()
	seen := map[string]bool{}
	for _, m := range rig.Accepted(t) {
		seen[parse(t, rig, m.Body).ID] = true
	}
	if len(seen) != n {
		t.Errorf("the service holds %d different failures, want %d", len(seen), n)
	}
}

func noRecordsIsAnError(t *testing.T, rig Rig) {
	if err := rig.Destination.Send(t.Context(), Sample(0)); err == nil {
		t.Error("Send of a failure without records: no error")
	}
	if n := len(rig.Accepted(t)); n != 0 {
		t.Errorf("the service holds %d messages, want none", n)
	}
}

func send(t *testing.T, rig Rig, f destination.Failure) {
	t.Helper()
	if err := rig.Destination.Send(t.Context(), f); err != nil {
		t.Fatalf("send: %v", err)
	}
}

func only(t *testing.T, rig Rig) Accepted {
	t.Helper()
	all := rig.Accepted(t)
	if len(all) != 1 {
		t.Fatalf("the service holds %d messages, want 1", len(all))
	}
	return all[0]
}

// parse reads an envelope, and its payload from the store if it lies there.
func parse(t *testing.T, rig Rig, body []byte) *destination.Envelope {
	t.Helper()
	e, err := destination.ParseEnvelope(body)
	if err != nil {
		t.Fatalf("%v: %.300q", err, body)
	}
	if e.Ref == nil {
		return e
	}
	if rig.Load == nil {
		t.Fatalf("the payload is at %s, but there is no store", e.Ref.URI)
	}
	if err := e.Open(rig.Load(t, e.Ref.URI)); err != nil {
		t.Fatal(err)
	}
	return e
}

func sameRecords(t *testing.T, got, want []shard.Record) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d records, want %d", len(got), len(want))
	}
	for i := range got {
		g, w := got[i], want[i]
		if !bytes.Equal(g.Data, w.Data) || !g.ArrivedAt.Equal(w.ArrivedAt) || describe(g) != describe(w) {
			t.Errorf("record %d is\n%s with %d bytes, want\n%s with %d bytes", i, describe(g), len(g.Data), describe(w), len(w.Data))
		}
	}
}

// describe shows everything but the data.
func describe(r shard.Record) string {
	return fmt.Sprintf("%s key %q keyed %v at %s", r.ID(), r.PartitionKey, r.Keyed, r.ArrivedAt.UTC())
}
