package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
)

// counts is a handler whose state is how many records of each key it was given,
// and which was the last one, as text: "last key=n key=n".
type counts struct {
	do    func(ctx context.Context, b *batching.Batch) error // before anything is counted; nil: accept
	tell  func(shard string) error                           // nil: State succeeds
	begin func(r batching.Restored) error                    // nil: Restore succeeds

	mu       sync.Mutex
	running  map[string]int
	shards   map[string]*counted
	restored []batching.Restored
	broken   []string
}

type counted struct {
	last string
	keys map[string]int
}

func newCounts() *counts { return &counts{shards: map[string]*counted{}, running: map[string]int{}} }

func (c *counts) Handle(ctx context.Context, b *batching.Batch) error {
	c.mu.Lock()
	c.running[b.Shard]++
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.running[b.Shard]--
		c.mu.Unlock()
	}()
	var err error
	if c.do != nil {
		err = c.do(ctx, b)
	}
	done := len(b.Records)
	if o := batching.Read(b.Records, err); o.Failed {
		done = o.From
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.shards[b.Shard]
	if s == nil {
		c.broken = append(c.broken, "a batch came before Restore")
		return err
	}
	for i := range b.Records[:done] {
		s.last = b.Records[i].Sequence
		s.keys[b.Records[i].PartitionKey]++
	}
	return err
}

func (c *counts) Restore(_ context.Context, r batching.Restored) error {
	if c.begin != nil {
		if err := c.begin(r); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.restored = append(c.restored, r)
	s := parseCounted(r.State)
	for _, parent := range r.Inherited {
		for key, n := range parseCounted(parent).keys {
			s.keys[key] += n
		}
	}
	c.shards[r.Shard] = s
	return nil
}

func (c *counts) State(shardID string) ([]byte, error) {
	if c.tell != nil {
		if err := c.tell(shardID); err != nil {
			return nil, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running[shardID] > 0 {
		c.broken = append(c.broken, "State was asked for during a call")
	}
	return c.shards[shardID].text(), nil
}

func (s *counted) text() []byte {
	text := s.last
	for _, key := range slices.Sorted(maps.Keys(s.keys)) {
		text += fmt.Sprintf(" %s=%d", key, s.keys[key])
	}
	return []byte(text)
}

func parseCounted(state []byte) *counted {
	s := &counted{keys: map[string]int{}}
	for i, part := range strings.Split(string(state), " ") {
		key, n, _ := strings.Cut(part, "=")
		if i == 0 {
			s.last = part
			continue
		}
		s.keys[key], _ = strconv.Atoi(n)
	}
	return s
}

// sound fails the test if the handler was treated as it must not be.
func (c *counts) sound(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range c.broken {
		t.Error(b)
	}
}

func (c *counts) begun() []batching.Restored {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.restored)
}

// keptWithEveryPosition has every write of a row compared with the state that
// stands beside it then.
func keptWithEveryPosition(t *testing.T, table *checkpointtest.Table) (writes func() int) {
	var mu sync.Mutex
	n := 0
	table.Interfere(nil, func(op, _ string) error {
		if op != "save" && op != "release" && op != "finish" {
			return nil
		}
		rows, err := table.List(context.Background())
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, row := range rows {
			if !row.Checkpoint.IsRecord() {
				continue
			}
			n++
			state, err := table.State(context.Background(), row, "")
			if err != nil || parseCounted(state).last != row.Checkpoint.Sequence {
				t.Errorf("after a %s the row is at %s and its state is %q (%v)", op, row.Checkpoint, state, err)
			}
		}
		return nil
	})
	return func() int { mu.Lock(); defer mu.Unlock(); return n }
}

// stateOf is what stands beside the row of a shard, if there is one.
func stateOf(t *testing.T, table checkpoint.Leases, shardID string) string {
	t.Helper()
	row, err := table.Get(context.Background(), shardID)
	if errors.Is(err, checkpoint.ErrNoLease) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	state, err := table.(checkpoint.States).State(context.Background(), row, "")
	if err != nil {
		t.Fatal(err)
	}
	return string(state)
}

const zeroShard = "shardId-000000000000"

// Whatever becomes of batches, attempts and saves, what is written with a position
// is the state of exactly the records up to it, and it is not asked for while a
// call runs.
func TestStateIsThatOfItsPosition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(1), checkpointtest.NewTable()
		writes := keptWithEveryPosition(t, table)
		h, dice := newCounts(), rand.New(rand.NewPCG(7, 7))
		h.do = func(ctx context.Context, b *batching.Batch) error {
			time.Sleep(time.Duration(dice.IntN(900)) * time.Millisecond)
			switch dice.IntN(4) {
			case 0:
				return errors.New("not yet")
			case 1:
				return batching.FailFrom(&b.Records[dice.IntN(len(b.Records))], errors.New("not all"))
			}
			return nil
		}
		h.tell = func(string) error { time.Sleep(50 * time.Millisecond); return nil }
		cfg := config(stream, table)
		cfg.Handler, cfg.BatchSize, cfg.CheckpointInterval, cfg.BisectBatchOnError = h, 7, time.Second, true
		for i := range 400 {
			stream.Put(fmt.Sprint("k", i%3), fmt.Append(nil, i))
		}
		runToTip(t, cfg)
		h.sound(t)
		if n := writes(); n < 20 {
			t.Errorf("only %d writes were compared", n)
		}
		if got := stateOf(t, table, zeroShard); !strings.HasSuffix(got, " k0=134 k1=133 k2=133") {
			t.Errorf("the last state is %q", got)
		}
	})
}

