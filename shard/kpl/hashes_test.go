package kpl_test

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kpl"
)

// The range of a shard holds what shard.HashRange says it does, at its very ends
// as well.
func TestRangeAgreesWithHashRange(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	decimal := func() *big.Int {
		n := new(big.Int).SetUint64(random.Uint64())
		return n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(random.Uint64()))
	}
	most := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(1))
	for i := range 2_000 {
		from, to := decimal(), decimal()
		switch {
		case i%5 == 0:
			from = new(big.Int)
		case i%7 == 0:
			to = most
		}
		if from.Cmp(to) > 0 {
			from, to = to, from
		}
		h := shard.HashRange{Start: from.String(), End: to.String()}
		r := kpl.NewRange(h)
		key := fmt.Sprint("key-", i)
		if got, want := r.Holds(&kpl.User{PartitionKey: key}), h.Holds(shard.PointOf(key)); got != want {
			t.Fatalf("%v holds %s: %v, want %v", h, key, got, want)
		}
		for _, at := range []*big.Int{from, to, decimal(), new(big.Int).Add(to, big.NewInt(1)), new(big.Int).Sub(from, big.NewInt(1))} {
			if at.Sign() < 0 || at.Cmp(most) > 0 {
				continue
			}
			want := at.Cmp(from) >= 0 && at.Cmp(to) <= 0
			if got := r.Holds(&kpl.User{PartitionKey: key, ExplicitHashKey: at.String()}); got != want {
				t.Fatalf("%v holds %s: %v, want %v", h, at, got, want)
			}
		}
	}
}

func TestARangeThatIsNotKnownHoldsEverything(t *testing.T) {
	for _, h := range []shard.HashRange{{}, {Start: "0"}, {Start: "x", End: "7"}, {Start: "0", End: "340282366920938463463374607431768211456"}} {
		r := kpl.NewRange(h)
		if !r.Holds(&kpl.User{PartitionKey: "a"}) || !r.Holds(&kpl.User{ExplicitHashKey: "9"}) {
			t.Errorf("%v does not hold everything", h)
		}
	}
}
