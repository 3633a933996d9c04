package consumer_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard/shardtest"
)

// Hooks that are joined are each called, in their order, whichever there are.
func TestJoinedHooksAreAllCalled(t *testing.T) {
	var first, second witness
	var order []string
	tell := func(who string) consumer.Hooks {
		return consumer.Hooks{Read: func(consumer.ReadEvent) { order = append(order, who) }}
	}
	hooks := reflect.ValueOf(consumer.JoinHooks(consumer.Hooks{}, first.hooks(), second.hooks()))
	for i := range hooks.NumField() {
		name := hooks.Type().Field(i).Name
		if hooks.Field(i).IsNil() {
			t.Errorf("%s of joined hooks is nil: add it to JoinHooks", name)
			continue
		}
		hooks.Field(i).Call([]reflect.Value{reflect.Zero(hooks.Field(i).Type().In(0))})
		if !first.saw(name) || !second.saw(name) {
			t.Errorf("%s was called for the first %v, for the second %v, want both", name, first.saw(name), second.saw(name))
		}
	}
	consumer.JoinHooks(tell("a"), tell("b"), tell("c")).Read(consumer.ReadEvent{})
	if got := reflect.DeepEqual(order, []string{"a", "b", "c"}); !got {
		t.Errorf("called %v, want a, b, c", order)
	}
	if joined := consumer.JoinHooks(); joined.Read != nil {
		t.Error("no hooks joined have one")
	}
}

// Every loop turns while nothing answers, so that its standing still says that
// the process is stuck and not that something else is; only Answered tells.
func TestLoopsTurnThroughAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, table := shardtest.NewStream(2), checkpointtest.NewTable()
		cfg := config(stream, table)
		cfg.Handler = &tally{}
		r := start(t, cfg)
		await(t, "the shards", func() bool { return r.holds() == 2 })
		begun := r.Status().Loops.Begun
		table.Interpose(func(ctx context.Context, _ checkpointtest.Call) error { <-ctx.Done(); return ctx.Err() }, nil)
		stream.Fault(func(shardtest.Call) error { return errors.New("the stream is down") })
		lost := time.Now()
		for range 100 {
			time.Sleep(7 * time.Second)
			l := r.Status().Loops
			for name, at := range map[string]time.Time{"heartbeat": l.Heartbeat, "mailbox": l.Mailbox, "fleet": l.Fleet} {
				most := 15 * time.Second // but for the fleet's, which may wait for a listing
				if name == "fleet" {
					most = 70 * time.Second
				}
				if since := time.Since(at); since > most {
					t.Fatalf("%v after the outage began the %s has not turned for %v", time.Since(lost), name, since)
				}
			}
			if !l.Begun.Equal(begun) || time.Since(l.Answered) < time.Since(lost) {
				t.Fatalf("begun %v, was %v; answered %v ago in an outage of %v", l.Begun, begun, time.Since(l.Answered), time.Since(lost))
			}
		}
		table.Interpose(nil, nil)
		stream.Fault(nil)
		await(t, "an answer", func() bool { return time.Since(r.Status().Loops.Answered) < 3*time.Second })
	})
}

// Status says how old the oldest unfinished record is, how long the stream keeps
// one, and for how long a shard has got nowhere.
func TestStatusShowsHowOldAShardIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(1)
		cfg := config(stream, checkpointtest.NewTable())
		h, _ := deaf(t)
		cfg.Handler = h
		r := start(t, cfg)
		await(t, "the shard", func() bool { return r.holds() == 1 })
		time.Sleep(time.Minute)
		if s := r.Status().Shards[0]; s.Age > 5*time.Second || s.Retention != 24*time.Hour || s.Still != 0 {
			t.Errorf("a shard at its tip shows an age of %v, a retention of %v, and stands for %v", s.Age, s.Retention, s.Still)
		}
		stream.Put("key", []byte("a"))
		time.Sleep(10 * time.Minute)
		// It is counted by looks, of which the first may have been due just after the record came.
		const oneLook = 5 * time.Second
		if s := r.Status().Shards[0]; s.Age < 599*time.Second || s.Age > 602*time.Second || s.Still < 9*time.Minute || s.Still > s.Age+oneLook {
			t.Errorf("a shard whose record waits for ten minutes shows an age of %v and stands for %v", s.Age, s.Still)
		}
		if s := r.Status(); s.MemoryBudget < 32<<20 || s.Stopping {
			t.Errorf("the budget is %d bytes, stopping %v", s.MemoryBudget, s.Stopping)
		}
	})
}
