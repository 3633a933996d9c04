package destination

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/internal/clock"
)

// Courier takes emitted records to a service whose call accepts all of a batch,
// some of it or nothing, and keeps what Publisher promises: of one key a record
// is sent when the one before it was accepted, a key that is stuck holds up no
// other, and the error tells what is left. Drivers fill one in for every
// Publish.
type Courier struct {
	// Destination is its name, for errors.
	Destination string
	// Packing says how large a message may be, and what happens to one that is
	// larger. Its Payload, RequirePayload and RedactError are for failures alone.
	Packing Packing
	// Form is the shape in which the service takes a record.
	Form Form
	// Limit is the most records that Send takes, at least 1.
	Limit int
	// LimitBytes is the most bytes that Send takes; 0 is no limit.
	LimitBytes int
	// Unordered fills every call, whatever the keys are: for services that keep
	// no order. A record that is refused may then come behind the next of its key.
	Unordered bool
	// Bundle is set if Send puts all records of one key that it is given into one
	// message, which the service accepts or refuses as a whole. It is how many bytes
	// they have at most, each counted with Extra and 32 bytes more; a larger one
	// comes alone. Limit is then how many keys Send takes.
	Bundle int
	// Extra is what a record counts towards MaxBytes and LimitBytes beside its
	// body and attributes; nil is nothing.
	Extra func(e *batching.Emitted) int
	// Send makes one call, or several at once. Without an error, refused has the
	// fate of each parcel: nil is accepted. With an error nothing is known to be
	// accepted, unless refused is there as well and says so.
	Send func(ctx context.Context, parcels []Parcel) (refused []error, err error)
	// Singly is set if Send makes a call for each parcel: one that is refused was
	// then sent alone already, and is not sent again in the same Publish.
	Singly bool
	// Isolate reports whether an error of a whole call can be the fault of one of
	// its records, which are then sent one by one; nil is never.
	Isolate func(err error) bool
	// Hints say what to do, by the error code of the service.
	Hints map[string]string
	// Counter counts what was accepted; nil counts nothing.
	Counter *Counter
}

// refusedPause is how long a courier waits before it repeats what was refused of
// a batch: most often the service was asked for too much at once.
const refusedPause = 50 * time.Millisecond

// EntryError is why a service refused one record of a batch.
type EntryError struct {
	// Code is the service's, Message its text.
	Code, Message string
}

// Error is the code and the text.
func (e *EntryError) Error() string { return e.Code + ": " + e.Message }

// ErrorCode is the code, as the errors of AWS's SDK have it.
func (e *EntryError) ErrorCode() string { return e.Code }

// RefuseAll is the error of a Publish that sends nothing, since the destination
// was opened in a way that can never work.
func RefuseAll(p Publisher, records []batching.Emitted, problem error) error {
	if len(records) == 0 {
		return nil
	}
	return &PublishError{Destination: p.String(), Rest: records, Err: fmt.Errorf("%w: %w", ErrRefused, problem)}
}

// round is one Publish of a courier.
type round struct {
	*Courier
	parcels  []Parcel // by record; without a body where it could not be made
	accepted []bool
	stuck    map[string]bool // keys of which a record was not accepted
	err      error           // the first
}

// Publish takes the records there. An error is a *PublishError.
func (c Courier) Publish(ctx context.Context, records []batching.Emitted) error {
	r := round{Courier: &c, parcels: make([]Parcel, len(records)), accepted: make([]bool, len(records)), stuck: map[string]bool{}}
	ready := r.pack(ctx, records)
	for _, run := range r.runs(ready) {
		if !r.send(ctx, run) {
			break
		}
	}
	if r.err == nil {
		return nil
	}
	rest := &PublishError{Destination: c.Destination, Err: r.err}
	for i := range records {
		if !r.accepted[i] {
			rest.Rest = append(rest.Rest, records[i])
		}
	}
	return rest
}

// pack makes the parcels and returns the numbers of those that may be sent.
func (r *round) pack(ctx context.Context, records []batching.Emitted) (ready []int) {
	for i := range records {
		e := &records[i]
		if err := ctx.Err(); err != nil {
			r.note(context.Cause(ctx))
			return nil
		}
		if r.stuck[e.Key] {
			continue
		}
		extra := 0
		if r.Extra != nil {
			extra = r.Extra(e)
		}
		parcel, err := r.Packing.wrap(ctx, e, r.Form, extra)
		if err != nil {
			r.refuse(e, err)
			continue
		}
		r.parcels[i] = parcel
		ready = append(ready, i)
	}
	return ready
}

