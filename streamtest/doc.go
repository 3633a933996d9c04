// Package streamtest runs a handler the way production will: real workers with
// the real drivers and AWS SDK clients, over an AWS in the process, in the
// virtual time of a testing/synctest bubble.
//
// A [Rig] is a stream, a lease table and a fleet. Workers are started, stopped,
// killed without a word, paused, and cut off from one service or another, while
// a [Ledger] notes every record that a handler was given and what it answered.
// Check compares that ledger with what was put and with every write of the lease
// table, and fails the test if a promise was broken:
//
//	I1  no unfinished record is passed by the checkpoint
//	I2  the order of each key holds, also across reshards
//	I3  the stored position never decreases, and every write raises the counter
//	I4  no call begins in a tenure that is over
//	I5  a shard ends only after all its records are finished
//	I6  a child starts only after all its parents have ended
//	I7  a stop is bounded
//	I8  no goroutine is left (the bubble itself sees to that)
//	I9  errors never move the position: in the end nothing is missing
//
// and if a worker logged, at any level, a key of PutN or a [Canary].
//
// An hour of a fleet's life takes a fraction of a second:
//
//	synctest.Test(t, func(t *testing.T) {
//		rig := streamtest.New(t, 4)
//		defer rig.Close()
//		rig.Put("user-1", "hello")
//		w := rig.Start("w1", func(c *consumer.Config) { c.Handler = mine })
//		rig.Await("everything handled", rig.AllDone)
//		w.Stop()
//	})
package streamtest
