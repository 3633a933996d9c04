package destination

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/towpath/towpath/batching"
)

// Fanout sends everything to each of several destinations, at the same time, and
// accepts what all of them have accepted. A repeat goes only to those that have
// not. Its error names each that refused.
//
// What was accepted by some is remembered in the process, for the last 10,000
// failures and records; a repeat after that, or by another process, goes to all
// again with the same ids.
func Fanout(all ...Destination) *Many { return &Many{all: all, accepted: newMemory(len(all))} }

// Fallback sends to the first of several destinations that accepts: the second
// is asked when the first refuses or takes more than its part of the time that
// is left, and so on. While the first is down every Send asks it again, so that
// it is used again as soon as it is there. Order between failures is not kept
// when they go to different destinations. Emitted records of which the first
// accepted some go on with the rest.
func Fallback(first Destination, others ...Destination) *Many {
	return &Many{all: append([]Destination{first}, others...), either: true}
}

// Many is several destinations as one. It may be used by several goroutines.
type Many struct {
	all      []Destination
	either   bool
	accepted *memory // who has accepted what; of Fanout
}

var (
	_ Destination = (*Many)(nil)
	_ Publisher   = (*Many)(nil)
	_ Validator   = (*Many)(nil)
)

// Validate says what is wrong with any of them, all at once.
func (m *Many) Validate() error {
	var problems []error
	if len(m.all) == 0 {
		problems = append(problems, errors.New("there is no destination in it"))
	}
	for i, d := range m.all {
		if v := reflect.ValueOf(d); d == nil || v.Kind() == reflect.Pointer && v.IsNil() {
			problems = append(problems, fmt.Errorf("destination %d of %d is nil", i+1, len(m.all)))
		} else if v, ok := d.(Validator); ok {
			if err := v.Validate(); err != nil {
				problems = append(problems, fmt.Errorf("destination %d of %d: %w", i+1, len(m.all), err))
			}
		}
	}
	return errors.Join(problems...)
}

// String joins the names: with + for a fan-out, else with an arrow.
func (m *Many) String() string {
	names := make([]string, len(m.all))
	for i, d := range m.all {
		if names[i] = "none"; d != nil {
			names[i] = d.String()
		}
	}
	if m.either {
		return strings.Join(names, " → ")
	}
	return strings.Join(names, " + ")
}

// Send implements Destination.
func (m *Many) Send(ctx context.Context, f Failure) error {
	if m.either {
		return m.fall(ctx, func(ctx context.Context, d Destination) error { return d.Send(ctx, f) })
	}
	id := f.ID()
	return m.each(func(i int, d Destination) error {
		if m.accepted.has(i, id) {
			return nil
		}
		err := d.Send(ctx, f)
		if err == nil {
			m.accepted.note(i, id)
		}
		return err
	}, func() { m.accepted.forget(id) })
}

// Publish implements Publisher. A destination among them that is no Publisher
// refuses.
func (m *Many) Publish(ctx context.Context, records []batching.Emitted) error {
	if len(records) == 0 {
		return nil
	}
	rest := records
	var err error
	if m.either {
		err = m.fall(ctx, func(ctx context.Context, d Destination) error {
			err := publish(ctx, d, rest)
			rest = restOf(err, rest)
			return err
		})
	} else {
		err = m.publishToAll(ctx, records)
		rest = slices.DeleteFunc(slices.Clone(records), func(e batching.Emitted) bool { return m.accepted.all(e.ID) })
		for i := range records {
			if m.accepted.all(records[i].ID) {
				m.accepted.forget(records[i].ID)
			}
		}
	}
	if err == nil {
		return nil
	}
	return &PublishError{Destination: m.String(), Rest: rest, Err: err}
}

// publishToAll gives each what it has not accepted.
func (m *Many) publishToAll(ctx context.Context, records []batching.Emitted) error {
	return m.each(func(i int, d Destination) error {
		missing := slices.DeleteFunc(slices.Clone(records), func(e batching.Emitted) bool { return m.accepted.has(i, e.ID) })
		err := publish(ctx, d, missing)
		left := map[string]bool{}
		for _, e := range restOf(err, missing) {
			left[e.ID] = true
		}
		for _, e := range missing {
			if !left[e.ID] {
				m.accepted.note(i, e.ID)
			}
		}
		return err
	}, func() {})
}

func publish(ctx context.Context, d Destination, records []batching.Emitted) error {
	if len(records) == 0 {
		return nil
	}
	p, ok := d.(Publisher)
	if !ok {
		return fmt.Errorf("%w: %s takes failures and no emitted records", ErrRefused, d)
	}
	return p.Publish(ctx, records)
}

// restOf is what an error of Publish leaves to be accepted.
func restOf(err error, records []batching.Emitted) []batching.Emitted {
	var rest *PublishError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &rest):
		return rest.Rest
	}
	return records
}

// each asks all at the same time and waits for them. Done is called if all of
// them accepted.
func (m *Many) each(ask func(int, Destination) error, done func()) error {
	answers := make([]error, len(m.all))
	var asked sync.WaitGroup
	for i, d := range m.all {
		asked.Go(func() { answers[i] = ask(i, d) })
	}
	asked.Wait()
	err := errors.Join(answers...)
	if err == nil {
		done()
	}
	return err
}

// fall asks one after the other until one accepts. Each but the last gets its
// part of the time that is left.
func (m *Many) fall(ctx context.Context, ask func(context.Context, Destination) error) error {
	var refused []error
	for i, d := range m.all {
		part, cancel := partOf(ctx, len(m.all)-i)
		err := ask(part, d)
		cancel()
		if err == nil {
			return nil
		}
		refused = append(refused, err)
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(refused...)
}

// partOf is ctx with an equal part of its time for each of n.
func partOf(ctx context.Context, n int) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(deadline)/time.Duration(n))
}

// memory remembers which of some destinations have accepted an id, for the last
// so many ids.
type memory struct {
	count int

	mu    sync.Mutex // guards what is below; never held while waiting
	by    map[string][]bool
	order []string // the ids of by, oldest first; ids that are forgotten may stand in it
}

const remembered = 10_000

func newMemory(count int) *memory { return &memory{count: count, by: map[string][]bool{}} }

func (m *memory) has(i int, id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	by := m.by[id]
	return by != nil && by[i]
}

// all reports whether every destination has accepted the id.
func (m *memory) all(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	by := m.by[id]
	return by != nil && !slices.Contains(by, false)
}

func (m *memory) note(i int, id string) {
	if id == "" {
		return // it would be taken for the next without an id
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.by[id] == nil {
		m.by[id] = make([]bool, m.count)
		m.order = append(m.order, id)
		for len(m.order) > remembered {
			delete(m.by, m.order[0])
			m.order = m.order[1:]
		}
	}
	m.by[id][i] = true
}

func (m *memory) forget(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.by, id)
}
