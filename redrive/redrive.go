package redrive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/shard"
)

// Config says what to take and what to do with it. From and, but for a dry run,
// Handler are required.
type Config struct {
	// From is where the letters lie, such as sqsdestination.OpenMailbox.
	From destination.Mailbox
	// Handler gets the records of one letter at a time: the consumer's own, or
	// PutBack. Its verbs count: FailFrom goes on from that record, RetryAfter
	// waits; a rejected record leaves the letter where it is.
	Handler consumer.Handler
	// Publish takes what the handler emits. Nil, and emitting is an error.
	Publish destination.Publisher
	// Load reads payloads that lie elsewhere, such as s3destination.OpenLoader.
	// Nil, and such letters stay.
	Load destination.Loader
	// Source is the stream from which letters without a payload are read again.
	// Nil, and such letters stay.
	Source shard.Source

	// Match says which letters to take; nil is all. The others stay.
	Match func(*destination.Envelope) bool
	// Limit is how many letters are collected and sorted at a time: default
	// 1,000.
	Limit int
	// MaximumBytes is how many bytes of letters are collected at a time: default
	// 64 MiB. Payloads that are read from elsewhere are read one by one.
	MaximumBytes int
	// Attempts is how often a letter is tried: default 3, with a wait between
	// that doubles from a second. What ends in destination.ErrRefused is tried once.
	Attempts int
	// DryRun reads and reports, and handles and removes nothing.
	DryRun bool
	// Report is called with what became of each letter; nil is nobody.
	Report func(Fate)
}

// Fate is what became of one letter.
type Fate struct {
	// Letter is the letter, Envelope what it says; nil if it is none.
	Letter   destination.Letter
	Envelope *destination.Envelope
	// Outcome is what became of it, Err why it was not handled.
	Outcome Outcome
	Err     error
}

// Outcome is what became of a letter.
type Outcome string

const (
	// Handled: its records are handled, and it is removed.
	Handled Outcome = "handled"
	// Duplicate: a letter with the same id was handled, and it is removed.
	Duplicate Outcome = "duplicate"
	// Failed: the handler did not accept it. It stays.
	Failed Outcome = "failed"
	// HeldBack: one before it with one of its keys failed. It stays.
	HeldBack Outcome = "held back"
	// Unreadable: it is no envelope, or its payload could not be had. It stays.
	Unreadable Outcome = "unreadable"
	// Trimmed: it has no payload, and retention has passed its records. It stays.
	Trimmed Outcome = "trimmed"
	// Ready: it would have been handled if this were no dry run.
	Ready Outcome = "ready"
	// Skipped: Match did not want it. It stays.
	Skipped Outcome = "skipped"
)

// Summary is how many letters came to what, and how many records were handled.
type Summary struct {
	// Letters are the letters by outcome.
	Letters map[Outcome]int
	// Records is how many records the handled ones had.
	Records int
}

// Run takes every letter of the mailbox once, and returns when there are no more,
// or with an error when the mailbox can not be read or written, or ctx ends.
// Letters that stay are returned to the mailbox at the end, however it ends. It
// is no error that letters stay: the summary and Config.Report tell.
func Run(ctx context.Context, cfg Config) (Summary, error) {
	if err := cfg.validate(); err != nil {
		return Summary{}, err
	}
	cfg.Limit = cmp.Or(cfg.Limit, 1000)
	cfg.MaximumBytes = cmp.Or(cfg.MaximumBytes, 64<<20)
	cfg.Attempts = cmp.Or(cfg.Attempts, 3)
	r := &run{cfg: cfg, summary: Summary{Letters: map[Outcome]int{}}, handled: map[string]bool{}, failed: map[key]bool{}}
	err := r.all(ctx)
	return r.summary, errors.Join(err, r.returnAll(ctx))
}

