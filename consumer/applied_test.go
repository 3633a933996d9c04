package consumer

import (
	"testing"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// Of two writes of which at most one was applied, the row's position tells which.
// Where that does not tell, a write counts as not applied and is made again.
func TestWriteIsKnownByTheRow(t *testing.T) {
	row := func(counter int64, at string) shard.Lease {
		return shard.Lease{Counter: counter, Checkpoint: shard.After(at, 0)}
	}
	to := func(at string) checkpoint.Progress { return checkpoint.Progress{Position: shard.After(at, 0)} }
	held := row(7, "100")
	marked := func(l shard.Lease, mail string) shard.Lease {
		l.Marks = map[string]shard.Position{"mail": shard.After(mail, 0), "sums": shard.After("100", 0)}
		return l
	}
	both := to("100")
	both.Marks = map[string]shard.Position{"mail": shard.After("300", 0), "sums": shard.After("100", 0)}
	for name, c := range map[string]struct {
		held    shard.Lease
		res     result
		p       checkpoint.Progress
		applied bool
		further bool
	}{
		"answered":                           {held, result{row: row(8, "100"), verdict: checkpoint.Adopted, answered: true}, to("100"), true, false},
		"written, and the answer lost":       {held, result{row: row(8, "200"), verdict: checkpoint.Adopted}, to("200"), true, false},
		"not written":                        {held, result{row: row(7, "100"), verdict: checkpoint.Adopted}, to("200"), false, false},
		"an earlier save written instead":    {held, result{row: row(8, "150"), verdict: checkpoint.Adopted}, to("200"), false, false},
		"a mark on a record written instead": {held, result{row: row(8, "100"), verdict: checkpoint.Adopted}, to("200"), false, false},
		"one of two that stay in place":      {held, result{row: row(8, "100"), verdict: checkpoint.Adopted}, to("100"), false, false},
		"effects that were given up":         {held, result{row: row(8, "300"), verdict: checkpoint.Adopted}, to("200"), false, true},
		"lost":                               {held, result{row: row(9, "200"), verdict: checkpoint.Lost}, to("200"), false, false},
		"one handler's mark":                 {marked(held, "200"), result{row: marked(row(8, "100"), "300"), verdict: checkpoint.Adopted}, both, true, false},
		"one handler's earlier mark":         {marked(held, "200"), result{row: marked(row(8, "100"), "250"), verdict: checkpoint.Adopted}, both, false, false},
		"one handler's later mark":           {marked(held, "200"), result{row: marked(row(8, "100"), "400"), verdict: checkpoint.Adopted}, both, false, true},
	} {
		if got := c.res.applied(c.held, c.p); got != c.applied {
			t.Errorf("%s: applied is %v", name, got)
		}
		if got := checkpoint.Further(c.res.row, c.p); got != c.further {
			t.Errorf("%s: further is %v", name, got)
		}
		if got := checkpoint.NotBehind(c.res.row, c.p); checkpoint.Further(c.res.row, got) {
			t.Errorf("%s: %v is behind %v", name, got, c.res.row)
		}
	}
}

// What was written with effects is not taken back by what the loop says before it
// knows.
func TestSeatDoesNotGoBackBehindWhatIsWritten(t *testing.T) {
	at := func(sequence string) checkpoint.Progress {
		return checkpoint.Progress{Position: shard.After(sequence, 0)}
	}
	s := &seat{keeper: &keeper{}, said: at("200")}
	s.say(at("100"), 3)
	if s.said.Position.Sequence != "200" || s.pending != 3 {
		t.Errorf("the seat says %v with %d pending, want 200 with 3", s.said.Position, s.pending)
	}
	s.say(at("300"), 0)
	if s.said.Position.Sequence != "300" {
		t.Errorf("the seat says %v, want 300", s.said.Position)
	}
}