// runs says what is sent together.
func (r *round) runs(ready []int) [][]int {
	key := func(n int) string { return r.parcels[ready[n]].Record.Key }
	size := func(n int) int {
		p := &r.parcels[ready[n]]
		if r.Extra != nil {
			return p.Size() + r.Extra(p.Record)
		}
		return p.Size()
	}
	var all [][]int
	if r.Bundle > 0 {
		all = bundles(len(ready), max(r.Limit, 1), r.LimitBytes, r.Bundle, key, size)
	} else {
		if r.Unordered {
			key = nil
		}
		all = waves(len(ready), max(r.Limit, 1), r.LimitBytes, key, size)
	}
	for _, run := range all {
		for i, n := range run {
			run[i] = ready[n]
		}
	}
	return all
}

// send sends one run and, one by one, what was refused of it. It reports whether
// the next run may follow.
func (r *round) send(ctx context.Context, run []int) bool {
	run = slices.DeleteFunc(run, func(i int) bool { return r.stuck[r.parcels[i].Record.Key] })
	if len(run) == 0 {
		return true
	}
	if ctx.Err() != nil {
		r.note(context.Cause(ctx))
		return false
	}
	refused, err := r.call(ctx, run)
	switch {
	case err != nil && refused != nil:
		r.sort(run, refused)
		r.note(r.explain(nil, err))
		return false
	case err != nil && len(run) > 1 && r.Isolate != nil && r.Isolate(err):
		return r.singly(ctx, run)
	case err != nil && len(run) == 1 && r.Isolate != nil && r.Isolate(err):
		r.refuse(r.parcels[run[0]].Record, err)
		return true
	case err != nil:
		r.note(r.explain(nil, err))
		return false
	}
	again := r.sort(run, refused)
	if len(again) == 0 {
		return true
	}
	if r.Singly {
		for n, i := range run {
			if refused[n] != nil {
				r.refuse(r.parcels[i].Record, refused[n])
			}
		}
		return len(run) == 1 || len(again) < len(run) // several, and none accepted: it is the service
	}
	if err := clock.Sleep(ctx, refusedPause); err != nil {
		r.note(context.Cause(ctx))
		return false
	}
	return r.singly(ctx, again)
}

// call is Send, held to its word.
func (r *round) call(ctx context.Context, run []int) ([]error, error) {
	parcels := make([]Parcel, len(run))
	for n, i := range run {
		parcels[n] = r.parcels[i]
	}
	refused, err := r.Send(ctx, parcels)
	if len(refused) != len(run) && (err == nil || refused != nil) {
		return nil, errors.Join(err, fmt.Errorf("the service told the fate of %d records, want %d", len(refused), len(run)))
	}
	return refused, err
}

// sort notes what was accepted of a run and returns the rest.
func (r *round) sort(run []int, refused []error) (again []int) {
	for n, i := range run {
		if refused[n] != nil {
			again = append(again, i)
			continue
		}
		r.accepted[i] = true
		if r.Counter != nil {
			r.Counter.published(r.parcels[i].Claimed)
		}
	}
	return again
}

// singly sends messages of different keys one by one, and reports whether the
// service still answers.
func (r *round) singly(ctx context.Context, run []int) bool {
	for _, message := range r.messages(run) {
		if !r.again(ctx, message) {
			return false
		}
	}
	return true
}

// again sends one message, and reports whether the service still answers.
func (r *round) again(ctx context.Context, message []int) bool {
	e := r.parcels[message[0]].Record
	if r.stuck[e.Key] {
		return true
	}
	refused, err := r.call(ctx, message)
	switch {
	case err != nil && (r.Isolate == nil || !r.Isolate(err)):
		r.note(r.explain(e, err))
		return false
	case err != nil && len(message) > 1:
		return r.apart(ctx, message)
	case err != nil:
		r.refuse(e, err)
	case refused[0] != nil:
		r.refuse(e, refused[0])
	default:
		r.sort(message, refused)
	}
	return true
}

// refuse notes that a record was not accepted; those of its key wait for it.
func (r *round) refuse(e *batching.Emitted, err error) {
	r.stuck[e.Key] = !r.Unordered
	r.note(r.explain(e, err))
}

func (r *round) note(err error) {
	if r.err == nil {
		r.err = err
	}
}

// explain names the record and says what to do, without what is in the record.
func (r *round) explain(e *batching.Emitted, err error) error {
	var coded interface{ ErrorCode() string }
	if errors.As(err, &coded) && r.Hints[coded.ErrorCode()] != "" {
		err = fmt.Errorf("%s: %w", r.Hints[coded.ErrorCode()], err)
	}
	if e == nil || e.Of == nil {
		return err
	}
	return fmt.Errorf("made of %s: %w", e.Of.ID(), err)
}
