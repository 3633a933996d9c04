package window_test

import (
	"context"
	"crypto/md5"
	"errors"
	"flag"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/batching/window"
	"github.com/towpath/towpath/shard"
)

// river is a stream in memory with workers that die: what is told of it is the
// engine's part of the contract, and no more.
type river struct {
	t      *testing.T
	r      *rand.Rand
	a      *window.Aggregate[event, sum]
	shards []*reach
	given  map[string]string // the last result by key and start
}

// reach is one shard: its records, and what is saved of it.
type reach struct {
	id       string
	low, up  *big.Int
	parents  []*reach
	records  []shard.Record
	closed   bool // no more is put into it
	done     int  // finished records
	saved    int
	state    []byte
	began    bool
	finished bool
}

func (s *reach) hashes() shard.HashRange {
	return shard.HashRange{Start: s.low.String(), End: s.up.String()}
}

// begin restores a shard from what was saved.
func (v *river) begin(s *reach) {
	r := batching.Restored{Stream: "arn:s", Shard: s.id, State: s.state, Hashes: s.hashes()}
	if s.state == nil && len(s.parents) > 0 {
		r.Inherited = map[string][]byte{}
		for _, p := range s.parents {
			r.Inherited[p.id] = p.state
		}
	}
	if err := v.a.Restore(v.t.Context(), r); err != nil {
		v.t.Fatal(err)
	}
	s.done, s.began = s.saved, true
}

func (v *river) save(s *reach) {
	state, err := v.a.State(s.id)
	if err != nil {
		v.t.Fatal(err)
	}
	s.saved, s.state = s.done, state
}

// accept takes what a call has emitted for records that are done.
func (v *river) accept(c *batching.Call, done func(*shard.Record) bool) {
	if c == nil {
		return
	}
	for _, e := range c.Emitted() {
		if e.Of == nil || done(e.Of) {
			key, value, _ := cut(string(e.Data))
			v.given[key] = value
		}
	}
}

func (v *river) step(s *reach) {
	if s.finished {
		return
	}
	if !s.began {
		for _, p := range s.parents {
			if !p.finished {
				return
			}
		}
		v.begin(s)
	}
	switch v.r.IntN(12) {
	case 0: // its worker dies
		v.begin(s)
	case 1, 2:
		v.save(s)
	case 3:
		if s.done == len(s.records) {
			w := &batching.Wake{Stream: "arn:s", Shard: s.id, Now: second(100000), ReadUpTo: second(v.r.IntN(300))}
			// An hour behind: what is idle for so long has nothing late.
			if err := v.a.Wake(v.t.Context(), w); err == nil {
				v.accept(w.Call, nil)
			}
		}
	default:
		n := min(len(s.records)-s.done, 1+v.r.IntN(6))
		if n == 0 {
			break
		}
		records := s.records[s.done : s.done+n]
		b := &batching.Batch{Stream: "arn:s", Shard: s.id, Records: records}
		o := batching.Read(records, v.a.Handle(v.t.Context(), b))
		if len(o.Rejects) > 0 {
			v.t.Fatalf("rejected: %v", o.Err)
		}
		done := n
		if o.Failed {
			done = o.From
		}
		if v.r.IntN(10) == 0 { // it dies before the results are accepted
			v.begin(s)
			return
		}
		v.accept(b.Call, func(r *shard.Record) bool {
			return slices.IndexFunc(records, func(x shard.Record) bool { return x.Sequence == r.Sequence }) < done
		})
		s.done += done
	}
	if s.closed && s.done == len(s.records) && v.r.IntN(4) == 0 {
		v.save(s)
		s.finished = true
		v.a.ShardEnded(s.id)
	}
}

func (v *river) add(low, up *big.Int, parents ...*reach) {
	v.shards = append(v.shards, &reach{id: fmt.Sprint("shard-", len(v.shards)), low: low, up: up, parents: parents})
	for _, p := range parents {
		p.closed = true
	}
}

func (v *river) reshard() {
	var open []*reach
	for _, s := range v.shards {
		if !s.closed {
			open = append(open, s)
		}
	}
	one := big.NewInt(1)
	s := open[v.r.IntN(len(open))]
	if v.r.IntN(2) == 0 || len(open) == 1 {
		middle := new(big.Int).Rsh(new(big.Int).Add(s.low, s.up), 1)
		v.add(s.low, middle, s)
		v.add(new(big.Int).Add(middle, one), s.up, s)
		return
	}
	for _, o := range open {
		if new(big.Int).Add(s.up, one).Cmp(o.low) == 0 {
			v.add(s.low, o.up, s, o)
			return
		}
	}
}

