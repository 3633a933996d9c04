package destination_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/shard"
)

// TestEnvelopeComesBack is the round trip over failures made at random.
func TestEnvelopeComesBack(t *testing.T) {
	for seed := range uint64(2000) {
		rng := rand.New(rand.NewPCG(seed, 1))
		f := randomFailure(rng)
		e, err := destination.ParseEnvelope(envelope(t, f, destination.EnvelopeOptions{}))
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		got := e.Failure
		if diff := difference(got, f); diff != "" {
			t.Fatalf("seed %d: %s", seed, diff)
		}
		if e.ID != f.ID() || e.BatchSize != len(f.Records) || e.First != f.Records[0].Sequence {
			t.Fatalf("seed %d: id %q, batch size %d, first %q", seed, e.ID, e.BatchSize, e.First)
		}
	}
}

// difference compares what an envelope carries.
func difference(got, want destination.Failure) string {
	if fmt.Sprint(got.Err) != fmt.Sprint(want.Err) || !got.At.Equal(want.At) || len(got.Records) != len(want.Records) {
		return fmt.Sprintf("got error %q at %v with %d records, want %q at %v with %d",
			got.Err, got.At, len(got.Records), want.Err, want.At, len(want.Records))
	}
	for i := range got.Records {
		g, w := got.Records[i], want.Records[i]
		if !bytes.Equal(g.Data, w.Data) || !g.ArrivedAt.Equal(w.ArrivedAt) {
			return fmt.Sprintf("record %d: got %q at %v, want %q at %v", i, g.Data, g.ArrivedAt, w.Data, w.ArrivedAt)
		}
		g.Data, w.Data, g.ArrivedAt, w.ArrivedAt = nil, nil, time.Time{}, time.Time{}
		if !reflect.DeepEqual(g, w) {
			return fmt.Sprintf("record %d: got %+v, want %+v", i, g, w)
		}
	}
	got.Records, got.Err, got.At = nil, nil, time.Time{}
	want.Records, want.Err, want.At = nil, nil, time.Time{}
	if !reflect.DeepEqual(got, want) {
		return fmt.Sprintf("got %+v, want %+v", got, want)
	}
	return ""
}

func randomFailure(rng *rand.Rand) destination.Failure {
	pick := func(s ...string) string { return s[rng.IntN(len(s))] }
	f := destination.Failure{
		Application: pick("clickstream", "", "ünïcode", `quo"ted`),
		Handler:     pick("", "mail", "sums_2.0-x"),
		Worker:      pick("w", "host:1/\\x", ""),
		Stream:      pick("arn:aws:kinesis:eu-west-1:1:stream/s", "arn:aws:dynamodb:eu-west-1:1:table/t/stream/2026", "no arn"),
		Shard:       pick("shardId-000000000001", "a:b/c", "s"),
		Condition:   destination.Condition(pick("RetryAttemptsExhausted", "RecordAgeExceeded", "Rejected", "ProcessCrashed")),
		Attempts:    rng.IntN(4),
		Partial:     rng.IntN(2) == 0,
		At:          time.UnixMilli(rng.Int64N(4e12)),
	}
	if rng.IntN(2) == 0 {
		f.Err = errors.New(pick("boom", "", "tab\there", "\u2028"))
	}
	for range 1 + rng.IntN(4) {
		f.Records = append(f.Records, randomRecord(rng, f))
	}
	return f
}

func randomRecord(rng *rand.Rand, f destination.Failure) shard.Record {
	noise := make([]byte, rng.IntN(20))
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	r := shard.Record{
		Stream: f.Stream, Shard: f.Shard, Sequence: fmt.Sprint(rng.Uint64()), Sub: int64(rng.IntN(3)),
		PartitionKey: string(noise), Keyed: rng.IntN(3) > 0, Data: noise,
	}
	switch rng.IntN(4) {
	case 0:
		r.ArrivedAt = time.Unix(0, rng.Int64()).UTC()
	case 1:
		r.ArrivedAt = time.UnixMilli(rng.Int64N(4e12) - 2e12).UTC()
	}
	switch rng.IntN(4) {
	case 0:
		r.Data = fmt.Appendf(nil, `{"eventID":"x","dynamodb":{"SequenceNumber":"7","Keys":{"Id":{"S":%q}}}}`, "é\n")
	case 1:
		r.Data = []byte(`{ "towpath": "theirs", "dynamodb":{ } , "eventID":3}`)
	case 2:
		r.Data = []byte(`{"towpath":{"sub":9},"dynamodb":{"ApproximateCreationDateTime":1.5E9},"eventSourceARN":"theirs"}`)
	}
	if rng.IntN(4) == 0 {
		r.Shard, r.Stream = "another", "arn:aws:kinesis:us-east-1:2:stream/other"
	}
	return r
}

func FuzzEnvelope(f *testing.F) {
	for seed := range uint64(50) {
		failure := randomFailure(rand.New(rand.NewPCG(seed, 2)))
		f.Add(envelope(f, failure, destination.EnvelopeOptions{}))
		f.Add(envelope(f, failure, destination.EnvelopeOptions{Payload: destination.PayloadHash}))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := destination.ParseEnvelope(b)
		if err != nil || len(e.Failure.Records) == 0 {
			return
		}
		again, err := destination.ParseEnvelope(envelope(t, e.Failure, destination.EnvelopeOptions{}))
		if err != nil {
			t.Fatalf("what was read cannot be written and read again: %v", err)
		}
		for i := range e.Failure.Records {
			g, w := again.Failure.Records[i], e.Failure.Records[i]
			if !bytes.Equal(g.Data, w.Data) || g.PartitionKey != w.PartitionKey || g.Sub != w.Sub || g.Sequence != w.Sequence {
				t.Errorf("record %d: got %+v, want %+v", i, g, w)
			}
		}
	})
}
