package checkpointtest

import (
	"fmt"
	"reflect"
	"time"

	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/shard"
)

// controls is the table as an operator sees it.
func (b *bench) controls() checkpoint.Controls { return b.Leases.(checkpoint.Controls) }

// controlIs wants the control row to be as it is said.
func (b *bench) controlIs(want shard.Control) {
	b.Helper()
	got, err := b.controls().Control(b.Context())
	b.must(err)
	b.sameControl(got, want)
}

func (b *bench) sameControl(got, want shard.Control) {
	b.Helper()
	if !reflect.DeepEqual(got, want) {
		b.Fatalf("got the control row\n%+v, want\n%+v", got, want)
	}
}

// told writes the control row.
func (b *bench) told(seen, next shard.Control) shard.Control {
	b.Helper()
	now, err := b.controls().SetControl(b.Context(), seen, next)
	b.must(err)
	return now
}

// everything is a control row with something in each field.
func everything() shard.Control {
	return shard.Control{
		Limited: true, Limit: 12, Since: 1,
		Shares: map[string]shard.Share{
			anna:                                   {Calls: 5, Gen: 3, Ceiling: 7},
			bert:                                   {Ceiling: 1 << 30},
			"a name: with \"quotes\" and spaces/0": {Calls: 1, Ceiling: 1},
		},
		Pauses: []shard.Pause{
			{}, {Shard: key}, {KeyHash: "0123abcd"}, {Shard: other, KeyHash: "4567"},
		},
		Move: shard.Move{
			ID: "0011", What: "seek every shard to a time", By: "somebody", To: shard.AtTime(created.Add(time.Hour)),
			Since: created, Writing: true, Done: 3, Total: 5,
		},
	}
}

var controlTests = []named{
	{name: "is nothing where nobody has said anything", run: func(b *bench) {
		b.controlIs(shard.Control{})
		b.create() // the maintenance run stands in the same row
		b.controlIs(shard.Control{})
	}},
	{name: "comes as it was set, with the next generation", run: func(b *bench) {
		want := everything()
		now := b.told(shard.Control{}, want)
		want.Gen = 1
		b.sameControl(now, want)
		b.controlIs(want)
		b.told(now, shard.Control{Gen: 77})
		b.controlIs(shard.Control{Gen: 2})
		b.told(shard.Control{Gen: 2}, shard.Control{Limited: true, Since: 3})
		b.controlIs(shard.Control{Gen: 3, Limited: true, Since: 3})
	}},
	{name: "is refused when somebody was faster, and stays", run: func(b *bench) {
		first := b.told(shard.Control{}, everything())
		for _, seen := range []shard.Control{{}, {Gen: 2}} {
			_, err := b.controls().SetControl(b.Context(), seen, shard.Control{})
			b.is(err, checkpoint.ErrFenced)
			b.controlIs(first)
		}
	}},
	{name: "is refused when it was seen and is not there", run: func(b *bench) {
		_, err := b.controls().SetControl(b.Context(), shard.Control{Gen: 1}, everything())
		b.is(err, checkpoint.ErrFenced)
		b.controlIs(shard.Control{})
	}},
	{name: "of many at once, one is written", run: func(b *bench) {
		const writers = 8
		results := make(chan error, writers)
		for i := range writers {
			go func() { // ends with its write; awaited below
				_, err := b.controls().SetControl(b.Context(), shard.Control{}, shard.Control{Limited: true, Limit: i, Since: 1})
				results <- err
			}()
		}
		written := 0
		for range writers {
			if err := <-results; err == nil {
				written++
			} else {
				b.is(err, checkpoint.ErrFenced)
			}
		}
		if written != 1 {
			b.Fatalf("%d of %d writes were taken, want one", written, writers)
		}
	}},
	{name: "does not end a maintenance run, nor the other way round", run: func(b *bench) {
		epoch, err := b.Begin(b.Context())
		b.must(err)
		now := b.told(shard.Control{}, everything())
		b.must(b.Create(b.Context(), epoch, []shard.Lease{{Key: key}}))
		_, err = b.Begin(b.Context())
		b.must(err)
		b.controlIs(now)
		b.must(b.Prepare(b.Context(), stream))
	}},
	{name: "may be set before the first start", unprepared: true, run: func(b *bench) {
		if _, err := b.controls().Control(b.Context()); err != nil {
			return // there is no table yet
		}
		now := b.told(shard.Control{}, everything())
		b.must(b.Prepare(b.Context(), stream))
		b.controlIs(now)
	}},
	{name: "sessions carry the generation that they keep to", run: func(b *bench) {
		s := shard.Session{ID: anna, ShareGen: 4}
		b.must(b.Register(b.Context(), s))
		b.sessionIs(s)
		s.ShareGen = 9
		got, err := b.Heartbeat(b.Context(), s)
		b.must(err)
		s.Beat = 1
		if !reflect.DeepEqual(got, s) {
			b.Fatalf("got session %+v, want %+v", got, s)
		}
		b.sessionIs(s)
	}},
	{name: "sessions are listed at once, the dead among them, and nothing else", run: func(b *bench) {
		b.told(shard.Control{}, everything())
		want := map[string]shard.Session{}
		for i := range 3 {
			s := b.live(fmt.Sprintf("worker-%d/0", i))
			want[s.ID] = s
		}
		dead := b.dead(anna)
		want[dead.ID] = dead
		all, err := b.controls().SessionsNow(b.Context())
		b.must(err)
		got := map[string]shard.Session{}
		for _, s := range all {
			got[s.ID] = s
		}
		if len(all) != len(want) || !reflect.DeepEqual(got, want) {
			b.Fatalf("got sessions %+v, want %+v", got, want)
		}
	}},
}
