package dashboard

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
)

// Recorder keeps what the hooks of this process's consumers tell: the last 200
// failures, the last 200 hand-overs, and how long calls of the handlers take. The
// zero Recorder is ready, and one may serve several consumers of one application.
// It is for one Source: each look takes the calls since the last. It keeps no
// record, no key and no attribute of one.
type Recorder struct {
	mu        sync.Mutex // guards all below; held for a few assignments
	last      int64      // the id of the last entry
	failures  []failure
	handovers []handover
	calls     latencies
	failed    int64 // calls and reads that failed, and what was given up
	tally     tally // the same, over a quarter of an hour
}

// mostEntries bounds each list: more than anybody reads, and with the longest
// texts some 300 KB.
const mostEntries = 200

// failure is something that went wrong, as it is shown.
type failure struct {
	ID int64 `json:"id"`
	// At is when it last happened, in milliseconds since 1970, and Times how
	// often it has, one after the other.
	At    int64 `json:"at"`
	Times int   `json:"times"`
	// Kind is what happened, in words, and Reason why, without quoting anybody.
	Kind   string `json:"kind"`
	Reason string `json:"reason,omitempty"`
	// Grave is set where somebody ought to look.
	Grave   bool   `json:"grave,omitempty"`
	Worker  string `json:"worker,omitempty"`
	Shard   string `json:"shard,omitempty"`
	Handler string `json:"handler,omitempty"`
	// Records is how many records it befell, and Attempt which try it was.
	Records int `json:"records,omitempty"`
	Attempt int `json:"attempt,omitempty"`
	// Text is the error as Config.ErrorText lets it through.
	Text string `json:"text,omitempty"`

	err     string // as it came; it leaves the process through ErrorText alone
	lasting bool   // Reason says for how long, and is another each time
}

// handover is a shard that went from one worker to another.
type handover struct {
	ID    int64  `json:"id"`
	At    int64  `json:"at"`
	Shard string `json:"shard"`
	From  string `json:"from,omitempty"`
	To    string `json:"to,omitempty"`
	How   string `json:"how"`
	// Took is how long the worker that let go needed to drain, and Gap how long
	// nobody worked the shard; in milliseconds, -1 if not known.
	Took int64 `json:"took"`
	Gap  int64 `json:"gap"`

	since int64 // where two looks tell of it: it was then or later
}

// How a shard changed hands.
const (
	howHanded   = "handed over"
	howLet      = "let go"
	howLost     = "lost"
	howStalled  = "stalled"
	howTaken    = "taken"
	howFinished = "finished"
)

