package consumer

import (
	"fmt"
	"testing"
	"time"

	"github.com/towpath/towpath/shard"
)

// freed is a view of three workers with so many leases each, and six that are free.
func freed(me string, held int) shard.View {
	v := shard.View{Me: me, Workers: []shard.WorkerView{{ID: "anna"}, {ID: "bert"}, {ID: "cleo"}}}
	for i := range 6 {
		v.Leases = append(v.Leases, shard.LeaseView{Key: fmt.Sprint("free", i), Free: true, Runnable: true})
	}
	for _, w := range v.Workers {
		for i := range held {
			v.Leases = append(v.Leases, shard.LeaseView{Key: fmt.Sprint(w.ID, i), Owner: w.ID, Runnable: true})
		}
	}
	return v
}

// to is how many leases fall to a worker, of those that are not this one's to take.
func to(m shard.Moves, id string) (n int) {
	for _, offer := range m.Offers {
		if offer.To == id {
			n++
		}
	}
	return n
}

// What falls to a worker that does not take it falls to the others, long before its
// session shows that it is dead; and not while it takes some, nor before it has had
// the time to, nor if it has only just come.
func TestWhoDoesNotTakeWhatFallsToItIsPassedOver(t *testing.T) {
	timing := timingOf(10*time.Second, time.Second)
	o := newOffers(timing)
	if m := o.plan(freed("anna", 4), 0); len(m.Take) != 2 || to(m, "bert") != 2 || to(m, "cleo") != 2 {
		t.Fatalf("at first: %v, %v; want two for each", m, m.Offers)
	}
	if m := o.plan(freed("anna", 4), timing.patience()-1); to(m, "bert") != 2 || to(m, "cleo") != 2 {
		t.Errorf("just before the time is over: %v; want two for each still", m.Offers)
	}
	busy := freed("anna", 4)
	busy.Leases[0].Free, busy.Leases[0].Owner = false, "bert" // has taken one
	m := o.plan(busy, timing.patience())
	if to(m, "bert") == 0 || to(m, "cleo") != 0 || len(m.Take) < 2 {
		t.Errorf("when it is over, and bert has taken one: %v, %v; want nothing for cleo, and bert's for bert", m, m.Offers)
	}
	if m := o.plan(freed("anna", 4), 2*timing.lease); to(m, "cleo") != 2 {
		t.Errorf("when it would be dead by now: %v; want two for cleo again", m.Offers)
	}

	young := func() shard.View {
		v := freed("anna", 4)
		v.Workers[2].New = true
		return v
	}
	o = newOffers(timing)
	o.plan(young(), 0)
	if m := o.plan(young(), 3*time.Second); to(m, "cleo") < 2 || to(m, "bert") != 0 {
		t.Errorf("cleo has not planned yet: %v; want some for it still, and none for bert", m.Offers)
	}
}

// Whoever is told that a lease is free takes it, though by its own plan it falls to
// another: it was told because that one did not take it.
func TestWhoIsToldOfALeaseTakesIt(t *testing.T) {
	o := newOffers(timingOf(10*time.Second, time.Second))
	m := o.plan(freed("anna", 4), 0)
	o = newOffers(o.timing)
	key := ""
	for _, offer := range m.Offers {
		if offer.To == "bert" {
			key = offer.Key
		}
	}
	o.told[key] = true
	if m := o.plan(freed("anna", 4), 0); to(m, "bert") != 0 || len(m.Take) != 3 {
		t.Errorf("anna was told of %s, which falls to bert: %v, %v; want three of the six taken, and none for bert", key, m, m.Offers)
	}
}
