package reposition

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// Target says what is moved to where.
type Target struct {
	// Shard is the id of one shard; empty is all of them.
	Shard string
	// To is where to begin: shard.TrimHorizon, shard.Latest, which is pinned to
	// the service's time, shard.AtTime or, of one shard, shard.After: behind the
	// record with that sequence number.
	To shard.Position
}

// Seek plans a move of one shard or of all. Nothing is written.
func (m *Mover) Seek(ctx context.Context, t Target) (*Plan, error) {
	p := &Plan{Kind: KindSeek, To: t.To, Shard: t.Shard}
	if t.To.IsRecord() && t.Shard == "" {
		return nil, errors.New("plan a seek: a sequence number is a place in one shard: name it")
	}
	if err := m.plan(ctx, p); err != nil {
		return nil, fmt.Errorf("plan to %s: %w", p.What(), err)
	}
	return p, nil
}

// Reset plans to begin anew at a position, as a new application would: every
// shard that is listed begins there, and what the stream does not list any more
// counts as done. Rows stay, so that counters and SeekGen grow.
func (m *Mover) Reset(ctx context.Context, to shard.Position) (*Plan, error) {
	p := &Plan{Kind: KindReset, To: to}
	if to.IsRecord() {
		return nil, errors.New("plan a reset: a sequence number is a place in one shard, and a reset begins all of them")
	}
	if err := m.plan(ctx, p); err != nil {
		return nil, fmt.Errorf("plan to %s: %w", p.What(), err)
	}
	return p, nil
}

// plan fills in a seek or a reset.
func (m *Mover) plan(ctx context.Context, p *Plan) error {
	now, err := m.look(ctx)
	if err != nil {
		return err
	}
	if now.move.Active() {
		return fmt.Errorf("%w: %s", ErrUnderway, now.move)
	}
	p.stream, p.Made = now.stream, now.stream.Now
	if p.To, err = pinned(p.To, now.stream); err != nil {
		return err
	}
	if len(now.rows) == 0 {
		return errors.New("the application has no rows: it has not been started yet, and begins at its StartingPosition")
	}
	p.Steps = stepsOf(p.Kind, p.To, now)
	if p.Shard != "" {
		if err := p.only(now); err != nil {
			return err
		}
	}
	if err := m.weigh(ctx, p); err != nil {
		return err
	}
	p.warn(now)
	return nil
}

// pinned is where to begin, with the tip pinned to the service's time.
func pinned(to shard.Position, stream shard.Stream) (shard.Position, error) {
	switch {
	case to.IsEnd():
		return to, errors.New("the end of a shard is reached and not sought")
	case to.IsLatest() && to.At.IsZero():
		to.At = stream.Now
	case to.IsAtTime() && to.At.After(stream.Now):
		return to, fmt.Errorf("%s is %v in the future, and the tip is LATEST", to, to.At.Sub(stream.Now).Round(time.Second))
	case to.Sequence == "":
		to = shard.TrimHorizon()
	}
	return to, to.Validate()
}

// standing is what there is at one moment.
type standing struct {
	stream shard.Stream
	move   shard.Move
	listed []shard.Shard
	rows   []shard.Lease
	byID   map[string]shard.Lease
}

// look reads all that a plan is made from: the table after the listing, as
// shard.NewLineage asks for, and the stream's own time after both.
func (m *Mover) look(ctx context.Context) (standing, error) {
	var s standing
	c, err := m.table.Control(ctx)
	if err != nil {
		return s, fmt.Errorf("read what the fleet is told: %w", err)
	}
	s.move = c.Move
	if s.listed, err = m.cfg.Source.List(ctx); err != nil {
		return s, fmt.Errorf("list the shards: %w", err)
	}
	if s.rows, err = m.rows.List(ctx); err != nil {
		return s, fmt.Errorf("read the lease table: %w", err)
	}
	if s.stream, err = m.cfg.Source.Describe(ctx); err != nil {
		return s, fmt.Errorf("describe the stream: %w", err)
	}
	if err := s.narrow(); err != nil {
		return s, err
	}
	s.byID = make(map[string]shard.Lease, len(s.rows))
	for _, row := range s.rows {
		switch {
		case row.Fault != nil:
			return s, fmt.Errorf("%w: %w", errBelieved, row.Fault)
		case !row.StreamCreated.IsZero() && !s.stream.CreatedAt.IsZero() && row.StreamCreated.Unix() != s.stream.CreatedAt.Unix():
			return s, fmt.Errorf("row %s: %w", row.Key, checkpoint.ErrRecreated)
		}
		s.byID[row.Shard] = row
	}
	return s, nil
}

