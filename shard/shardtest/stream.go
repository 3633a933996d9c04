package shardtest

import (
	"context"
	"crypto/md5"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"time"

	"github.com/towpath/towpath/shard"
)

// Options change a [Stream]. The zero value of each field is its default.
type Options struct {
	// Name is the stream's name. The default is "stream".
	Name string
	// Retention is how long records are kept. The default is 24 hours.
	Retention time.Duration
	// Limit is how many records one read returns at most. The default is 1,000.
	Limit int
	// Poll is how soon a shard that has been caught up with is read again. The
	// default is 200 ms.
	Poll time.Duration
	// BackOff is how long a reader waits after an error. The default is 500 ms.
	BackOff time.Duration
}

// Stream is a stream in memory. It is a shard.Source, and safe for use by many
// goroutines. Make one with [NewStream].
type Stream struct {
	options Options

	mu      sync.Mutex // guards all below; held for work in memory only
	created time.Time
	deleted bool
	shards  []*track
	last    uint64 // the last sequence number given, without its beginning
	fault   func(context.Context, Call) (Mood, error)
}

var _ shard.Source = (*Stream)(nil)

// track is one shard with its records.
type track struct {
	shard.Shard
	low, high *big.Int
	records   []shard.Record
	trimmed   int // so many of them can no longer be read
	opened    time.Time
	closed    time.Time
	children  []*track
	gone      bool
}

// NewStream makes a stream of n shards that divide the range of hashes evenly.
func NewStream(n int, options ...func(*Options)) *Stream {
	o := Options{Name: "stream", Retention: 24 * time.Hour, Limit: 1000, Poll: 200 * time.Millisecond, BackOff: 500 * time.Millisecond}
	for _, option := range options {
		option(&o)
	}
	s := &Stream{options: o, created: time.Now().Truncate(time.Second)}
	n = max(n, 1)
	for i := range n {
		s.open(part(i, n), new(big.Int).Sub(part(i+1, n), big.NewInt(1)))
	}
	return s
}

// part is where the i-th of n parts of the range of hashes begins.
func part(i, n int) *big.Int {
	x := new(big.Int).Lsh(big.NewInt(int64(i)), 128)
	return x.Div(x, big.NewInt(int64(n)))
}

// open adds a shard.
func (s *Stream) open(low, high *big.Int, parents ...*track) *track {
	d := &track{low: low, high: high, opened: time.Now(), Shard: shard.Shard{
		ID:            fmt.Sprintf("shardId-%012d", len(s.shards)),
		Hashes:        shard.HashRange{Start: low.String(), End: high.String()},
		FirstSequence: s.sequence(),
	}}
	for _, p := range parents {
		d.Parents = append(d.Parents, p.ID)
		p.children = append(p.children, d)
	}
	s.shards = append(s.shards, d)
	return d
}

// sequence gives out the next sequence number of the stream: 56 digits, as
// those of Kinesis.
func (s *Stream) sequence() string {
	s.last++
	return fmt.Sprintf("496%053d", s.last)
}

// ARN is the stream's ARN.
func (s *Stream) ARN() string {
	return "arn:aws:kinesis:us-east-1:000000000000:stream/" + s.options.Name
}

// Put adds a record to the open shard whose range has the key's hash.
func (s *Stream) Put(key string, data []byte) shard.Record {
	sum := md5.Sum([]byte(key))
	hash := new(big.Int).SetBytes(sum[:])
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.shards {
		// Open shards cover every hash, so that there always is one.
		if d.Open() && d.low.Cmp(hash) <= 0 && hash.Cmp(d.high) <= 0 {
			return s.put(d, key, data)
		}
	}
	return shard.Record{}
}

// PutTo adds a record to an open shard, whatever the key's hash.
func (s *Stream) PutTo(shardID, key string, data []byte) (shard.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.openShard(shardID)
	if err != nil {
		return shard.Record{}, err
	}
	return s.put(d, key, data), nil
}

func (s *Stream) put(d *track, key string, data []byte) shard.Record {
	r := shard.Record{
		Stream: s.ARN(), Shard: d.ID, Sequence: s.sequence(),
		PartitionKey: key, Keyed: true, Data: slices.Clone(data), ArrivedAt: time.Now(),
	}
	d.records = append(d.records, r)
	return r
}

// Split closes a shard and opens two in its place.
func (s *Stream) Split(shardID string) (lower, upper string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.openShard(shardID)
	if err != nil {
		return "", "", err
	}
	if d.low.Cmp(d.high) == 0 {
		return "", "", fmt.Errorf("split %s: it has a single hash", shardID)
	}
	s.close(d)
	middle := new(big.Int).Add(d.low, d.high)
	middle.Rsh(middle, 1)
	a := s.open(d.low, middle, d)
	b := s.open(new(big.Int).Add(middle, big.NewInt(1)), d.high, d)
	return a.ID, b.ID, nil
}

// Merge closes two adjacent shards and opens one in their place.
func (s *Stream) Merge(shardID, adjacent string) (child string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.openShard(shardID)
	if err != nil {
		return "", err
	}
	b, err := s.openShard(adjacent)
	if err != nil {
		return "", err
	}
	low, high := a, b
	if low.low.Cmp(high.low) > 0 {
		low, high = b, a
	}
	if new(big.Int).Add(low.high, big.NewInt(1)).Cmp(high.low) != 0 {
		return "", fmt.Errorf("merge %s and %s: they are not adjacent", shardID, adjacent)
	}
	s.close(a)
	s.close(b)
	return s.open(low.low, high.high, a, b).ID, nil
}

func (s *Stream) close(d *track) { d.LastSequence, d.closed = s.sequence(), time.Now() }

func (s *Stream) openShard(id string) (*track, error) {
	d := s.find(id)
	if d == nil {
		return nil, fmt.Errorf("%s: %w", id, shard.ErrNoShard)
	}
	if !d.Open() {
		return nil, fmt.Errorf("%s is closed", id)
	}
	return d, nil
}

// find is a shard that is still listed, or nil.
func (s *Stream) find(id string) *track {
	for _, d := range s.shards {
		if d.ID == id && !d.gone {
			return d
		}
	}
	return nil
}

// Trim makes the n oldest readable records of a shard unreadable, as if
// retention had passed them. A closed shard without readable records is gone.
func (s *Stream) Trim(shardID string, n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.find(shardID)
	if d == nil {
		return fmt.Errorf("trim %s: %w", shardID, shard.ErrNoShard)
	}
	d.trimmed = min(d.trimmed+n, len(d.records))
	d.gone = !d.Open() && d.trimmed == len(d.records)
	return nil
}

// age trims what retention has passed.
func (s *Stream) age(now time.Time) {
	horizon := now.Add(-s.options.Retention)
	for _, d := range s.shards {
		for d.trimmed < len(d.records) && d.records[d.trimmed].ArrivedAt.Before(horizon) {
			d.trimmed++
		}
		d.gone = d.gone || !d.Open() && d.trimmed == len(d.records) && d.closed.Before(horizon)
	}
}

// Delete makes the stream vanish: everything answers shard.ErrNoStream.
func (s *Stream) Delete() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deleted = true
}

// Records is everything ever put, trimmed or not, shard by shard in the order of
// the shards' ids, and in order within each.
func (s *Stream) Records() []shard.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []shard.Record
	for _, d := range s.shards {
		all = append(all, d.records...)
	}
	return all
}
