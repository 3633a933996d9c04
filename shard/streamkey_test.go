package shard_test

import (
	"slices"
	"testing"
	"time"

	"github.com/towpath/towpath/shard"
)

// The ids of shards among many streams are KCL's lease keys, and come apart again.
func TestIDsAmongManyStreamsAreKCLsLeaseKeys(t *testing.T) {
	created := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct{ arn, shard, id string }{
		{"arn:aws:kinesis:eu-central-1:123456789012:stream/clicks", "shardId-000000000007",
			"123456789012:clicks:1767323045:shardId-000000000007"},
		{"arn:aws-cn:kinesis:cn-north-1:000000000000:stream/a.b_c-d", "shardId-000000000000",
			"000000000000:a.b_c-d:1767323045:shardId-000000000000"},
		{"arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2026-01-02T03:04:05.678", "shardId-00000001541626099059-f35f6ef3",
			"123456789012:us-east-1$123456789012$orders$2026-01-02T03_04_05.678:1:shardId-00000001541626099059-f35f6ef3"},
	} {
		key, err := shard.KeyOf(shard.Stream{ARN: c.arn, CreatedAt: created})
		if err != nil {
			t.Errorf("%s: %v", c.arn, err)
			continue
		}
		if got := key.ID(c.shard); got != c.id {
			t.Errorf("%s: got %s, want %s", c.arn, got, c.id)
		}
		got, id, ok := shard.SplitID(c.id)
		if got != key || id != c.shard || !ok || shard.PlainID(c.id) != c.shard {
			t.Errorf("%s comes apart into %v and %s", c.id, got, id)
		}
	}
}

func TestStreamsWithoutAKeyAreRefused(t *testing.T) {
	for _, arn := range []string{
		"", "clicks", shard.ManyStreams, "arn:aws:kinesis:us-east-1:12345:stream/clicks", "arn:aws:kinesis:us-east-1:123456789012:stream/",
		"arn:aws:kinesis:us-east-1:123456789012:stream/a:b", "arn:aws:kinesis:us-east-1:123456789012:stream/clicks/consumer/x:1",
		"arn:aws:dynamodb:us-east-1:123456789012:table/orders", "arn:aws:sqs:us-east-1:123456789012:clicks",
	} {
		if key, err := shard.KeyOf(shard.Stream{ARN: arn}); err == nil {
			t.Errorf("%q has the key %s", arn, key)
		}
	}
}

// FuzzSplitID wants that whatever comes apart comes together again.
func FuzzSplitID(f *testing.F) {
	for _, id := range []string{"shardId-1", "123456789012:clicks:1700000000:shardId-1", "123456789012:clicks:01:x", "::::", "123456789012:a:99999999999999999999:b"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		key, plain, ok := shard.SplitID(id)
		if ok && key.ID(plain) != id || !ok && plain != id {
			t.Errorf("%q comes apart into %v and %q", id, key, plain)
		}
	})
}

// A stream was created again if there are rows of an earlier one of its name and
// none of its own.
func TestPredecessorIsWhatThereAreRowsOf(t *testing.T) {
	clicks := func(epoch int64) shard.StreamKey {
		return shard.StreamKey{Account: "123456789012", Name: "clicks", Epoch: epoch}
	}
	table := func(label string) shard.StreamKey {
		return shard.StreamKey{Account: "123456789012", Name: "us-east-1$123456789012$orders$" + label, Epoch: 1}
	}
	other := shard.StreamKey{Account: "123456789013", Name: "clicks", Epoch: 5}
	for _, c := range []struct {
		of    shard.StreamKey
		there []shard.StreamKey
		want  shard.StreamKey
	}{
		{clicks(9), nil, shard.StreamKey{}},
		{clicks(9), []shard.StreamKey{other, table("2026")}, shard.StreamKey{}},
		{clicks(9), []shard.StreamKey{other, clicks(5), clicks(7), clicks(6)}, clicks(7)},
		{clicks(9), []shard.StreamKey{clicks(5), clicks(9)}, shard.StreamKey{}},
		{clicks(5), []shard.StreamKey{clicks(9)}, clicks(9)},
		{table("2026"), []shard.StreamKey{table("2025"), table("2024")}, table("2025")},
	} {
		if got, ok := shard.Predecessor(c.of, c.there); got != c.want || ok != (c.want != shard.StreamKey{}) {
			t.Errorf("of %s among %v: got %v, want %v", c.of, c.there, got, c.want)
		}
	}
}

// Rows are forgotten of streams that are surely not to be read: not while one is
// not known, and not those that tell of another that it was created again.
func TestForgettableAreStreamsThatAreSurelyNotRead(t *testing.T) {
	key := func(name string, epoch int64) shard.StreamKey {
		return shard.StreamKey{Account: "123456789012", Name: name, Epoch: epoch}
	}
	there := []shard.StreamKey{key("a", 1), key("a", 2), key("b", 1), key("c", 1)}
	for _, c := range []struct {
		what    string
		members []shard.Member
		want    []shard.StreamKey
	}{
		{"nothing is read", nil, there},
		{"a stream is not known yet", []shard.Member{{Key: key("b", 1)}, {Name: "x"}}, nil},
		{"one that is gone", []shard.Member{{Key: key("b", 1), Gone: true}}, []shard.StreamKey{key("a", 1), key("a", 2), key("c", 1)}},
		{"created again and begun", []shard.Member{{Key: key("a", 2)}, {Key: key("b", 1)}}, []shard.StreamKey{key("a", 1), key("c", 1)}},
		{"created again and not begun", []shard.Member{{Key: key("a", 3)}, {Key: key("b", 1)}}, []shard.StreamKey{key("c", 1)}},
	} {
		if got := shard.Forgettable(c.members, there); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.what, got, c.want)
		}
	}
	rows := []shard.Lease{{Key: key("a", 1).ID("x")}, {Key: "shardId-1"}, {Key: key("a", 1).ID("y")}, {Key: key("b", 1).ID("x")}}
	if got, want := shard.KeysOf(rows), []shard.StreamKey{key("a", 1), key("b", 1)}; !slices.Equal(got, want) {
		t.Errorf("the streams of rows are %v, want %v", got, want)
	}
}
