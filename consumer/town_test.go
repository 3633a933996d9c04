package consumer_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/shardtest"
	"github.com/towpath/towpath/shard/streams"
)

// place is where a stream is under its name: another one may take its place.
type place struct {
	name string

	mu  sync.Mutex
	now *shardtest.Stream
}

func newPlace(name string, shards int) *place {
	return &place{name: name, now: newStream(name, shards)}
}

func newStream(name string, shards int) *shardtest.Stream {
	return shardtest.NewStream(shards, func(o *shardtest.Options) { o.Name = name })
}

func (p *place) stream() *shardtest.Stream {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

// again deletes the stream and creates another one under its name.
func (p *place) again(shards int) {
	p.stream().Delete()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = newStream(p.name, shards)
}

func (p *place) String() string { return "stream " + p.name }

func (p *place) Describe(ctx context.Context) (shard.Stream, error) {
	return p.stream().Describe(ctx)
}

func (p *place) List(ctx context.Context) ([]shard.Shard, error) { return p.stream().List(ctx) }

// Open reads whatever is there at each read: a position of the stream before is
// not of this one.
func (p *place) Open(start shard.Start) shard.Reader {
	p.mu.Lock()
	defer p.mu.Unlock()
	return &placeReader{Reader: p.now.Open(start), place: p, of: p.now}
}

type placeReader struct {
	shard.Reader
	place *place
	of    *shardtest.Stream
}

func (r *placeReader) Next(ctx context.Context) (shard.Chunk, error) {
	if r.place.stream() != r.of {
		return shard.Chunk{}, fmt.Errorf("this iterator is of another stream: %w", shard.ErrNoStream)
	}
	return r.Reader.Next(ctx)
}

// town is several streams under their names, of which a function names some, with
// an account of what was handled.
type town struct {
	mu      sync.Mutex
	places  map[string]*place
	named   []string
	refuse  error
	put     map[string]int
	handled map[string][]string // payloads by stream and key, in order
	shards  map[string]string   // stream by shard id of batches
	events  []consumer.StreamEvent
	wrong   []string
}

func newTown(names ...string) *town {
	w := &town{places: map[string]*place{}, named: names, put: map[string]int{}, handled: map[string][]string{}, shards: map[string]string{}}
	for i, name := range names {
		w.places[name] = newPlace(name, 1+i%3)
	}
	return w
}

func (w *town) ask(context.Context) ([]shard.Source, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refuse != nil {
		return nil, w.refuse
	}
	var all []shard.Source
	for _, name := range w.named {
		all = append(all, w.places[name])
	}
	return all, nil
}

func (w *town) name(names ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range names {
		if w.places[name] == nil {
			w.places[name] = newPlace(name, 2)
		}
	}
	w.named = names
}

// write puts n records over three keys into a stream.
func (w *town) write(name string, n int) {
	for range n {
		w.mu.Lock()
		i := w.put[name]
		w.put[name]++
		p := w.places[name]
		w.mu.Unlock()
		p.stream().Put(fmt.Sprint("key-", i%3), fmt.Append(nil, i))
	}
}

// Handle checks what every batch says of itself.
func (w *town) Handle(_ context.Context, b *batching.Batch) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	wrong := func(format string, args ...any) { w.wrong = append(w.wrong, fmt.Sprintf(format, args...)) }
	key, plain, ok := shard.SplitID(b.Shard)
	if !ok || !strings.HasSuffix(b.Stream, "/"+key.Name) {
		wrong("a batch of %s says that it is of %s", b.Shard, b.Stream)
	}
	if was := w.shards[b.Shard]; was != "" && was != b.Stream {
		wrong("%s is of %s and of %s", b.Shard, was, b.Stream)
	}
	if b.Fence().Stream != key.Epoch*1000 {
		wrong("the fence of %s is %s", b.Shard, b.Fence())
	}
	w.shards[b.Shard] = b.Stream
	for _, r := range b.Records {
		if r.Stream != b.Stream || r.Shard != plain {
			wrong("a record of %s in %s says %s in %s", b.Shard, b.Stream, r.Shard, r.Stream)
		}
		id := key.Name + "/" + r.PartitionKey
		w.handled[id] = append(w.handled[id], string(r.Data))
	}
	return nil
}

func (w *town) noted(e consumer.StreamEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

// told reports whether a state of a stream has been told of.
func (w *town) told(name string, state consumer.StreamState) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.events, func(e consumer.StreamEvent) bool {
		return strings.HasSuffix(cmp.Or(e.ARN, e.Name), name) && e.State == state
	})
}

// count is how many records of a stream have been handled, each counted once.
func (w *town) count(name string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := map[string]bool{}
	for key, all := range w.handled {
		if strings.HasPrefix(key, name+"/") {
			for _, one := range all {
				seen[one] = true
			}
		}
	}
	return len(seen)
}

func (w *town) config(table checkpoint.Leases, options ...func(*streams.Options)) consumer.Config {
	cfg := config(nil, nil)
	cfg.Source, cfg.Leases, cfg.Handler = streams.Ask(w.ask, options...), table, w
	cfg.Hooks.StreamChanged = w.noted
	return cfg
}

// done fails the test if something was wrong, or handled out of order or twice.
func (w *town) done(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.wrong {
		t.Error(s)
	}
	for key, all := range w.handled {
		for i := range all {
			if i > 0 && len(all[i]) == len(all[i-1]) && all[i] <= all[i-1] {
				t.Errorf("%s: %s came after %s", key, all[i], all[i-1])
			}
		}
	}
}

// state is the state of a stream by its status.
func state(r *running, name string) consumer.StreamState {
	for _, s := range r.Status().Streams {
		if strings.HasSuffix(cmp.Or(s.ARN, s.Name), name) {
			return s.State
		}
	}
	return -1
}
