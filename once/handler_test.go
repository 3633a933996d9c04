package once_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/once"
	"github.com/towpath/towpath/once/oncetest"
	"github.com/towpath/towpath/shard"
)

func batch(shardID string, fence int64, payloads ...string) *batching.Batch {
	b := &batching.Batch{Stream: "arn", Shard: shardID, Token: batching.Fence{Stream: 1, Counter: fence}}
	for i, p := range payloads {
		b.Records = append(b.Records, shard.Record{Stream: "arn", Shard: shardID, Sequence: fmt.Sprint(i + 1), Data: []byte(p)})
	}
	return b
}

// diary notes which effects were applied, and whether they might have been
// before.
type diary struct {
	text  []string
	fail  map[string]error
	token map[string]string
}

func (d *diary) apply(_ context.Context, e *once.Effect) error {
	payload := string(e.Record.Data)
	if before, ok := d.token[e.Record.ID()]; ok && before != e.Token {
		return errors.New("another token for another attempt")
	}
	if d.token == nil {
		d.token = map[string]string{}
	}
	d.token[e.Record.ID()] = e.Token
	if err := d.fail[payload]; err != nil {
		return err
	}
	if e.Maybe {
		payload += "?"
	}
	d.text = append(d.text, payload)
	return nil
}

func handler(t *testing.T, d *diary, options ...func(*once.Options)) *once.Handler {
	t.Helper()
	h, err := once.Each(&oncetest.Store{}, d.apply, options...)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (d *diary) want(t *testing.T, want string) {
	t.Helper()
	if got := strings.Join(d.text, " "); got != want {
		t.Errorf("applied %q, want %q", got, want)
	}
}

func TestARepeatedBatchIsAppliedOnce(t *testing.T) {
	d := &diary{}
	h := handler(t, d)
	for fence := range 3 {
		if err := h.Handle(t.Context(), batch("s", int64(fence), "a", "b", "a")); err != nil {
			t.Fatal(err)
		}
	}
	d.want(t, "a b a") // two records with one payload are two effects
}

func TestAFailedEffectIsTriedAgainWithItsToken(t *testing.T) {
	boom := errors.New("boom")
	d := &diary{fail: map[string]error{"b": boom}}
	h := handler(t, d)
	b := batch("s", 1, "a", "b", "c")
	if o := batching.Read(b.Records, h.Handle(t.Context(), b)); !o.Failed || o.From != 1 || !errors.Is(o.Err, boom) {
		t.Errorf("outcome %v of error %v, want failed from the second", o, o.Err)
	}
	d.fail = nil
	if err := h.Handle(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	d.want(t, "a b? c")
}

func TestAnEventThatWasSentTwiceIsAppliedOnce(t *testing.T) {
	d := &diary{}
	h := handler(t, d, func(o *once.Options) {
		o.ID = func(r *shard.Record) (string, error) {
			id, _, ok := strings.Cut(string(r.Data), ":")
			if !ok {
				return "", errors.New("there is no colon")
			}
			return id, nil
		}
		o.Validate = true
	})
	b := batch("s", 1, "1:x", "2:y", "1:x", "no id", ":z", "1:other", "3:w")
	o := batching.Read(b.Records, h.Handle(t.Context(), b))
	if o.Failed || len(o.Rejects) != 3 || o.Rejects[0].Index != 3 || o.Rejects[1].Index != 4 || o.Rejects[2].Index != 5 ||
		!errors.Is(o.Rejects[2].Err, once.ErrOtherPayload) {
		t.Errorf("outcome %v, want the three without an id or with another payload rejected", o)
	}
	if err := h.Handle(t.Context(), batch("other", 1, "1:x", "4:v")); err != nil {
		t.Fatal(err)
	}
	d.want(t, "1:x 2:y 3:w 4:v")
}

// Another shard waits for an effect in progress, and takes it over when its
// claim has run out; waiting burns no attempt.
func TestAnEffectInProgressElsewhereIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &oncetest.Store{}
		_, err := store.Begin(t.Context(), once.Claim{ID: "app/x", Attempt: "a", Shard: "arn/s", Now: time.Now(), Until: time.Now().Add(time.Minute), Expires: time.Now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		d := &diary{}
		h, err := once.Each(store, d.apply, func(o *once.Options) {
			o.Scope = "app/"
			o.ID = func(r *shard.Record) (string, error) { return string(r.Data), nil }
		})
		if err != nil {
			t.Fatal(err)
		}
		b := batch("other", 1, "w", "x")
		o := batching.Read(b.Records, h.Handle(t.Context(), b))
		if !o.Failed || o.From != 1 || !o.Delayed || o.After <= 0 || o.After > time.Second {
			t.Errorf("outcome %v, want the second again after a second at most", o)
		}
		time.Sleep(time.Minute)
		if err := h.Handle(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		d.want(t, "w x?")
	})
}

func TestAnEndedContextAppliesNothing(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	lost := errors.New("lost")
	cancel(lost)
	d := &diary{}
	b := batch("s", 1, "a")
	if o := batching.Read(b.Records, handler(t, d).Handle(ctx, b)); !o.Failed || o.From != 0 || !errors.Is(o.Err, lost) {
		t.Errorf("outcome %v of error %v", o, o.Err)
	}
	d.want(t, "")
}

func TestProblemsOfTheOptionsAreReportedAtOnce(t *testing.T) {
	_, err := once.Each(nil, nil, func(o *once.Options) { o.Keep, o.Lease, o.Validate = time.Minute, -1, true })
	for _, want := range []string{"the store is missing", "function that applies", "Keep is 1m0s", "Lease is -1ns", "Validate is set without ID"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}
