package checkpointtest

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

var prepareTests = []named{
	{name: "again, by another worker", run: func(b *bench) { b.must(b.Prepare(b.Context(), stream)) }},
	{name: "refuses another stream, naming both", run: func(b *bench) {
		orders := stream
		orders.ARN = "arn:aws:kinesis:eu-central-1:123456789012:stream/orders"
		err := b.Prepare(b.Context(), orders)
		b.is(err, checkpoint.ErrOtherStream)
		b.says(err, stream.ARN, orders.ARN)
	}},
	{name: "refuses many streams where there was one, naming both", run: func(b *bench) {
		err := b.Prepare(b.Context(), shard.Stream{ARN: shard.ManyStreams})
		b.is(err, checkpoint.ErrOtherStream)
		b.says(err, stream.ARN, shard.ManyStreams)
	}},
	{name: "refuses the stream created again", run: func(b *bench) {
		again := stream
		again.CreatedAt = created.Add(time.Hour)
		b.is(b.Prepare(b.Context(), again), checkpoint.ErrRecreated)
		b.must(b.Prepare(b.Context(), stream))
	}},
	{name: "does not end a maintenance run", run: func(b *bench) {
		epoch, err := b.Begin(b.Context())
		b.must(err)
		b.must(b.Prepare(b.Context(), stream))
		b.must(b.Create(b.Context(), epoch, []shard.Lease{{Key: key}}))
	}},
}

// says wants words in an error.
func (b *bench) says(err error, words ...string) {
	b.Helper()
	for _, w := range words {
		if !contains(err.Error(), w) {
			b.Errorf("error %q does not name %q", err, w)
		}
	}
}

func (b *bench) sessionIs(want shard.Session) {
	b.Helper()
	got, err := b.Session(b.Context(), want.ID)
	b.must(err)
	if !reflect.DeepEqual(got, want) {
		b.Fatalf("got session %+v, want %+v", got, want)
	}
}

func (b *bench) noSession(id string) {
	b.Helper()
	_, err := b.Session(b.Context(), id)
	b.is(err, checkpoint.ErrNoSession)
}