// Hooks are own with the recorder's behind them: each calls the one of own
// first. Give them to consumer.Config.
func (r *Recorder) Hooks(own consumer.Hooks) consumer.Hooks {
	h := own
	h.SessionLost = also(own.SessionLost, func(e consumer.SessionEvent) {
		if errors.Is(e.Err, consumer.ErrStopping) {
			return // it ends with the run
		}
		r.fail(failure{Kind: "session lost", Worker: e.Worker, Grave: true}, e.Err)
	})
	h.ShardStarted = also(own.ShardStarted, r.started)
	h.ShardLeft = also(own.ShardLeft, r.left)
	h.ReadFailed = also(own.ReadFailed, func(e consumer.ReadFailedEvent) {
		r.fail(failure{Kind: "read failed", Worker: e.Worker, Shard: e.Shard, Handler: e.Handler}, e.Err)
	})
	h.OddAggregates = also(own.OddAggregates, func(e consumer.OddAggregatesEvent) {
		r.fail(failure{Kind: "odd aggregates", Worker: e.Worker, Shard: e.Shard, Handler: e.Handler, Records: e.Aggregates.Malformed + e.Aggregates.Outside}, nil)
	})
	h.BatchDone = also(own.BatchDone, func(e consumer.BatchEvent) {
		r.called(e.Took)
		if e.Err != nil {
			r.fail(failure{Kind: "handler failed", Worker: e.Worker, Shard: e.Shard, Handler: e.Handler, Records: max(0, e.Records-e.Handled), Attempt: e.Attempt}, e.Err)
		}
	})
	h.Woken = also(own.Woken, func(e consumer.WakeEvent) {
		r.called(e.Took)
		if e.Err != nil {
			r.fail(failure{Kind: "handler failed", Worker: e.Worker, Shard: e.Shard, Handler: e.Handler}, e.Err)
		}
	})
	h.CommitRefused = also(own.CommitRefused, func(e consumer.CommitRefusedEvent) {
		r.fail(failure{Kind: "effects refused", Worker: e.Worker, Shard: e.Shard, Records: e.Records, Attempt: e.Attempt}, e.Err)
	})
	h.GaveUp = also(own.GaveUp, func(e consumer.GaveUpEvent) {
		r.fail(failure{Kind: "given up", Reason: string(e.Failure.Condition), Worker: e.Worker, Shard: e.Shard, Handler: e.Handler,
			Records: len(e.Failure.Records), Attempt: e.Failure.Attempts, Grave: true}, e.Failure.Err)
	})
	h.DestinationRefused = also(own.DestinationRefused, func(e consumer.DestinationRefusedEvent) {
		r.fail(failure{Kind: "destination refused", Reason: cut(e.Destination, mostName), Worker: e.Worker, Shard: e.Shard, Handler: e.Handler, Attempt: e.Try, Grave: true}, e.Err)
	})
	h.KeySetAside = also(own.KeySetAside, func(e consumer.KeySetAsideEvent) {
		r.fail(failure{Kind: "key set aside", Worker: e.Worker, Shard: e.Shard, Records: e.Records, Attempt: e.Attempts}, e.Err)
	})
	h.KeyParked = also(own.KeyParked, func(e consumer.KeyParkedEvent) {
		r.fail(failure{Kind: "key parked", Worker: e.Worker, Shard: e.Shard, Handler: e.Handler, Records: e.Records, Attempt: e.Attempts}, nil)
	})
	h.Loss = also(own.Loss, func(e consumer.LossEvent) {
		r.fail(failure{Kind: "trimmed unread", Worker: e.Worker, Shard: e.Loss.Shard, Handler: e.Handler, Grave: true}, nil)
	})
	h.HandlerStuck = also(own.HandlerStuck, func(e consumer.HandlerStuckEvent) {
		r.fail(failure{Kind: "handler stuck", Reason: "for " + e.For.Round(time.Second).String(), Worker: e.Worker, Shard: e.Shard, Handler: e.Handler, Grave: true, lasting: true}, nil)
	})
	h.RowQuarantined = also(own.RowQuarantined, func(e consumer.RowEvent) {
		r.fail(failure{Kind: "row not believed", Worker: e.Worker, Shard: e.Row.Shard, Grave: true}, e.Row.Fault)
	})
	h.HoleFound = also(own.HoleFound, func(e consumer.HoleEvent) {
		r.fail(failure{Kind: "hole in the leases", Worker: e.Worker, Grave: true}, errors.New(e.Hole))
	})
	h.ShardStalled = also(own.ShardStalled, func(e consumer.ShardStalledEvent) {
		r.fail(failure{Kind: "shard stalled", Reason: "nothing has moved for " + e.For.Round(time.Second).String(), Worker: e.Worker, Shard: e.Shard, Handler: e.Handler, Records: e.Pending, Grave: true}, nil)
	})
	h.RetentionRisk = also(own.RetentionRisk, func(e consumer.RetentionRiskEvent) {
		r.fail(failure{Kind: "retention at risk", Reason: fmt.Sprintf("%v old, kept for %v", e.Age.Round(time.Second), e.Retention), Worker: e.Worker, Shard: e.Shard, Handler: e.Handler, Grave: true}, nil)
	})
	h.ShardsUnplaced = also(own.ShardsUnplaced, func(e consumer.UnplacedEvent) {
		r.fail(failure{Kind: "shards without a worker", Reason: fmt.Sprintf("%d, as every worker has its MaximumLeases", e.Shards), Worker: e.Worker, Grave: true}, nil)
	})
	h.StreamChanged = also(own.StreamChanged, func(e consumer.StreamEvent) {
		if e.State != consumer.StreamRead && e.State != consumer.StreamLeft {
			r.fail(failure{Kind: "stream " + e.State.String(), Reason: cut(e.Name, mostName), Worker: e.Worker, Grave: true}, e.Err)
		}
	})
	h.BreakerChanged = also(own.BreakerChanged, func(e consumer.BreakerEvent) {
		if e.State == batching.BreakerOpen {
			r.fail(failure{Kind: "breaker opened", Worker: e.Worker, Handler: e.Handler, Grave: true}, e.Err)
		}
	})
	return h
}

// also calls first, if it is set, and then.
func also[E any](first, then func(E)) func(E) {
	if first == nil {
		return then
	}
	return func(e E) {
		first(e)
		then(e)
	}
}

