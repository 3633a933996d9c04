package consumer

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// crowd is callers that want a slot.
type crowd struct {
	t     *testing.T
	slots *slots

	mu  sync.Mutex
	got []string
}

// want has somebody wait for a slot, and keep it.
func (c *crowd) want(ctx context.Context, name string, alone bool) {
	go func() { // ends with its slot or with ctx; the bubble awaits it
		err := c.slots.acquire(ctx, alone)
		c.mu.Lock()
		defer c.mu.Unlock()
		if errors.Is(err, errNoSlots) {
			name += "!"
		}
		if err == nil || errors.Is(err, errNoSlots) {
			c.got = append(c.got, name)
		}
	}()
	synctest.Wait()
}

func (c *crowd) has(names ...string) {
	c.t.Helper()
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Equal(c.got, names) {
		c.t.Fatalf("got %v, want %v", c.got, names)
	}
}

func TestSlotsAreGivenInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &crowd{t: t, slots: newSlots(2)}
		for _, name := range []string{"a", "b", "c", "d"} {
			c.want(t.Context(), name, false)
		}
		c.has("a", "b")
		c.slots.release()
		c.has("a", "b", "c")
		c.slots.resize(4)
		c.has("a", "b", "c", "d")
	})
}

// Whoever runs alone waits for the others, and those behind wait for it.
func TestSlotsForOneAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &crowd{t: t, slots: newSlots(3)}
		c.want(t.Context(), "a", false)
		ctx, cancel := context.WithCancel(t.Context())
		c.want(ctx, "gone", true)
		c.want(t.Context(), "b", false)
		c.has("a")
		cancel()
		c.has("a", "b")
		c.want(t.Context(), "alone", true)
		c.want(t.Context(), "c", false)
		c.slots.release()
		c.has("a", "b")
		c.slots.release()
		c.has("a", "b", "alone")
		c.slots.resize(9)
		c.has("a", "b", "alone")
		c.slots.release()
		c.has("a", "b", "alone", "c")
	})
}

// Fewer slots take none away, and are not given out before as many are free; it
// is told when no more are used than there are. With none, nobody waits.
func TestSlotsBecomeFewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &crowd{t: t, slots: newSlots(3)}
		even := func(want bool) {
			t.Helper()
			select {
			case <-c.slots.even:
				if !want {
					t.Fatal("it is told that no more are used than there are")
				}
			case <-time.After(time.Second):
				if want {
					t.Fatal("it is not told that no more are used than there are")
				}
			}
		}
		for _, name := range []string{"a", "b", "c", "d"} {
			c.want(t.Context(), name, false)
		}
		c.slots.resize(1)
		c.slots.release()
		even(false)
		c.has("a", "b", "c")
		c.slots.release()
		even(true)
		c.has("a", "b", "c")
		c.slots.release()
		even(false)
		c.has("a", "b", "c", "d")
		c.want(t.Context(), "e", false)
		c.slots.resize(0)
		c.has("a", "b", "c", "d", "e!")
		c.want(t.Context(), "f", false)
		c.has("a", "b", "c", "d", "e!", "f!")
		if used, over := c.slots.inUse(); used != 1 || !over {
			t.Errorf("got %d in use, over: %v, want d's one to be too many", used, over)
		}
	})
}