var sessionTests = []named{
	{name: "register writes what the session says", run: func(b *bench) {
		want := shard.Session{ID: anna, Load: 1.5, MaxLeases: 7, Version: 2, Leaving: true, Plans: 4, Looks: 3}
		b.must(b.Register(b.Context(), want))
		b.sessionIs(want)
	}},
	{name: "register is refused when the id exists", run: func(b *bench) {
		was := b.live(anna)
		b.is(b.Register(b.Context(), shard.Session{ID: anna, Load: 9}), checkpoint.ErrFenced)
		b.sessionIs(was)
	}},
	{name: "register brings no revoked session back", run: func(b *bench) {
		was := b.dead(anna)
		b.is(b.Register(b.Context(), shard.Session{ID: anna}), checkpoint.ErrFenced)
		b.sessionIs(was)
	}},
	{name: "heartbeat counts and writes load, plans, looks and leaving", run: func(b *bench) {
		s := b.live(anna)
		for beat := int64(1); beat <= 3; beat++ {
			s.Load, s.Plans, s.Looks, s.Leaving = float64(beat)/4, beat*10, beat*5, beat == 3
			got, err := b.Heartbeat(b.Context(), s)
			b.must(err)
			s.Beat = beat
			if !reflect.DeepEqual(got, s) {
				b.Fatalf("got session %+v, want %+v", got, s)
			}
			b.sessionIs(s)
		}
	}},
	{name: "heartbeat counts from what stands, whatever its caller saw", run: func(b *bench) {
		s := b.live(anna)
		for range 3 {
			if _, err := b.Heartbeat(b.Context(), s); err != nil {
				b.Fatal(err)
			}
		}
		s.Beat = 3
		b.sessionIs(s)
	}},
	{name: "heartbeat is refused when the session is gone, and makes none", run: func(b *bench) {
		_, err := b.Heartbeat(b.Context(), shard.Session{ID: anna})
		b.is(err, checkpoint.ErrSessionOver)
		b.noSession(anna)
	}},
	{name: "heartbeat is refused when the session is revoked", run: func(b *bench) {
		s := b.dead(anna)
		_, err := b.Heartbeat(b.Context(), s)
		b.is(err, checkpoint.ErrSessionOver)
		b.sessionIs(s)
	}},
	{name: "heartbeat brings the inbox", run: func(b *bench) {
		s := b.live(anna)
		h := shard.Hint{Kind: shard.HintDrain, Key: "a key: with 3 words", Counter: 12}
		b.must(b.Tell(b.Context(), anna, h))
		got, err := b.Heartbeat(b.Context(), s)
		b.must(err)
		if !slices.Equal(got.Inbox, []shard.Hint{h}) {
			b.Fatalf("got inbox %v, want %v", got.Inbox, h)
		}
	}},
	{name: "sessions lists workers and nothing else", run: func(b *bench) {
		b.free(key) // the maintenance run must not show up
		for i := range 3 {
			b.live(fmt.Sprintf("worker-%d/0", i))
		}
		all, err := b.Sessions(b.Context())
		b.must(err)
		var ids []string
		for _, s := range all {
			ids = append(ids, s.ID)
		}
		slices.Sort(ids)
		if want := []string{"worker-0/0", "worker-1/0", "worker-2/0"}; !slices.Equal(ids, want) {
			b.Fatalf("got sessions %v, want %v", ids, want)
		}
	}},
	{name: "revoke ends a session that does not beat", run: func(b *bench) {
		s := b.live(anna)
		b.must(b.Revoke(b.Context(), s, bert))
		s.RevokedBy = bert
		b.sessionIs(s)
	}},
	{name: "revoke is refused when the session has beaten since", run: func(b *bench) {
		s := b.live(anna)
		now, err := b.Heartbeat(b.Context(), s)
		b.must(err)
		b.is(b.Revoke(b.Context(), s, bert), checkpoint.ErrFenced)
		b.sessionIs(now)
	}},
	{name: "revoke is refused when the session is gone, and makes none", run: func(b *bench) {
		b.refusedNoRow(b.Revoke(b.Context(), shard.Session{ID: anna}, bert))
		b.noSession(anna)
	}},
	{name: "revoke is refused when the session is revoked", run: func(b *bench) {
		s := b.dead(anna)
		b.is(b.Revoke(b.Context(), s, cleo), checkpoint.ErrFenced)
		b.sessionIs(s)
	}},
	{name: "leave deletes the session", run: func(b *bench) {
		b.live(anna)
		b.must(b.Leave(b.Context(), anna))
		b.noSession(anna)
		b.must(b.Leave(b.Context(), anna))
	}},
	{name: "leave is refused when the session is revoked", run: func(b *bench) {
		s := b.dead(anna)
		b.is(b.Leave(b.Context(), anna), checkpoint.ErrSessionOver)
		b.sessionIs(s)
	}},
	{name: "leave is refused while something is unread", run: func(b *bench) {
		s := b.live(anna)
		s.Inbox = []shard.Hint{{Kind: shard.HintStart, Key: key, Counter: 7}}
		b.must(b.Tell(b.Context(), anna, s.Inbox[0]))
		b.is(b.Leave(b.Context(), anna), checkpoint.ErrUnread)
		b.sessionIs(s)
		b.must(b.Forget(b.Context(), anna, s.Inbox))
		b.must(b.Leave(b.Context(), anna))
		b.noSession(anna)
	}},
	{name: "tell is refused when the session is gone, and makes none", run: func(b *bench) {
		b.is(b.Tell(b.Context(), anna, shard.Hint{Kind: shard.HintFree, Key: key}), checkpoint.ErrSessionOver)
		b.noSession(anna)
	}},
	{name: "tell is refused when the session is revoked", run: func(b *bench) {
		s := b.dead(anna)
		b.is(b.Tell(b.Context(), anna, shard.Hint{Kind: shard.HintFree, Key: key}), checkpoint.ErrSessionOver)
		b.sessionIs(s)
	}},
	{name: "hints come as they were given, once, until they are forgotten", run: func(b *bench) {
		s := b.live(anna)
		hints := []shard.Hint{
			{Kind: shard.HintDrain, Key: key, Counter: 3},
			{Kind: shard.HintFree, Key: "123456789012:clicks:1700000000:" + key, Counter: 4_000_000_007},
			{Kind: shard.HintStart, Key: "two words", Counter: 0},
		}
		for _, h := range append(hints, hints...) {
			b.must(b.Tell(b.Context(), anna, h))
		}
		s.Inbox = hints
		b.sessionIs(s)
		b.must(b.Forget(b.Context(), anna, nil))
		b.must(b.Forget(b.Context(), anna, []shard.Hint{hints[0], hints[2], hints[0]}))
		s.Inbox = hints[1:2]
		b.sessionIs(s)
		b.must(b.Forget(b.Context(), anna, hints))
		s.Inbox = nil
		b.sessionIs(s)
	}},
	{name: "forget makes no session", run: func(b *bench) {
		b.is(b.Forget(b.Context(), anna, []shard.Hint{{Kind: shard.HintFree, Key: key}}), checkpoint.ErrSessionOver)
		b.noSession(anna)
	}},
	{name: "bury deletes a revoked session", run: func(b *bench) {
		s := b.dead(anna)
		b.must(b.Bury(b.Context(), s))
		b.noSession(anna)
		b.must(b.Bury(b.Context(), s))
	}},
	{name: "bury is refused when the session is not revoked", run: func(b *bench) {
		s := b.live(anna)
		b.is(b.Bury(b.Context(), s), checkpoint.ErrFenced)
		b.sessionIs(s)
	}},
}
