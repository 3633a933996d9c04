package telemetry

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/towpath/towpath/autoscale"
	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
)

// Options says whose metrics they are. The zero value works.
type Options struct {
	// Application is the consumer's name and Stream the stream's, as every series
	// carries them; empty ones are left out by adapters.
	Application, Stream string
	// System is the attribute messaging.system of OpenTelemetry: default
	// aws.kinesis. For a DynamoDB stream say aws.dynamodb.
	System string
	// Shards is how many shards have series of their own, of which there are nine:
	// default 512; batching.AtMost(0) is none. Those of all others are put together
	// under the id "other".
	Shards batching.Limit
	// Sizing says what a worker can do, for the metric towpath.workers.needed.
	// Default: the zero Sizing, without which that metric has no series; nor has it
	// with one that Sizing.Validate refuses.
	Sizing autoscale.Sizing
}

// Limits of series.
const (
	defaultShards = 512 // with nine series each, what one scrape takes without trouble
	mostHandlers  = 64  // a consumer with more has a metric of its own to make
)

// otherHandler stands for the handlers beyond mostHandlers.
const otherHandler = "other"

// Recorder counts what a consumer does. It is made by New, and safe for use by
// several goroutines.
type Recorder struct {
	options Options
	born    time.Time
	main    *flow // what belongs to no handler, and to the handler without a name
	taps    atomic.Pointer[[]func(Observation)]
	status  atomic.Pointer[func() consumer.Status]

	mu     sync.RWMutex
	flows  map[string]*flow
	shards map[string]*shardSeries // those that this worker has
	own    int                     // how many of them have series of their own
	left   shardCounts             // of shards that had none and were left

	needMu sync.Mutex // guards need, which is not to be asked by two at once
	need   autoscale.Meter
}

// New makes a recorder that has counted nothing.
func New(o Options) *Recorder {
	if o.System == "" {
		o.System = "aws.kinesis"
	}
	o.Shards = o.Shards.Or(batching.AtMost(defaultShards))
	main := newFlow("")
	return &Recorder{
		options: o, born: time.Now(), main: main, flows: map[string]*flow{"": main}, shards: map[string]*shardSeries{},
	}
}

// Options are those it was made with, defaults set.
func (r *Recorder) Options() Options { return r.options }

// Watch says where the status comes from, such as c.Status of a consumer. Without
// it, and with nil, there are only the metrics of what happens. It may be called
// again.
func (r *Recorder) Watch(status func() consumer.Status) {
	if status == nil {
		r.status.Store(nil)
		return
	}
	r.status.Store(&status)
}

// Observation is one value of a histogram, at the moment at which it is taken.
type Observation struct {
	// Metric is whose value it is. It is not to be changed.
	Metric *Metric
	// Handler is the handler it belongs to; empty if it belongs to none, or has no
	// name.
	Handler string
	// ErrorType is the class of the error that the call ended with which was
	// measured; empty if there was none.
	ErrorType string
	// Value is the value, in Metric.Unit.
	Value float64
}

// Observe has observe called with each value of a histogram, for an adapter that
// keeps distributions itself. It is called by the goroutine that does the work: it
// must be quick and safe to call at once from several. It cannot be taken back; nil
// is nobody.
func (r *Recorder) Observe(observe func(Observation)) {
	if observe == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var taps []func(Observation)
	if known := r.taps.Load(); known != nil {
		taps = append(taps, *known...)
	}
	taps = append(taps, observe)
	r.taps.Store(&taps)
}

// flow is the counters of a handler.
func (r *Recorder) flow(handler string) *flow {
	if handler == "" {
		return r.main
	}
	r.mu.RLock()
	f := r.flows[handler]
	r.mu.RUnlock()
	if f != nil {
		return f
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.flows) > mostHandlers {
		handler = otherHandler
	}
	if f = r.flows[handler]; f == nil {
		f = newFlow(handler)
		r.flows[handler] = f
	}
	return f
}

// take counts one value of a histogram.
func (r *Recorder) take(f *flow, metric id, class string, value int64) {
	s := f.spread[metric]
	s.take(value)
	if taps := r.taps.Load(); taps != nil {
		o := Observation{Metric: &catalogue[metric], Handler: f.handler, ErrorType: class, Value: float64(value) * s.scale}
		for _, tap := range *taps {
			tap(o)
		}
	}
}
