package follow

import (
	"fmt"
	"slices"

	"github.com/towpath/towpath/shard"
)

// family says which shards are read next. It keeps a row for each, as a fleet does
// in its table, so that the same decisions hold.
type family struct {
	cfg    *Config
	listed []shard.Shard
	rows   []shard.Lease
	begun  map[string]bool
}

// newFamily is the family of what a config names.
func newFamily(cfg *Config, stream shard.Stream, listed []shard.Shard) (*family, error) {
	f := &family{cfg: cfg, begun: map[string]bool{}}
	for _, id := range cfg.Shards {
		if !slices.ContainsFunc(listed, func(s shard.Shard) bool { return s.ID == id }) {
			return nil, fmt.Errorf("shard %s: %w in %s", id, shard.ErrNoShard, stream.Name)
		}
	}
	f.list(listed)
	if cfg.Start.IsRecord() {
		f.add(shard.Lease{Key: cfg.Shards[0], Shard: cfg.Shards[0], Checkpoint: cfg.Start})
		return f, nil
	}
	for _, row := range shard.NewLineage(f.listed, nil).Missing(cfg.Start, stream) {
		f.add(row)
	}
	return f, nil
}

// list takes in a listing: of the shards that are wanted, those that are not known
// yet.
func (f *family) list(listed []shard.Shard) {
	for more := true; more; { // a child may stand before its parent
		more = false
		for _, s := range listed {
			if !f.known(s.ID) && f.wanted(s) {
				f.listed, more = append(f.listed, s), true
			}
		}
	}
}

func (f *family) known(id string) bool {
	return slices.ContainsFunc(f.listed, func(s shard.Shard) bool { return s.ID == id })
}

// open reports whether a shard was open when it was listed. One that was not has
// children behind its end, and is read to there.
func (f *family) open(id string) bool {
	return slices.ContainsFunc(f.listed, func(s shard.Shard) bool { return s.ID == id && s.Open() })
}

// wanted reports whether a shard is one to be read: named, or come of one, and
// where a key is asked for, one that the key belongs to.
func (f *family) wanted(s shard.Shard) bool {
	if f.cfg.Keyed && s.Hashes != (shard.HashRange{}) && !s.Hashes.Holds(shard.PointOf(f.cfg.Key)) {
		return false
	}
	return len(f.cfg.Shards) == 0 || slices.Contains(f.cfg.Shards, s.ID) || slices.ContainsFunc(s.Parents, f.known)
}

// add adds a row, with what the listing says of its shard.
func (f *family) add(row shard.Lease) {
	if slices.ContainsFunc(f.rows, func(r shard.Lease) bool { return r.Shard == row.Shard }) {
		return
	}
	for _, s := range f.listed {
		if s.ID == row.Shard {
			row.Parents, row.Hashes = s.Parents, s.Hashes
		}
	}
	f.rows = append(f.rows, row)
}

// begin are the shards that may be read from now on.
func (f *family) begin() (rows []shard.Lease) {
	lineage := shard.NewLineage(f.listed, f.rows)
	for _, row := range f.rows {
		if !row.Finished() && !f.begun[row.Shard] && lineage.Runnable(row.Shard) {
			f.begun[row.Shard] = true
			rows = append(rows, row)
		}
	}
	return rows
}

// ended notes that a shard was read to its end: its children are to be read from
// their beginning, each when all its parents that are read have ended.
func (f *family) ended(id string, children []shard.Shard) {
	f.list(children)
	for i := range f.rows {
		if f.rows[i].Shard == id {
			f.rows[i].Checkpoint = shard.End()
		}
	}
	for _, s := range f.listed {
		if slices.Contains(s.Parents, id) {
			f.add(shard.Lease{Key: s.ID, Shard: s.ID, Checkpoint: shard.TrimHorizon()})
		}
	}
}
