package modelcheck

import (
	"fmt"
	"strings"
)

// Model is a system to look at. It may keep scratch space, so that one is used by
// one goroutine at a time.
//
// S is one state, whole: no pointers and nothing beside it, so that two that are
// equal have the same future.
type Model[S comparable] interface {
	// Starts are the states to begin in.
	Starts() []S
	// Moves appends what may happen next to into.
	Moves(s *S, into []Move) []Move
	// Step makes a move. The error says which invariant it breaks.
	Step(s *S, m Move) error
	// Tell is the move in words, as it is made in s.
	Tell(s *S, m Move) string
	// Show is the state on one line.
	Show(s *S) string
}

// Move is one thing that may happen. What the numbers mean is the model's own.
type Move struct {
	// Kind is what happens.
	Kind uint8
	// Who does it, or whom it happens to.
	Who uint8
	// A and B say more.
	A, B uint8
}

// Breach is a way to break an invariant.
type Breach struct {
	// Err names the invariant, and says how it was broken.
	Err error
	// Steps are the moves on the way there, each with the state behind it. The
	// first is where it began.
	Steps []string
}

// Error is the invariant and the whole way.
func (b *Breach) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%v, after %d steps:\n", b.Err, len(b.Steps)-1)
	for i, step := range b.Steps {
		fmt.Fprintf(&text, "%4d  %s\n", i, step)
	}
	return text.String()
}

// Unwrap is the invariant.
func (b *Breach) Unwrap() error { return b.Err }

// breachOf retells a way: the states in order, and the move that failed in the
// last of them.
func breachOf[S comparable](m Model[S], way []S, last Move, err error) *Breach {
	b := &Breach{Err: err, Steps: []string{m.Show(&way[0])}}
	for i := 1; i < len(way); i++ {
		told := "?"
		for _, move := range m.Moves(&way[i-1], nil) {
			if next := way[i-1]; m.Step(&next, move) == nil && next == way[i] {
				told = m.Tell(&way[i-1], move)
				break
			}
		}
		b.Steps = append(b.Steps, fmt.Sprintf("%-34s %s", told, m.Show(&way[i])))
	}
	end := way[len(way)-1]
	told := m.Tell(&end, last)
	_ = m.Step(&end, last) // fails again, and shows how far it came
	b.Steps = append(b.Steps, fmt.Sprintf("%-34s %s", told, m.Show(&end)))
	return b
}