// narrow leaves the rows of this stream in a table of many, and names the listed
// shards as those do.
func (s *standing) narrow() error {
	many := slices.ContainsFunc(s.rows, func(row shard.Lease) bool { _, _, ok := shard.SplitID(row.Key); return ok })
	if !many {
		return nil
	}
	of, err := shard.KeyOf(s.stream)
	if err != nil {
		return err
	}
	s.rows = slices.DeleteFunc(s.rows, func(row shard.Lease) bool { key, _, ok := shard.SplitID(row.Key); return !ok || key != of })
	s.listed = slices.Clone(s.listed)
	for i := range s.listed {
		l := &s.listed[i]
		l.ID = of.ID(l.ID)
		l.Parents = slices.Clone(l.Parents)
		for k, parent := range l.Parents {
			l.Parents[k] = of.ID(parent)
		}
	}
	return nil
}

// stepsOf says what becomes of each shard when all begin at a place, parents
// first. At the tip the closed ones are finished, and their children begin there:
// what was put before it is not asked for. Otherwise all that are listed begin there, whether anything is
// left of them or not.
func stepsOf(kind Kind, to shard.Position, now standing) []Step {
	lineage := shard.NewLineage(now.listed, now.rows)
	var steps []Step
	for _, s := range parentsFirst(now) {
		row, has := now.byID[s.ID]
		step := Step{Shard: s.ID, Row: has, From: row.Checkpoint, Do: ActMove, To: to, seen: row}
		if !row.Finished() {
			step.Owner = row.Holder() // what is finished names who did that
		}
		switch {
		case !has:
			step.Do = ActCreate
			step.seen = shard.Lease{Key: s.ID, Shard: s.ID, Parents: s.Parents, Hashes: s.Hashes, StreamCreated: now.stream.CreatedAt}
			for _, child := range lineage.Children(s.ID) {
				step.seen.Children = append(step.seen.Children, child.ID)
			}
			if to.IsLatest() && !s.Open() && len(step.seen.Children) > 0 {
				continue // what it had is before the tip, and its children begin there
			}
		case to.IsLatest() && row.Finished():
			step.Do, step.To = ActLeave, row.Checkpoint
		case to.IsLatest() && !s.Open() && len(lineage.Children(s.ID)) > 0:
			step.Do, step.To = ActEnd, shard.End() // likewise: it was closed before the tip
		}
		steps = append(steps, step)
	}
	for _, row := range lineage.Gone() {
		step := Step{Shard: row.Shard, Row: true, From: row.Checkpoint, Owner: row.Holder(), Do: ActLeave, To: row.Checkpoint, seen: row, gone: true}
		if kind == KindReset {
			step.Do, step.To = ActEnd, shard.End()
		}
		steps = append(steps, step)
	}
	return steps
}

// parentsFirst are the listed shards, those behind their parents.
func parentsFirst(now standing) []shard.Shard {
	listed := make(map[string]shard.Shard, len(now.listed))
	for _, s := range now.listed {
		listed[s.ID] = s
	}
	var ordered []shard.Shard
	// A lineage without rows has every shard missing, and names parents first.
	for _, row := range shard.NewLineage(now.listed, nil).Missing(shard.TrimHorizon(), now.stream) {
		ordered = append(ordered, listed[row.Shard])
	}
	return ordered
}

