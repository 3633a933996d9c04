package tape

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/internal/clock"
)

// Config says what to play, where, and how fast. Events and Into are required.
type Config struct {
	// Events is the next event, or io.EOF: Reader.Next.
	Events func() (Event, error)
	// Into is where they are put: Stream, or any other publisher.
	Into destination.Publisher
	// Pace says when; the zero value is as they arrived.
	Pace Pace
	// Skip is how many events are passed over, for a run that goes on with one that
	// was ended: its Played.Next.
	Skip int
	// Tell is called after each call that put something; nil is nobody.
	Tell func(Played)
}

// Played is how far a run came.
type Played struct {
	// Put is how many events were accepted, and Bytes the sum of their payloads.
	Put   int
	Bytes int64
	// Next is how many events of the tape are to be skipped to go on: all before it
	// were accepted, by this run or as skipped.
	Next int
	// Twice is how many of those accepted lie behind Next, and come twice if
	// somebody goes on from there. It is 0 if the run did not end in a call.
	Twice int
	// Late is by how much the last event was put later than its pace had it; 0
	// without a pace.
	Late time.Duration
}

// Bounds of one call to Into.
const (
	callEvents = 500
	callBytes  = 4 << 20
)

// How often a call that puts nothing at all is made again, and how long it is
// waited for before: the wait doubles from the first to the most.
const (
	attempts  = 8
	firstWait = 100 * time.Millisecond
	mostWait  = 5 * time.Second
)

// Play puts every event and returns when all are accepted, or with an error when
// one can not be read or is refused for good, or ctx ends. Played tells how far it
// came in any case.
//
// Where the stream is slower than the pace, events are put as soon as it takes
// them, until they have caught up. What a shard refuses is put again, and nothing
// behind it until it is accepted.
func Play(ctx context.Context, cfg Config) (Played, error) {
	var problems []error
	if cfg.Events == nil {
		problems = append(problems, errors.New("Events is missing: set it to those of a Reader"))
	}
	if cfg.Into == nil {
		problems = append(problems, errors.New("Into is missing: set it to a Stream"))
	}
	if cfg.Skip < 0 {
		problems = append(problems, fmt.Errorf("Skip is %d, want 0 or more", cfg.Skip))
	}
	problems = append(problems, cfg.Pace.validate())
	if v, ok := cfg.Into.(destination.Validator); ok {
		problems = append(problems, v.Validate())
	}
	if err := errors.Join(problems...); err != nil {
		return Played{}, fmt.Errorf("play config: %w", err)
	}
	p := &player{cfg: cfg, clock: clock.From(ctx), schedule: schedule{pace: cfg.Pace}, played: Played{Next: cfg.Skip}}
	err := p.all(ctx)
	return p.played, err
}

// player is one run.
type player struct {
	cfg      Config
	clock    clock.Clock
	schedule schedule
	began    time.Duration // by the clock, when the first event was put
	started  bool
	batch    []batching.Emitted // what is due and not put yet
	bytes    int
	played   Played
}

func (p *player) all(ctx context.Context) error {
	for n := 0; ; n++ {
		e, err := p.cfg.Events()
		switch {
		case errors.Is(err, io.EOF) && n < p.cfg.Skip:
			return fmt.Errorf("there are %d events, and %d are to be skipped", n, p.cfg.Skip)
		case err != nil:
			if put := p.put(ctx); put != nil {
				return put
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		case n < p.cfg.Skip:
			continue
		}
		if err := p.wait(ctx, e.Arrived); err != nil {
			return err
		}
		p.batch = append(p.batch, emitted(e, n))
		if p.bytes += len(e.Data); len(p.batch) >= callEvents || p.bytes >= callBytes {
			if err := p.put(ctx); err != nil {
				return err
			}
		}
	}
}

// wait waits until an event is due, having put what was due before it.
func (p *player) wait(ctx context.Context, arrived time.Time) error {
	if !p.started {
		p.started, p.began = true, p.clock.Elapsed()
	}
	var due time.Duration
	due, p.schedule = p.schedule.next(arrived)
	if due <= p.clock.Elapsed()-p.began {
		return ctx.Err()
	}
	if err := p.put(ctx); err != nil {
		return err
	}
	if err := clock.Sleep(ctx, due-(p.clock.Elapsed()-p.began)); err != nil {
		return context.Cause(ctx)
	}
	return nil
}

// hashAttribute carries Event.ExplicitHash to a Stream.
const hashAttribute = "towpath-explicit-hash"

// emitted is an event as a publisher takes it; its id is its number in the tape. One
// without a key has a key of its own: it waits for no other.
func emitted(e Event, n int) batching.Emitted {
	id := strconv.Itoa(n)
	out := batching.Emitted{ID: id, Key: cmp.Or(e.Key, unkeyed+id), Data: e.Data}
	if e.ExplicitHash != "" {
		out.Attributes = map[string]string{hashAttribute: e.ExplicitHash}
	}
	return out
}

// put puts what is due, until all of it is accepted.
func (p *player) put(ctx context.Context) error {
	rest, wait := p.batch, firstWait
	for tries := 0; len(rest) > 0; {
		before := rest
		err := p.cfg.Into.Publish(ctx, before)
		rest = left(before, err)
		p.count(before, rest)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, destination.ErrRefused):
			return err
		case len(rest) < len(before):
			tries, wait = 0, firstWait
		default:
			if tries++; tries >= attempts {
				return err
			}
		}
		if len(rest) > 0 {
			if err := clock.Sleep(ctx, wait); err != nil {
				return context.Cause(ctx)
			}
			wait = min(2*wait, mostWait)
		}
	}
	p.batch, p.bytes = p.batch[:0], 0
	return nil
}

// left is what a publisher has not accepted.
func left(given []batching.Emitted, err error) []batching.Emitted {
	var refused *destination.PublishError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		return refused.Rest
	}
	return given
}

// count notes that of some events only rest was not accepted, and tells of it.
func (p *player) count(of, rest []batching.Emitted) {
	if len(of) == len(rest) {
		return
	}
	p.played.Put += len(of) - len(rest)
	p.played.Bytes += size(of) - size(rest)
	first := p.batch[len(p.batch)-1:] // of those behind which nothing is accepted
	after := 1
	if len(rest) > 0 {
		first, after = rest, 0
	}
	n, _ := strconv.Atoi(first[0].ID) // emitted wrote it
	p.played.Next = n + after
	p.played.Twice = p.cfg.Skip + p.played.Put - p.played.Next
	if !p.cfg.Pace.Unpaced || p.cfg.Pace.Rate > 0 {
		p.played.Late = max(0, p.clock.Elapsed()-p.began-p.schedule.last)
	}
	if p.cfg.Tell != nil {
		p.cfg.Tell(p.played)
	}
}

func size(events []batching.Emitted) (n int64) {
	for i := range events {
		n += int64(len(events[i].Data))
	}
	return n
}
