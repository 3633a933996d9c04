package reposition

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// Rows is where a fork's positions are read: a checkpoint.Rows is one.
type Rows interface {
	// List reads every row, those that cannot be believed among them.
	List(ctx context.Context) ([]shard.Lease, error)
}

// Origin is the application that a fork is made from. Its table is only read.
type Origin struct {
	// Rows is its lease table, one of KCL's among them, or the table of another
	// library, such as dynamocheckpoint.VMware. Required.
	Rows Rows
	// Name is its name, for people. Required.
	Name string
	// At is where rows begin that say AT_TIMESTAMP and not which, as KCL's do.
	// Zero, and such a row is an error.
	At shard.Position
	// NoEnds says that the origin does not note the end of a shard, as
	// dynamocheckpoint.Harlow does not: rows of shards that the stream does not
	// list any more are then left out, as they may have been done. Default: the
	// rest of such a shard is a loss.
	NoEnds bool
	// Force gives an application the positions that has some already. It is
	// brought to a stand as for a Seek. Default: that is ErrNotEmpty.
	Force bool
}

// rowsOf is where a fork's positions come from.
type rowsOf struct {
	Rows
	name   string
	at     shard.Position
	noEnds bool
}

// Fork plans to give the application the positions of another one that reads the
// same stream: each shard begins where it is there, with counters of its own and
// nobody that works it. What handlers keep beside their positions, and parked
// records, stay where they are. A row that came to stand behind an unfinished
// parent, as the two were read at different times, begins at its horizon.
func (m *Mover) Fork(ctx context.Context, from Origin) (*Plan, error) {
	p := &Plan{Kind: KindFork, source: rowsOf{from.Rows, from.Name, from.At, from.NoEnds}, force: from.Force}
	if from.Rows == nil || from.Name == "" {
		return nil, errors.New("plan a fork: Rows or Name is missing: set them to the table and the name of the application it is made from")
	}
	if err := m.planFork(ctx, p); err != nil {
		return nil, fmt.Errorf("plan to %s: %w", p.What(), err)
	}
	return p, nil
}

func (m *Mover) planFork(ctx context.Context, p *Plan) error {
	var err error
	if p.stream, err = m.cfg.Source.Describe(ctx); err != nil {
		return fmt.Errorf("describe the stream: %w", err)
	}
	p.Made = p.stream.Now
	copied, err := m.copies(ctx, p)
	if err != nil {
		return err
	}
	own, err := m.rows.List(ctx)
	if err != nil && !errors.Is(err, checkpoint.ErrNoTable) {
		return fmt.Errorf("read the lease table: %w", err)
	}
	if len(own) > 0 && !p.force {
		return fmt.Errorf("%w: %d rows", ErrNotEmpty, len(own))
	}
	p.Steps = forkSteps(copied, own)
	if len(own) > 0 {
		p.Warnings = append(p.Warnings, fmt.Sprintf("%d positions of this application are written over", len(own)))
	}
	p.Warnings = append(p.Warnings, "what handlers keep beside their positions is not copied: they begin without")
	return nil
}

// copies are the rows of the origin that are of the stream, as a new application
// would have them, parents first. The stream is listed before they are read, as
// what is new in them has to be in it.
func (m *Mover) copies(ctx context.Context, p *Plan) ([]shard.Lease, error) {
	listed, err := m.cfg.Source.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the shards: %w", err)
	}
	return p.source.copies(ctx, p.stream, listed)
}

func (o rowsOf) copies(ctx context.Context, stream shard.Stream, listed []shard.Shard) ([]shard.Lease, error) {
	all, err := o.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the rows of %s: %w", o.name, err)
	}
	of, _ := shard.KeyOf(stream) // the zero key is no row's
	known := make(map[string]shard.Shard, len(listed))
	for _, s := range listed {
		known[shard.PlainID(s.ID)] = s
	}
	var rows []shard.Lease
	for _, row := range all {
		key, _, many := shard.SplitID(row.Key)
		s, there := known[shard.PlainID(row.Key)]
		switch {
		case o.noEnds && !there && row.Fault == nil:
			continue
		case row.Fault != nil:
			return nil, fmt.Errorf("read the rows of %s: %w: %w", o.name, errBelieved, row.Fault)
		case many && key != of:
			continue // of another stream, in a table of many
		case !row.StreamCreated.IsZero() && !stream.CreatedAt.IsZero() && row.StreamCreated.Unix() != stream.CreatedAt.Unix():
			return nil, fmt.Errorf("row %s of %s: %w", row.Key, o.name, checkpoint.ErrRecreated)
		case row.Checkpoint.IsAtTime() && row.Checkpoint.At.IsZero():
			if !o.at.IsAtTime() {
				return nil, fmt.Errorf("row %s of %s says AT_TIMESTAMP and not which: say at what time it was started", row.Key, o.name)
			}
			row.Checkpoint = o.at
		case row.Checkpoint.IsLatest() && row.Checkpoint.At.IsZero():
			row.Checkpoint.At = stream.Now
		}
		if there { // which a foreign table does not tell, or not wholly
			row.Parents = s.Parents
			if row.Hashes == (shard.HashRange{}) {
				row.Hashes = s.Hashes
			}
		}
		rows = append(rows, shard.Lease{
			Key: shard.PlainID(row.Key), Shard: shard.PlainID(row.Key), Checkpoint: row.Checkpoint, Marks: row.Marks,
			Parents: plain(row.Parents), Children: plain(row.Children),
			Hashes: row.Hashes, StreamCreated: stream.CreatedAt, LastArrival: row.LastArrival, ReadUpTo: row.ReadUpTo, Lost: row.Lost,
			CreatedFrom: "initial",
		})
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%s has no rows of stream %s", o.name, stream.Name)
	}
	return o.inStep(rows), nil
}