func (c *Config) validate() error {
	var problems []error
	add := func(bad bool, format string, args ...any) {
		if bad {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	add(c.From == nil, "From is missing: set it to a mailbox, such as sqsdestination.OpenMailbox")
	add(c.Handler == nil && !c.DryRun, "Handler is missing: set it to the consumer's handler or to PutBack, or set DryRun")
	add(c.Limit < 0, "Limit is %d, want 0 or more", c.Limit)
	add(c.MaximumBytes < 0, "MaximumBytes is %d, want 0 or more", c.MaximumBytes)
	add(c.Attempts < 0, "Attempts is %d, want 0 or more", c.Attempts)
	parts := func(field string, part any) {
		v, ok := part.(interface{ Validate() error })
		if !ok {
			return
		}
		err := v.Validate()
		all := []error{err}
		if several, ok := err.(interface{ Unwrap() []error }); ok {
			all = several.Unwrap()
		}
		for _, one := range all {
			add(one != nil, "%s: %w", field, one)
		}
	}
	parts("From", c.From)
	parts("Handler", c.Handler)
	parts("Source", c.Source)
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("redrive config: %w", err)
	}
	return nil
}

// run is one Run.
type run struct {
	cfg     Config
	summary Summary
	handled map[string]bool      // ids of envelopes
	failed  map[key]bool         // keys of letters that failed
	stay    []destination.Letter // without their bodies
	stream  *shard.Stream        // what Source says of itself, when it was asked
}

// key is a key of a stream.
type key struct{ stream, key string }

// opened is a letter that could be read.
type opened struct {
	letter   destination.Letter
	envelope *destination.Envelope
}

func (r *run) all(ctx context.Context) error {
	for {
		letters, more, err := r.collect(ctx)
		if err != nil {
			return err
		}
		for i, o := range letters {
			if err := r.one(ctx, o); err != nil {
				for _, rest := range letters[i+1:] {
					r.keep(rest.letter)
				}
				return err
			}
		}
		if !more {
			return nil
		}
	}
}

// collect receives letters until there are as many as can be sorted at a time.
func (r *run) collect(ctx context.Context) (letters []opened, more bool, err error) {
	for bytes, n := 0, 0; n < r.cfg.Limit && bytes < r.cfg.MaximumBytes; {
		got, err := r.cfg.From.Receive(ctx, r.cfg.Limit-n)
		for _, l := range got {
			n++
			bytes += len(l.Body)
			if o, ok := r.open(l); ok {
				letters = append(letters, o)
			}
		}
		if err != nil {
			for _, o := range letters {
				r.keep(o.letter)
			}
			return nil, false, err
		}
		if len(got) == 0 {
			return inOrder(letters), false, nil
		}
	}
	return inOrder(letters), true, nil
}

// open reads a letter; one that is none, or not wanted, stays.
func (r *run) open(l destination.Letter) (opened, bool) {
	e, err := destination.ParseEnvelope(notified(l.Body))
	if err != nil {
		r.say(Fate{Letter: l, Outcome: Unreadable, Err: err})
		return opened{}, false
	}
	if r.cfg.Match != nil && !r.cfg.Match(e) {
		r.say(Fate{Letter: l, Envelope: e, Outcome: Skipped})
		return opened{}, false
	}
	return opened{l, e}, true
}

// inOrder sorts letters by stream and sequence number.
func inOrder(letters []opened) []opened {
	slices.SortStableFunc(letters, func(a, b opened) int {
		if c := cmp.Compare(a.envelope.Failure.Stream, b.envelope.Failure.Stream); c != 0 {
			return c
		}
		return shard.CompareSequences(a.envelope.First, b.envelope.First)
	})
	return letters
}

// one has the records of a letter handled. Only an error of the mailbox, or the
// end of ctx, is one of the run.
func (r *run) one(ctx context.Context, o opened) error {
	f := Fate{Letter: o.letter, Envelope: o.envelope}
	if id := o.envelope.ID; id != "" && r.handled[id] && !r.cfg.DryRun {
		f.Outcome = Duplicate
		return r.remove(ctx, f)
	}
	f.Outcome, f.Err = r.payload(ctx, o.envelope)
	if f.Outcome == Ready && r.anyFailed(o.envelope) {
		f.Outcome = HeldBack
	}
	if f.Outcome == Ready && !r.cfg.DryRun {
		f.Outcome, f.Err = r.handle(ctx, o.envelope)
	}
	records := o.envelope.Failure.Records
	if f.Outcome == Handled {
		r.handled[o.envelope.ID] = true
		r.summary.Records += len(records)
		return r.remove(ctx, f)
	}
	if f.Outcome != Ready {
		for i := range records {
			r.failed[key{o.envelope.Failure.Stream, records[i].PartitionKey}] = true
		}
	}
	r.say(f)
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("redrive %s: %w", r.cfg.From, context.Cause(ctx))
	}
	return nil
}

// anyFailed reports whether a key of the letter waits for an earlier one.
func (r *run) anyFailed(e *destination.Envelope) bool {
	return slices.ContainsFunc(e.Failure.Records, func(rec shard.Record) bool {
		return r.failed[key{e.Failure.Stream, rec.PartitionKey}]
	})
}

func (r *run) remove(ctx context.Context, f Fate) error {
	if err := r.cfg.From.Remove(ctx, f.Letter); err != nil {
		r.keep(f.Letter)
		return err
	}
	r.say(f)
	return nil
}

// say counts and reports a fate, and notes the letter if it stays.
func (r *run) say(f Fate) {
	r.summary.Letters[f.Outcome]++
	if f.Outcome != Handled && f.Outcome != Duplicate {
		r.keep(f.Letter)
	}
	if r.cfg.Report != nil {
		r.cfg.Report(f)
	}
}

func (r *run) keep(l destination.Letter) { r.stay = append(r.stay, destination.Letter{ID: l.ID}) }

// returnTimeout is how long a run that was ended may take to return its letters, and
// how long one of them may take in any case.
const returnTimeout = 30 * time.Second

// mostProblems is how many letters may fail to be returned before no more is tried.
const mostProblems = 10

// returnAll gives back what stays; not before the end, or a queue would give it
// again. As long as ctx lasts it takes the time that it takes: a queue takes letters
// back one by one.
func (r *run) returnAll(ctx context.Context) error {
	var problems []error
	var until time.Time // set when ctx has ended
	for i, l := range r.stay {
		if until.IsZero() && ctx.Err() != nil {
			until = time.Now().Add(returnTimeout)
		}
		if !until.IsZero() && time.Now().After(until) || len(problems) >= mostProblems {
			problems = append(problems, fmt.Errorf("%d letters were not returned to %s: they come back by themselves", len(r.stay)-i, r.cfg.From))
			break
		}
		one, cancel := context.WithTimeout(context.WithoutCancel(ctx), returnTimeout)
		err := r.cfg.From.Return(one, l)
		cancel()
		if err != nil {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}
