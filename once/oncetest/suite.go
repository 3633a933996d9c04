package oncetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/once"
)

// Rig is a store under test.
type Rig struct {
	// Store is empty at the beginning of each test.
	Store once.Store
	// Effect makes an effect that the store can write; it is refused if refuse
	// is set. Applied is how often effects of that name were written.
	Effect  func(name string, refuse bool) any
	Applied func(name string) int
}

// RunStore checks that a store keeps the contract of once.Store. Open makes a
// rig with a store of its own for each test.
func RunStore(t *testing.T, open func(t *testing.T) Rig) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, rig Rig)
	}{
		{"AnIdIsAppliedOnce", appliedOnce},
		{"TheSameRequestTwiceIsOneAttempt", sameRequest},
		{"AnotherAttemptIsToldOfTheFirst", anotherAttempt},
		{"ALaterTenureTakesOverAndAnEarlierIsRefused", laterTenure},
		{"AnotherShardWaitsForTheClaim", anotherShard},
		{"AZombieCanNotComplete", zombie},
		{"ARefusedEffectWritesNothing", refusedEffect},
		{"AnExpiredEntryIsForgotten", expired},
		{"AnotherPayloadIsRefused", otherPayload},
		{"OfManyAtOnceOneApplies", manyAtOnce},
		{"AnIdMayBeLong", longID},
		{"AnEffectOfAnotherKindIsRefused", otherKind},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// start is the time of the suite: whole seconds, as stores keep them.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// claim is an attempt at an id by a tenure of a shard.
func claim(id, attempt, shard string, fence int64) once.Claim {
	return once.Claim{
		ID: id, Attempt: attempt, Shard: shard, Fence: batching.Fence{Stream: 1, Counter: fence},
		Now: start, Until: start.Add(time.Minute), Expires: start.Add(time.Hour),
	}
}

func begin(t *testing.T, rig Rig, c once.Claim, want once.State) {
	t.Helper()
	got, err := rig.Store.Begin(t.Context(), c)
	if err != nil || got != want {
		t.Fatalf("begin %s of %s: %v, error %v; want %v", c.Attempt, c.ID, got, err, want)
	}
}

func complete(t *testing.T, rig Rig, c once.Claim, effects ...any) {
	t.Helper()
	if err := rig.Store.Complete(t.Context(), c, effects); err != nil {
		t.Fatalf("complete %s of %s: %v", c.Attempt, c.ID, err)
	}
}

func appliedOnce(t *testing.T, rig Rig) {
	c := claim("id", "a", "s", 1)
	begin(t, rig, c, once.New)
	complete(t, rig, c, rig.Effect("x", false), rig.Effect("y", false))
	complete(t, rig, c, rig.Effect("x", false), rig.Effect("y", false)) // its answer was lost
	begin(t, rig, claim("id", "b", "s", 1), once.Done)
	begin(t, rig, claim("id", "c", "s", 2), once.Done)
	begin(t, rig, claim("id", "d", "other", 9), once.Done)
	begin(t, rig, claim("another", "e", "s", 1), once.New)
	if x, y := rig.Applied("x"), rig.Applied("y"); x != 1 || y != 1 {
		t.Errorf("the effects were written %d and %d times, want once each", x, y)
	}
}

func sameRequest(t *testing.T, rig Rig) {
	c := claim("id", "a", "s", 1)
	begin(t, rig, c, once.New)
	begin(t, rig, c, once.New)
}

func anotherAttempt(t *testing.T, rig Rig) {
	begin(t, rig, claim("id", "a", "s", 1), once.New)
	b := claim("id", "b", "s", 1)
	begin(t, rig, b, once.Maybe)
	complete(t, rig, b)
	begin(t, rig, claim("id", "c", "s", 1), once.Done)
}

func laterTenure(t *testing.T, rig Rig) {
	begin(t, rig, claim("id", "a", "s", 5), once.New)
	begin(t, rig, claim("id", "b", "s", 6), once.Maybe)
	if _, err := rig.Store.Begin(t.Context(), claim("id", "c", "s", 5)); !errors.Is(err, once.ErrFenced) {
		t.Errorf("an earlier tenure begins: error %v, want ErrFenced", err)
	}
	recreated := claim("id", "d", "s", 1)
	recreated.Fence.Stream = 2
	begin(t, rig, recreated, once.Maybe)
}

func anotherShard(t *testing.T, rig Rig) {
	a := claim("id", "a", "s", 5)
	begin(t, rig, a, once.New)
	b := claim("id", "b", "other", 1)
	b.Now = a.Until.Add(-time.Second)
	_, err := rig.Store.Begin(t.Context(), b)
	var elsewhere *once.InProgressError
	if !errors.As(err, &elsewhere) || !elsewhere.Until.Equal(a.Until) {
		t.Errorf("another shard begins: error %v, want that it is in progress until %v", err, a.Until)
	}
	b.Now, b.Until = a.Until, a.Until.Add(time.Minute)
	begin(t, rig, b, once.Maybe)
	if err := rig.Store.Complete(t.Context(), a, []any{rig.Effect("x", false)}); !errors.Is(err, once.ErrFenced) || rig.Applied("x") != 0 {
		t.Errorf("whose claim ran out completes: error %v, want ErrFenced", err)
	}
	complete(t, rig, b)
}

func zombie(t *testing.T, rig Rig) {
	a, b := claim("id", "a", "s", 1), claim("id", "b", "s", 2)
	begin(t, rig, a, once.New)
	begin(t, rig, b, once.Maybe)
	if err := rig.Store.Complete(t.Context(), a, []any{rig.Effect("x", false)}); !errors.Is(err, once.ErrFenced) {
		t.Errorf("a zombie completes: error %v, want ErrFenced", err)
	}
	complete(t, rig, b, rig.Effect("x", false))
	if err := rig.Store.Complete(t.Context(), a, []any{rig.Effect("x", false)}); !errors.Is(err, once.ErrFenced) {
		t.Errorf("a zombie completes what is done: error %v, want ErrFenced", err)
	}
	if n := rig.Applied("x"); n != 1 {
		t.Errorf("the effect was written %d times, want once", n)
	}
}

func refusedEffect(t *testing.T, rig Rig) {
	c := claim("id", "a", "s", 1)
	begin(t, rig, c, once.New)
	err := rig.Store.Complete(t.Context(), c, []any{rig.Effect("y", true), rig.Effect("x", false)})
	var refused *checkpoint.EffectError
	if !errors.As(err, &refused) || refused.Index != 0 || rig.Applied("x") != 0 {
		t.Errorf("a refused effect: error %v, want an *EffectError of the first and nothing written", err)
	}
	begin(t, rig, claim("id", "b", "s", 1), once.Maybe)
}

func expired(t *testing.T, rig Rig) {
	c := claim("id", "a", "s", 1)
	begin(t, rig, c, once.New)
	complete(t, rig, c)
	late := claim("id", "b", "other", 1)
	late.Now = c.Expires.Add(-time.Second)
	begin(t, rig, late, once.Done)
	late.Now = c.Expires
	late.Until, late.Expires = late.Now.Add(time.Minute), late.Now.Add(time.Hour)
	begin(t, rig, late, once.New)
	complete(t, rig, late)
}

func otherPayload(t *testing.T, rig Rig) {
	a, b := claim("id", "a", "s", 1), claim("id", "b", "s", 1)
	a.Payload, b.Payload = "one", "two"
	begin(t, rig, a, once.New)
	for range 2 {
		if _, err := rig.Store.Begin(t.Context(), b); !errors.Is(err, once.ErrOtherPayload) {
			t.Errorf("another payload: error %v, want ErrOtherPayload", err)
		}
		complete(t, rig, a)
	}
}

func manyAtOnce(t *testing.T, rig Rig) {
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			c := claim("id", fmt.Sprint("attempt-", i), fmt.Sprint("shard-", i), 1)
			state, err := rig.Store.Begin(t.Context(), c)
			var elsewhere *once.InProgressError
			switch {
			case errors.As(err, &elsewhere), err == nil && state == once.Done:
			case err != nil || state != once.New:
				t.Errorf("begin: %v, error %v", state, err)
			default:
				if err := rig.Store.Complete(t.Context(), c, []any{rig.Effect("x", false)}); err != nil {
					t.Errorf("complete: %v", err)
				}
			}
		})
	}
	all.Wait()
	if n := rig.Applied("x"); n != 1 {
		t.Errorf("the effect was written %d times, want once", n)
	}
}

func longID(t *testing.T, rig Rig) {
	long := make([]byte, 5000)
	for i := range long {
		long[i] = byte('a' + i%26)
	}
	a, b := claim(string(long), "a", "s", 1), claim(string(long)+"x", "b", "s", 1)
	begin(t, rig, a, once.New)
	complete(t, rig, a)
	begin(t, rig, b, once.New)
	begin(t, rig, claim(string(long), "c", "s", 1), once.Done)
}

func otherKind(t *testing.T, rig Rig) {
	c := claim("id", "a", "s", 1)
	begin(t, rig, c, once.New)
	if err := rig.Store.Complete(context.WithoutCancel(t.Context()), c, []any{3}); !errors.Is(err, checkpoint.ErrEffect) {
		t.Errorf("an effect that is a number: error %v, want ErrEffect", err)
	}
	complete(t, rig, c)
}
