package streams

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/towpath/towpath/shard"
)

// Source is many streams. It is a shard.Streams, to be set as the Source of a
// consumer.Config, and safe for use by many goroutines. Make one with [Of] or
// [Ask]. It remembers what it was told last of each stream, so each consumer needs
// one of its own.
type Source struct {
	given   []shard.Source
	ask     func(context.Context) ([]shard.Source, error)
	options Options
	turn    chan struct{} // filled by whoever asks for the list

	mu      sync.Mutex // guards what is below, and the members; never held while waiting
	members []*member
	asked   bool // the list is known
}

var _ shard.Streams = (*Source)(nil)

// Options change how streams come and go. The zero value of each field is its
// default.
type Options struct {
	// Every is how often the list is asked for, and what could not be described
	// is tried again: 1 s to 1 h, default 1 minute. A shorter time costs calls of
	// the function; a longer one lets a new stream wait.
	Every time.Duration
	// OnRecreated says what becomes of a stream that was deleted and created
	// again under its name. The default, Refuse, is not to read it.
	OnRecreated Recreated
	// ForgetAfter is how long the rows of a stream that is not named any more are
	// kept, by the time that one worker has seen them so: at least 1 minute; the
	// default, 0, is for ever. If it is named again after that, it begins as a new
	// one does.
	ForgetAfter time.Duration
}

// Recreated says what becomes of a stream that was deleted and created again.
type Recreated int

const (
	// Refuse does not read it, and says so.
	Refuse Recreated = iota
	// StartAnew begins it at its starting position, as a new one.
	StartAnew
)

// String is a word.
func (r Recreated) String() string {
	switch r {
	case Refuse:
		return "refuse"
	case StartAnew:
		return "start anew"
	}
	return fmt.Sprintf("Recreated(%d)", int(r))
}

// Of is a fixed list of streams. Each must be there when a consumer starts. It
// does no I/O: what is wrong is told by [Source.Validate].
func Of(sources []shard.Source, options ...func(*Options)) *Source {
	s := newSource(options)
	s.given = append(s.given, sources...)
	return s
}

// Ask is the streams that a function names, which is called at the start and then
// every minute, one call at a time; its context ends after 30 s. An error leaves
// the streams as they are. A stream is known again by its Source being the same
// value, or by its String if only one has it: a function that makes a new Source
// of a short name for each of two accounts has each described again every time.
func Ask(ask func(ctx context.Context) ([]shard.Source, error), options ...func(*Options)) *Source {
	s := newSource(options)
	s.ask = ask
	return s
}

func newSource(options []func(*Options)) *Source {
	s := &Source{turn: make(chan struct{}, 1)}
	for _, option := range options {
		option(&s.options)
	}
	if s.options.Every == 0 {
		s.options.Every = time.Minute
	}
	return s
}

// StartAt is a source with a starting position of its own, in the place of the
// consumer's StartingPosition: shard.TrimHorizon(), shard.Latest() or
// shard.AtTime(t). It holds for a stream that no row is there of.
func StartAt(source shard.Source, at shard.Position) shard.Source {
	return placed{Source: source, at: at}
}

type placed struct {
	shard.Source
	at shard.Position
}

func (p placed) String() string { return nameOf(p.Source) }

// Validate reports everything that can be told to be wrong without a call.
func (s *Source) Validate() error {
	var problems []error
	problem := func(bad bool, format string, arguments ...any) {
		if bad {
			problems = append(problems, fmt.Errorf(format, arguments...))
		}
	}
	problem(s.ask == nil && len(s.given) == 0, "no streams: name at least one, or give Ask a function")
	for i, one := range s.given {
		problems = append(problems, problemsOf(i, one)...)
		for _, other := range s.given[:i] {
			problem(same(one, other), "stream %d, %s, is named twice", i, nameOf(one))
		}
	}
	o := s.options
	problem(o.Every < time.Second || o.Every > time.Hour, "Every is %v, want 1s to 1h", o.Every)
	problem(o.OnRecreated != Refuse && o.OnRecreated != StartAnew, "OnRecreated is %d, want Refuse or StartAnew", int(o.OnRecreated))
	problem(o.ForgetAfter != 0 && o.ForgetAfter < time.Minute, "ForgetAfter is %v, want 0, for never, or at least 1m", o.ForgetAfter)
	return errors.Join(problems...)
}

// problemsOf is what is wrong with the i-th stream of a list.
func problemsOf(i int, source shard.Source) (problems []error) {
	bare := source
	p, is := source.(placed)
	if is {
		bare = p.Source
	}
	if absent(bare) {
		return []error{fmt.Errorf("stream %d is nil, want one that was opened", i)}
	}
	if is {
		err := p.at.Validate()
		if err == nil && (p.at.IsRecord() || p.at.IsEnd()) {
			err = fmt.Errorf("%s is of one shard, want TrimHorizon, Latest or AtTime", p.at)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("stream %d, %s: StartAt: %w", i, nameOf(bare), err))
		}
	}
	if _, many := bare.(shard.Streams); many {
		problems = append(problems, fmt.Errorf("stream %d, %s, is itself many streams: name them one by one", i, nameOf(bare)))
	}
	if v, ok := bare.(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			problems = append(problems, fmt.Errorf("stream %d, %s: %w", i, nameOf(bare), err))
		}
	}
	return problems
}

// absent reports whether a source is nil, or a nil pointer.
func absent(source shard.Source) bool {
	if source == nil {
		return true
	}
	v := reflect.ValueOf(source)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

// same reports whether two sources are the same value.
func same(a, b shard.Source) bool {
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}

// nameOf is what a source calls itself; empty if it does not.
func nameOf(source shard.Source) string {
	if s, ok := source.(fmt.Stringer); ok && !absent(source) {
		return s.String()
	}
	return ""
}

// String says how many streams there are.
func (s *Source) String() string {
	if s.ask == nil {
		return fmt.Sprintf("%d streams", len(s.given))
	}
	return "the streams of a function"
}

// Every implements shard.Streams.
func (s *Source) Every() time.Duration { return s.options.Every }

// ForgetAfter implements shard.Streams.
func (s *Source) ForgetAfter() time.Duration { return s.options.ForgetAfter }

// Describe says that these are many streams; see shard.ManyStreams. It asks for
// the list if nobody has yet. Of a fixed list every stream has to be there by
// then; each that is not is named by the error.
func (s *Source) Describe(ctx context.Context) (shard.Stream, error) {
	if err := s.Validate(); err != nil {
		return shard.Stream{}, fmt.Errorf("many streams: %w", err)
	}
	if err := s.Ask(ctx); err != nil {
		return shard.Stream{}, err
	}
	all := shard.Stream{ARN: shard.ManyStreams, Name: s.String(), Now: time.Now()}
	var problems []error
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, m := range s.members {
		if m.err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", m.title(), m.err))
		}
		all.Retention = max(all.Retention, m.stream.Retention)
		if i == 0 {
			all.Now = all.Now.Add(m.ahead)
		}
	}
	if s.ask == nil && len(s.members) < len(s.given) {
		problems = append(problems, fmt.Errorf("%d streams are named and only %d are there: one is named twice, such as by name and by ARN", len(s.given), len(s.members)))
	}
	if s.ask == nil && len(problems) > 0 {
		return shard.Stream{}, errors.Join(problems...)
	}
	return all, nil
}
