package follow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/towpath/towpath/internal/clock"
	"github.com/towpath/towpath/shard"
)

// ErrEnough is what Config.Take returns to end a run that then ends without an
// error.
var ErrEnough = errors.New("enough was read")

// Config says what to read. Source and Take are required.
type Config struct {
	// Source is the stream, such as kinesisshards.Open. How often it is read is an
	// option of the source.
	Source shard.Source
	// Start is where to begin: the zero value is the oldest record kept. A place
	// behind a record needs a single one of Shards.
	Start shard.Position
	// Shards are the ids of those to be read, and what they were split and merged
	// into is read after them; none is all.
	Shards []string
	// Keyed reads the records of the partition key Key alone. Where the stream tells
	// its ranges of hashes, only the shards are read that the key belongs to: a
	// record that was put with an explicit hash elsewhere is not found.
	Keyed bool
	Key   string
	// Until ends the run when every record is read that arrived before it, by the
	// service's time; zero is never.
	Until time.Time
	// ToTip ends the run when each shard has been read to its tip once.
	ToTip bool
	// InOrder gives the records of all shards by the time of their arrival. One
	// answer of each shard is then held in memory at a time; without it, of sixteen.
	InOrder bool
	// Take is called with each record, one at a time. Its error ends the run, and
	// ErrEnough ends it without one.
	Take func(ctx context.Context, r *shard.Record) error
	// Tell is called with what happens beside; one call at a time. Nil is nobody.
	Tell func(Event)
}

// Event is something that happened while a stream was read. One of its fields
// beside Shard is set.
type Event struct {
	// Shard is the id of the shard.
	Shard string
	// Began says where the reading of the shard began, and Ended that it was read
	// to its end, with the shards that go on from it: none, but not nil, if that is
	// not known.
	Began *shard.Position
	Ended []shard.Shard
	// Loss is a window of records that retention passed before they were read.
	Loss *shard.Loss
	// Trouble is a read of the shard, or of the list of its children, that failed
	// and is tried again.
	Trouble error
	// Malformed is how many records of an answer had the frame of an aggregate and
	// could not be read as one; they were given as they are.
	Malformed int
}

// grace is by how much a shard is read beyond Until before it counts as read: a
// record may be visible a little later than the time that it says.
const grace = time.Second

// failures is how many reads of a shard in a row may fail that has been read
// before; one that never was may fail none.
const failures = 5

// parallel bounds the answers that are in memory without InOrder.
const parallel = 16

func (c *Config) validate() error {
	var problems []error
	add := func(bad bool, text string) {
		if bad {
			problems = append(problems, errors.New(text))
		}
	}
	add(c.Source == nil, "Source is missing: set it to a stream, such as kinesisshards.Open")
	add(c.Take == nil, "Take is missing: set it to what is done with a record")
	add(c.Start.IsRecord() && len(c.Shards) != 1, "Start is a place in one shard, and Shards does not name a single one")
	add(c.Start.IsEnd(), "Start is the end of a shard, behind which nothing is")
	problems = append(problems, c.Start.Validate())
	if v, ok := c.Source.(interface{ Validate() error }); ok {
		problems = append(problems, v.Validate())
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("follow config: %w", err)
	}
	return nil
}

// Run reads until Until or the tip is reached, Take has had enough, every shard has ended, or
// ctx ends, which is its error then. A stream or a shard that does not exist is
// shard.ErrNoStream or shard.ErrNoShard.
func Run(ctx context.Context, cfg Config) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	stream, err := cfg.Source.Describe(ctx)
	if err != nil {
		return fmt.Errorf("describe the stream: %w", err)
	}
	listed, err := cfg.Source.List(ctx)
	if err != nil {
		return fmt.Errorf("list the shards: %w", err)
	}
	family, err := newFamily(&cfg, stream, listed)
	if err != nil {
		return err
	}
	inner, cancel := context.WithCancel(ctx)
	group, inner := errgroup.WithContext(inner)
	r := &run{
		cfg: cfg, stream: stream, family: family, group: group,
		merge: merge{inOrder: cfg.InOrder}, readings: map[string]*reading{},
		got: make(chan answer), room: make(chan struct{}, parallel),
	}
	err = r.all(inner)
	cancel()
	if read := group.Wait(); read != nil && (err == nil || errors.Is(err, context.Canceled)) && ctx.Err() == nil {
		err = read // why the coordinator was ended
	}
	switch {
	case errors.Is(err, ErrEnough), err != nil && errors.Is(err, errDone):
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return err
}

