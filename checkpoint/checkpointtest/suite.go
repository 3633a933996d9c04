package checkpointtest

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// Editor is what a table under test may implement beside checkpoint.Leases, so
// that the suite can look after attributes which the contract does not know.
type Editor interface {
	// SetAttribute writes a string attribute into a lease row, and Attribute
	// reads it; empty if it is not there.
	SetAttribute(ctx context.Context, key, name, value string) error
	Attribute(ctx context.Context, key, name string) (string, error)
}

// RunLeases proves a table: every write does what the contract says, and every
// part of every condition refuses on its own. Open gives an empty table, ready
// to be prepared, for each subtest. What a table may offer beside, such as
// checkpoint.Controls, is proved where it does.
func RunLeases(t *testing.T, open func(t *testing.T) checkpoint.Leases) {
	for _, group := range []struct {
		name  string
		tests []named
	}{
		{"prepare", prepareTests},
		{"sessions", sessionTests},
		{"reads", readTests},
		{"take", takeTests},
		{"save", saveTests},
		{"handover", handoverTests},
		{"end", endTests},
		{"putback", putBackTests},
		{"upkeep", upkeepTests},
		{"races", raceTests},
		{"controls", controlTests},
		{"moves", moveTests},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, test := range group.tests {
				t.Run(test.name, func(t *testing.T) {
					b := &bench{T: t, Leases: open(t)}
					if _, ok := b.Leases.(checkpoint.Controls); !ok && group.name == "controls" {
						return
					}
					if _, ok := b.Leases.(checkpoint.Moves); !ok && group.name == "moves" {
						return
					}
					if !test.unprepared {
						b.must(b.Prepare(t.Context(), stream))
					}
					test.run(b)
				})
			}
		})
	}
}

// named is one promise, of a table that is prepared unless it says otherwise.
type named struct {
	name       string
	run        func(b *bench)
	unprepared bool
}

// bench is a table with the tools to test it.
type bench struct {
	*testing.T
	checkpoint.Leases
}

// The workers, the shards and the times of the suite.
const (
	anna, bert, cleo = "anna/0011223344556677", "bert/8899aabbccddeeff", "cleo/0123456789abcdef"
	key, other       = "shardId-000000000000", "shardId-000000000001"
	many             = "123456789012:clicks:1700000000:" // before the ids of shards among many streams
)

var (
	created = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	stream  = shard.Stream{ARN: "arn:aws:kinesis:eu-central-1:123456789012:stream/clicks", Name: "clicks", CreatedAt: created}
	at100   = checkpoint.Progress{Position: shard.After("100", 0)}
	at200   = checkpoint.Progress{Position: shard.After("200", 3)}
)

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// got is a row without its error.
func (b *bench) got(l shard.Lease, err error) shard.Lease {
	b.Helper()
	b.must(err)
	return l
}

// free makes a row that nobody owns.
func (b *bench) free(key string) shard.Lease {
	b.Helper()
	b.create(shard.Lease{Key: key, Shard: key, Checkpoint: shard.TrimHorizon(), CreatedFrom: "initial", StreamCreated: created})
	return b.got(b.Get(b.Context(), key))
}

func (b *bench) create(rows ...shard.Lease) int64 {
	b.Helper()
	epoch, err := b.Begin(b.Context())
	b.must(err)
	b.must(b.Create(b.Context(), epoch, rows))
	return epoch
}

// owned makes a row that a worker took, and has saved at 100.
func (b *bench) owned(key, by string) shard.Lease {
	b.Helper()
	l := b.got(b.Take(b.Context(), b.free(key), by, ""))
	return b.got(b.Save(b.Context(), l, by, at100))
}

// asked makes a row that anna holds and is asked to hand over to bert.
func (b *bench) asked() shard.Lease {
	b.Helper()
	return b.got(b.Ask(b.Context(), b.owned(key, anna), bert))
}

// live makes a session.
func (b *bench) live(id string) shard.Session {
	b.Helper()
	b.must(b.Register(b.Context(), shard.Session{ID: id, Version: 1}))
	s, err := b.Session(b.Context(), id)
	b.must(err)
	return s
}

// dead makes a session that bert has revoked.
func (b *bench) dead(id string) shard.Session {
	b.Helper()
	s := b.live(id)
	b.must(b.Revoke(b.Context(), s, bert))
	s.RevokedBy = bert
	return s
}

// stands wants the row to be as it is said.
func (b *bench) stands(want shard.Lease) {
	b.Helper()
	b.equal(b.got(b.Get(b.Context(), want.Key)), want)
}

func (b *bench) equal(got, want shard.Lease) {
	b.Helper()
	if !reflect.DeepEqual(got, want) {
		b.Fatalf("got the row\n%+v, want\n%+v", got, want)
	}
}

// is wants an error of a kind.
func (b *bench) is(err, want error) {
	b.Helper()
	if !errors.Is(err, want) {
		b.Fatalf("got error %v, want %v", err, want)
	}
}

// refused wants a *checkpoint.Conflict that carries the row as it stands, and
// the row to be untouched.
func (b *bench) refused(err error, stands shard.Lease) {
	b.Helper()
	var c *checkpoint.Conflict
	if !errors.As(err, &c) || !errors.Is(err, checkpoint.ErrFenced) {
		b.Fatalf("got error %v, want a *checkpoint.Conflict", err)
	}
	if !c.Exists || c.Key != stands.Key {
		b.Fatalf("the conflict names %q (exists: %v), want %q", c.Key, c.Exists, stands.Key)
	}
	b.equal(c.Row, stands)
	b.stands(stands)
}

// refusedNoRow wants a *checkpoint.Conflict that says that there is no row.
func (b *bench) refusedNoRow(err error) {
	b.Helper()
	var c *checkpoint.Conflict
	if !errors.As(err, &c) || c.Exists {
		b.Fatalf("got error %v, want a *checkpoint.Conflict that says there is no row", err)
	}
}

// refusal is one part of a condition: a row, and a write that only this part
// refuses.
type refusal struct {
	name  string
	row   func(b *bench) shard.Lease
	write func(b *bench, row shard.Lease) error
}

// refusals are the tests of a condition's parts.
func refusals(write string, of ...refusal) []named {
	var tests []named
	for _, r := range of {
		tests = append(tests, named{name: write + " refused when " + r.name, run: func(b *bench) {
			row := r.row(b)
			b.refused(r.write(b, row), row)
		}})
	}
	return tests
}

// Rows for refusals.
func freeRow(b *bench) shard.Lease  { return b.free(key) }
func ownedRow(b *bench) shard.Lease { return b.owned(key, anna) }
func askedRow(b *bench) shard.Lease { return b.asked() }

// with is the row as somebody believes it to be.
func with(l shard.Lease, change func(*shard.Lease)) shard.Lease {
	change(&l)
	return l
}
