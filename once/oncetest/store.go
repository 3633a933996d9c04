// Package oncetest has a store for tests, Store, and the conformance suite that
// every store passes, RunStore.
package oncetest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/once"
)

// Store is a once.Store in memory. Its effects are functions without arguments,
// func() error, which are called while the entry is written: an error refuses.
// Its zero value is ready.
type Store struct {
	mu      sync.Mutex // guards what is below; never held while waiting
	entries map[string]entry
}

var _ once.Store = (*Store)(nil)

type entry struct {
	claim once.Claim
	done  bool
}

// Begin implements once.Store.
func (s *Store) Begin(ctx context.Context, c once.Claim) (once.State, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	was, there := s.entries[c.ID]
	if there && !c.Now.Before(was.claim.Expires) {
		there = false
	}
	switch {
	case there && was.claim.Payload != c.Payload:
		return 0, once.ErrOtherPayload
	case there && was.done:
		return once.Done, nil
	case there && was.claim.Shard == c.Shard && was.claim.Fence.Compare(c.Fence) > 0:
		return 0, once.ErrFenced
	case there && was.claim.Shard != c.Shard && c.Now.Before(was.claim.Until):
		return 0, &once.InProgressError{Until: was.claim.Until}
	}
	if s.entries == nil {
		s.entries = map[string]entry{}
	}
	s.entries[c.ID] = entry{claim: c}
	if there && was.claim.Attempt != c.Attempt {
		return once.Maybe, nil
	}
	return once.New, nil
}

// Complete implements once.Store.
func (s *Store) Complete(ctx context.Context, c once.Claim, effects []any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for i, e := range effects {
		if _, ok := e.(func() error); !ok {
			return fmt.Errorf("effect %d is a %T, want a func() error: %w", i, e, checkpoint.ErrEffect)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.entries[c.ID]
	switch {
	case was.claim.Attempt != c.Attempt:
		return once.ErrFenced
	case was.done:
		return nil
	}
	for i, e := range effects {
		if err := e.(func() error)(); err != nil {
			return &checkpoint.EffectError{Index: i, Err: errors.Join(err)}
		}
	}
	was.done = true
	was.claim.Expires = c.Expires
	s.entries[c.ID] = was
	return nil
}

// String is "memory".
func (s *Store) String() string { return "memory" }
