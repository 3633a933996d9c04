package consumer

import (
	"fmt"
	"strings"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/shard"
)

// NamedHandler is one of several handlers that share one reading of each shard.
// Each gets every record, has a position, retries and failures of its own, and
// goes on when another is stuck. The zero value of a field is what the Config
// says.
//
// The handlers share what they are given: a handler does not change a record.
type NamedHandler struct {
	// Name is its name for ever: its position in the lease table stands under
	// it, and so it is also in batches, envelopes, events and statuses. Letters,
	// digits, '-', '_' and '.', at most 64, and no two the same.
	//
	// A handler under a new name begins where the slowest of the others is; the
	// position of a name that is gone is dropped.
	Name string
	// Handler gets the batches.
	Handler Handler

	// OnFailure takes what this handler gives up.
	OnFailure destination.Destination
	// OnSuccess takes an envelope of what this handler has handled.
	OnSuccess destination.Destination
	// EmitTo takes what this handler emits.
	EmitTo destination.Publisher
	// BatchSize is how many records one of its calls gets at most, 1 to 10,000.
	BatchSize int
	// MaximumBatchBytes is how many bytes one of its calls gets at most.
	MaximumBatchBytes int64
	// MaximumBatchingWindow is how long to wait for one of its batches to fill,
	// up to 5 minutes.
	MaximumBatchingWindow time.Duration
	// ParallelizationFactor is how many of its batches of one shard run at once.
	ParallelizationFactor int
	// Key says which key a record's order belongs to, for this handler.
	Key func(*shard.Record) string
	// BisectBatchOnError tells whether its failing batches are split; nil is what
	// the Config says.
	BisectBatchOnError *bool
	// MaximumRetryAttempts is how often a record that it fails on is tried again.
	MaximumRetryAttempts batching.Limit
	// MaximumRecordAge gives records up, for this handler, that are older: at
	// least a minute.
	MaximumRecordAge time.Duration
	// HandlerTimeout ends the context of one of its calls that takes longer.
	HandlerTimeout time.Duration
}

// part is a handler with the config and the policy that hold for it.
type part struct {
	name   string // empty where there is one
	cfg    *Config
	policy batching.Policy
	// breaker is its own: what lies behind one handler says nothing of others.
	breaker *breaker
}

// parts are the handlers of a config with its defaults set.
func (c *Config) parts() []part {
	if len(c.Handlers) == 0 {
		return []part{{cfg: c, policy: c.policy()}}
	}
	parts := make([]part, len(c.Handlers))
	for i, h := range c.Handlers {
		own := c.of(h)
		parts[i] = part{name: h.Name, cfg: &own, policy: own.policy()}
	}
	return parts
}

// of is the config that holds for one of several handlers.
func (c *Config) of(h NamedHandler) Config {
	own := *c
	own.Handlers, own.Handler = nil, h.Handler
	if h.OnFailure != nil {
		own.OnFailure = h.OnFailure
	}
	if h.OnSuccess != nil {
		own.OnSuccess = h.OnSuccess
	}
	if h.EmitTo != nil {
		own.EmitTo = h.EmitTo
	}
	if h.Key != nil {
		own.Key = h.Key
	}
	if h.BisectBatchOnError != nil {
		own.BisectBatchOnError = *h.BisectBatchOnError
	}
	own.BatchSize = or(h.BatchSize, c.BatchSize)
	own.MaximumBatchBytes = or(h.MaximumBatchBytes, c.MaximumBatchBytes)
	own.MaximumBatchingWindow = or(h.MaximumBatchingWindow, c.MaximumBatchingWindow)
	own.ParallelizationFactor = or(h.ParallelizationFactor, c.ParallelizationFactor)
	own.MaximumRetryAttempts = or(h.MaximumRetryAttempts, c.MaximumRetryAttempts)
	own.MaximumRecordAge = or(h.MaximumRecordAge, c.MaximumRecordAge)
	own.HandlerTimeout = or(h.HandlerTimeout, c.HandlerTimeout)
	return own
}

// policy is what follows from the failures of the config's handler.
func (c *Config) policy() batching.Policy {
	return batching.Policy{
		Bisect:               c.BisectBatchOnError,
		MaximumRetryAttempts: c.MaximumRetryAttempts.Or(batching.Unlimited),
		MaximumRecordAge:     c.MaximumRecordAge,
		MinBackoff:           c.MinimumBackoff,
		MaxBackoff:           c.MaximumBackoff,
		SetAside:             c.SetAside, CanReject: c.OnFailure != nil,
	}
}

// mostBatch is how many records the lanes of one handler can hold in batches.
func (c *Config) mostBatch() int {
	most := c.BatchSize * c.ParallelizationFactor
	for _, h := range c.Handlers {
		most = max(most, or(h.BatchSize, c.BatchSize)*or(h.ParallelizationFactor, c.ParallelizationFactor))
	}
	return most
}

