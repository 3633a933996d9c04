package kinesisshards_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/shard/shardtest"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// application is the fan-out consumer of the tests.
const application = "application"

func fanOut(change ...func(*kinesisshards.FanOut)) func(*kinesisshards.Options) {
	f := &kinesisshards.FanOut{Consumer: application}
	for _, c := range change {
		c(f)
	}
	return func(o *kinesisshards.Options) { o.FanOut = f }
}

func neverPoll(f *kinesisshards.FanOut) { f.Fallback = kinesisshards.FallbackNever }

// workers is a source of which each reader is another worker's: what one of them
// subscribes to is in use for the next.
type workers struct {
	shard.Source
	open func() shard.Source
}

func (w workers) Open(start shard.Start) shard.Reader { return w.open().Open(start) }

// fanOutRig is rig with readers that subscribe. Its reads cannot be made to fail
// one by one: an event may be on its way already.
func fanOutRig(t *testing.T, change ...func(*kinesisshards.FanOut)) shardtest.Rig {
	const stream = "clicks"
	a := awsfake.New()
	r := rigOf(t, a, stream)
	client := kinesis.NewFromConfig(a.Config("tester"), func(o *kinesis.Options) { o.RetryMaxAttempts = 1 })
	open := func() shard.Source { return kinesisshards.Open(client, stream, fanOut(change...)) }
	r.Source = workers{open(), open}
	r.Missing = kinesisshards.Open(client, "no-such-stream", fanOut(change...))
	return r
}

func TestFanOutSourceKeepsItsPromisesOnTheFake(t *testing.T) {
	shardtest.RunSourceInBubble(t, func(t *testing.T) shardtest.Rig { return fanOutRig(t) })
}

// Without polling all comes over subscriptions, of which one ends another.
func TestFanOutAloneKeepsThePromisesOfASource(t *testing.T) {
	shardtest.RunSourceInBubble(t, func(t *testing.T) shardtest.Rig { return fanOutRig(t, neverPoll) })
}
