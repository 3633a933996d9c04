package shard

import (
	"strings"
	"testing"
)

func TestHolderIsWhoMayWrite(t *testing.T) {
	for _, test := range []struct {
		lease  Lease
		holder string
		text   string
	}{
		{Lease{Key: "k", Counter: 3}, "", "k free #3 at TRIM_HORIZON"},
		{Lease{Key: "k", Owner: "a", Checkpoint: After("5", 0)}, "a", "k a #0 at 5"},
		{Lease{Key: "k", Owner: "b", CheckpointOwner: "a", Checkpoint: End()}, "a", "k a→b #0 at SHARD_END"},
	} {
		if got := test.lease.Holder(); got != test.holder {
			t.Errorf("%s is held by %q, want %q", test.lease, got, test.holder)
		}
		if got := test.lease.String(); got != test.text {
			t.Errorf("%q, want %q", got, test.text)
		}
		if got := test.lease.Finished(); got != test.lease.Checkpoint.IsEnd() {
			t.Errorf("%s finished: %v", test.lease, got)
		}
	}
}

func TestSessionLivesUntilRevoked(t *testing.T) {
	if s := (Session{ID: "a", Leaving: true}); !s.Alive() {
		t.Error("a worker that leaves is dead")
	}
	if s := (Session{ID: "a", RevokedBy: "b"}); s.Alive() {
		t.Error("a revoked worker lives")
	}
}

func TestHintsSurviveTheInbox(t *testing.T) {
	for _, h := range []Hint{
		{HintDrain, "shardId-000000000001", 7},
		{HintStart, "123:stream name:170000:shardId-1", 0},
		{HintFree, "a key with  spaces ", 1 << 60},
	} {
		got, err := ParseHint(h.String())
		if err != nil || got != h {
			t.Errorf("%q is read as %+v, %v", h, got, err)
		}
	}
	for _, s := range []string{"", "drain", "drain 7", "drain 7 ", "drain x k", "drain  k", "drain 7x k", "drain 0x7 k", "drain 99999999999999999999 k"} {
		if h, err := ParseHint(s); err == nil {
			t.Errorf("%q is read as %+v", s, h)
		}
	}
}

func TestLossShowsItsWindow(t *testing.T) {
	text := Loss{Shard: "s", After: After("5", 0), Until: After("9", 0)}.String()
	for _, part := range []string{"s", "5", "9"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q does not say %s", text, part)
		}
	}
}

func FuzzParseHint(f *testing.F) {
	f.Add("drain 7 shardId-000000000001")
	f.Add("start -1 a b")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := ParseHint(s)
		if err != nil {
			return
		}
		if again, err := ParseHint(h.String()); err != nil || again != h {
			t.Errorf("%q is read as %+v, and its own form as %+v, %v", s, h, again, err)
		}
	})
}
