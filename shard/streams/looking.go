package streams

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/towpath/towpath/shard"
)

// Look implements shard.Streams. A stream that failed a moment ago is not asked
// again yet, nor is one that was slow to: it comes with its error and the listing from before.
func (s *Source) Look(ctx context.Context, verify bool) ([]shard.Member, error) {
	s.mu.Lock()
	members := slices.Clone(s.members)
	s.mu.Unlock()
	each(members, func(m *member) {
		s.mu.Lock()
		slow := m.slow
		s.mu.Unlock()
		if !slow { // Ask tries that again, for which nobody waits
			s.look(ctx, m, lookTime, verify)
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.snapshot(true), nil
}

// look lists one stream, if it is its turn.
func (s *Source) look(ctx context.Context, m *member, limit time.Duration, verify bool) {
	began := time.Now()
	s.mu.Lock()
	described, due, key := m.described(), !time.Now().Before(m.due), m.key
	s.mu.Unlock()
	switch {
	case !due:
		return
	case !described && verify:
		s.describe(ctx, m, limit)
		return
	case !described || verify && !s.verified(ctx, m, limit):
		return
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	listed, err := m.source.List(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case m.key != key: // it is another one by now
	case err != nil:
		m.failed(err, began)
	default:
		m.listed = listed
		m.succeeded()
	}
}

// verified describes a stream again, and reports whether it is the one it was.
// One that was created again becomes another at once.
func (s *Source) verified(ctx context.Context, m *member, limit time.Duration) bool {
	began := time.Now()
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	stream, err := m.source.Describe(bounded)
	var key shard.StreamKey
	if err == nil {
		key, err = shard.KeyOf(stream)
	}
	s.mu.Lock()
	was := m.key
	if err != nil {
		m.failed(err, began)
	}
	s.mu.Unlock()
	if err == nil && key != was {
		s.describe(ctx, m, limit)
	}
	return err == nil && key == was
}

// Check implements shard.Streams.
func (s *Source) Check(ctx context.Context, shardID string) bool {
	if m := s.find(shardID); m != nil {
		s.verified(ctx, m, lookTime)
	}
	return s.find(shardID) != nil
}

// find is the member that a shard is of, nil if none is.
func (s *Source) find(shardID string) *member {
	key, _, ok := shard.SplitID(shardID)
	if !ok {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.members {
		if m.described() && m.key == key {
			return m
		}
	}
	return nil
}

// Of implements shard.Streams.
func (s *Source) Of(shardID string) (shard.Member, bool) {
	m := s.find(shardID)
	if m == nil {
		return shard.Member{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.told(m, false), m.described()
}

// Members implements shard.Streams.
func (s *Source) Members() []shard.Member { return s.snapshot(false) }

func (s *Source) snapshot(listings bool) []shard.Member {
	s.mu.Lock()
	defer s.mu.Unlock()
	told := make([]shard.Member, len(s.members))
	for i, m := range s.members {
		told[i] = s.told(m, listings)
	}
	return told
}

// told is a member as callers get it, with its listings or without. The caller
// holds mu.
func (s *Source) told(m *member, listings bool) shard.Member {
	t := shard.Member{
		Name: m.name, Key: m.key, Gone: m.gone, Stream: m.stream, Err: m.err, Anew: s.options.OnRecreated == StartAnew,
		Source: &branch{source: m.source, key: m.key, stream: m.stream},
	}
	if m.start != nil {
		t.Start, t.Started = *m.start, true
	}
	if listings {
		t.Before, t.Listed = qualified(m.key, m.before), qualified(m.key, m.listed)
	}
	return t
}

// List returns the shards of every stream, of one that cannot be listed now as
// they were when it could. It is an error only if none ever could. It asks for the
// list of streams if nobody has yet.
func (s *Source) List(ctx context.Context) ([]shard.Shard, error) {
	s.mu.Lock()
	asked := s.asked
	s.mu.Unlock()
	if !asked {
		if err := s.Ask(ctx); err != nil {
			return nil, err
		}
	}
	members, err := s.Look(ctx, false)
	if err != nil {
		return nil, err
	}
	var all []shard.Shard
	var problems []error
	for _, m := range members {
		all = append(all, m.Listed...)
		problems = append(problems, m.Err)
	}
	if len(all) == 0 {
		return nil, errors.Join(problems...)
	}
	return all, nil
}