func (v *river) put(key string, at, n int) {
	h := md5.Sum([]byte(key))
	hash := new(big.Int).SetBytes(h[:])
	for _, s := range v.shards {
		if !s.closed && s.low.Cmp(hash) <= 0 && hash.Cmp(s.up) <= 0 {
			r := record(key, at, n)
			r.Shard, r.ArrivedAt = s.id, second(at+1000)
			s.records = append(s.records, r)
			return
		}
	}
	v.t.Fatalf("no shard takes %s", key)
}

var errFlaky = errors.New("flaky")

var modelSeeds = flag.Int("model-seeds", 100, "how many seeds of the river in memory")

// Whatever dies, fails, splits and merges: the last result of each key and
// window is the sum of its records, and no window is missing.
func TestAggregateAddsUpWhateverHappens(t *testing.T) {
	for seed := range uint64(*modelSeeds) {
		for _, session := range []bool{false, true} {
			addsUp(t, seed, session)
		}
	}
}

func addsUp(t *testing.T, seed uint64, session bool) {
	r := rand.New(rand.NewPCG(seed, 3))
	v := &river{t: t, r: r, given: map[string]string{}}
	var unused results
	s := spec(&unused)
	s.OutOfOrderness = 20 * time.Second
	s.Lateness = time.Duration(r.IntN(3)) * 7 * time.Second
	s.Idle = time.Hour
	if session {
		s.Size, s.Gap = 0, 6*time.Second
	}
	add := s.Add
	s.Add = func(ctx context.Context, sum *sum, rec *shard.Record, e event) error {
		_ = add(ctx, sum, rec, e)
		if r.IntN(20) == 0 {
			return errFlaky
		}
		return nil
	}
	s.Close = func(_ context.Context, c *window.Closed[sum]) error {
		if r.IntN(20) == 0 {
			return errFlaky
		}
		c.Emit(batching.Emitted{Data: fmt.Appendf(nil, "%s %d: %d-%d %d", c.Key, c.Start.Sub(epoch)/time.Second,
			c.Start.Sub(epoch)/time.Second, c.End.Sub(epoch)/time.Second, c.State.N)})
		return nil
	}
	v.a = aggregate(t, s)
	all := new(big.Int).Lsh(big.NewInt(1), 128)
	v.add(big.NewInt(0), all.Sub(all, big.NewInt(1)))
	v.reshard()
	type put struct{ at, n int }
	puts := map[string][]put{}
	at := 100
	for range 400 {
		switch {
		case r.IntN(40) == 0:
			v.reshard()
		case r.IntN(2) == 0:
			at += r.IntN(4)
			// A key's records come with one watermark only while it stays in
			// one shard; between shards they may be 20 s apart.
			key, p := fmt.Sprint("key-", r.IntN(8)), put{at - r.IntN(15), 1 + r.IntN(9)}
			v.put(key, p.at, p.n)
			puts[key] = append(puts[key], p)
		default:
			v.step(v.shards[r.IntN(len(v.shards))])
		}
	}
	for _, s := range v.shards { // the watermark of each shard passes everything
		if !s.closed {
			last := record("end", at+1000, 0)
			last.Shard, last.ArrivedAt = s.id, second(at+2000)
			s.records = append(s.records, last)
		}
	}
	left := func(s *reach) bool { return s.done < len(s.records) }
	for i := 0; i < 50_000 && slices.ContainsFunc(v.shards, left); i++ {
		v.step(v.shards[r.IntN(len(v.shards))])
	}
	for _, s := range v.shards {
		if s.done != len(s.records) {
			t.Fatalf("seed %d: %s stands at %d of %d", seed, s.id, s.done, len(s.records))
		}
	}
	want := map[string]string{}
	for key, all := range puts {
		slices.SortFunc(all, func(a, b put) int { return a.at - b.at })
		for i := 0; i < len(all); {
			from, to, n := all[i].at/10*10, all[i].at/10*10+10, 0
			if session {
				from, to = all[i].at, all[i].at+6
			}
			for ; i < len(all) && all[i].at < to; i++ {
				n += all[i].n
				if session {
					to = all[i].at + 6
				}
			}
			want[fmt.Sprint(key, " ", from)] = fmt.Sprintf("%d-%d %d", from, to, n)
		}
	}
	for k, w := range want {
		if v.given[k] != w {
			t.Errorf("seed %d session %v: %s is %q, want %q", seed, session, k, v.given[k], w)
		}
	}
	for k, g := range v.given {
		if want[k] == "" && k[:3] == "key" {
			t.Errorf("seed %d session %v: %s is %q, want none", seed, session, k, g)
		}
	}
}

func cut(line string) (key, value string, ok bool) {
	for i := range line {
		if line[i] == ':' {
			return line[:i], line[i+2:], true
		}
	}
	return "", "", false
}
