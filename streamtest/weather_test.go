package streamtest_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// weather is what every call of a rig may meet: of a thousand calls, how many are
// throttled, and how many of those to DynamoDB lose their answer.
type weather struct {
	lostAnswers, throttled atomic.Int64
}

// newWeather is fair weather over a rig, until somebody stores something else.
func newWeather(rig *streamtest.Rig, seed uint64) *weather {
	w, dice, mu := &weather{}, rand.New(rand.NewPCG(seed, 2)), new(sync.Mutex)
	rig.AWS.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
		mu.Lock()
		n := dice.Int64N(1000)
		mu.Unlock()
		switch {
		case n < w.lostAnswers.Load() && c.Service == "dynamodb":
			return awsfake.LoseAnswer()
		case n < w.lostAnswers.Load()+w.throttled.Load():
			return awsfake.Fail("ProvisionedThroughputExceededException", 400)
		}
		return awsfake.Fault{}
	})
	return w
}

// clear ends it.
func (w *weather) clear() {
	w.lostAnswers.Store(0)
	w.throttled.Store(0)
}
