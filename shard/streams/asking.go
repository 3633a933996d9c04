package streams

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/towpath/towpath/shard"
)

// member is one stream. Its fields but the first three are guarded by the mu of
// its Source.
type member struct {
	source shard.Source // with the driver's own ids
	name   string
	start  *shard.Position

	key    shard.StreamKey
	stream shard.Stream
	before []shard.Shard
	listed []shard.Shard
	gone   bool
	err    error
	tries  int       // how often in a row it has failed
	due    time.Time // not before is it tried again
	slow   bool      // the last failure took its time: nobody waits for it again
	ahead  time.Duration
}

func newMember(source shard.Source) *member {
	m := &member{source: source, name: nameOf(source), err: errNotYet}
	if p, ok := source.(placed); ok {
		m.source, m.start = p.Source, &p.at
	}
	return m
}

// errNotYet is the trouble of a stream that nobody has tried to describe.
var errNotYet = errors.New("the stream has not been described yet")

// title is how errors call the stream.
func (m *member) title() string {
	switch {
	case m.name != "":
		return m.name
	case m.key != (shard.StreamKey{}):
		return "stream " + m.key.String()
	}
	return "a stream without a name"
}

func (m *member) described() bool { return m.key != (shard.StreamKey{}) && !m.gone }

const (
	// askTime is what the user's function may take, and oneTime what describing
	// or listing one stream may: it has many pages, and a service that asks to
	// slow down between them. Look, for which others wait, gives one lookTime.
	askTime  = 30 * time.Second
	oneTime  = 30 * time.Second
	lookTime = 10 * time.Second
	// slowly is how long a call takes that fails without an answer. A service
	// that refuses does so at once.
	slowly = 2 * time.Second
	// atOnce is how many streams are described or listed at once. The control
	// plane of Kinesis answers 20 DescribeStreamSummary a second and account:
	// https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
	atOnce = 8
	// longestWait bounds the wait before a stream that failed is tried again.
	longestWait = time.Minute
)

// Ask implements shard.Streams.
func (s *Source) Ask(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	named, err := s.list(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	known := s.members
	next := matched(known, named)
	var open []*member
	for _, m := range next {
		if m.err != nil && !time.Now().Before(m.due) {
			open = append(open, m)
		}
	}
	s.mu.Unlock()
	each(open, func(m *member) { s.again(ctx, m) })
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.members, s.asked = settled(known, next), true
	return nil
}

// list is the streams that are to be read.
func (s *Source) list(ctx context.Context) ([]shard.Source, error) {
	if s.ask == nil {
		return s.given, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	named, err := s.ask(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask for the streams: %w", err)
	}
	var problems []error
	for i, one := range named {
		problems = append(problems, problemsOf(i, one)...)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("ask for the streams: %w", err)
	}
	return named, nil
}

// matched is a member for each stream that is named: the one that is known, if it
// is the same value or the only one of its name on both sides, else a new one.
func matched(known []*member, named []shard.Source) []*member {
	count := map[string]int{}
	for _, one := range named {
		count[nameOf(one)]++
	}
	before := map[string]int{}
	for _, m := range known {
		before[m.name]++
	}
	taken := map[*member]bool{}
	next := make([]*member, 0, len(named))
	for _, one := range named {
		fresh := newMember(one)
		found := fresh
		for _, m := range known {
			if taken[m] {
				continue
			}
			alone := m.name != "" && m.name == fresh.name && count[m.name] == 1 && before[m.name] == 1
			if same(m.source, fresh.source) || alone {
				found = m
				break
			}
		}
		if found != fresh && fresh.start != nil {
			found.start = fresh.start
		}
		taken[found] = true
		next = append(next, found)
	}
	return next
}

// settled is the members after a question: one for each stream, and the known one
// where a new one turned out to be it. As long as a stream that is named could not
// be described, none of its name is taken for one that is not named any more.
func settled(known, next []*member) []*member {
	var kept []*member
	has := map[*member]bool{}
	keys := map[shard.StreamKey]*member{}
	keep := func(m *member) {
		other := keys[m.key]
		switch {
		case has[m] || m.described() && other != nil && other.stream.ARN == m.stream.ARN:
			return
		case m.described() && other != nil:
			// Same account, name and second of creation, in two Regions.
			m.failed(fmt.Errorf("%s and %s have the same key, %s: one application can read only one of them",
				m.stream.ARN, other.stream.ARN, m.key), time.Now())
			m.key = shard.StreamKey{}
		case m.described():
			keys[m.key] = m
		}
		has[m] = true
		kept = append(kept, m)
	}
	named := map[*member]bool{}
	for _, m := range next {
		named[m] = true
	}
	for _, m := range next {
		for _, old := range known {
			if m.described() && !named[old] && old.described() && old.key == m.key {
				m = old
			}
		}
		keep(m)
	}
	for _, old := range known {
		for _, m := range next {
			if !m.described() && !named[old] && old.described() && old.name == m.name {
				keep(old)
			}
		}
	}
	return kept
}

// again tries what has failed, or what nobody has tried.
func (s *Source) again(ctx context.Context, m *member) {
	s.mu.Lock()
	described := m.described()
	s.mu.Unlock()
	if described {
		s.look(ctx, m, oneTime, false)
		return
	}
	s.describe(ctx, m, oneTime)
}

// describe finds out which stream a member is. The listing comes first: what is
// closed in it ended before the time to which a start at the tip is pinned.
func (s *Source) describe(ctx context.Context, m *member, limit time.Duration) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	listed, err := m.source.List(ctx)
	var stream shard.Stream
	var key shard.StreamKey
	if err == nil {
		stream, err = m.source.Describe(ctx)
	}
	if err == nil {
		key, err = shard.KeyOf(stream)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		m.failed(err, began)
		return
	}
	if key != m.key {
		m.key, m.stream, m.before = key, stream, listed
	}
	m.listed, m.gone = listed, false
	m.ahead = time.Until(stream.Now)
	m.succeeded()
}

// failed takes note of an error of what began then. The caller holds mu.
func (m *member) failed(err error, began time.Time) {
	m.err, m.slow = err, time.Since(began) > slowly
	m.gone = m.gone || errors.Is(err, shard.ErrNoStream) && m.key != (shard.StreamKey{})
	m.due = time.Now().Add(min(longestWait, time.Second<<min(m.tries, 10)))
	m.tries++
}

// succeeded takes note that there was none. The caller holds mu.
func (m *member) succeeded() { m.err, m.slow, m.tries, m.due = nil, false, 0, time.Time{} }

// each calls do with every member, some at once, and waits for all.
func each(members []*member, do func(*member)) {
	var all sync.WaitGroup
	places := make(chan struct{}, atOnce)
	for _, m := range members {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			do(m)
		})
	}
	all.Wait()
}
