package streamtest

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/towpath/towpath/internal/dice"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// WithSeed makes what the workers leave to chance a function of a seed and of the
// time: the engine's jitter and ids, how long the SDK waits before it repeats a
// call, its tokens against repeats. With faults that are such functions too, a
// run is the same every time.
func WithSeed(seed uint64) Option {
	return func(r *Rig, _ *[]awsfake.Option) {
		r.contexts = append(r.contexts, func(ctx context.Context, worker string) context.Context {
			return dice.With(ctx, dice.Hash(seed, 0, worker))
		})
		r.clients = append(r.clients, func(worker string, cfg *aws.Config) { Seed(cfg, dice.Hash(seed, 1, worker)) })
	}
}

// WithWitness has the checker believe no worker that says that a destination has
// accepted something: whoever sees it there says so, to Checker().GaveUp.
func WithWitness() Option { return func(r *Rig, _ *[]awsfake.Option) { r.witness = true } }

// Seed makes what the SDK leaves to chance a function of a seed and of the time:
// how long it waits before it repeats a call, and its tokens against repeats. Two
// configurations of one run have different seeds.
func Seed(cfg *aws.Config, seed uint64) {
	waits := retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) {
		most := min(math.Pow(2, float64(attempt)), retry.DefaultMaxBackoff.Seconds()) // as the SDK's own
		drawn := float64(dice.Hash(seed, uint64(time.Now().UnixNano()), strconv.Itoa(attempt))>>11) / (1 << 53)
		return time.Duration(drawn * most * float64(time.Second)), nil
	})
	cfg.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) { o.Backoff = waits })
	}
	tokens := &tokens{seed: seed}
	cfg.ServiceOptions = append(cfg.ServiceOptions, func(_ string, options any) {
		if o, is := options.(*dynamodb.Options); is {
			o.IdempotencyTokenProvider = tokens
		}
	})
}

// tokens numbers the tokens against repeats: two must never be alike, and what
// they are changes nothing else.
type tokens struct {
	seed uint64
	last atomic.Uint64
}

// GetIdempotencyToken is the next one.
func (t *tokens) GetIdempotencyToken() (string, error) {
	return fmt.Sprintf("%016x-%015x", t.seed, t.last.Add(1)), nil
}
