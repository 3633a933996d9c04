package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/shard"
)

// start is where a go at a shard begins.
type start struct {
	// from is how far the shard is: what the row says, or Positions.
	from checkpoint.Progress
	// claimed is set if Positions has named another position than the row's.
	claimed bool
	// inherited is set if the handler began with its parents' state.
	inherited bool
}

// claim makes the tenure's fence the one that the user's own store of positions
// believes, and asks it where the shard is. From then on no earlier tenure can
// write there, and nothing that it wrote before is done again. A worker that is
// told of a later fence has lost the lease, and does not know it yet.
func (t *tenure) claim(s start, l *shardLoop) (start, error) {
	w := t.worker
	if w.cfg.Positions == nil {
		return s, nil
	}
	fence := t.branch.fence(t.row)
	c := checkpoint.Claim{
		Application: w.cfg.Name, Handler: l.handler, Stream: t.branch.stream.ARN, Shard: t.row.Shard,
		Fence: [2]int64{fence.Stream, fence.Counter}, Row: s.from.Position, SeekGen: t.row.SeekGen,
	}
	for try := 1; ; try++ {
		at, found, err := t.claimOnce(c)
		switch {
		case err == nil && found && at.Compare(s.from.Position) != 0:
			return start{from: checkpoint.Progress{Position: at}, claimed: true}, nil
		case err == nil:
			return s, nil
		case errors.Is(err, checkpoint.ErrFenced):
			w.note(l.shard, l.handler, fmt.Errorf("claim %s: %w", t.row.Shard, err))
			// If the row names this worker all the same, it is tried again: but
			// not at once, and for ever.
			_ = clock.Sleep(t.reading, fencedWait)
			t.lose(ErrLeaseLost)
			return s, err
		}
		w.note(l.shard, l.handler, fmt.Errorf("claim %s: %w", t.row.Shard, err))
		if err := clock.Sleep(t.reading, backoff(t.worker.dice, try, 100*time.Millisecond, 10*time.Second, "claim", t.row.Key)); err != nil {
			return s, err
		}
	}
}

// fencedWait is how long a tenure rests that a later one has fenced. As a rule the
// loss of the lease is noticed before.
const fencedWait = 5 * time.Second

func (t *tenure) claimOnce(c checkpoint.Claim) (at shard.Position, found bool, err error) {
	ctx, cancel := context.WithTimeout(t.reading, t.worker.timing.tableCall)
	defer cancel()
	at, found, err = t.worker.cfg.Positions.Claim(ctx, c)
	if err == nil && found {
		if err := at.Validate(); err != nil {
			return at, false, fmt.Errorf("position %q: %w", at, err)
		}
	}
	return at, found, err
}
