package modelcheck

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// most bounds what a test looks at: a system that outgrows it is to be made
// smaller, not to be looked at in part.
const most = 3_000_000

func holds[S comparable](t *testing.T, name string, model func() Model[S]) {
	t.Helper()
	r := Explore(model, most)
	t.Logf("%-40s %s", name, r)
	if r.Breach != nil {
		t.Errorf("%s: %v", name, r.Breach)
	}
	if !r.Whole {
		t.Errorf("%s: %d states are not all of them", name, r.States)
	}
}

func finds[S comparable](t *testing.T, name string, model func() Model[S]) {
	t.Helper()
	r := Explore(model, most)
	if r.Breach == nil {
		t.Errorf("%s: not found: %s", name, r)
		return
	}
	invariant, _, _ := strings.Cut(r.Breach.Err.Error(), ",")
	t.Logf("%-40s %s after %d steps, %s", name, invariant, len(r.Breach.Steps)-1, r)
	if !errors.Is(r.Breach, errBroken) || len(r.Breach.Steps) < 2 {
		t.Errorf("%s: %v tells no way", name, r.Breach)
	}
}

// water is the puzzle of the two cans, of 3 and 5, one of which is to hold 4.
type water struct{}

type cans struct{ three, five uint8 }

func (water) Starts() []cans { return []cans{{}} }

func (water) Moves(_ *cans, into []Move) []Move {
	for kind := range uint8(6) {
		into = append(into, Move{Kind: kind})
	}
	return into
}

func (water) Step(s *cans, m Move) error {
	switch m.Kind {
	case 0:
		s.three = 3
	case 1:
		s.five = 5
	case 2:
		s.three = 0
	case 3:
		s.five = 0
	case 4:
		poured := min(s.three, 5-s.five)
		s.three, s.five = s.three-poured, s.five+poured
	case 5:
		poured := min(s.five, 3-s.three)
		s.three, s.five = s.three+poured, s.five-poured
	}
	if s.five == 4 {
		return breach("four")
	}
	return nil
}

func (water) Tell(_ *cans, m Move) string {
	return [...]string{"fill 3", "fill 5", "empty 3", "empty 5", "3 into 5", "5 into 3"}[m.Kind]
}

func (water) Show(s *cans) string { return strings.Repeat("*", int(s.five)) }

// The shortest way is found, and told with its moves.
func TestExploreFindsTheShortestWay(t *testing.T) {
	r := Explore(func() Model[cans] { return water{} }, 100)
	if r.Breach == nil {
		t.Fatal("not found")
	}
	var moves []string
	for _, step := range r.Breach.Steps[1:] {
		moves = append(moves, strings.TrimRight(step, " *"))
	}
	want := []string{"fill 5", "5 into 3", "empty 3", "5 into 3", "fill 5", "5 into 3"}
	if !slices.Equal(moves, want) {
		t.Errorf("got %q, want %q", moves, want)
	}
}

// Every state is visited once, however many goroutines there are.
func TestExploreVisitsEachStateOnce(t *testing.T) {
	for range 3 {
		r := Explore(Leases{Workers: 2, Records: 1, Counter: 2}.Model, most)
		if r.States != 1919 || !r.Whole {
			t.Errorf("got %s, want 1919 states", r)
		}
	}
}

// A seed is the same walk every time.
func TestWalkIsOfItsSeed(t *testing.T) {
	once := Walk(func() Model[cans] { return water{} }, 1, 1000, 50)
	again := Walk(func() Model[cans] { return water{} }, 1, 1000, 50)
	if once.Walks != 1000 || once.Violations == 0 || once.Steps != again.Steps || once.Violations != again.Violations || once.Seed != again.Seed {
		t.Errorf("got %+v and %+v", once, again)
	}
	if once.Breach == nil || !slices.Equal(once.Breach.Steps, again.Breach.Steps) {
		t.Errorf("got %v and %v", once.Breach, again.Breach)
	}
}
