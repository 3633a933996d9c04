package checkpointtest

import (
	"context"
	"fmt"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// Effect is what a Table takes as an effect (batching.Batch.Attach): a write of
// the user's that is done in the same moment as the save, or not at all.
type Effect struct {
	// Refuse says why the effect cannot be done; nil, or a nil answer, lets it.
	// The refusals of all effects of a save are asked for before any is done.
	Refuse func() error
	// Do does it. It must not call the Table, and neither may Refuse.
	Do func()
}

// state is what stands beside a lease for one handler.
type state struct {
	at      shard.Position
	seekGen int64 // of the row, when it was written
	payload []byte
}

// maxEffects is how many effects a save has at most, as in DynamoDB: a
// transaction of 100 items, of which the row is one.
const maxEffects = 99

// possible refuses what no save can hold.
func possible(p checkpoint.Progress) error {
	if n := len(p.Effects) + len(p.States); n > maxEffects {
		return fmt.Errorf("%w: %d effects and states are more than %d", checkpoint.ErrEffect, n, maxEffects)
	}
	for i, e := range p.Effects {
		if _, ok := e.(Effect); !ok {
			return fmt.Errorf("%w: effect %d is a %T, want a checkpointtest.Effect", checkpoint.ErrEffect, i, e)
		}
	}
	return nil
}

// keep does the effects and writes the states of a save that is not refused.
func (s *store) keep(key string, p checkpoint.Progress) error {
	for i, e := range p.Effects {
		if refuse := e.(Effect).Refuse; refuse != nil {
			if err := refuse(); err != nil {
				return &checkpoint.EffectError{Index: i, Err: err}
			}
		}
	}
	for _, e := range p.Effects {
		if do := e.(Effect).Do; do != nil {
			do()
		}
	}
	for handler, payload := range p.States {
		if s.states[key] == nil {
			s.states[key] = map[string]state{}
		}
		s.states[key][handler] = state{at: p.At(handler), seekGen: s.rows[key].SeekGen, payload: append([]byte{}, payload...)}
	}
	return nil
}

// PrepareStates implements checkpoint.States.
func (t *Table) PrepareStates(ctx context.Context) error {
	return t.call(ctx, "preparestates", "", func() error { return nil })
}

// State implements checkpoint.States.
func (t *Table) State(ctx context.Context, row shard.Lease, handler string) ([]byte, error) {
	var payload []byte // not a result: a late call writes it when nobody reads any more
	err := t.call(ctx, "state", "", func() error {
		if s, there := t.states[row.Key][handler]; there && checkpoint.StateOf(row, handler, s.at, s.seekGen) {
			payload = append([]byte{}, s.payload...)
		}
		return nil
	})
	if err != nil {
		var none []byte
		return none, err
	}
	return payload, nil
}

// DropStates implements checkpoint.States.
func (t *Table) DropStates(ctx context.Context, key string) error {
	return t.call(ctx, "dropstates", "", func() error {
		delete(t.states, key)
		return nil
	})
}
