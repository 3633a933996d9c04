package shard

import (
	"fmt"
	"time"
)

// Move is a move of every position of an application by hand. It stands in the
// Control while it is under way, so that a fleet whose mover died stands still
// and says why, and so that somebody can finish it or give it up.
type Move struct {
	// ID tells this go at the move from every other: whoever goes on with it
	// gives it a new one, and the one before can write nothing more. Empty is no
	// move.
	ID string
	// What is moved and to where, in words for people, and By who does it.
	What, By string
	// To is where every shard is to begin.
	To Position
	// Since is when it was begun, by the clock of whoever began it.
	Since time.Time
	// Writing is set before the first row is rewritten. Until then the move can be
	// given up, and nothing has changed.
	Writing bool
	// Done is how many rows have been rewritten, as last noted, and Total how
	// many there are to be; 0 before that is known.
	Done, Total int
}

// Active reports whether a move is under way.
func (m Move) Active() bool { return m.ID != "" }

// String says what is moved, by whom, and how far that is.
func (m Move) String() string {
	if !m.Active() {
		return "no move"
	}
	how := "waits for the workers to stand still, and nothing is changed"
	if m.Writing {
		how = fmt.Sprintf("%d of %d rows are rewritten", m.Done, m.Total)
	}
	return fmt.Sprintf("%s, by %s since %s: %s", m.What, m.By, m.Since.UTC().Format(time.RFC3339), how)
}
