package checkpointtest

import (
	"context"
	"fmt"
	"sync"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// Positions is a checkpoint.Positions in memory: a database of the user's, whose
// transactions hold effects and a position. Its methods may be called at once.
type Positions struct {
	mu            sync.Mutex // guards what follows; never held across a hook
	rows          map[string]positionRow
	before, after func(op string) error
}

// positionRow is what the database knows of one shard.
type positionRow struct {
	fence   [2]int64
	seekGen int64
	at      shard.Position
	found   bool
}

var _ checkpoint.Positions = (*Positions)(nil)

// NewPositions is an empty database.
func NewPositions() *Positions { return &Positions{rows: map[string]positionRow{}} }

// Interfere sets two hooks, either of which may be nil, for claim and commit.
// With an error of before nothing is applied; an error of after takes the place
// of the answer.
func (p *Positions) Interfere(before, after func(op string) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.before, p.after = before, after
}

// At is the position of a shard, and whether it has one.
func (p *Positions) At(shardID string) (shard.Position, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	row := p.rows[shardID]
	return row.at, row.found
}

// Claim implements checkpoint.Positions. A position that was moved by hand in the
// lease row since the last claim replaces the one that stands here.
func (p *Positions) Claim(ctx context.Context, c checkpoint.Claim) (at shard.Position, found bool, err error) {
	err = p.call(ctx, "claim", func() error {
		row, there := p.rows[c.Shard]
		if there && later(row.fence, c.Fence) {
			return fmt.Errorf("claim %s in %v: tenure %v has claimed it: %w", c.Shard, c.Fence, row.fence, checkpoint.ErrFenced)
		}
		if there && row.seekGen < c.SeekGen {
			row.at, row.found = c.Row, c.Row.IsRecord()
		}
		row.fence, row.seekGen = c.Fence, c.SeekGen
		p.rows[c.Shard] = row
		at, found = row.at, row.found
		return nil
	})
	if err != nil {
		return shard.Position{}, false, err
	}
	return at, found, nil
}

// Commit is a transaction of a handler's: it is refused with
// checkpoint.ErrFenced unless fence is that of the last claim, else does what do
// does and moves the position. What lies at or before after has been done by an
// earlier transaction whose answer was lost.
func (p *Positions) Commit(ctx context.Context, shardID string, fence [2]int64, to shard.Position, do func(after shard.Position)) error {
	return p.call(ctx, "commit", func() error {
		row := p.rows[shardID]
		if row.fence != fence {
			return fmt.Errorf("commit %s in %v: tenure %v has claimed it: %w", shardID, fence, row.fence, checkpoint.ErrFenced)
		}
		if row.found && to.Compare(row.at) <= 0 {
			return nil
		}
		do(row.at)
		row.at, row.found = to, true
		p.rows[shardID] = row
		return nil
	})
}

func (p *Positions) call(ctx context.Context, op string, apply func() error) error {
	p.mu.Lock()
	before := p.before
	p.mu.Unlock()
	if before != nil {
		if err := before(op); err != nil {
			return fmt.Errorf("%s: %w", op, err)
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	p.mu.Lock()
	err, after := apply(), p.after
	p.mu.Unlock()
	if after != nil {
		if lost := after(op); lost != nil {
			return fmt.Errorf("%s: %w", op, lost)
		}
	}
	return err
}

// later reports whether a fence is that of a later tenure than another.
func later(a, b [2]int64) bool { return a[0] > b[0] || a[0] == b[0] && a[1] > b[1] }