// only keeps the step of the one shard, and says why it can not be moved alone.
func (p *Plan) only(now standing) error {
	for _, s := range p.Steps {
		if s.Shard != p.Shard && shard.PlainID(s.Shard) != p.Shard {
			continue
		}
		switch {
		case s.Do == ActCreate:
			return fmt.Errorf("%w: it has no row, as it was finished long ago or never begun", ErrFinished)
		case s.From.IsEnd():
			return ErrFinished
		}
		for _, parent := range s.seen.Parents {
			if row, ok := now.byID[parent]; ok && !row.Finished() {
				return fmt.Errorf("its parent %s is not finished: it waits for that, and moved alone it would not", parent)
			}
		}
		s.Do, s.To = ActMove, p.To // its end is for its worker to reach
		p.Steps = []Step{s}
		if to := p.To; to.IsRecord() {
			return within(to, s.Shard, now.listed)
		}
		return nil
	}
	if _, ok := now.byID[p.Shard]; ok {
		return fmt.Errorf("the stream does not list %s any more: nothing can be read of it", p.Shard)
	}
	return fmt.Errorf("there is no shard %s in the table: %w", p.Shard, shard.ErrNoShard)
}

// within says what is wrong with a sequence number that lies outside its shard.
func within(to shard.Position, id string, listed []shard.Shard) error {
	for _, s := range listed {
		switch {
		case s.ID != id:
		case s.FirstSequence != "" && shard.CompareSequences(to.Sequence, s.FirstSequence) < 0:
			return fmt.Errorf("sequence number %s lies before the first of %s, which is %s", to.Sequence, id, s.FirstSequence)
		case !s.Open() && shard.CompareSequences(to.Sequence, s.LastSequence) > 0:
			return fmt.Errorf("sequence number %s lies behind the last of %s, which is %s", to.Sequence, id, s.LastSequence)
		}
	}
	return nil
}

// parallelLooks is how many shards are read at once for a plan.
const parallelLooks = 8

// weigh finds out what each step repeats and skips.
func (m *Mover) weigh(ctx context.Context, p *Plan) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelLooks)
	warnings := make([]string, len(p.Steps))
	for i := range p.Steps {
		if p.Steps[i].Do == ActMove || p.Steps[i].Do == ActEnd && p.Kind == KindSeek {
			group.Go(func() error {
				w := weighing{mover: m, stream: p.stream, step: &p.Steps[i]}
				w.weigh(ctx)
				warnings[i] = w.warning
				return ctx.Err()
			})
		}
	}
	err := group.Wait()
	for _, w := range warnings {
		if w != "" {
			p.Warnings = append(p.Warnings, w)
		}
	}
	return err
}

// warn says what one should know of a plan.
func (p *Plan) warn(now standing) {
	add := func(format string, args ...any) { p.Warnings = append(p.Warnings, fmt.Sprintf(format, args...)) }
	skips, repeats, gone, busy := 0, 0, 0, map[string]bool{}
	for _, s := range p.Steps {
		if s.Do != ActLeave && s.Row && (!s.Skips.Known || s.Skips.Records > 0 || s.Skips.More) {
			skips++
		}
		if s.Do == ActMove && (!s.Repeats.Known || s.Repeats.Records > 0 || s.Repeats.More) {
			repeats++
		}
		if s.gone {
			gone++
		}
		if s.Owner != "" {
			busy[s.Owner] = true
		}
	}
	if skips > 0 {
		add("%d shards skip forward, or may: records between will not be handled", skips)
	}
	if repeats > 0 {
		add("%d shards repeat records, or may: effects of handlers are not taken back", repeats)
	}
	if gone > 0 {
		add("%d shards are not listed by the stream any more: what was not read of them can not be", gone)
	}
	if kept := now.stream.Now.Add(-now.stream.Retention); p.To.IsAtTime() && now.stream.Retention > 0 && p.To.At.Before(kept) {
		add("the stream keeps nothing from before %s", kept.UTC().Format(time.RFC3339))
	}
	if p.Shard == "" && len(busy) > 0 {
		add("%d workers stand still until all is written", len(busy))
	}
}