// fail enters a failure. One like another of the last minute is counted there, so
// that a handler that fails ten times a second does not push out all else.
func (r *Recorder) fail(f failure, err error) {
	now := time.Now()
	f.At, f.Times = now.UnixMilli(), 1
	if f.Reason == "" {
		f.Reason = kindOf(err)
	}
	if err != nil {
		f.err = cut(err.Error(), 2*mostText)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed++
	r.tally.add(now, f.Grave)
	for i, n := len(r.failures)-1, 0; i >= 0 && n < 32; i, n = i-1, n+1 {
		p := r.failures[i]
		if p.Kind == f.Kind && p.Shard == f.Shard && p.Handler == f.Handler && p.Worker == f.Worker && (p.Reason == f.Reason || f.lasting) && f.At-p.At < time.Minute.Milliseconds() {
			f.ID, f.Times = p.ID, p.Times+1
			f.Records += p.Records
			f.Attempt = max(f.Attempt, p.Attempt)
			r.failures[i] = f
			return
		}
	}
	r.last++
	f.ID = r.last
	r.failures = entered(r.failures, f)
}

// entered is the list with one more at its end, and no more than mostEntries.
func entered[E any](list []E, e E) []E {
	if len(list) >= mostEntries {
		list = slices.Delete(list, 0, len(list)-mostEntries+1)
	}
	return append(list, e)
}

// kindOf says what an error is without quoting it: the type of the innermost one
// that has a telling type, which comes from a program's source and not from its
// data.
func kindOf(err error) string {
	telling := ""
	for depth := 0; err != nil && depth < 32; depth++ {
		if t := strings.TrimPrefix(fmt.Sprintf("%T", err), "*"); !slices.Contains(plain, t) {
			telling = t
		}
		switch wrapped := err.(type) {
		case interface{ Unwrap() error }:
			err = wrapped.Unwrap()
		case interface{ Unwrap() []error }:
			err = nil
			if all := wrapped.Unwrap(); len(all) > 0 {
				err = all[0]
			}
		default:
			err = nil
		}
	}
	return cut(telling, mostName)
}

// plain are types that say nothing of what went wrong.
var plain = []string{"errors.errorString", "errors.joinError", "fmt.wrapError", "fmt.wrapErrors"}

// started notes that a shard is worked here from now on.
func (r *Recorder) started(e consumer.ShardStartedEvent) {
	now := time.Now().UnixMilli()
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := len(r.handovers) - 1; i >= 0; i-- {
		h := &r.handovers[i]
		if h.Shard != e.Shard {
			continue
		}
		// The worker that let go is in this process too.
		if h.Gap < 0 && h.How != howFinished && h.From != e.Worker && (h.To == "" || h.To == e.Worker) {
			h.To, h.Gap = e.Worker, max(0, now-h.At)
			return
		}
		break
	}
	if e.From != "" && e.From != e.Worker {
		r.enter(handover{At: now, Shard: e.Shard, From: e.From, To: e.Worker, How: howTaken, Took: -1, Gap: -1})
	}
}

// left notes that a shard is not worked here any more.
func (r *Recorder) left(e consumer.ShardLeftEvent) {
	h := handover{At: time.Now().UnixMilli(), Shard: e.Shard, From: e.Worker, To: e.To, Took: e.Took.Milliseconds(), Gap: -1}
	switch {
	case e.Cause == nil:
		h.How = howFinished
	case errors.Is(e.Cause, consumer.ErrLeaseLost):
		h.How = howLost
	case errors.Is(e.Cause, consumer.ErrStalled):
		h.How = howStalled
	case e.To != "":
		h.How = howHanded
	default:
		h.How = howLet
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.enter(h)
}

// enter puts a hand-over in; r.mu is held.
func (r *Recorder) enter(h handover) {
	r.last++
	h.ID = r.last
	r.handovers = entered(r.handovers, h)
}

// called notes how long a call of a handler ran.
func (r *Recorder) called(took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls.add(took)
}

// recorded is what a Recorder has, at one moment.
type recorded struct {
	failures  []failure
	handovers []handover
	calls     latencies // since the last time
	failed    int64     // since the last time
	// recent and grave are those of the last 15 minutes.
	recent, grave int64
}

// take is what there is, and begins to count anew. A nil Recorder has nothing.
func (r *Recorder) take() recorded {
	if r == nil {
		return recorded{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := recorded{failures: slices.Clone(r.failures), handovers: slices.Clone(r.handovers), calls: r.calls, failed: r.failed}
	now.recent, now.grave = r.tally.sum(time.Now())
	r.calls, r.failed = latencies{}, 0
	return now
}

// cut is the text, no longer than so many bytes, and valid.
func cut(text string, most int) string {
	if len(text) > most {
		text = text[:most] + "…"
	}
	return strings.ToValidUTF8(text, "�")
}