var errDone = errors.New("everything is read")

// run is one Run. All of it belongs to its coordinator, but for the channels and
// what a reading goroutine is given.
type run struct {
	cfg      Config
	stream   shard.Stream
	family   *family
	merge    merge
	readings map[string]*reading
	group    *errgroup.Group
	got      chan answer
	room     chan struct{} // without InOrder: as many answers as are held
}

// reading is a shard that is being read. One answer is outstanding at a time: more
// asks for the next.
type reading struct {
	start shard.Start
	more  chan struct{}
}

// answer is what a reading goroutine has to tell: a chunk, or trouble.
type answer struct {
	from    *reading
	chunk   shard.Chunk
	trouble error
	gone    bool // the shard does not exist any more
}

// all is the coordinator.
func (r *run) all(ctx context.Context) error {
	r.begin(ctx)
	for {
		if len(r.readings) == 0 {
			return errDone
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case a := <-r.got:
			if err := r.answered(ctx, a); err != nil {
				return err
			}
		}
	}
}

// begin begins to read the shards that may be.
func (r *run) begin(ctx context.Context) {
	for _, s := range r.family.begin() {
		r.open(ctx, s)
	}
}

// open begins to read a shard, in a goroutine that ends with ctx, with the shard,
// or when it is not asked for more.
func (r *run) open(ctx context.Context, lease shard.Lease) {
	g := &reading{more: make(chan struct{}, 1), start: shard.Start{
		Stream: r.stream, Shard: lease.Shard, Hashes: lease.Hashes, After: lease.Checkpoint,
	}}
	r.readings[lease.Shard] = g
	r.merge.open(lease.Shard)
	r.tell(Event{Shard: lease.Shard, Began: &lease.Checkpoint})
	r.group.Go(func() error { return r.read(ctx, g) })
}

func (r *run) tell(e Event) {
	if r.cfg.Tell != nil {
		r.cfg.Tell(e)
	}
}

// read reads one shard.
func (r *run) read(ctx context.Context, g *reading) (err error) {
	reader := r.cfg.Source.Open(g.start)
	if c, ok := reader.(io.Closer); ok {
		defer c.Close()
	}
	for failed, began := 0, false; ; {
		if err := reader.Ready(ctx); err != nil {
			return nil // the run ends
		}
		if !r.cfg.InOrder {
			select {
			case <-ctx.Done():
				return nil
			case r.room <- struct{}{}:
			}
		}
		c, err := reader.Next(ctx)
		a := answer{from: g, chunk: c}
		switch {
		case err == nil:
			failed, began = 0, true
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, shard.ErrNoShard):
			a.gone = true
		case errors.Is(err, shard.ErrThrottled):
			a.trouble = err // it is waited for in Ready
		case errors.Is(err, shard.ErrNoStream), !began, failed >= failures:
			return fmt.Errorf("read %s: %w", g.start.Shard, err)
		default:
			failed++
			a.trouble = err
		}
		select {
		case <-ctx.Done():
			return nil
		case r.got <- a:
		}
		select {
		case <-ctx.Done():
			return nil
		case _, asked := <-g.more:
			if !asked {
				return nil
			}
		}
	}
}

