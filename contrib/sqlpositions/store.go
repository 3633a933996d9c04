package sqlpositions

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// Dialect is how a database writes what SQL leaves open.
type Dialect int

const (
	// SQLite has ? for arguments.
	SQLite Dialect = iota
	// PostgreSQL has $1, $2 and so on.
	PostgreSQL
)

// Options are what can be changed about a Store. The zero value of each field is
// the default.
type Options struct {
	// Table is the table's name, with its schema if it has one. Default:
	// towpath_positions. Letters, digits, '_' and one '.'.
	Table string
}

// Store is a checkpoint.Positions in an SQL database. It may be used by several
// goroutines and several consumers.
type Store struct {
	db      *sql.DB
	dialect Dialect
	table   string

	// committed is called behind every commit; a test loses its answer by it.
	committed func() error
}

var _ checkpoint.Positions = (*Store)(nil)

var tableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$`)

// Open makes a store of a database. It calls nothing; Prepare does.
func Open(db *sql.DB, dialect Dialect, options ...func(*Options)) (*Store, error) {
	o := Options{Table: "towpath_positions"}
	for _, set := range options {
		set(&o)
	}
	var problems []error
	if db == nil {
		problems = append(problems, errors.New("the database is nil"))
	}
	if dialect != SQLite && dialect != PostgreSQL {
		problems = append(problems, fmt.Errorf("the dialect is %d, want SQLite or PostgreSQL", dialect))
	}
	if !tableName.MatchString(o.Table) {
		problems = append(problems, fmt.Errorf("Table is %q, want letters, digits, '_' and at most one '.'", o.Table))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("open positions: %w", err)
	}
	return &Store{db: db, dialect: dialect, table: o.Table, committed: func() error { return nil }}, nil
}

// Prepare makes the table if it is not there. A role without the right to make
// tables can do without it: the statement is Schema.
func (s *Store) Prepare(ctx context.Context) error {
	if _, err := s.db.ExecContext(ctx, s.Schema()); err != nil {
		return fmt.Errorf("make table %s: %w", s.table, err)
	}
	return nil
}

// Schema is the statement that makes the table.
func (s *Store) Schema() string {
	return `CREATE TABLE IF NOT EXISTS ` + s.table + ` (
	application TEXT NOT NULL,
	handler TEXT NOT NULL,
	stream TEXT NOT NULL,
	shard TEXT NOT NULL,
	fence_stream BIGINT NOT NULL,
	fence_counter BIGINT NOT NULL,
	seek_gen BIGINT NOT NULL,
	sequence TEXT NOT NULL,
	sub BIGINT NOT NULL,
	PRIMARY KEY (application, handler, stream, shard)
)`
}

// whose finds the row of a shard.
const whose = ` WHERE application = ? AND handler = ? AND stream = ? AND shard = ?`

// Claim implements checkpoint.Positions. A position that was moved by hand in the
// lease row since the last claim replaces the one that stands here.
func (s *Store) Claim(ctx context.Context, c checkpoint.Claim) (at shard.Position, found bool, err error) {
	key := []any{c.Application, c.Handler, c.Stream, c.Shard}
	err = s.transact(ctx, func(tx *sql.Tx) error {
		if _, err := s.exec(ctx, tx, `INSERT INTO `+s.table+
			` (application, handler, stream, shard, fence_stream, fence_counter, seek_gen, sequence, sub)`+
			` VALUES (?, ?, ?, ?, ?, ?, ?, '', 0) ON CONFLICT DO NOTHING`,
			append(key, c.Fence[0], c.Fence[1], c.SeekGen)...); err != nil {
			return err
		}
		claimed, err := s.exec(ctx, tx, `UPDATE `+s.table+` SET fence_stream = ?, fence_counter = ?`+whose+
			` AND (fence_stream < ? OR (fence_stream = ? AND fence_counter <= ?))`,
			append(append([]any{c.Fence[0], c.Fence[1]}, key...), c.Fence[0], c.Fence[0], c.Fence[1])...)
		if err != nil {
			return err
		}
		if claimed == 0 {
			return checkpoint.ErrFenced
		}
		var seekGen int64
		if at, seekGen, err = s.read(ctx, tx, key); err != nil {
			return err
		}
		if seekGen < c.SeekGen {
			at = shard.Position{}
			if c.Row.IsRecord() {
				at = c.Row
			}
			_, err = s.exec(ctx, tx, `UPDATE `+s.table+` SET seek_gen = ?, sequence = ?, sub = ?`+whose,
				append([]any{c.SeekGen, at.Sequence, at.Sub}, key...)...)
		}
		return err
	})
	if err != nil {
		return shard.Position{}, false, fmt.Errorf("claim %s of %s in table %s: %w", c.Shard, c.Application, s.table, err)
	}
	return at, at.IsRecord(), nil
}

// read is the position and how often it was moved by hand; the zero Position if
// there is none.
func (s *Store) read(ctx context.Context, tx *sql.Tx, key []any) (at shard.Position, seekGen int64, err error) {
	row := tx.QueryRowContext(ctx, s.bind(`SELECT sequence, sub, seek_gen FROM `+s.table+whose), key...)
	if err := row.Scan(&at.Sequence, &at.Sub, &seekGen); err != nil {
		return at, 0, err
	}
	return at, seekGen, at.Validate()
}

// exec runs a statement and tells how many rows it changed.
func (s *Store) exec(ctx context.Context, tx *sql.Tx, statement string, args ...any) (int64, error) {
	res, err := tx.ExecContext(ctx, s.bind(statement), args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// transact runs f in a transaction, which it commits if f succeeds.
func (s *Store) transact(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		// What the transaction did is undone, whether or not that is answered.
		_ = tx.Rollback()
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	return s.committed()
}

// bind writes the arguments as the database does.
func (s *Store) bind(statement string) string {
	if s.dialect != PostgreSQL {
		return statement
	}
	var b strings.Builder
	n := 0
	for _, r := range statement {
		if r == '?' {
			n++
			b.WriteString("$" + strconv.Itoa(n))
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
