package streamtest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/streamtest"
)

// visits is the handler under test.
var visits = consumer.Each(func(_ context.Context, visit string) error {
	if visit == "" {
		return errors.New("no visit")
	}
	return nil
})

// everythingIsHandled stands in a file that ends in _test.go, as func
// TestEverythingIsHandled(t *testing.T), and takes a few milliseconds.
func everythingIsHandled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := streamtest.New(t, 4)
		defer rig.Close() // checks what towpath promises
		mine := func(c *consumer.Config) { c.Handler = visits }
		first := rig.Start("first", mine)
		rig.Start("second", mine)
		for range 100 {
			rig.Put("ada", `"/lamps"`)
		}
		first.Kill()
		rig.Await("everything is handled", rig.AllDone)
	})
}

// A test of a user's handler: two workers share a stream, one of them dies, and
// everything is handled all the same.
func Example() {
	_ = everythingIsHandled
}
