package consumer

import (
	"context"
	"fmt"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// branch is the stream of a shard, as its tenure knows it from beginning to end.
type branch struct {
	stream shard.Stream
	source shard.Source
	// id is the shard's id, and shard the one that the service gave it.
	id, shard string
	// start is where the stream begins that nothing has been read of.
	start shard.Position
}

// branchOf is the stream of a shard; not ok if it is not to be read.
func (w *worker) branchOf(shardID string) (branch, bool) {
	if w.streams == nil {
		return branch{stream: w.stream, source: w.cfg.Source, id: shardID, shard: shardID, start: w.cfg.StartingPosition}, true
	}
	m, ok := w.streams.Of(shardID)
	if !ok {
		return branch{}, false
	}
	return branch{stream: m.Stream, source: m.Source, id: shardID, shard: shard.PlainID(shardID), start: w.startingAt(m)}, true
}

// describe finds out which stream this is, or which streams. Of many, each is
// listed and described, which takes its time.
func (w *worker) describe(ctx context.Context) (shard.Stream, error) {
	if w.streams == nil {
		return tableCall(ctx, w, w.cfg.Source.Describe)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return w.cfg.Source.Describe(ctx)
}

// startingAt is where a stream begins.
func (w *worker) startingAt(m shard.Member) shard.Position {
	if m.Started {
		return m.Start
	}
	return w.cfg.StartingPosition
}

// startOf is where to begin to read from a position of a row. A row of KCL's that
// says AT_TIMESTAMP does not say which: it is the configured one, as it was for
// KCL.
func (b branch) startOf(p shard.Position) shard.Position {
	if p.IsAtTime() && p.At.IsZero() {
		p.At = b.start.At
		if p.At.IsZero() {
			return shard.TrimHorizon() // nobody says which: what is repeated is not lost
		}
	}
	return p
}

// list asks the stream of a shard for its listing.
func (b branch) list(ctx context.Context) ([]shard.Shard, error) {
	ctx, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	return b.source.List(ctx)
}

// bundle is what a fleet knows of many streams; its fields belong to the goroutine
// of run.
type bundle struct {
	members []shard.Member                    // as they were listed last
	keys    []shard.StreamKey                 // the streams that there are rows of
	foreign []shard.Lease                     // rows of streams that are not read
	strange map[shard.StreamKey]bool          // of which it was asked whether they are to be
	over    map[shard.StreamKey]time.Duration // since when they have been seen not to be
	states  map[string]StreamEvent            // what was told of each last
	unsure  bool                              // rows were left out, as a listing was too old for them

	asked  chan struct{} // the list was asked for
	askNow chan struct{} // it should be
}

func newBundle(w *worker) *bundle {
	if w.streams == nil {
		return &bundle{}
	}
	return &bundle{
		strange: map[shard.StreamKey]bool{}, over: map[shard.StreamKey]time.Duration{}, states: map[string]StreamEvent{},
		asked: make(chan struct{}, 1), askNow: make(chan struct{}, 1),
	}
}

// poke fills a channel of capacity 1.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// watchStreams asks for the list of streams until ctx ends.
func (f *fleet) watchStreams(ctx context.Context) {
	failed := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.bundle.askNow:
		case <-time.After(jitter(f.dice, f.streams.Every(), "streams")):
		}
		err := f.streams.Ask(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failed:
			f.log.Error("the list of streams cannot be had; those that are known are read on", "error", err)
		case err == nil && failed:
			f.log.Info("the list of streams can be had again")
		}
		failed = err != nil
		f.worker.noteStreams(err)
		poke(f.bundle.asked)
	}
}

// streamsAsked follows the list: streams that are not read any more are let go,
// and new ones get rows.
func (f *fleet) streamsAsked(ctx context.Context) {
	known := map[shard.StreamKey]bool{} // and whether it was well
	for _, m := range f.bundle.members {
		if m.Described() {
			known[m.Key] = m.Err == nil
		}
	}
	n, changed := 0, false
	for _, m := range f.streams.Members() {
		if m.Described() {
			well, was := known[m.Key]
			n, changed = n+1, changed || !was || !well && m.Err == nil
		}
	}
	f.leaveStrangers()
	if changed || n < len(known) {
		if err := f.list(ctx); err != nil {
			f.log.Debug("list the streams", "error", err)
		}
		f.upkeepAt = min(f.upkeepAt, f.clock.Elapsed())
		f.soon()
	}
	f.tellStreams()
}

