package kinesisshards

import "time"

// serviceClock tells the service's time between its answers: what it last said,
// plus what has passed since. Until it has said anything it is the host's clock.
type serviceClock struct {
	said  time.Time // by the service
	heard time.Time // by the host, when it did
}

func (c serviceClock) now(host time.Time) time.Time {
	if c.said.IsZero() {
		return host
	}
	return c.said.Add(host.Sub(c.heard))
}