// maxHandlerName bounds a name that stands in every lease row.
const maxHandlerName = 64

// validateHandlers reports what is wrong with the handlers: that there is none,
// that there are both one and several, and everything about each of several.
func (c *Config) validateHandlers() (problems []error) {
	if len(c.Handlers) == 0 {
		if c.Handler == nil {
			problems = append(problems, fmt.Errorf("Handler is missing: set it to a function, such as consumer.Each(handle), or name several in Handlers"))
		}
		return append(problems, c.validateHandling("")...)
	}
	add := func(bad bool, format string, args ...any) {
		if bad {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	add(c.Handler != nil, "Handler and Handlers are both set: want one of them")
	add(c.Positions != nil, "Handlers and Positions contradict each other: each of the handlers has a position, and Positions keeps one")
	named := map[string]bool{}
	for i, h := range c.Handlers {
		at := fmt.Sprintf("Handlers[%d]", i)
		switch {
		case h.Name == "":
			add(true, "%s.Name is empty: the handler's position stands under it", at)
		default:
			at = fmt.Sprintf("Handlers[%d] %q", i, h.Name)
			add(len(h.Name) > maxHandlerName, "%s: Name has %d characters, want at most %d", at, len(h.Name), maxHandlerName)
			unfit := strings.IndexFunc(h.Name, func(r rune) bool { return !strings.ContainsRune(nameRunes, r) })
			add(unfit >= 0, "%s: Name holds something else than letters, digits, '.', '_' and '-'", at)
			add(named[h.Name], "%s: Name is that of another handler", at)
			named[h.Name] = true
		}
		add(h.Handler == nil, "%s: Handler is missing: set it to a function, such as consumer.Each(handle)", at)
		own := c.of(h)
		problems = append(problems, own.validateHandling(at+": ")...)
	}
	return problems
}

// validateHandling reports what is wrong with the settings that each handler can
// have for itself. Of says whose they are.
func (c *Config) validateHandling(of string) (problems []error) {
	add := func(bad bool, format string, args ...any) {
		if bad {
			problems = append(problems, fmt.Errorf(of+format, args...))
		}
	}
	between := func(field string, v, low, high int) {
		add(v < low || v > high, "%s is %d, want %d to %d", field, v, low, high)
	}
	lasting := func(field string, v, low, high time.Duration) {
		add(v < low || v > high, "%s is %v, want %v to %v", field, v, low, high)
	}
	checks := func(field string, what any) {
		problems = append(problems, validatePart(of+field, what)...)
	}
	for _, problem := range append(c.validateState(), c.validatePositions()...) {
		problems = append(problems, fmt.Errorf("%s%w", of, problem))
	}
	for _, problem := range c.validateWindows() {
		problems = append(problems, fmt.Errorf("%s%w", of, problem))
	}
	checks("Handler", c.Handler)
	if collect, ok := bare(c.Handler).(*Collect); ok && collect != nil {
		add(collect.Check != nil && c.OnFailure == nil, "Handler: Check is set but OnFailure is nil, so that there is nowhere for what it rejects: set OnFailure, or name destination.Discard")
	}
	checks("OnFailure", c.OnFailure)
	checks("OnSuccess", c.OnSuccess)
	checks("EmitTo", c.EmitTo)
	between("BatchSize", c.BatchSize, 1, 10_000)
	between("ParallelizationFactor", c.ParallelizationFactor, 1, 10_000)
	lasting("MaximumBatchingWindow", c.MaximumBatchingWindow, 0, 5*time.Minute)
	lasting("HandlerTimeout", c.HandlerTimeout, 0, 24*time.Hour)
	if c.MaximumRecordAge != 0 {
		lasting("MaximumRecordAge", c.MaximumRecordAge, time.Minute, 365*24*time.Hour)
	}
	add(c.MaximumBatchBytes < 1, "MaximumBatchBytes is %d, want 1 or more", c.MaximumBatchBytes)
	add(c.MaximumInFlight < c.BatchSize*c.ParallelizationFactor, "MaximumInFlight is %d, below BatchSize %d times ParallelizationFactor %d, so that no batch could fill", c.MaximumInFlight, c.BatchSize, c.ParallelizationFactor)
	add(c.Unordered && c.Key != nil, "Unordered and Key contradict each other: a key is what order belongs to")
	if n, limited := c.MaximumRetryAttempts.Max(); limited {
		between("MaximumRetryAttempts", n, 0, 10_000)
		add(c.OnFailure == nil, "MaximumRetryAttempts is %d but OnFailure is nil, so that records would be lost: set OnFailure, or name destination.Discard", n)
	}
	add(c.MaximumRecordAge > 0 && c.OnFailure == nil, "MaximumRecordAge is %v but OnFailure is nil, so that records would be lost: set OnFailure, or name destination.Discard", c.MaximumRecordAge)
	return problems
}
