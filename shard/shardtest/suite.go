package shardtest

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"github.com/towpath/towpath/shard"
)

// sourceCases are the promises of shard.Source, each with its check.
var sourceCases = []struct {
	name  string
	check func(*testing.T, *bench)
}{
	{"describes the stream", describes},
	{"lists every shard with its range", lists},
	{"reads all in order from the trim horizon", readsAll},
	{"resumes behind a record", resumes},
	{"delivers nothing twice to a position at the tip", resumesAtTip},
	{"starts at a time", startsAtTime},
	{"pinned LATEST delivers what came between pin and first read", pinnedLatest},
	{"unpinned LATEST begins at the tip", unpinnedLatest},
	{"a split ends the parent after its tail, with both children", splits},
	{"a merge ends both parents with one child that names both", merges},
	{"children are read from their beginning", childrenBegin},
	{"an end is told again", endedAgain},
	{"two readers of a shard do not disturb each other", twoReaders},
	{"an error leaves the position", errorsLeavePosition},
	{"a cancelled context leaves the position", cancelled},
	{"an unknown shard is ErrNoShard", unknownShard},
	{"an unknown stream is ErrNoStream", unknownStream},
	{"large records arrive whole", largeRecords},
	{"a record without data or key arrives", bareRecords},
	{"trimmed records are a loss with its window", trimmed},
	{"trimming what was read is no loss", trimmedRead},
}

func describes(t *testing.T, b *bench) {
	s := b.stream
	if s.ARN == "" || s.Name == "" || s.CreatedAt.IsZero() || s.Retention <= 0 || s.Now.IsZero() {
		t.Errorf("something is missing in %+v", s)
	}
	b.Put(t, b.shards[0].ID, "key", []byte("later"))
	r := b.open(t, b.shards[0].ID, shard.TrimHorizon()).until(t, 1)
	if arrived := r.records[0].ArrivedAt; s.Now.After(arrived.Add(b.Rounding)) {
		t.Errorf("Now is %s, later than the arrival of a record put afterwards, %s", s.Now, arrived)
	}
}

func lists(t *testing.T, b *bench) {
	if b.Split == nil {
		t.Log("not tried: the rig cannot split shards")
		return
	}
	b.Split(t, b.shards[0].ID)
	var open, parents []string
	for _, d := range b.list(t) {
		if d.Open() {
			open = append(open, d.ID)
			parents = append(parents, d.Parents...)
		}
		if d.Hashes == (shard.HashRange{}) != b.Unranged || d.FirstSequence == "" {
			t.Errorf("no range in %+v", d)
		}
	}
	foreign := func(id string) bool { return id != b.shards[0].ID }
	if len(open) != b.Shards-1+b.Children || len(parents) != b.Children || slices.ContainsFunc(parents, foreign) {
		t.Errorf("after a split of %s: open %v, parents %v", b.shards[0].ID, open, parents)
	}
}

func readsAll(t *testing.T, b *bench) {
	first := b.put(t, b.shards[0].ID, "a", 30)
	var second []string
	if b.Shards > 1 {
		second = b.put(t, b.shards[1].ID, "b", 5)
	}
	r := b.open(t, b.shards[0].ID, shard.TrimHorizon()).until(t, 30)
	first = append(first, b.put(t, b.shards[0].ID, "c", 3)...)
	r.until(t, 33).more(t, 1).has(t, first...)
	if b.Shards > 1 {
		b.open(t, b.shards[1].ID, shard.Position{}).until(t, 5).more(t, 1).has(t, second...)
	}
	if key, _ := b.Unwrap(r.records[7]); key != "key-a7" || !r.records[7].Keyed {
		t.Errorf("the key of a7 is %q, want key-a7", key)
	}
}

func resumes(t *testing.T, b *bench) {
	id := b.shards[0].ID
	names := b.put(t, id, "a", 10)
	all := b.open(t, id, shard.TrimHorizon()).until(t, 10)
	for _, i := range []int{0, 4, 8} {
		b.open(t, id, all.records[i].Position()).until(t, 9-i).has(t, names[i+1:]...)
	}
}

