// Package destinationtest has a destination and a store for tests, the
// Recorder and the Shelf, and the conformance suite that every destination
// passes, RunDestination.
package destinationtest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/towpath/towpath/destination"
)

// Recorder is a destination that keeps what it accepts and does as it is told.
// Its zero value accepts everything. It may be used by several goroutines, and
// within a testing/synctest bubble.
type Recorder struct {
	mu       sync.Mutex // guards what is below; never held while waiting
	behave   Behaviour
	script   []Behaviour
	asked    []destination.Failure
	accepted []destination.Failure
}

var _ destination.Destination = (*Recorder)(nil)

// Behaviour is how a Recorder answers one Send. It calls accept, at most once,
// to keep the failure.
type Behaviour func(ctx context.Context, f destination.Failure, accept func()) error

// ErrInjected is what a Recorder fails with when it is told to.
var ErrInjected = errors.New("the recorder was told to fail")

// Accept keeps the failure.
func Accept(_ context.Context, _ destination.Failure, accept func()) error {
	accept()
	return nil
}

// Refuse keeps nothing and fails with ErrInjected.
func Refuse(context.Context, destination.Failure, func()) error { return ErrInjected }

// LoseAnswer keeps the failure and fails with ErrInjected, as a service does
// whose answer is lost on the way.
func LoseAnswer(_ context.Context, _ destination.Failure, accept func()) error {
	accept()
	return ErrInjected
}

// Hang keeps nothing and returns when ctx ends, with its cause.
func Hang(ctx context.Context, _ destination.Failure, _ func()) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// Behave says how every Send from now on is answered, behind what Script still
// holds; nil is Accept.
func (r *Recorder) Behave(b Behaviour) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.behave = b
}

// Script says how the next calls of Send are answered, one each. Calls behind
// them are answered as Behave said.
func (r *Recorder) Script(next ...Behaviour) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.script = append(r.script, next...)
}

// Send does as it was told.
func (r *Recorder) Send(ctx context.Context, f destination.Failure) error {
	f.Records = slices.Clone(f.Records)
	for i := range f.Records {
		f.Records[i].Data = bytes.Clone(f.Records[i].Data) // which may be lent only
	}
	return r.next(f)(ctx, f, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.accepted = append(r.accepted, f)
	})
}

func (r *Recorder) next(f destination.Failure) Behaviour {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, f)
	b := r.behave
	if len(r.script) > 0 {
		b, r.script = r.script[0], r.script[1:]
	}
	if b == nil {
		b = Accept
	}
	return b
}

// String is "recorder".
func (r *Recorder) String() string { return "recorder" }

// Accepted are the failures that were kept, in the order of acceptance, repeats
// among them.
func (r *Recorder) Accepted() []destination.Failure {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.accepted)
}

// Asked are the failures of every call of Send, in the order of the calls,
// whatever became of them.
func (r *Recorder) Asked() []destination.Failure {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.asked)
}
