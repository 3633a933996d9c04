package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Names are the vocabularies in which EMF writes. They are added with |.
type Names int

const (
	// OwnNames are those of the catalogue, with the dimensions application and
	// stream.
	OwnNames Names = 1 << iota
	// LambdaNames are those of Lambda's event source mappings, such as
	// IteratorAge in milliseconds, beside our own and with the same dimensions.
	// The namespace AWS/Lambda is closed to others.
	LambdaNames
	// KCLNames are those of the Kinesis Client Library, such as MillisBehindLatest,
	// in the namespace and with the dimension Operation that KCL has, so that its
	// dashboards and alarms go on.
	KCLNames
)

// EMF writes what a recorder counts as CloudWatch's embedded metric format: lines
// of JSON on standard output, out of which CloudWatch Logs makes metrics where the
// process's output goes there line by line, as it does from ECS. There is no agent,
// no call of an API, and no price for one.
//
// Counters are written as what was added since the last line, so that the statistic
// Sum is right over any period. Gauges are what is the case; their statistic is the
// metric's Across: Maximum for how far behind a fleet is. A histogram is up to 100
// values that lie as the values of the interval did, the largest of them exact, for
// Maximum, Average and percentiles; how many there were is a counter of its own.
//
// What was never anything but zero is not written, but for times and what is bad when
// it is small: what costs is each name with its dimensions, by the hour. The dimensions are application and stream, the
// same for every worker of a fleet, unless more are asked for. A line is at most
// 15 KiB, as some drivers of container logs cut at 16.
//
// There is one EMF for a recorder.
type EMF struct {
	// Recorder is whose metrics are written. It is required.
	Recorder *Recorder
	// Writer is where the lines go, each in one call, such as os.Stdout. It is
	// required. An error is told once, to Logger, until a line is written again;
	// what the line had is in a later one. While a Write does not return nothing else
	// is written, and While and Run do not return either.
	Writer io.Writer
	// Interval is how long between two writings: default a minute, which is as
	// fine as CloudWatch keeps it; at least a second.
	Interval time.Duration
	// Namespace is that of our own names and Lambda's: default "towpath".
	Namespace string
	// KCLNamespace is that of KCL's names: default the application's name, as with
	// KCL.
	KCLNamespace string
	// Names are the vocabularies: default all of them, OwnNames | LambdaNames |
	// KCLNames.
	Names Names
	// PerHandler adds the dimension handler, in metrics of their own beside those
	// of all handlers.
	PerHandler bool
	// PerShard adds metrics of each shard, with the dimension shard, and for KCL's
	// names ShardId. Each shard is then nine metrics that are paid for.
	PerShard bool
	// Logger is told when lines cannot be written: default slog.Default().
	Logger *slog.Logger
}

// leastInterval is the finest resolution that CloudWatch has.
const leastInterval = time.Second

func (e EMF) withDefaults() EMF {
	if e.Interval == 0 {
		e.Interval = time.Minute
	}
	if e.Namespace == "" {
		e.Namespace = "towpath"
	}
	if e.Names == 0 {
		e.Names = OwnNames | LambdaNames | KCLNames
	}
	if e.Logger == nil {
		e.Logger = slog.Default()
	}
	if e.KCLNamespace == "" && e.Recorder != nil {
		e.KCLNamespace = e.Recorder.options.Application
	}
	return e
}

// Validate says everything that is wrong with the fields.
func (e EMF) Validate() error {
	var problems []error
	e = e.withDefaults()
	if e.Recorder == nil {
		problems = append(problems, errors.New("Recorder is missing: set it to one of telemetry.New"))
	}
	if e.Writer == nil {
		problems = append(problems, errors.New("Writer is missing: set it to os.Stdout, where the process's output goes to CloudWatch Logs"))
	}
	if e.Interval < leastInterval {
		problems = append(problems, fmt.Errorf("Interval is %s, want at least %s", e.Interval, leastInterval))
	}
	if e.Names&^(OwnNames|LambdaNames|KCLNames) != 0 {
		problems = append(problems, fmt.Errorf("Names is %d, want OwnNames, LambdaNames, KCLNames or several with |", int(e.Names)))
	}
	if e.Names&KCLNames != 0 && e.KCLNamespace == "" && e.Recorder != nil {
		problems = append(problems, errors.New("KCLNamespace is empty and the recorder has no Application: set one of them, or leave KCLNames out of Names"))
	}
	for field, name := range map[string]string{"Namespace": e.Namespace, "KCLNamespace": e.KCLNamespace} {
		if !validNamespace(name) {
			problems = append(problems, fmt.Errorf("%s is %q, want at most 255 of letters, digits and ._-/#: and not AWS/ before", field, name))
		}
	}
	if e.Recorder != nil {
		o := e.Recorder.options
		for field, value := range map[string]string{"Application": o.Application, "Stream": o.Stream} {
			if !validDimension(value) {
				problems = append(problems, fmt.Errorf("the recorder's %s is %q, want what CloudWatch takes for a dimension: at most 1024 characters of ASCII that can be printed, and not blanks alone", field, value))
			}
		}
	}
	if len(problems) == 0 {
		return nil
	}
	return fmt.Errorf("telemetry: EMF: %w", errors.Join(problems...))
}

// While runs run, writes while it runs, and writes the last lines when it has
// returned, so that they have what was done while it drained:
//
//	err := emf.While(ctx, c.Run)
func (e EMF) While(ctx context.Context, run func(context.Context) error) error {
	if err := e.Validate(); err != nil {
		return err
	}
	writing, over := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() { // ends with over, below; awaited there
		defer close(ended)
		e.write(writing)
	}()
	defer func() {
		over()
		<-ended
	}()
	return run(ctx)
}

// Run writes until ctx ends, and once more then. Its context should end after the
// consumer's Run has returned; While sees to that.
func (e EMF) Run(ctx context.Context) error {
	if err := e.Validate(); err != nil {
		return err
	}
	e.write(ctx)
	return nil
}

func (e EMF) write(ctx context.Context) {
	e = e.withDefaults()
	p := &press{EMF: e, before: map[string]past{}}
	ticker := time.NewTicker(e.Interval)
	defer ticker.Stop()
	failing := false
	for over := false; !over; {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			over = true
		}
		err := p.print(time.Now())
		if err != nil && !failing {
			e.Logger.Error("metrics cannot be written", "error", err)
		}
		failing = err != nil
	}
}
