package kinesisshards

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
)

// FanOut has the shards of a stream read by enhanced fan-out: the service pushes
// records over a subscription, each consumer of the stream with 2 MB/s a shard
// of its own. docs/fanout.md tells when that is worth its price.
type FanOut struct {
	// Consumer is the name of a consumer of the stream, or its ARN. It has no
	// default. A name that the stream has no consumer of is registered, once for
	// a whole fleet that starts, and again if somebody deletes the consumer; what
	// was registered is never deregistered here, and costs as long as it is
	// there. Two fleets that read one stream need two consumers: of one consumer,
	// the later subscription to a shard ends the earlier.
	Consumer string
	// Existing has a name never registered: it is an error that names the
	// consumer if the stream has none of that name. An ARN is never registered.
	// The default is false.
	Existing bool
	// Fallback is how records come while a shard cannot be subscribed to. The
	// default is FallbackPoll.
	Fallback Fallback
	// Silence is how long a subscription may be without any event until it is
	// taken for dead, torn down and made anew. The service sends one about every
	// five seconds, records or not. The default is 35 s, which is KCL's; the least
	// is 10 s. Longer, and records wait that much longer behind a connection that
	// broke without a word; shorter, and what is merely slow is torn down.
	Silence time.Duration
	// Tell, if set, is told what becomes of subscriptions: for counters. It is
	// called by the goroutines that read, and holds them up. The default is nil.
	Tell func(FanOutEvent)
}

// Fallback is what a reader does while its shard cannot be subscribed to: the
// consumer is being made, the subscription of the shard's last owner still
// counts, calls are refused, connections break.
type Fallback int

const (
	// FallbackPoll polls meanwhile, so that records wait no longer than they do
	// without fan-out. It takes part in the five reads a second that all who poll
	// the shard share.
	FallbackPoll Fallback = iota
	// FallbackNever waits. Even so a shard is polled while what comes next is
	// about to be trimmed, because only that shows whether it was, and by a second
	// reader of it in the same process.
	FallbackNever
)

// String names the fallback.
func (f Fallback) String() string {
	switch f {
	case FallbackPoll:
		return "poll"
	case FallbackNever:
		return "never"
	}
	return fmt.Sprintf("Fallback(%d)", int(f))
}

// FanOutEvent is something that happened to the subscription of a shard.
type FanOutEvent struct {
	// Shard is the id of the shard.
	Shard string
	// What happened.
	What FanOutChange
	// Err is why, nil if nothing went wrong.
	Err error
}

// FanOutChange is what can happen to a subscription.
type FanOutChange string

const (
	// FanOutSubscribed is a subscription that was made.
	FanOutSubscribed FanOutChange = "subscribed"
	// FanOutEnded is one that the service ended, as it does after five minutes.
	FanOutEnded FanOutChange = "ended"
	// FanOutCut is one that broke, or that the service ended with an error.
	FanOutCut FanOutChange = "cut"
	// FanOutSilent is one that was torn down because nothing came for as long as
	// FanOut.Silence says.
	FanOutSilent FanOutChange = "silent"
	// FanOutRefused is one that could not be made.
	FanOutRefused FanOutChange = "refused"
	// FanOutInUse is one that could not be made because another was, less than
	// five seconds before: that of the shard's last owner.
	FanOutInUse FanOutChange = "in use"
)

// ErrNoConsumer says that the stream has no consumer of the name or ARN in
// FanOut.Consumer.
var ErrNoConsumer = errors.New("no such consumer of the stream")

// FanOutClient is what a [Source] with Options.FanOut needs of the service beside
// [Client]; a *kinesis.Client has it. The identity behind it must be allowed
// kinesis:SubscribeToShard on the consumer, kinesis:DescribeStreamConsumer on it
// unless its ARN is given, and kinesis:RegisterStreamConsumer on the stream
// unless it exists.
type FanOutClient interface {
	SubscribeToShard(context.Context, *kinesis.SubscribeToShardInput, ...func(*kinesis.Options)) (*kinesis.SubscribeToShardOutput, error)
	DescribeStreamConsumer(context.Context, *kinesis.DescribeStreamConsumerInput, ...func(*kinesis.Options)) (*kinesis.DescribeStreamConsumerOutput, error)
	RegisterStreamConsumer(context.Context, *kinesis.RegisterStreamConsumerInput, ...func(*kinesis.Options)) (*kinesis.RegisterStreamConsumerOutput, error)
}

const (
	defaultSilence = 35 * time.Second
	leastSilence   = 10 * time.Second // two of the service's events
)

func (f *FanOut) withDefaults() *FanOut {
	if f == nil {
		return nil
	}
	filled := *f
	if filled.Silence == 0 {
		filled.Silence = defaultSilence
	}
	return &filled
}

// validate reports all that is wrong with options whose defaults are filled in.
func (f *FanOut) validate() error {
	if f == nil {
		return nil
	}
	var problems []error
	if f.isARN() {
		_, err := f.stream()
		problems = append(problems, err)
	} else if err := checkName(f.Consumer); err != nil {
		problems = append(problems, fmt.Errorf("FanOut.Consumer: want the name or the ARN of a consumer: %w", err))
	}
	if f.Silence < leastSilence {
		problems = append(problems, fmt.Errorf("FanOut.Silence is %s, want at least %s: the service sends an event about every 5 s", f.Silence, leastSilence))
	}
	if f.Fallback != FallbackPoll && f.Fallback != FallbackNever {
		problems = append(problems, fmt.Errorf("FanOut.Fallback is %d, want FallbackPoll or FallbackNever", int(f.Fallback)))
	}
	return errors.Join(problems...)
}

func (f *FanOut) isARN() bool { return strings.HasPrefix(f.Consumer, "arn:") }

// stream is the stream that the consumer's ARN is of:
// arn:partition:kinesis:region:account:stream/name/consumer/name:created.
func (f *FanOut) stream() (name, error) {
	at := strings.Index(f.Consumer, "/consumer/")
	if at < 0 {
		return name{}, fmt.Errorf("FanOut.Consumer %q: want arn:partition:kinesis:region:account:stream/name/consumer/name:created", f.Consumer)
	}
	n, err := parseName(f.Consumer[:at])
	if err != nil {
		return name{}, fmt.Errorf("FanOut.Consumer %q: %w", f.Consumer, err)
	}
	return n, nil
}

// agree reports what is wrong with fan-out for this stream and this client.
func (f *FanOut) agree(client Client, given string) error {
	if f == nil {
		return nil
	}
	var problems []error
	if _, ok := client.(FanOutClient); client != nil && !ok {
		problems = append(problems, fmt.Errorf("FanOut is set, and the client is a %T without SubscribeToShard, want a *kinesis.Client", client))
	}
	if n, err := parseName(given); err == nil && f.isARN() {
		if of, err := f.stream(); err == nil && (of.short != n.short || n.arn != "" && n.arn != of.arn) {
			problems = append(problems, fmt.Errorf("FanOut.Consumer is of stream %s, want one of %s", of, n))
		}
	}
	return errors.Join(problems...)
}
