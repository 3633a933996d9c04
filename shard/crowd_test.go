package shard

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// crowd is a fleet and its leases as they really are; every worker plans on it,
// and the writes of a round are applied.
type crowd struct {
	random  *rand.Rand
	workers []WorkerView
	leases  []LeaseView
	names   int
}

func newCrowd(seed uint64, workers, leases int) *crowd {
	c := &crowd{random: rand.New(rand.NewPCG(seed, 7))}
	for range workers {
		c.join(0)
	}
	for i := range leases {
		c.leases = append(c.leases, LeaseView{Key: fmt.Sprintf("shardId-%012d", i), Runnable: true, Free: true})
	}
	return c
}

func (c *crowd) join(most int) {
	c.names++
	c.workers = append(c.workers, WorkerView{ID: fmt.Sprintf("%08x-%d", c.random.Uint32(), c.names), Age: time.Hour, MaxLeases: most})
}

// die removes a worker; what it had, or was to get, is free.
func (c *crowd) die(i int) {
	id := c.workers[i].ID
	c.workers = slices.Delete(c.workers, i, i+1)
	for i := range c.leases {
		switch l := &c.leases[i]; id {
		case l.CheckpointOwner:
			l.Owner, l.CheckpointOwner, l.Free = "", "", true
		case l.Owner:
			if l.CheckpointOwner == "" {
				l.Owner, l.Free = "", true
			}
		}
	}
}

// round lets all plan on the same view, applies what they do, and lets half of
// the hand-overs end. It returns how many leases were taken and asked for.
func (c *crowd) round(t *testing.T) (taken, asked int) {
	t.Helper()
	index := map[string]int{}
	for i := range c.leases {
		index[c.leases[i].Key] = i
	}
	var all []Moves
	for _, w := range c.workers {
		leases := slices.Clone(c.leases)
		c.random.Shuffle(len(leases), func(i, j int) { leases[i], leases[j] = leases[j], leases[i] })
		all = append(all, Plan(View{Me: w.ID, Workers: c.workers, Leases: leases, Settle: time.Minute, HandoverTimeout: time.Minute}))
	}
	for i, m := range all {
		for _, key := range m.Take {
			l := &c.leases[index[key]]
			if !l.Free {
				t.Fatalf("%s takes %s, which %s has: a herd", c.workers[i].ID, key, l.Owner)
			}
			l.Owner, l.CheckpointOwner, l.Free = c.workers[i].ID, "", false
			taken++
		}
		for _, a := range m.Ask {
			l := &c.leases[index[a.Key]]
			if l.Owner != a.From || l.CheckpointOwner != "" {
				t.Fatalf("%s asked of %s, but it is %+v", a.Key, a.From, l)
			}
			l.Owner, l.CheckpointOwner = a.To, a.From
			asked++
		}
		for _, key := range m.Withdraw {
			l := &c.leases[index[key]]
			l.Owner, l.CheckpointOwner = l.CheckpointOwner, ""
		}
	}
	for i := range c.leases {
		if c.leases[i].CheckpointOwner != "" && c.random.IntN(2) == 0 {
			c.leases[i].CheckpointOwner = ""
		}
	}
	return taken, asked
}

// held is how many leases each worker has, and whether every lease has an owner.
func (c *crowd) held() (counts []int, all bool) {
	byID := map[string]int{}
	all = true
	for _, l := range c.leases {
		byID[l.Owner]++
		all = all && !l.Free && l.Owner != ""
	}
	for _, w := range c.workers {
		counts = append(counts, byID[w.ID])
	}
	return counts, all
}

// settle runs rounds until nobody moves, and returns what moved in all.
func (c *crowd) settle(t *testing.T) (taken, asked int) {
	t.Helper()
	for range 500 {
		newTaken, newAsked := c.round(t)
		taken, asked = taken+newTaken, asked+newAsked
		underway := slices.ContainsFunc(c.leases, func(l LeaseView) bool { return l.CheckpointOwner != "" })
		if newTaken+newAsked > 0 || underway {
			continue
		}
		counts, all := c.held()
		if !all {
			t.Fatalf("nobody moves, and leases are free: %v", counts)
		}
		if slices.Max(counts)-slices.Min(counts) > 1 {
			t.Fatalf("nobody moves, and the fleet is out of balance: %v", counts)
		}
		return taken, asked
	}
	t.Fatal("no end after 500 rounds")
	return 0, 0
}