func resumesAtTip(t *testing.T, b *bench) {
	id := b.shards[0].ID
	b.put(t, id, "a", 3)
	tip := b.open(t, id, shard.TrimHorizon()).until(t, 3).records[2].Position()
	r := b.open(t, id, tip).more(t, 2)
	r.has(t)
	names := b.put(t, id, "b", 2)
	r.until(t, 2).more(t, 1).has(t, names...)
}

func startsAtTime(t *testing.T, b *bench) {
	id := b.shards[0].ID
	var names []string
	for _, name := range []string{"a", "b", "c", "d"} {
		b.Put(t, id, "key", []byte(name))
		names = append(names, name)
		if b.virtual {
			time.Sleep(5 * time.Millisecond) // so that times of arrival differ
		}
	}
	all := b.open(t, id, shard.TrimHorizon()).until(t, 4).records
	for i := range all {
		at := all[i].ArrivedAt
		first := slices.IndexFunc(all, func(r shard.Record) bool { return !r.ArrivedAt.Before(at) })
		read := b.open(t, id, shard.AtTime(at)).until(t, 4-first)
		// A server may take the time as a whole second, as LocalStack does: what
		// came earlier in it is then read as well. Nothing may be missing.
		for !b.virtual && first > 0 && len(read.records) > 4-first {
			first--
		}
		read.until(t, 4-first).has(t, names[first:]...)
	}
	b.open(t, id, shard.AtTime(all[0].ArrivedAt.Add(-time.Hour))).until(t, 4).has(t, names...)
}

func pinnedLatest(t *testing.T, b *bench) {
	pin := shard.Latest()
	pin.At = b.stream.Now
	names := b.put(t, b.shards[0].ID, "between", 3)
	r := b.open(t, b.shards[0].ID, pin).until(t, 3)
	names = append(names, b.put(t, b.shards[0].ID, "after", 2)...)
	r.until(t, 5).has(t, names...)
}

func unpinnedLatest(t *testing.T, b *bench) {
	b.put(t, b.shards[0].ID, "before", 3)
	r := b.open(t, b.shards[0].ID, shard.Latest()).more(t, 1)
	names := b.put(t, b.shards[0].ID, "after", 2)
	r.until(t, 2).more(t, 1).has(t, names...)
}

func splits(t *testing.T, b *bench) {
	if b.Split == nil {
		t.Log("not tried: the rig cannot split shards")
		return
	}
	id := b.shards[0].ID
	names := b.put(t, id, "a", 5)
	early := b.open(t, id, shard.TrimHorizon()).until(t, 5)
	names = append(names, b.put(t, id, "tail", 2)...)
	b.Split(t, id)
	for _, r := range []*tail{early, b.open(t, id, shard.TrimHorizon())} {
		r.until(t, -1).has(t, names...)
		b.haveChildren(t, r.ended.Children, b.Children, id)
	}
	// A reader that has nothing left to deliver comes to the end as well.
	last := early.records[len(early.records)-1].Position()
	r := b.open(t, id, last).until(t, -1)
	r.has(t)
	b.haveChildren(t, r.ended.Children, b.Children, id)
}

func merges(t *testing.T, b *bench) {
	if b.Merge == nil {
		t.Log("not tried: the rig cannot merge shards")
		return
	}
	for i, d := range b.shards {
		b.put(t, d.ID, []string{"a", "b"}[i], 2)
	}
	b.Merge(t, b.shards[0].ID, b.shards[1].ID)
	for i, d := range b.shards {
		r := b.open(t, d.ID, shard.TrimHorizon()).until(t, -1)
		r.has(t, [][]string{{"a0", "a1"}, {"b0", "b1"}}[i]...)
		b.haveChildren(t, r.ended.Children, 1, b.shards[0].ID, b.shards[1].ID)
	}
}

