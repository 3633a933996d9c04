package destinationtest

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/shard"
)

// everySizeIsAccepted sends one record that makes a message one byte below, at
// and above the limit, and one far above.
func everySizeIsAccepted(t *testing.T, rig Rig) {
	if rig.MaxBytes == 0 {
		f := Sample(1)
		f.Records[0].Data = bytes.Repeat([]byte{0xfb}, 10<<20)
		send(t, rig, f)
		sameRecords(t, parse(t, rig, only(t, rig).Body).Failure.Records, f.Records)
		return
	}
	var sent []destination.Failure
	for _, size := range []int{rig.MaxBytes - 1, rig.MaxBytes, rig.MaxBytes + 1, 3 * rig.MaxBytes} {
		f := ofSize(t, rig, len(sent), size)
		send(t, rig, f)
		sent = append(sent, f)
	}
	accepted := rig.Accepted(t)
	if len(accepted) != len(sent) {
		t.Fatalf("the service holds %d messages, want %d", len(accepted), len(sent))
	}
	for _, got := range accepted {
		if n := messageSize(got); n > rig.MaxBytes {
			t.Errorf("a message has %d bytes, the limit is %d", n, rig.MaxBytes)
		}
		e := parse(t, rig, got.Body)
		i := slices.IndexFunc(sent, func(f destination.Failure) bool { return f.ID() == e.ID })
		if i < 0 {
			t.Fatalf("a message has the id %q, which was not sent", e.ID)
		}
		inside := i < 2
		if (e.Ref == nil && !e.Omitted) != inside {
			t.Errorf("message %d: payload inside is %v, want %v", i, !inside, inside)
		}
		if e.Omitted && rig.Load != nil {
			t.Errorf("message %d: the payload is omitted although there is a store", i)
		}
		if e.Omitted {
			wantDescribed(t, e, sent[i])
			continue
		}
		sameRecords(t, e.Failure.Records, sent[i].Records)
	}
}

func wantDescribed(t *testing.T, e *destination.Envelope, f destination.Failure) {
	t.Helper()
	if err := e.Open(f.Event()); err != nil {
		t.Errorf("size and hash of the omitted payload: %v", err)
	}
	if e.First != f.Records[0].Sequence || e.Failure.Stream != f.Stream {
		t.Errorf("the envelope names %s of %s, want %s of %s", e.First, e.Failure.Stream, f.Records[0].Sequence, f.Stream)
	}
}

// ofSize makes a failure of one record whose message has exactly size bytes with
// the payload inside: data by fours, the error's text for the rest.
func ofSize(t *testing.T, rig Rig, sequence, size int) destination.Failure {
	t.Helper()
	f := Sample(0)
	f.Records = []shard.Record{record(sequence)}
	f.Records[0].Data = nil
	f.Err = errors.New("")
	missing := size - wholeSize(t, rig, f)
	f.Records[0].Data = bytes.Repeat([]byte{'x'}, (missing-8)/4*3)
	f.Err = errors.New(strings.Repeat("e", size-wholeSize(t, rig, f)))
	if got := wholeSize(t, rig, f); got != size {
		t.Fatalf("made a message of %d bytes, want %d", got, size)
	}
	return f
}

func wholeSize(t *testing.T, rig Rig, f destination.Failure) int {
	t.Helper()
	body, err := f.Envelope(destination.EnvelopeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	m := Accepted{Body: body, Attributes: map[string]string{}}
	for _, a := range f.Attributes() {
		if rig.Attributed {
			m.Attributes[a.Name] = a.Value
		}
	}
	return messageSize(m)
}

// messageSize counts as SQS and SNS do: name, type and value of each attribute.
func messageSize(m Accepted) int {
	n := len(m.Body)
	for name, value := range m.Attributes {
		n += len(name) + len("String") + len(value)
	}
	return n
}
