package dynamofake

import (
	"fmt"
	"hash/fnv"
	"math/big"
	"slices"
	"time"
)

// The times of DynamoDB Streams: a shard takes records for about four hours, and
// a record, a closed shard and a disabled stream are kept for a day.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
const (
	shardTakes  = 4 * time.Hour
	streamKeeps = 24 * time.Hour
)

// stream is one stream of a table: each time one is enabled, another. The lock
// of the Service protects it.
type stream struct {
	table, label string
	view         string
	schema       schema
	created      time.Time
	disabled     time.Time // zero while enabled
	shards       []*streamShard
	made         int      // shards so far, those that are gone too
	sequence     *big.Int // the last one given out
}

// streamShard is one shard: the records of the items whose partition keys hash
// to low, high or between.
type streamShard struct {
	id, parent       string
	low, high        uint64
	starting, ending string // sequence numbers; ending is empty while open
	created, closed  time.Time
	records          []streamRecord // those that are kept
	trimmed          int            // how many came before them
	trimmedUpTo      string         // sequence number of the last of those
}

// streamRecord is one record, with its body as it goes over the wire.
type streamRecord struct {
	sequence string
	at       time.Time
	size     int
	body     []byte
}

func (t *stream) arn() string { return arnPrefix + t.table + "/stream/" + t.label }

func (t *stream) enabled() bool { return t.disabled.IsZero() }

// enable gives a table a new stream.
func (s *Service) enable(t *table, view string) {
	now := s.now()
	at := now.UTC().Truncate(time.Millisecond)
	if t.latest != nil && !at.After(t.latest.created) {
		at = t.latest.created.Add(time.Millisecond) // labels differ
	}
	stream := &stream{
		table: t.name, label: at.Format("2006-01-02T15:04:05.000"), view: view, schema: t.schema, created: at,
		// Two records on, the numbers are one digit longer: as the real ones, they
		// are not of one length.
		sequence: new(big.Int).SetUint64(9_999_999_999_999_000_000),
	}
	stream.sequence.Mul(stream.sequence, big.NewInt(100))
	n := uint64(max(s.partitions, 1))
	for i, step := uint64(0), ^uint64(0)/n; i < n; i++ {
		high := (i+1)*step - 1
		if i == n-1 {
			high = ^uint64(0) // what the division left over
		}
		stream.open("", i*step, high, now)
	}
	t.latest = stream
	s.streams = append(s.streams, stream)
}

// disable closes every shard of a table's stream for good.
func (s *Service) disable(t *table) {
	if t.latest == nil || !t.latest.enabled() {
		return
	}
	now := s.now()
	s.settle(t.latest, now)
	for _, d := range t.latest.shards {
		if d.ending == "" {
			t.latest.close(d, now)
		}
	}
	t.latest.disabled = now
}

// respecify obeys the StreamSpecification of an UpdateTable.
func (s *Service) respecify(t *table, in streamSpecification) error {
	on := t.latest != nil && t.latest.enabled()
	switch {
	case in.StreamEnabled && on:
		return invalid("Table already has an enabled stream")
	case !in.StreamEnabled && !on:
		return invalid("Table has no stream to disable")
	case !in.StreamEnabled:
		s.disable(t)
		t.stream = nil
		return nil
	}
	if err := in.check(); err != nil {
		return err
	}
	t.stream = &in
	s.enable(t, in.StreamViewType)
	return nil
}

func (in streamSpecification) check() error {
	if !slices.Contains([]string{"KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"}, in.StreamViewType) {
		return unknownValue("streamSpecification.streamViewType", in.StreamViewType, "[NEW_IMAGE, OLD_IMAGE, NEW_AND_OLD_IMAGES, KEYS_ONLY]")
	}
	return nil
}

// next is the next sequence number. There are gaps, as between the real ones.
func (t *stream) next() string {
	t.sequence.Add(t.sequence, big.NewInt(70_000_003))
	return t.sequence.String()
}

// open makes a shard.
func (t *stream) open(parent string, low, high uint64, at time.Time) *streamShard {
	d := &streamShard{
		// By id they are in the order in which they were made.
		id:     fmt.Sprintf("shardId-%020d-%08x", at.UnixMilli(), t.made),
		parent: parent, low: low, high: high, created: at, starting: t.next(),
	}
	t.made++
	t.shards = append(t.shards, d)
	return d
}

// close ends a shard at its last record, or at its beginning.
func (t *stream) close(d *streamShard, at time.Time) {
	d.closed, d.ending = at, d.starting
	if n := len(d.records); n > 0 {
		d.ending = d.records[n-1].sequence
	} else if d.trimmedUpTo != "" {
		d.ending = d.trimmedUpTo
	}
}

// roll closes a shard and opens its child.
func (t *stream) roll(d *streamShard, at time.Time) *streamShard {
	t.close(d, at)
	return t.open(d.id, d.low, d.high, at)
}

// settle lets happen to a stream what has been due by now: shards that roll
// over, records and shards that retention has passed.
func (s *Service) settle(t *stream, now time.Time) {
	for {
		at := slices.IndexFunc(t.shards, func(d *streamShard) bool {
			return d.ending == "" && now.Sub(d.created) >= s.rolls
		})
		if at < 0 || s.rolls <= 0 {
			break
		}
		t.roll(t.shards[at], t.shards[at].created.Add(s.rolls))
	}
	horizon := now.Add(-s.keeps)
	for _, d := range t.shards {
		n := 0
		for n < len(d.records) && !d.records[n].at.After(horizon) {
			n++
		}
		d.trim(n)
	}
	t.shards = slices.DeleteFunc(t.shards, func(d *streamShard) bool { return d.ending != "" && !d.closed.After(horizon) })
}

// trim takes away the n oldest records.
func (d *streamShard) trim(n int) {
	if n <= 0 {
		return
	}
	d.trimmedUpTo = d.records[n-1].sequence
	d.trimmed += n
	d.records = slices.Clone(d.records[n:]) // lets go of the old ones
}

// streamOf finds a stream by its ARN, as it is now.
func (s *Service) streamOf(arn string) (*stream, error) {
	now := s.now()
	s.streams = slices.DeleteFunc(s.streams, func(t *stream) bool {
		return !t.enabled() && now.Sub(t.disabled) >= s.keeps
	})
	for _, t := range s.streams {
		if t.arn() == arn {
			s.settle(t, now)
			return t, nil
		}
	}
	return nil, notFound("Requested resource not found: Stream: " + arn + " not found")
}

// shard finds a shard by its id.
func (t *stream) shard(id string) (*streamShard, error) {
	for _, d := range t.shards {
		if d.id == id {
			return d, nil
		}
	}
	return nil, notFound("Shard does not exist")
}

// taking is the open shard that takes the records of an item, or nil.
func (t *stream) taking(it Item) *streamShard {
	h := fnv.New64a()
	_, _ = h.Write([]byte(it[t.schema.hash].text))
	sum := h.Sum64() * 0x9E3779B97F4A7C15 // short keys differ in the low bits only
	for _, d := range t.shards {
		if d.ending == "" && d.low <= sum && sum <= d.high {
			return d
		}
	}
	return nil
}
