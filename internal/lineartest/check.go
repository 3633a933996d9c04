package lineartest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// Check looks for an order that explains the history. It returns an error that
// shows how far the longest one goes if there is none, or if none was found
// within the patience, which leaves the question open: the search is exponential
// in the number of open requests. All the judging is porcupine's.
//
// It first takes it that no open request happened. Where the longest order
// breaks off and some open requests, at that instant, explain an answer that is
// next, those are taken to have happened there, and the search begins again. An
// order found so is an order. A wrong guess at the beginning is found out long
// after it, when a search that goes back a step at a time tries all that followed
// before it: so it gives up early, and guesses otherwise from the beginning. If
// no order is found, all open requests are left to porcupine, to be placed
// anywhere or nowhere.
func (h *History) Check(patience time.Duration) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	until := time.Now().Add(patience)
	s := search{history: h, until: until}
	for ; s.attempts < maxAttempts; s.attempts++ {
		s.runs = maxRuns
		if s.order(nil) {
			return nil
		}
		if s.runs > 0 {
			break // every guess was tried
		}
	}
	// What is open and has not happened by the end has never happened. So a
	// search that leaves it out does so once, and not at every instant.
	end := porcupine.Operation{
		Input: asked{text: "the end", do: func(w world) (world, answer) {
			w.over = true
			return w, answer{verdict: done}
		}},
		Call: h.now + 1, Output: answer{verdict: done}, Return: h.now + 2,
	}
	result, info := porcupine.CheckOperationsVerbose(model(), slices.Concat(h.calls, h.open, []porcupine.Operation{end}), max(time.Until(until), time.Second))
	switch result {
	case porcupine.Ok:
		return nil
	case porcupine.Unknown:
		return fmt.Errorf("no order of %d calls and %d open requests was found within %v; without those that explain nothing, %s",
			len(h.calls), len(h.open), patience, s.why)
	}
	return fmt.Errorf("no order of %d calls and %d open requests explains what was answered: %s", len(h.calls), len(h.open), h.stuck(info))
}

// maxRuns is how many runs of porcupine one attempt takes: an order takes one for
// each open request that happened, some thirty in a history of four hundred
// calls, and wrong guesses are few. Attempts that began with a wrong one were
// seen twice in a thousand histories.
const (
	maxRuns     = 300
	maxAttempts = 30
)

// search is a search for an order with as few of the open requests as it needs.
type search struct {
	history  *History
	until    time.Time
	attempts int    // given up so far
	runs     int    // left of this attempt
	why      string // where the first search with no way on broke off
}

// order looks for one in which the placed requests happened, and then for those
// that are missing.
func (s *search) order(placed []porcupine.Operation) bool {
	if s.runs--; s.runs < 0 || time.Now().After(s.until) {
		return false
	}
	result, info := porcupine.CheckOperationsVerbose(model(), slices.Concat(s.history.calls, placed), max(time.Until(s.until), time.Millisecond))
	if result != porcupine.Illegal {
		return result == porcupine.Ok
	}
	found := s.missing(info, placed)
	if len(found) == 0 && s.why == "" {
		s.why = s.history.stuck(info)
	}
	for _, more := range found {
		if s.order(slices.Concat(placed, more)) {
			return true
		}
	}
	return false
}

// Bounds of the guesses: how many of the longest orders are looked at, how far
// back a request is tried in each, and how many requests may have happened
// together between two answers.
const (
	tried    = 4
	back     = 60
	together = 3
)

// missing are the open requests that make one of the next answers true, where
// the longest orders break off: several proposals, the best first.
func (s *search) missing(info porcupine.LinearizationInfo, placed []porcupine.Operation) (found [][]porcupine.Operation) {
	var open []porcupine.Operation
	for _, o := range s.history.open {
		if !slices.ContainsFunc(placed, func(p porcupine.Operation) bool { return idOf(p) == idOf(o) }) {
			open = append(open, o)
		}
	}
	for i, order := range longest(info) {
		if i == tried {
			break
		}
		_, next := s.history.behind(order, placed)
		for _, o := range next {
			found = append(found, explaining(order, open, o, together)...)
		}
	}
	if s.attempts > 0 {
		random := rand.New(rand.NewPCG(uint64(s.attempts), uint64(s.runs)))
		random.Shuffle(len(found), func(i, j int) { found[i], found[j] = found[j], found[i] })
	}
	slices.SortStableFunc(found, func(a, b []porcupine.Operation) int { return len(a) - len(b) })
	return found
}

