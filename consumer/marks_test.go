package consumer

import (
	"testing"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// Whoever moves the position in a row by hand, and knows nothing of handlers, moves
// all of them: marks are believed as long as the lowest of them is the row's
// position.
func TestMarksOfAnotherPositionAreNotBelieved(t *testing.T) {
	row := shard.Lease{Checkpoint: shard.After("100", 0), Marks: map[string]shard.Position{"mail": shard.After("100", 0), "sums": shard.After("300", 0)}}
	if got := progressOf(row, "sums").Position; got != shard.After("300", 0) {
		t.Errorf("sums is at %s, want 300", got)
	}
	for _, moved := range []string{"50", "200", "400"} {
		row.Checkpoint = shard.After(moved, 0)
		for _, handler := range []string{"mail", "sums", "new"} {
			if got := progressOf(row, handler).Position; got != row.Checkpoint {
				t.Errorf("the row was moved to %s by hand: %s goes on from %s", moved, handler, got)
			}
		}
	}
}

// The shard is where the slowest of its handlers is.
func TestShardIsWhereItsSlowestHandlerIs(t *testing.T) {
	at := func(n string) checkpoint.Progress { return checkpoint.Progress{Position: shard.After(n, 0)} }
	p := mergeProgress(map[string]checkpoint.Progress{"mail": at("300"), "sums": at("100"), "logs": at("200")})
	if p.Position != shard.After("100", 0) || len(p.Marks) != 3 || p.Marks["mail"] != shard.After("300", 0) {
		t.Errorf("got %s with the marks %v, want 100 and each handler's own", p.Position, p.Marks)
	}
}

// The last write of a tenure takes nothing back that was written with effects and
// not known to be: the row is believed where it is ahead.
func TestLastWriteTakesNothingBack(t *testing.T) {
	arrived := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	row := shard.Lease{Checkpoint: shard.After("200", 0), LastArrival: arrived}
	p := checkpoint.Progress{Position: shard.After("100", 0)}
	if got := checkpoint.NotBehind(row, p); got.Position != row.Checkpoint || !got.Arrived.Equal(arrived) {
		t.Errorf("the row is at 200 and this worker at 100: it writes %s, want the row's own", got.Position)
	}
	p.Position = shard.After("300", 0)
	if got := checkpoint.NotBehind(row, p); got.Position != p.Position {
		t.Errorf("the row is at 200 and this worker at 300: it writes %s", got.Position)
	}
}
