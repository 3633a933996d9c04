package overview

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// tables answers what it was told, and counts.
type tables struct {
	rows     []shard.Lease
	sessions [][]shard.Session
	err      error
	lists    int
}

func (t *tables) List(context.Context) ([]shard.Lease, error) { t.lists++; return t.rows, t.err }

func (t *tables) Sessions(context.Context) ([]shard.Session, error) {
	if len(t.sessions) == 0 {
		return nil, fmt.Errorf("scan: %w", checkpoint.ErrNoTable)
	}
	s := t.sessions[0]
	if len(t.sessions) > 1 {
		t.sessions = t.sessions[1:]
	}
	return s, nil
}

// source is a stream that cannot be asked.
type source struct{ shard.Source }

func (source) Describe(context.Context) (shard.Stream, error) {
	return shard.Stream{}, shard.ErrNoStream
}

// A worker that let go and left between two readings is not called gone: what
// looks like it is looked at twice.
func TestOrphansAreLookedAtTwice(t *testing.T) {
	rows := []shard.Lease{row("s0", ada, shard.After("1", 0))}
	there := []shard.Session{{ID: ada, Beat: 1}}
	passing := &tables{rows: rows, sessions: [][]shard.Session{nil, there}}
	f, err := Look(t.Context(), Config{Tables: passing})
	if err != nil || f.Shards[0].State != StateHeld || passing.lists != 2 {
		t.Errorf("got %v, %v after %d readings, want it held after two", f, err, passing.lists)
	}
	dead := &tables{rows: rows, sessions: [][]shard.Session{nil}}
	if f, err = Look(t.Context(), Config{Tables: dead}); err != nil || f.Shards[0].State != StateOrphaned {
		t.Errorf("got %v, %v, want it orphaned", f, err)
	}
}

// Without rows there is no picture; without the source there is one of the rows,
// and it says so.
func TestLookShowsWhatItCouldRead(t *testing.T) {
	if _, err := Look(t.Context(), Config{}); !errors.Is(err, ErrNoTables) {
		t.Errorf("without tables: %v", err)
	}
	if f, err := Look(t.Context(), Config{Tables: &tables{err: checkpoint.ErrNoTable}, Source: source{}}); f != nil || !errors.Is(err, checkpoint.ErrNoTable) || !errors.Is(err, shard.ErrNoStream) {
		t.Errorf("without rows: %v, %v", f, err)
	}
	f, err := Look(t.Context(), Config{Tables: &tables{rows: []shard.Lease{row("s0", "i-1", shard.End())}}, Source: source{}})
	if !errors.Is(err, shard.ErrNoStream) || f == nil || f.Kind != KindKCL || len(f.Problems) != 1 || f.Problems[0].Kind != TroubleUnread {
		t.Errorf("without the source: %+v, %v", f, err)
	}
}

// The names of a document stay, and what is not known is left out.
func TestPictureIsADocument(t *testing.T) {
	p := Parts{Stream: stream(), Listed: []shard.Shard{listed("s0", true)}, Rows: []shard.Lease{row("s0", ada, shard.After("42", 3))}, Sessions: []shard.Session{{ID: ada, Beat: 1}}}
	text, err := json.Marshal(Join(p, nil, noon, 1))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"at":"2026-05-04T12:00:00Z"`, `"retention_seconds":86400`, `"kind":"towpath"`, `"by_state":{"held":1}`, `"shard":"s0","state":"held"`,
		`"position":"42/3"`, `"behind_known":false`, `"worker":"` + ada + `"`, `"still_seconds":0`, `"problems":[]`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the document has no %s: %s", want, text)
		}
	}
	if strings.Contains(string(text), "last_arrival") {
		t.Errorf("what is not known is in the document: %s", text)
	}
	var back Fleet
	if err := json.Unmarshal(text, &back); err != nil || back.Stream.Retention.Of() != p.Stream.Retention {
		t.Errorf("read back: %+v, %v", back.Stream, err)
	}
}
