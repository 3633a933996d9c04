package kinesisshards

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/shard"
)

// course is how far a shard was read, whichever way its records come. The cursor
// moves only with what is delivered, and nothing fails after that: an error
// leaves it where it was.
type course struct {
	source    *Source
	start     shard.Start
	cursor    cursor
	retention time.Duration
	clock     serviceClock

	// anchored is set while the next record to come has to be the one at the
	// cursor, because reading was begun there.
	anchored bool
	// atHorizon is set while anchored if the service refused the cursor's
	// sequence number, so that reading was begun at the trim horizon instead.
	atHorizon bool
	// gap is set while anchored if the shard once looked empty although the
	// cursor's record may have been trimmed together with others.
	gap bool
	// verified is the last sequence number that was found where it should be.
	verified string

	ended *shard.Chunk // what was said last, without its records
}

func newCourse(s *Source, start shard.Start) *course {
	return &course{
		source:    s,
		start:     start,
		cursor:    cursor{last: start.After, arrived: start.LastArrival, caughtUp: start.ReadUpTo},
		retention: start.Stream.Retention,
	}
}

// String names the shard and its stream.
func (c *course) String() string { return "shard " + c.start.Shard + " of " + c.source.String() }

// MaxBytes is the largest answer of the service, 10 MiB of data, with the
// overhead of as many records as one read may return.
func (c *course) MaxBytes() int64 {
	overhead := new(shard.Record).Size()
	return maxAnswer + int64(c.source.options.Limit)*int64(overhead)
}

// portion is what came from the service at once.
type portion struct {
	records  []types.Record
	children []types.ChildShard
	behind   *int64 // in milliseconds, as the service says
	// closed is set if the service says that nothing comes behind this.
	closed bool
	// said is the service's time, zero if it gave none, and heard the host's
	// when this came.
	said, heard time.Time
	// stale is set if it may have waited to be read, so that it does not tell
	// where the tip is now.
	stale bool
}

// harvest takes what is new from a portion. What it refuses cannot be read.
func (c *course) harvest(p portion) (harvest, error) {
	h, err := c.cursor.harvest(p.records, c.anchored, c.arn(), c.start.Shard)
	if err == nil && c.atHorizon {
		err = c.contradiction(h)
	}
	return h, err
}

// deliver makes a chunk of a harvest and moves the cursor behind it.
func (c *course) deliver(ctx context.Context, p portion, h harvest) (shard.Chunk, error) {
	service := c.clock
	if !p.said.IsZero() {
		service = serviceClock{p.said, p.heard}
	}
	now := service.now(p.heard)
	chunk := shard.Chunk{Records: h.records, Skipped: h.skipped, Now: p.said, Behind: p.behindTip(h)}

	var ended bool
	var err error
	if p.closed && !h.cut {
		chunk.Children, ended, err = c.end(ctx, p.children)
		if err != nil && len(h.records) == 0 {
			return shard.Chunk{}, err
		}
		// With records at hand they are delivered; the end is looked at again.
		ended = ended && err == nil
		chunk.Ended = ended
	}
	if chunk.Loss, err = c.verify(ctx, h, ended, now); err != nil {
		return shard.Chunk{}, err
	}

	// From here on nothing fails.
	c.clock = service
	c.settle(p, h, now)
	if p.closed && !ended {
		// What has come since it was closed is in its children: this is no tip.
		chunk.Behind = max(chunk.Behind, time.Millisecond)
	}
	if ended {
		chunk.Behind = 0
		c.ended = &shard.Chunk{Now: chunk.Now, Ended: true, Children: chunk.Children}
	}
	return chunk, nil
}

// settle moves on behind what was delivered.
func (c *course) settle(p portion, h harvest, now time.Time) {
	caughtUp := p.behind != nil && *p.behind == 0 && !h.cut && !p.stale
	if h.first != "" {
		if c.anchored {
			c.verified = c.cursor.last.Sequence
		}
		c.anchored, c.atHorizon, c.gap = false, false, false
	} else if c.anchored && caughtUp && c.cursor.lost(now, c.retention) {
		c.gap = true
	}
	c.cursor = c.cursor.advanced(h)
	if caughtUp {
		c.cursor.caughtUp = now
	}
}

// behindTip is how far the end of a harvest is behind the tip. A portion that was
// not used to its end, or that has records and does not say, or that may be old,
// leaves something behind: nobody is to conclude that all was read.
func (p portion) behindTip(h harvest) time.Duration {
	d := time.Duration(max(aws.ToInt64(p.behind), 0)) * time.Millisecond
	if h.cut || p.stale || p.behind == nil && len(p.records) > 0 {
		d = max(d, time.Millisecond)
	}
	return d
}

// arn is what records carry as the name of their stream.
func (c *course) arn() string {
	if c.start.Stream.ARN != "" {
		return c.start.Stream.ARN
	}
	return c.source.given
}
