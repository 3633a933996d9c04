package kinesisshards

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/internal/dice"
)

// registry knows the ARN of the consumer for all readers of a source, and which
// shards have a reader that may subscribe: a second one would end the first
// one's subscription.
type registry struct {
	options *FanOut
	client  FanOutClient

	mu     sync.Mutex // guards what is below; never held while waiting
	arn    string     // empty until it is known
	asking bool       // somebody asks the service
	due    time.Time  // not before this is it asked again
	taken  map[string]bool
}

func newRegistry(o *FanOut, client Client) *registry {
	if o == nil {
		return nil
	}
	g := &registry{options: o, taken: map[string]bool{}}
	g.client, _ = client.(FanOutClient)
	if o.isARN() {
		g.arn = o.Consumer
	}
	return g
}

// take reports whether a reader may subscribe to the shard, and give lets the
// next one.
func (g *registry) take(shardID string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.taken[shardID] {
		return false
	}
	g.taken[shardID] = true
	return true
}

func (g *registry) give(shardID string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.taken, shardID)
}

// consumerEvery is how often the service is asked about a consumer that cannot be
// used yet. It takes 20 such questions a second, of the whole fleet.
const consumerEvery = time.Second

// find tells the ARN of the consumer if it can be subscribed with. If it is empty
// without an error, the consumer is being made, or somebody else is asking: wait
// says when to come again. Each call asks the service at most twice, and does
// not wait for a consumer to be made.
func (g *registry) find(ctx context.Context, streamARN string) (arn string, wait time.Duration, err error) {
	now := time.Now()
	g.mu.Lock()
	if g.arn != "" || g.asking || now.Before(g.due) {
		defer g.mu.Unlock()
		return g.arn, max(g.due.Sub(now), consumerEvery/10), nil
	}
	g.asking = true
	g.mu.Unlock()

	arn, err = g.ask(ctx, streamARN)

	wait = consumerEvery + dice.From(ctx).N(consumerEvery/2, "consumer", streamARN)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asking = false
	if ctx.Err() == nil {
		g.arn, g.due = arn, time.Now().Add(wait)
	}
	return arn, wait, err
}

// ask asks for the consumer, and registers it if there is none.
func (g *registry) ask(ctx context.Context, streamARN string) (arn string, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	described, err := g.client.DescribeStreamConsumer(ctx, &kinesis.DescribeStreamConsumerInput{
		StreamARN: &streamARN, ConsumerName: &g.options.Consumer,
	}, fewTries)
	switch {
	case err == nil && described.ConsumerDescription != nil && described.ConsumerDescription.ConsumerStatus == types.ConsumerStatusActive:
		return aws.ToString(described.ConsumerDescription.ConsumerARN), nil
	case err == nil:
		return "", nil // it is being made, or deleted
	case !isNotFound(err):
		return "", explain("DescribeStreamConsumer", err)
	case g.options.Existing:
		return "", fmt.Errorf("kinesis:DescribeStreamConsumer %s: %w: %w", g.options.Consumer, ErrNoConsumer, err)
	}
	_, err = g.client.RegisterStreamConsumer(ctx, &kinesis.RegisterStreamConsumerInput{
		StreamARN: &streamARN, ConsumerName: &g.options.Consumer,
	}, fewTries)
	if err != nil && !isInUse(err) { // in use: another worker was quicker
		return "", fmt.Errorf("register consumer %s: %w", g.options.Consumer, explain("RegisterStreamConsumer", err))
	}
	return "", nil
}

// missing explains a call that was refused because something was not found, when
// the stream and the shard are there. A consumer by name is looked for anew.
func (g *registry) missing(ctx context.Context, arn string, refusal error) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if _, err := g.client.DescribeStreamConsumer(ctx, &kinesis.DescribeStreamConsumerInput{ConsumerARN: &arn}, fewTries); !isNotFound(err) {
		return refusal
	}
	g.mu.Lock()
	if g.arn == arn && !g.options.isARN() {
		g.arn = ""
	}
	g.mu.Unlock()
	return fmt.Errorf("%s: %w: %w", arn, ErrNoConsumer, refusal)
}
