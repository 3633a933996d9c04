package once

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/shard"
)

// Options are what can be changed about a Handler. The zero value of each field
// is the default.
type Options struct {
	// ID says which effect a record asks for. Nil is the record's own id, which
	// recognises a repeat by the stream; a field of the payload also recognises
	// an event that its producer sent twice. An empty id is an error of the
	// record.
	ID func(*shard.Record) (string, error)
	// Scope stands before every id, so that several applications share a store.
	// Default: none.
	Scope string
	// Keep is how long it is remembered that an effect has happened: default 8
	// days, a day more than seven days of retention. At least an hour.
	Keep time.Duration
	// Lease is for how long an attempt keeps other shards from the same id:
	// default 5 minutes. It must be longer than an attempt takes, and does not
	// delay a later tenure of the same shard. At least a second.
	Lease time.Duration
	// Validate compares the payload with that of the first attempt: an id that
	// is used for another payload rejects the record. It means something with an
	// ID function only.
	Validate bool
}

// Effect is one record's effect, as the user's function sees it.
type Effect struct {
	// Record is the record.
	Record *shard.Record
	// Maybe is set if an earlier attempt was begun and did not say how it ended:
	// an effect that was not attached may have happened.
	Maybe bool
	// Token is the same for every attempt at this effect: 64 characters for the
	// idempotency token of another service.
	Token string

	attached []any
}

// Attach adds something that the store writes in one transaction with the
// completion, such as a types.TransactWriteItem for dynamoonce.
func (e *Effect) Attach(effect any) { e.attached = append(e.attached, effect) }

// Handler applies each record's effect once. It is a consumer.Handler.
type Handler struct {
	store   Store
	options Options
	apply   func(context.Context, *Effect) error
}

// Each makes a Handler of a function that applies the effect of one record. An
// error fails from that record on. Problems of the options are reported at once.
func Each(store Store, apply func(context.Context, *Effect) error, options ...func(*Options)) (*Handler, error) {
	var o Options
	for _, set := range options {
		set(&o)
	}
	if o.Keep == 0 {
		o.Keep = 8 * 24 * time.Hour
	}
	if o.Lease == 0 {
		o.Lease = 5 * time.Minute
	}
	var problems []error
	add := func(bad bool, format string, args ...any) {
		if bad {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	add(store == nil, "the store is missing: open one, such as dynamoonce.Open")
	if v, ok := store.(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			problems = append(problems, fmt.Errorf("store: %w", err))
		}
	}
	add(apply == nil, "the function that applies an effect is missing")
	add(o.Keep < time.Hour, "Keep is %v, want at least an hour", o.Keep)
	add(o.Lease < time.Second || o.Lease > o.Keep, "Lease is %v, want a second at least and Keep (%v) at most", o.Lease, o.Keep)
	add(o.Validate && o.ID == nil, "Validate is set without ID: the id of a record never has two payloads")
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("apply once: %w", err)
	}
	return &Handler{store: store, options: o, apply: apply}, nil
}

// Handle applies the records of a batch one after the other.
func (h *Handler) Handle(ctx context.Context, b *batching.Batch) error {
	var rejected []error
	for i := range b.Records {
		r := &b.Records[i]
		err := ctx.Err()
		if err != nil {
			err = context.Cause(ctx)
		} else {
			err = h.one(ctx, b, r)
		}
		var reject *rejection
		switch {
		case err == nil:
		case errors.As(err, &reject):
			rejected = append(rejected, batching.Reject(r, reject.error))
		default:
			return errors.Join(append(rejected, batching.FailFrom(r, err))...)
		}
	}
	return errors.Join(rejected...)
}

// rejection is an error that no attempt will mend.
type rejection struct{ error }

func (r *rejection) Unwrap() error { return r.error }

func (h *Handler) one(ctx context.Context, b *batching.Batch, r *shard.Record) error {
	id := r.ID()
	if h.options.ID != nil {
		var err error
		if id, err = h.options.ID(r); err == nil && id == "" {
			err = errors.New("it is empty")
		}
		if err != nil {
			return &rejection{fmt.Errorf("read the id of an effect: %w", err)}
		}
	}
	c := h.claim(b, r, id)
	state, err := h.store.Begin(ctx, c)
	var elsewhere *InProgressError
	switch {
	case errors.As(err, &elsewhere):
		// Not this record's fault: it waits, without burning an attempt.
		return batching.RetryAfter(min(time.Second, max(0, elsewhere.Until.Sub(c.Now))), err)
	case errors.Is(err, ErrOtherPayload):
		return &rejection{err}
	case err != nil:
		return fmt.Errorf("begin an effect in %s: %w", h.store, err)
	case state == Done:
		return nil
	}
	e := &Effect{Record: r, Maybe: state == Maybe, Token: hash(c.ID)}
	if err := h.apply(ctx, e); err != nil {
		return err
	}
	if err := h.store.Complete(ctx, c, e.attached); err != nil {
		return fmt.Errorf("complete an effect in %s: %w", h.store, err)
	}
	return nil
}

func (h *Handler) claim(b *batching.Batch, r *shard.Record, id string) Claim {
	now := time.Now()
	c := Claim{
		ID: h.options.Scope + id, Attempt: rand.Text(), Shard: b.Stream + "/" + b.Shard, Fence: b.Fence(),
		Now: now, Until: now.Add(h.options.Lease), Expires: now.Add(h.options.Keep),
	}
	if h.options.Validate {
		c.Payload = hash(string(r.Data))
	}
	return c
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