// plain are ids of shards without the stream that they are of.
func plain(ids []string) []string {
	var all []string
	for _, id := range ids {
		all = append(all, shard.PlainID(id))
	}
	return all
}

// inStep brings rows into step that were not read at one moment: a shard whose
// parent is not finished here was begun after the parent was read, and begins at
// its horizon. Where ends are not noted, nothing is known of that. Parents come
// first.
func (o rowsOf) inStep(rows []shard.Lease) []shard.Lease {
	byID := make(map[string]shard.Lease, len(rows))
	var listed []shard.Shard
	for _, row := range rows {
		byID[row.Shard] = row
		listed = append(listed, shard.Shard{ID: row.Shard, Parents: row.Parents})
	}
	ordered := make([]shard.Lease, 0, len(rows))
	for _, blank := range shard.NewLineage(listed, nil).Missing(shard.TrimHorizon(), shard.Stream{}) {
		row := byID[blank.Shard]
		for _, parent := range row.Parents {
			if p, ok := byID[parent]; ok && !o.noEnds && !p.Checkpoint.IsEnd() && (row.Checkpoint.IsRecord() || row.Checkpoint.IsEnd()) {
				row.Checkpoint, row.Marks, row.ReadUpTo, row.LastArrival = shard.TrimHorizon(), nil, time.Time{}, time.Time{}
			}
		}
		byID[row.Shard] = row
		ordered = append(ordered, row)
	}
	return ordered
}

// forkSteps says what becomes of each row.
func forkSteps(copied, own []shard.Lease) []Step {
	has := map[string]shard.Lease{}
	for _, row := range own {
		has[row.Shard] = row
	}
	var steps []Step
	for _, row := range copied {
		step := Step{Shard: row.Shard, Do: ActCreate, To: row.Checkpoint, seen: row}
		if mine, ok := has[row.Shard]; ok {
			step.Row, step.From, step.Owner, step.Do = true, mine.Checkpoint, mine.Holder(), ActMove
			step.seen = mine
		}
		steps = append(steps, step)
	}
	return steps
}

// applyFork writes the positions, as of now and not as of the plan.
func (m *Mover) applyFork(ctx context.Context, p *Plan) error {
	if err := m.persist(ctx, func(ctx context.Context) error { return m.rows.Prepare(ctx, p.stream) }); err != nil {
		return fmt.Errorf("prepare the lease table: %w", err)
	}
	rewrite := func(ctx context.Context) ([]checkpoint.Rewrite, error) {
		copied, err := m.copies(ctx, p)
		if err != nil {
			return nil, err
		}
		own, err := m.rows.List(ctx)
		if err != nil {
			return nil, err
		}
		var rows []checkpoint.Rewrite
		for i, s := range forkSteps(copied, own) {
			rows = append(rows, checkpoint.Rewrite{Row: s.seen, Create: s.Do == ActCreate, To: checkpoint.Progress{
				Position: s.To, Arrived: copied[i].LastArrival, ReadUpTo: copied[i].ReadUpTo, Marks: copied[i].Marks,
			}})
		}
		return rows, nil
	}
	move, err := m.Underway(ctx)
	if err != nil {
		return err
	}
	if move.Active() && kindOf(move) == KindFork && p.force {
		return m.takeOver(ctx, move, KindFork, rewrite) // one that was left half done
	}
	own, err := m.rows.List(ctx)
	if err != nil {
		return err
	}
	if len(own) > 0 && !p.force {
		return fmt.Errorf("%w: %d rows", ErrNotEmpty, len(own))
	}
	return m.begin(ctx, KindFork, p.What(), shard.TrimHorizon(), rewrite)
}
