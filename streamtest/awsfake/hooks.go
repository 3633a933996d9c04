package awsfake

import (
	"slices"
	"sync"
)

// hooks are functions of a user in the order they came, until each is removed.
type hooks[F any] struct {
	mu  sync.Mutex // guards all; never held while one of them runs
	all []*F       // replaced, never changed in place
}

func (h *hooks[F]) add(f F) (remove func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	added := &f
	h.all = append(slices.Clip(h.all), added)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.all = slices.DeleteFunc(slices.Clone(h.all), func(f *F) bool { return f == added })
	}
}

// now are those that are there at this moment.
func (h *hooks[F]) now() []*F {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all
}
