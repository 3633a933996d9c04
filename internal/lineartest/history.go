package lineartest

import (
	"fmt"
	"math"
	"strings"
	"sync"

	"github.com/anishathalye/porcupine"
)

// History is what concurrent clients asked of one table, beginning with an
// empty one, and what they were told. Its methods may be called at once.
type History struct {
	mu      sync.Mutex // protects what follows; never held while a call is under way
	now     int64      // a clock that ticks with every call and every answer
	clients int
	calls   []porcupine.Operation
	open    []porcupine.Operation // without an answer
}

// asked is the input of a recorded call: what it does, and how it reads.
type asked struct {
	id   int // of the call, in its history
	text string
	do   call
	// open is a request whose answer nobody has: it happened at some time after
	// it was sent, or never. Placed is one that is taken to have happened.
	open, placed bool
}

// tick is the next instant: no two calls or answers have the same.
func (h *History) tick() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now++
	return h.now
}

// id is a number that no other call of the history has. The caller holds mu.
func (h *History) id() int { return len(h.calls) + len(h.open) + 1 }

// answered records a call that was answered.
func (h *History) answered(client int, called int64, text string, do call, told answer) {
	returned := h.tick()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, porcupine.Operation{
		ClientId: client, Input: asked{id: h.id(), text: text, do: do}, Call: called, Output: told, Return: returned,
	})
}

// lost records requests whose answers nobody has.
func (h *History) lost(client int, called int64, text string, do call, requests int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for range requests {
		h.open = append(h.open, porcupine.Operation{
			ClientId: client, Input: asked{id: h.id(), text: text, do: do, open: true}, Call: called, Output: answer{}, Return: math.MaxInt64,
		})
	}
}

// String is one line for each call that was answered, as they were recorded: two
// histories of one seed are to be alike.
func (h *History) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var b strings.Builder
	for _, o := range h.calls {
		fmt.Fprintf(&b, "client %d, from %d to %d: %s: %s\n", o.ClientId, o.Call, o.Return, o.Input.(asked).text, o.Output)
	}
	return b.String()
}

// Size is how many answered calls the history has, and how many requests that
// were left open. A call that was repeated may count as both.
func (h *History) Size() (answered, open int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.calls), len(h.open)
}