// haveChildren checks that the children told at an end are those listed.
func (b *bench) haveChildren(t *testing.T, children []shard.Shard, n int, parents ...string) {
	t.Helper()
	if len(children) != n {
		t.Errorf("got %d children, want %d: %+v", len(children), n, children)
	}
	listed := b.list(t)
	slices.Sort(parents)
	for _, child := range children {
		got := slices.Sorted(slices.Values(child.Parents))
		if !slices.Equal(got, parents) {
			t.Errorf("the parents of %s are %v, want %v", child.ID, got, parents)
		}
		if !slices.ContainsFunc(listed, func(d shard.Shard) bool { return d.ID == child.ID && d.Hashes == child.Hashes }) {
			t.Errorf("child %+v is not listed so", child)
		}
	}
}

func childrenBegin(t *testing.T, b *bench) {
	if b.Split == nil {
		t.Log("not tried: the rig cannot split shards")
		return
	}
	id := b.shards[0].ID
	b.put(t, id, "a", 1)
	b.Split(t, id)
	for _, child := range b.open(t, id, shard.TrimHorizon()).until(t, -1).ended.Children {
		names := b.put(t, child.ID, child.ID+"-", 2)
		b.open(t, child.ID, shard.TrimHorizon()).until(t, 2).more(t, 1).has(t, names...)
	}
}

func endedAgain(t *testing.T, b *bench) {
	if b.Split == nil {
		t.Log("not tried: the rig cannot split shards")
		return
	}
	id := b.shards[0].ID
	b.put(t, id, "a", 1)
	b.Split(t, id)
	r := b.open(t, id, shard.TrimHorizon()).until(t, -1)
	r.ended = nil
	r.until(t, -1).has(t, "a0")
	if len(r.ended.Children) != b.Children {
		t.Errorf("the second time there are %d children, want %d", len(r.ended.Children), b.Children)
	}
}

func twoReaders(t *testing.T, b *bench) {
	id := b.shards[0].ID
	names := b.put(t, id, "a", 4)
	one, two := b.open(t, id, shard.TrimHorizon()).until(t, 4), b.open(t, id, shard.TrimHorizon())
	names = append(names, b.put(t, id, "b", 2)...)
	two.until(t, 6).has(t, names...)
	one.until(t, 6).has(t, names...)
}

func errorsLeavePosition(t *testing.T, b *bench) {
	if b.Fail == nil {
		t.Log("not tried: the rig cannot make reads fail")
		return
	}
	id := b.shards[0].ID
	r := b.open(t, id, shard.TrimHorizon())
	fail := func() {
		t.Helper()
		b.Fail(t, 2)
		for range 2 {
			if err := r.step(t); err == nil {
				t.Fatal("a read that should fail did not")
			}
		}
	}
	fail()
	names := b.put(t, id, "a", 3)
	fail()
	r.until(t, 3)
	names = append(names, b.put(t, id, "b", 3)...)
	fail()
	r.until(t, 6)
	b.Split(t, id)
	fail()
	r.until(t, -1).has(t, names...)
}

func cancelled(t *testing.T, b *bench) {
	id := b.shards[0].ID
	names := b.put(t, id, "a", 3)
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	r := b.open(t, id, shard.TrimHorizon())
	wants(t, "Ready", r.Ready(ctx), context.Canceled)
	_, err := r.Next(ctx)
	wants(t, "Next", err, context.Canceled)
	_, err = b.Source.Describe(ctx)
	wants(t, "Describe", err, context.Canceled)
	_, err = b.Source.List(ctx)
	wants(t, "List", err, context.Canceled)
	r.until(t, 3).has(t, names...)
}

func unknownShard(t *testing.T, b *bench) {
	r := b.open(t, "shardId-000000009999", shard.TrimHorizon())
	wants(t, "Next", r.step(t), shard.ErrNoShard)
}

