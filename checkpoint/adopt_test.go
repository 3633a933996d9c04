package checkpoint

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/towpath/towpath/shard"
)

func TestAdoptBelievesOnlyItsOwnWrite(t *testing.T) {
	held := shard.Lease{Key: "s", Owner: "me", Counter: 7, Checkpoint: shard.After("100", 0)}
	change := func(f func(*shard.Lease)) shard.Lease {
		now := held
		f(&now)
		return now
	}
	tests := []struct {
		name string
		now  shard.Lease
		want Verdict
	}{
		{"the write was not applied", held, Adopted},
		{"the write was applied, its answer lost", change(func(l *shard.Lease) { l.Counter, l.Checkpoint = 8, shard.After("120", 0) }), Adopted},
		{"somebody else took it", change(func(l *shard.Lease) { l.Owner, l.Counter = "you", 8 }), Lost},
		{"it was released", change(func(l *shard.Lease) { l.Owner, l.Counter = "", 8 }), Lost},
		{"it went away and came back", change(func(l *shard.Lease) { l.Counter, l.Checkpoint = 9, shard.After("200", 0) }), Restart},
		{"the position was moved by hand", change(func(l *shard.Lease) { l.Counter, l.SeekGen = 8, 1 }), Restart},
		{"the row is older than the one held", change(func(l *shard.Lease) { l.Counter = 6 }), Restart},
		{"a hand-over was asked of me", change(func(l *shard.Lease) { l.Owner, l.CheckpointOwner = "you", "me" }), Adopted},
		{"a hand-over to me, held by another", change(func(l *shard.Lease) { l.CheckpointOwner = "you" }), Lost},
		{"the row cannot be believed", change(func(l *shard.Lease) { l.Counter, l.Fault = 8, errors.New("spoilt") }), Lost},
		{"there is no row", shard.Lease{}, Lost},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := Adopt(held, test.now, "me"); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

func TestConflictSaysWhatStandsThere(t *testing.T) {
	var err error = &Conflict{Write: "save", Key: "s", Exists: true, Row: shard.Lease{Key: "s", Owner: "you", Counter: 8}}
	if !errors.Is(fmt.Errorf("checkpoint: %w", err), ErrFenced) {
		t.Error("a conflict is not ErrFenced")
	}
	if !strings.Contains(err.Error(), "you") {
		t.Errorf("%q does not name the owner", err)
	}
	if gone := (&Conflict{Write: "save", Key: "s"}).Error(); !strings.Contains(gone, "no such row") {
		t.Errorf("%q does not say that the row is gone", gone)
	}
}