// answered takes an answer in, gives out what may be given, and asks for more
// where nothing is left.
func (r *run) answered(ctx context.Context, a answer) error {
	id := a.from.start.Shard
	switch {
	case a.trouble != nil:
		r.tell(Event{Shard: id, Trouble: a.trouble})
		r.asked(a.from)
		return nil
	case a.gone:
		r.tell(Event{Shard: id, Loss: &shard.Loss{Shard: id, After: a.from.start.After, Until: shard.End()}})
		a.chunk.Ended = true
	}
	if a.chunk.Loss != nil {
		r.tell(Event{Shard: id, Loss: a.chunk.Loss})
	}
	if n := a.chunk.Aggregates.Malformed; n > 0 {
		r.tell(Event{Shard: id, Malformed: n})
	}
	r.merge.add(id, a.chunk, r.cfg.Until)
	if r.cfg.ToTip && a.chunk.Behind == 0 && r.family.open(id) {
		r.merge.done(id)
	}
	for closed := true; closed; {
		if err := r.give(ctx); err != nil {
			return err
		}
		var err error
		if closed, err = r.goOn(ctx); err != nil {
			return err
		}
	}
	return nil
}

// give gives out what may be given by now.
func (r *run) give(ctx context.Context) error {
	for {
		records := r.merge.next()
		if len(records) == 0 {
			return nil
		}
		for i := range records {
			if r.cfg.Keyed && (!records[i].Keyed || records[i].PartitionKey != r.cfg.Key) {
				continue
			}
			if err := r.cfg.Take(ctx, &records[i]); err != nil {
				return err
			}
		}
	}
}

// goOn asks for more where nothing is left. It reports whether a shard was closed,
// and its children begun: others may have waited for it.
func (r *run) goOn(ctx context.Context) (closed bool, err error) {
	for _, empty := range r.merge.empty() {
		g := r.readings[empty.shard]
		switch {
		case g == nil:
		case empty.ended:
			if err := r.ended(ctx, g, empty.children); err != nil {
				return false, err
			}
			closed = true
		case empty.done:
			r.close(g)
			closed = true
		default:
			r.asked(g)
		}
	}
	if closed {
		r.begin(ctx)
	}
	return closed, nil
}

// asked asks a reading goroutine for the next answer.
func (r *run) asked(g *reading) {
	r.freed()
	r.merge.waiting(g.start.Shard)
	g.more <- struct{}{}
}

// freed gives the place of an answer to another.
func (r *run) freed() {
	if !r.cfg.InOrder {
		<-r.room
	}
}

func (r *run) close(g *reading) {
	r.freed()
	close(g.more)
	delete(r.readings, g.start.Shard)
	r.merge.close(g.start.Shard)
}

// ended goes on from a shard to its children. Where none are told of, as on a
// stream of DynamoDB whose listing lags, the listing is asked once more.
func (r *run) ended(ctx context.Context, g *reading, children []shard.Shard) error {
	r.close(g)
	r.tell(Event{Shard: g.start.Shard, Ended: append([]shard.Shard{}, children...)})
	if len(children) == 0 {
		listed, err := r.listAgain(ctx, g.start.Shard)
		if err != nil {
			return fmt.Errorf("list the children of %s: %w", g.start.Shard, err)
		}
		r.family.list(listed)
	}
	r.family.ended(g.start.Shard, children)
	return nil
}

// listAgain lists the shards, as often as a read may fail: a run may have gone on
// for days by then.
func (r *run) listAgain(ctx context.Context, id string) ([]shard.Shard, error) {
	for failed := 0; ; failed++ {
		listed, err := r.cfg.Source.List(ctx)
		if err == nil || ctx.Err() != nil || errors.Is(err, shard.ErrNoStream) || failed >= failures {
			return listed, err
		}
		r.tell(Event{Shard: id, Trouble: fmt.Errorf("list its children: %w", err)})
		if err := clock.Sleep(ctx, time.Second); err != nil {
			return nil, err
		}
	}
}
