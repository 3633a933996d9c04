package destination

import "sync/atomic"

// Counter counts what a destination did. Its zero value is ready, and it may be
// used by several goroutines.
type Counter struct{ sent, split, claimed, omitted, emitted atomic.Int64 }

// Counts is what a destination has done since it was opened.
type Counts struct {
	// Sent is the number of failures that were accepted.
	Sent int64
	// Split is how many of them took more than one message.
	Split int64
	// Claimed is the number of messages, of failures and of emitted records, whose
	// payload went to the store.
	Claimed int64
	// Omitted is the number of messages that describe a record without carrying
	// it, since it was too large and there was no store. Each is a record that
	// will be gone when the retention of the stream ends: an alarm belongs here.
	Omitted int64
	// Published is the number of emitted records that were accepted.
	Published int64
}

// Accepted counts one failure with its messages.
func (c *Counter) Accepted(messages []Message) {
	c.sent.Add(1)
	if len(messages) > 1 {
		c.split.Add(1)
	}
	for _, m := range messages {
		if m.Claimed {
			c.claimed.Add(1)
		}
		if m.Omitted {
			c.omitted.Add(1)
		}
	}
}

// Published counts n emitted records that were accepted.
func (c *Counter) Published(n int) { c.emitted.Add(int64(n)) }

func (c *Counter) published(claimed bool) {
	c.emitted.Add(1)
	if claimed {
		c.claimed.Add(1)
	}
}

// Counts are the numbers so far.
func (c *Counter) Counts() Counts {
	return Counts{
		Sent: c.sent.Load(), Split: c.split.Load(), Claimed: c.claimed.Load(), Omitted: c.omitted.Load(),
		Published: c.emitted.Load(),
	}
}
