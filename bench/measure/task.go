package measure

import (
	"context"
	"fmt"
	"time"

	"github.com/towpath/towpath/bench/ready"
)

// Task says what to measure.
type Task struct {
	// Consumer is who reads: towpath, with -cbor or -pooled or both, sdk or floor;
	// or idle, which is towpath on a stream into which nobody puts anything.
	Consumer string `json:"consumer"`
	// Server is where the stream is.
	Server ready.Address `json:"server"`
	// TLS says that it is read over TLS.
	TLS bool `json:"tls"`
	// Stream is what is read.
	Stream ready.Stream `json:"stream"`
	// Application names the lease table of towpath; each task needs another.
	Application string `json:"application"`
	// Warm is how many records are read before the measuring begins, and Count how
	// many are measured.
	Warm  int64 `json:"warm"`
	Count int64 `json:"count"`
	// Batch is towpath's BatchSize, Lanes its ParallelizationFactor.
	Batch int `json:"batch"`
	Lanes int `json:"lanes"`
	// Unordered is towpath's.
	Unordered bool `json:"unordered"`
	// Wait is how long the handler waits in each call.
	Wait time.Duration `json:"wait"`
	// Quiet is how long an idle stream is left alone before it is measured, and
	// Idle for how long it is.
	Quiet time.Duration `json:"quiet"`
	Idle  time.Duration `json:"idle"`
	// Profile is a file to which the processor's profile of what is measured goes;
	// empty is none.
	Profile string `json:"profile"`
}

// Usage is what was taken.
type Usage struct {
	// Records is how many records were read meanwhile.
	Records int64 `json:"records"`
	// CPU is user and system time of the process, Wall the time that passed.
	CPU  time.Duration `json:"cpu_ns"`
	Wall time.Duration `json:"wall_ns"`
	// Allocs and Bytes are what was allocated. Of a JVM there are Bytes alone.
	Allocs int64 `json:"allocs"`
	Bytes  int64 `json:"bytes"`
	// Held is what an idle process held, heap in use and stacks, beyond what it
	// held before it began to consume.
	Held int64 `json:"held"`
	// Calls is how many requests were made meanwhile, where they are counted.
	Calls int64 `json:"calls"`
}

// consumers are what can be measured here, by name.
var consumers = map[string]func(context.Context, Task) (Usage, error){
	"towpath":             towpath,
	"towpath-pooled":      towpath,
	"towpath-cbor":        towpath,
	"towpath-cbor-pooled": towpath,
	"sdk":                 sdk,
	"floor":               floor,
	"idle":                idle,
}

// Run measures.
func Run(ctx context.Context, t Task) (Usage, error) {
	measure, ok := consumers[t.Consumer]
	if !ok {
		return Usage{}, fmt.Errorf("measure %q: there is no such consumer", t.Consumer)
	}
	if err := t.Stream.Validate(); err != nil {
		return Usage{}, err
	}
	u, err := measure(ctx, t)
	if err != nil {
		return Usage{}, fmt.Errorf("measure %s on %s: %w", t.Consumer, t.Stream.Name(), err)
	}
	return u, nil
}