func unknownStream(t *testing.T, b *bench) {
	if b.Missing == nil {
		t.Log("not tried: the rig cannot name a stream that does not exist")
		return
	}
	_, err := b.Missing.Describe(b.ctx)
	wants(t, "Describe", err, shard.ErrNoStream)
	_, err = b.Missing.List(b.ctx)
	wants(t, "List", err, shard.ErrNoStream)
	r := b.Missing.Open(shard.Start{Shard: b.shards[0].ID})
	if err := r.Ready(b.ctx); err != nil {
		t.Fatal(err)
	}
	_, err = r.Next(b.ctx)
	wants(t, "Next", err, shard.ErrNoStream)
}

func largeRecords(t *testing.T, b *bench) {
	id := b.shards[0].ID
	const key = "large"
	large := bytes.Repeat([]byte("0123456789abcdef"), b.Largest/16+1)[:b.Largest-len(key)]
	b.Put(t, id, key, large)
	b.Put(t, id, key, []byte("small"))
	b.Put(t, id, key, large)
	r := b.open(t, id, shard.TrimHorizon()).until(t, 3)
	for i, want := range [][]byte{large, []byte("small"), large} {
		if _, data := b.Unwrap(r.records[i]); !bytes.Equal(data, want) {
			t.Errorf("record %d has %d bytes that differ from the %d put", i, len(data), len(want))
		}
	}
}

func bareRecords(t *testing.T, b *bench) {
	id := b.shards[0].ID
	b.Put(t, id, "key", nil)
	r := b.open(t, id, shard.TrimHorizon()).until(t, 1)
	r.has(t, "")
	if b.PutUnkeyed == nil {
		t.Log("not tried: the rig cannot put records without a key")
		return
	}
	b.PutUnkeyed(t, id, []byte("free"))
	r.until(t, 2).has(t, "", "free")
	if last := r.records[1]; last.Keyed || last.PartitionKey != "" {
		t.Errorf("a record without a key has Keyed %t and the key %q", last.Keyed, last.PartitionKey)
	}
}

func trimmed(t *testing.T, b *bench) {
	if b.Trim == nil {
		t.Log("not tried: the rig cannot trim records")
		return
	}
	id := b.shards[0].ID
	names := b.put(t, id, "a", 6)
	all := b.open(t, id, shard.TrimHorizon()).until(t, 6).records
	b.Trim(t, id, 4)
	start := shard.Start{Stream: b.stream, Shard: id, After: all[1].Position(), LastArrival: all[1].ArrivedAt}
	r := b.begin(t, start)
	r.until(t, 2).more(t, 1).has(t, names[4:]...)
	if len(r.loss) != 1 {
		t.Fatalf("got %d losses, want 1", len(r.loss))
	}
	want := shard.Loss{
		Shard: id, After: all[1].Position(), Until: all[4].Position(),
		LastArrival: all[1].ArrivedAt, FirstArrival: all[4].ArrivedAt,
	}
	got := r.loss[0]
	if got.Shard != want.Shard || got.After != want.After || got.Until != want.Until ||
		!got.LastArrival.Equal(want.LastArrival) || !got.FirstArrival.Equal(want.FirstArrival) {
		t.Errorf("got the loss %+v, want %+v", got, want)
	}
}

func trimmedRead(t *testing.T, b *bench) {
	if b.Trim == nil {
		t.Log("not tried: the rig cannot trim records")
		return
	}
	id := b.shards[0].ID
	names := b.put(t, id, "a", 4)
	r := b.open(t, id, shard.TrimHorizon()).until(t, 4)
	b.Trim(t, id, 3)
	names = append(names, b.put(t, id, "b", 2)...)
	r.until(t, 6).has(t, names...)
	at3 := b.open(t, id, r.records[3].Position()).until(t, 2)
	at3.has(t, names[4:]...)
	if len(r.loss)+len(at3.loss) != 0 {
		t.Errorf("got losses %v and %v, want none", r.loss, at3.loss)
	}
}