// explaining are open requests with which an order can go on with the call o:
// one that happened as late as it can, or several at the end of the order.
func explaining(order, open []porcupine.Operation, o porcupine.Operation, most int) (found [][]porcupine.Operation) {
	worlds := make([]world, 1, len(order)+1)
	for i, o := range order {
		_, w := stepOf(worlds[i], o)
		worlds = append(worlds, w)
	}
	for _, request := range open {
		for i := len(order); i >= max(0, len(order)-back); i-- {
			if request.Call > o.Return {
				break
			}
			happened := placedAt(request, order, i, o.Return)
			possible, w := stepOf(worlds[i], happened)
			for j := i; possible && j < len(order); j++ {
				possible, w = stepOf(w, order[j])
			}
			if !possible {
				continue
			}
			if ok, _ := stepOf(w, o); ok {
				found = append(found, []porcupine.Operation{happened})
				break
			}
		}
	}
	if len(found) > 0 || most == 1 {
		return found
	}
	for i, request := range open {
		happened := placedAt(request, order, len(order), o.Return)
		if possible, _ := stepOf(worlds[len(order)], happened); !possible || request.Call > o.Return {
			continue
		}
		rest := slices.Delete(slices.Clone(open), i, i+1)
		for _, more := range explaining(append(slices.Clip(order), happened), rest, o, most-1) {
			found = append(found, append([]porcupine.Operation{happened}, more...))
		}
	}
	return found
}

// placedAt is an open request that is taken to have happened at place i of an
// order, and before the time by: not before what comes ahead of it, nor after
// what follows.
func placedAt(request porcupine.Operation, order []porcupine.Operation, i int, by int64) porcupine.Operation {
	a := request.Input.(asked)
	a.open, a.placed = false, true
	request.Input, request.Return = a, by
	for j, o := range order {
		if j < i {
			request.Call = max(request.Call, o.Call)
		} else {
			request.Return = min(request.Return, o.Return)
		}
	}
	return request
}

// longest are the orders that porcupine came to, the longest first.
func longest(info porcupine.LinearizationInfo) [][]porcupine.Operation {
	var all [][]porcupine.Operation
	for _, partition := range info.PartialLinearizationsOperations() {
		all = append(all, partition...)
	}
	slices.SortStableFunc(all, func(a, b []porcupine.Operation) int { return len(b) - len(a) })
	return all
}

func idOf(o porcupine.Operation) int { return o.Input.(asked).id }

// behind is the world behind an order, and the answered calls of which one had to
// be next: those that began before any of them was answered.
func (h *History) behind(order, placed []porcupine.Operation) (w world, next []porcupine.Operation) {
	in := map[int]bool{}
	for _, o := range order {
		_, w = stepOf(w, o)
		in[idOf(o)] = true
	}
	deadline := int64(math.MaxInt64)
	for _, o := range slices.Concat(h.calls, placed) {
		if !in[idOf(o)] {
			next = append(next, o)
			deadline = min(deadline, o.Return)
		}
	}
	return w, slices.DeleteFunc(next, func(o porcupine.Operation) bool { return o.Call > deadline })
}

// stuck shows where the longest order breaks off.
func (h *History) stuck(info porcupine.LinearizationInfo) string {
	orders := longest(info)
	if len(orders) == 0 {
		return "no call can be the first"
	}
	w, next := h.behind(orders[0], nil)
	var b strings.Builder
	fmt.Fprintf(&b, "after %d of them the table is {%s}, and none of these can be next:", len(orders[0]), w)
	for _, o := range next {
		a := o.Input.(asked)
		_, answers := a.do(w)
		fmt.Fprintf(&b, "\n  client %d, from %d to %d: %s: was told %s; the table would answer %s", o.ClientId, o.Call, o.Return, a.text, o.Output, answers)
	}
	return b.String()
}

// model is the table as porcupine asks for it.
func model() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return world{} },
		Step: func(state, input, output any) (bool, any) {
			return step(state.(world), input.(asked), output.(answer))
		},
		Equal: func(a, b any) bool { return a.(world).equal(b.(world)) },
		Hash:  func(state any) uint64 { return state.(world).hash() },
	}
}

func stepOf(w world, o porcupine.Operation) (bool, world) {
	return step(w, o.Input.(asked), o.Output.(answer))
}

// step is one call at one instant: whether it can have happened there, and the
// world behind it. An open request that would change nothing did not happen.
func step(w world, a asked, told answer) (bool, world) {
	if a.open && w.over {
		return true, w
	}
	next, answers := a.do(w)
	if a.open || a.placed {
		return answers.verdict == done && !next.equal(w), next
	}
	return answers.explains(told), next
}
