package shard

import "slices"

// Control is what a whole fleet is told: one row, written by operators and, for
// the shares, by the planner.
type Control struct {
	// Gen grows with every write. One before a generation that was seen means that
	// somebody has deleted the row by hand.
	Gen int64
	// Limited tells whether the calls that run at once in the whole fleet are
	// limited, and Limit is to how many; 0 stops every handler.
	Limited bool
	Limit   int
	// Since is the generation with which the limit began, whatever it was then;
	// 0 without a limit. A worker whose session says an earlier one may be
	// running as many calls as it likes.
	Since int64
	// Shares are what each worker may run of the limit, by its id. A worker
	// that is not named runs nothing.
	Shares map[string]Share
	// Pauses are what is not handled at present.
	Pauses []Pause
	// Move is a move of all positions that is under way; the zero Move is none.
	// As long as it stands, every worker lets its shards go and takes none.
	Move Move
}

// Share is one worker's part of the fleet's concurrency.
type Share struct {
	// Calls is how many handler calls the worker may run at once.
	Calls int
	// Gen is the generation with which Calls was last lowered. Until the
	// worker's session says that it keeps to it (Session.ShareGen), the worker
	// may run as many as Ceiling.
	Gen     int64
	Ceiling int
}

// Pause holds back an application, a shard, or the records of one key.
type Pause struct {
	// Shard is the id of the shard; empty is every shard.
	Shard string
	// KeyHash is the SHA-256 of the key in hexadecimal, so that no key stands in
	// a table; empty is every key.
	KeyHash string
}

// String says what is paused.
func (p Pause) String() string {
	s := "every shard"
	if p.Shard != "" {
		s = "shard " + p.Shard
	}
	if p.KeyHash != "" {
		s += ", the key with the hash " + p.KeyHash
	}
	return s
}

// Paused reports whether a shard is held back as a whole.
func (c Control) Paused(shardID string) bool {
	return slices.ContainsFunc(c.Pauses, func(p Pause) bool {
		return p.KeyHash == "" && (p.Shard == "" || p.Shard == shardID)
	})
}

// WithPause is c with one pause more, or c if it is there already.
func (c Control) WithPause(p Pause) Control {
	if !slices.Contains(c.Pauses, p) {
		c.Pauses = append(slices.Clone(c.Pauses), p)
	}
	return c
}

// WithoutPause is c without that pause. Others that hold the same back stay.
func (c Control) WithoutPause(p Pause) Control {
	c.Pauses = slices.DeleteFunc(slices.Clone(c.Pauses), func(q Pause) bool { return p == q })
	return c
}

// WithLimit is c with another limit. Shares stay as they are until they are
// apportioned anew.
func (c Control) WithLimit(limit int) Control {
	if !c.Limited {
		c.Limited, c.Since, c.Shares = true, c.Gen+1, nil
	}
	c.Limit = limit
	return c
}

// WithoutLimit is c without a limit.
func (c Control) WithoutLimit() Control {
	c.Limited, c.Limit, c.Since, c.Shares = false, 0, 0, nil
	return c
}

// CallsOf is how many calls a worker may run at once, and false if that is not
// limited.
func (c Control) CallsOf(worker string) (calls int, limited bool) {
	if !c.Limited {
		return 0, false
	}
	return max(0, min(c.Shares[worker].Calls, c.Limit)), true
}

// Kept reports whether the whole fleet is known to keep to the limit, where the
// sessions were read after c, strongly consistent: nobody runs more calls than
// its share, and the shares are no more than the limit.
func (c Control) Kept(sessions []Session) bool {
	if !c.Limited {
		return true
	}
	for _, s := range sessions {
		if s.Alive() && s.ShareGen < c.Since {
			return false // it may not know of the limit
		}
	}
	return committed(settled(c, sessions)) <= c.Limit
}
