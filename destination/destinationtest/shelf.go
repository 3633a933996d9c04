package destinationtest

import (
	"bytes"
	"context"
	"sync"
	"testing"

	"github.com/towpath/towpath/destination"
)

// Shelf is a store in memory. Its zero value is empty. It may be used by several
// goroutines.
type Shelf struct {
	mu    sync.Mutex // guards items
	items map[string][]byte
}

var _ destination.Store = (*Shelf)(nil)

// Put keeps body, unless ctx has ended, and returns shelf:// and the key.
func (s *Shelf) Put(ctx context.Context, key string, body []byte, _ string) (uri string, err error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	uri = "shelf://" + key
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.items == nil {
		s.items = map[string][]byte{}
	}
	s.items[uri] = bytes.Clone(body)
	return uri, nil
}

// Load is what lies at an URI that Put returned; it is the Load of a Rig. If
// nothing does, the test fails.
func (s *Shelf) Load(t *testing.T, uri string) []byte {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	body, ok := s.items[uri]
	if !ok {
		t.Errorf("there is nothing at %s", uri)
	}
	return body
}