// After a death, the next owner goes on with the state of the position it goes on
// from: nothing is counted twice, and nothing is forgotten.
func TestDeathCountsNothingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(1), newMortal()
		for i := range 600 {
			stream.Put("k", fmt.Append(nil, i))
		}
		for i := range 4 {
			name := fmt.Sprint("w", i)
			h := newCounts()
			h.do = func(context.Context, *batching.Batch) error { time.Sleep(200 * time.Millisecond); return nil }
			cfg := config(stream, nil)
			cfg.Leases, cfg.WorkerPrefix = table.As(name), name
			cfg.Handler, cfg.BatchSize, cfg.CheckpointInterval = h, 5, 2*time.Second
			r := start(t, cfg)
			if i == 3 {
				await(t, "the end", func() bool { return strings.HasSuffix(stateOf(t, table.Table, zeroShard), " k=600") })
				_, err := r.end()
				if err != nil {
					t.Error(err)
				}
			} else {
				await(t, "the shard", func() bool { return r.holds() == 1 })
				time.Sleep(5500 * time.Millisecond)
				table.kill(name)
				r.end()
				table.expire(t)
			}
			h.sound(t)
		}
	})
}

// expire lets the leases of the dead run out.
func (m *mortal) expire(t *testing.T) {
	t.Helper()
	time.Sleep(30 * time.Second)
}

// A child begins with what its parents ended with, both parents of a merge, and
// so does the child of a child that had no record of its own.
func TestChildrenInheritTheirParentsState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(2), checkpointtest.NewTable()
		one := "shardId-000000000001"
		for shardID, key := range map[string]string{zeroShard: "a", one: "b"} {
			for range 5 {
				if _, err := stream.PutTo(shardID, key, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		lower, _, err := stream.Split(zeroShard) // two children without records
		if err != nil {
			t.Fatal(err)
		}
		h := newCounts()
		cfg := config(stream, table)
		cfg.Handler = h
		r := start(t, cfg)
		ended := func(shardID string) func() bool {
			return func() bool {
				row, err := table.Get(context.Background(), shardID)
				return err == nil && row.Finished()
			}
		}
		await(t, "the end of the first", ended(zeroShard))
		children, err := stream.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		upper := children[len(children)-1].ID
		merged, err := stream.Merge(upper, one)
		if err != nil {
			t.Fatal(err)
		}
		await(t, "the end of both parents", func() bool { return ended(upper)() && ended(one)() })
		if _, err := stream.PutTo(merged, "b", nil); err != nil {
			t.Fatal(err)
		}
		await(t, "the merged shard's state", func() bool {
			row, err := table.Get(context.Background(), merged)
			return err == nil && row.Checkpoint.IsRecord()
		})
		if got := stateOf(t, table, merged); !strings.HasSuffix(got, " a=5 b=6") {
			t.Errorf("the state of the merged shard is %q", got)
		}
		if _, err := r.end(); err != nil {
			t.Fatal(err)
		}
		h.sound(t)
		for _, b := range h.begun() {
			switch b.Shard {
			case lower:
				if len(b.Inherited) != 1 || b.State != nil || b.Hashes == (shard.HashRange{}) {
					t.Errorf("the lower child began with %+v", b)
				}
			case merged:
				if len(b.Inherited) != 2 || b.State != nil {
					t.Errorf("the merged shard began with %+v", b)
				}
			}
		}
	})
}

// A position that was moved by hand comes without the state of another one, and a
// shard is restored again whenever it is begun anew.
func TestMovedPositionComesWithoutState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(1), checkpointtest.NewTable()
		var first string
		for i := range 20 {
			if r := stream.Put("k", fmt.Append(nil, i)); first == "" {
				first = r.Sequence
			}
		}
		h := newCounts()
		cfg := config(stream, table)
		cfg.Handler, cfg.CheckpointInterval = h, time.Second
		r := start(t, cfg)
		await(t, "the state", func() bool { return strings.HasSuffix(stateOf(t, table, zeroShard), " k=20") })
		table.Edit(zeroShard, func(l *shard.Lease) {
			l.Checkpoint, l.SeekGen, l.Counter = shard.After(first, 0), l.SeekGen+1, l.Counter+1
		})
		stream.Put("k", nil)
		await(t, "the state of what came again", func() bool { return strings.HasSuffix(stateOf(t, table, zeroShard), " k=20") && len(h.begun()) == 2 })
		if b := h.begun()[1]; b.State != nil || b.Inherited != nil {
			t.Errorf("the shard began anew with %+v", b)
		}
		if _, err := r.end(); err != nil {
			t.Fatal(err)
		}
		h.sound(t)
	})
}