// leaveStrangers lets the shards go whose streams are not to be read any more.
func (f *fleet) leaveStrangers() {
	f.mu.Lock()
	var over []*tenure
	for _, t := range f.tenures {
		if _, ok := f.branchOf(t.branch.id); !ok {
			over = append(over, t)
		}
	}
	f.mu.Unlock()
	for _, t := range over {
		t.leave(ErrStreamLeft, "")
	}
}

// listStreams asks for the listings of all streams. What is wrong with one stream
// is not an error here.
func (f *fleet) listStreams(ctx context.Context, verify bool) error {
	members, err := f.streams.Look(ctx, verify)
	if err != nil {
		return err
	}
	f.bundle.members, f.listed = members, []shard.Shard{}
	for _, m := range members {
		if m.Described() {
			f.listed = append(f.listed, m.Listed...)
		}
	}
	for _, s := range f.listed {
		f.named[s.ID] = true
	}
	f.leaveStrangers()
	f.tellStreams()
	return nil
}

// stale are the streams whose listing is from before the question.
func (c *bundle) stale() map[shard.StreamKey]bool {
	stale := map[shard.StreamKey]bool{}
	for _, m := range c.members {
		if m.Described() && m.Err != nil {
			stale[m.Key] = true
		}
	}
	return stale
}

// ours is the rows of streams that are read, and takes note of the others.
func (f *fleet) ours(rows []shard.Lease) []shard.Lease {
	if f.streams == nil {
		return rows
	}
	c := f.bundle
	read := map[shard.StreamKey]bool{}
	for _, m := range f.streams.Members() {
		read[m.Key] = read[m.Key] || m.Described()
	}
	c.keys, c.foreign = shard.KeysOf(rows), nil
	var ours []shard.Lease
	for _, row := range rows {
		key, _, many := shard.SplitID(row.Key)
		switch {
		case read[key] || !many && row.Fault != nil:
			ours = append(ours, row)
		default:
			c.foreign = append(c.foreign, row)
			if many && !c.strange[key] {
				// Another worker has made them: perhaps it knows more already.
				c.strange[key] = true
				poke(c.askNow)
			}
		}
	}
	for key := range c.strange {
		if read[key] {
			delete(c.strange, key)
		}
	}
	return ours
}

// certain is the rows without those of streams whose listing is too old for them:
// what it lacks may be gone, or too young for it.
func (f *fleet) certain(rows []shard.Lease) []shard.Lease {
	if f.streams == nil {
		return rows
	}
	stale := f.bundle.stale()
	behind := map[shard.StreamKey]bool{}
	for i := range rows {
		if key, _, _ := shard.SplitID(rows[i].Key); stale[key] && !behind[key] {
			behind[key] = !f.covers(rows[i : i+1])
		}
	}
	f.bundle.unsure = len(behind) > 0
	var certain []shard.Lease
	for _, row := range rows {
		if key, _, _ := shard.SplitID(row.Key); !behind[key] {
			certain = append(certain, row)
		}
	}
	return certain
}

// streamGone is told by a reader that the stream of its shard does not exist. Of a
// single stream it ends the run; of many, it reports whether that one is to be let
// go, which the fleet then does.
func (w *worker) streamGone(ctx context.Context, shardID string, err error) (gone bool) {
	if w.streams != nil {
		ctx, cancel := context.WithTimeout(ctx, listTime)
		defer cancel()
		if w.streams.Check(ctx, shardID) {
			return false
		}
		f := w.currentFleet()
		if t := f.held(shardID); t != nil {
			t.leave(ErrStreamLeft, "") // it reads no more, whatever is known by then
		}
		poke(f.bundle.asked)
		return true
	}
	now, describeErr := tableCall(ctx, w, w.cfg.Source.Describe)
	if describeErr == nil && !now.CreatedAt.Equal(w.stream.CreatedAt) {
		err = fmt.Errorf("%w: %w", checkpoint.ErrRecreated, err)
	}
	w.fail(err)
	return true
}
