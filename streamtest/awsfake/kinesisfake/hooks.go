package kinesisfake

import (
	"slices"
	"strings"
	"time"
)

// Record is a record as it was put, with what became of it.
type Record struct {
	ShardID        string    // where it was put
	SequenceNumber string    // decimal, unique and growing in its shard
	PartitionKey   string    // as it was put
	Keyed          bool      // false if it has no partition key at all
	Data           []byte    // as it was put
	Arrival        time.Time // when it was put, by the clock of the service
	Trimmed        bool      // it can no longer be read
}

// Shard is a shard with its place in the lineage.
type Shard struct {
	ID                             string    // shardId-000000000000 and on
	Parents, Children              []string  // ids of the shards around it
	StartingHashKey, EndingHashKey string    // decimal, both included
	StartingSequenceNumber         string    // below that of its first record
	EndingSequenceNumber           string    // empty while open
	Created                        time.Time // by the clock of the service
	Closed                         time.Time // zero while open
	Listed                         bool      // false once retention has passed its end
}

// CreateStream makes a stream of n equal shards. One that is named by its ARN is
// of the account in it, which has granted everybody everything: like the real
// service, this one knows it by its ARN alone, and so do Put and the others here.
func (s *Service) CreateStream(name string, n int) error {
	if strings.HasPrefix(name, "arn:") {
		return s.createForeign(name, n)
	}
	_, err := s.createStream(createStreamInput{StreamName: name, ShardCount: &n})
	return err
}

func (s *Service) createForeign(arn string, n int) error {
	name, ok := streamOfARN(arn)
	owner := strings.Split(arn+":::::", ":")[4]
	if !ok || !streamName.MatchString(name) || n < 1 {
		return invalid("%q with %d shards is no stream", arn, n)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams[keyOf(owner, name)] != nil {
		return refusal("ResourceInUseException", "Stream %s under account %s already exists.", name, owner)
	}
	s.streams[keyOf(owner, name)] = s.newStream(owner, name, n, false)
	return nil
}

// ARN is the ARN a stream of that name has.
func (s *Service) ARN(name string) string { return (&stream{name: name, account: account}).arn() }

// Put stores a record as PutRecord does and tells where.
func (s *Service) Put(stream, key string, data []byte) (shardID, sequenceNumber string, err error) {
	out, err := s.putRecord(putRecordInput{naming(stream), putEntry{Data: slices.Clone(data), PartitionKey: &key}})
	return out.ShardId, out.SequenceNumber, err
}

// PutUnkeyed stores a record without a partition key, as producers can on
// streams of the AUTO distribution strategy.
func (s *Service) PutUnkeyed(stream, shardID string, data []byte) (sequenceNumber string, err error) {
	if len(data) > maxRecordBytes {
		return "", refusal("ValidationException", "Data must have at most %d bytes.", maxRecordBytes)
	}
	err = s.with(stream, shardID, func(_ *streamAt, d *shard) error {
		if !d.closed.IsZero() {
			return invalid("Shard %s in stream %s is closed.", shardID, stream)
		}
		sequenceNumber = d.append(s.now(), record{data: slices.Clone(data)}).sequence
		return nil
	})
	return sequenceNumber, err
}

// streamAt is a stream at a moment.
type streamAt struct {
	*stream
	now time.Time
}

// with runs f on a shard that is still there.
func (s *Service) with(stream, shardID string, f func(*streamAt, *shard) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(naming(stream))
	if err != nil {
		return err
	}
	at := &streamAt{t, s.now()}
	d, err := t.find(shardID, at.now)
	if err != nil {
		return err
	}
	return f(at, d)
}

// Records is everything ever put into a stream, shard by shard in the order of
// the shards' ids, and in order within each; nil if there is no such stream.
func (s *Service) Records(stream string) []Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(naming(stream))
	if err != nil {
		return nil
	}
	var all []Record
	horizon := t.horizon(s.now())
	for _, d := range t.shards {
		first, expired := d.first(horizon), d.expired(horizon)
		for i, r := range d.records {
			all = append(all, Record{d.id, r.sequence, r.key, r.keyed, slices.Clone(r.data), r.arrival, expired || i < first})
		}
	}
	return all
}

// Count is how many records were ever put into a stream; 0 if there is no such
// stream.
func (s *Service) Count(stream string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(named{StreamName: stream})
	if err != nil {
		return 0
	}
	n := 0
	for _, d := range t.shards {
		n += len(d.records)
	}
	return n
}

// Shards is every shard a stream ever had, in the order of their ids; nil if
// there is no such stream.
func (s *Service) Shards(stream string) []Shard {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(naming(stream))
	if err != nil {
		return nil
	}
	var all []Shard
	horizon := t.horizon(s.now())
	for _, d := range t.shards {
		all = append(all, Shard{
			ID: d.id, Parents: ids(d.parents), Children: ids(d.heirs),
			StartingHashKey: d.low.String(), EndingHashKey: d.high.String(),
			StartingSequenceNumber: d.starting(), EndingSequenceNumber: d.ending,
			Created: d.created, Closed: d.closed, Listed: !d.expired(horizon),
		})
	}
	return all
}

// Split splits a shard in two halves at once, whatever the reshard time.
func (s *Service) Split(stream, shardID string) (lower, upper string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, d, err := s.eligible(naming(stream), shardID)
	if err != nil {
		return "", "", err
	}
	if d.low == d.high {
		return "", "", invalid("Shard %s in stream %s is a single hash key.", shardID, stream)
	}
	a, b := s.split(t, d, middle(d.low, d.high), s.now())
	return a.id, b.id, nil
}

// Merge merges two adjacent shards at once, whatever the reshard time.
func (s *Service) Merge(stream, shardID, adjacentShardID string) (child string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, a, err := s.eligible(naming(stream), shardID)
	if err != nil {
		return "", err
	}
	_, b, err := s.eligible(naming(stream), adjacentShardID)
	if err != nil {
		return "", err
	}
	if !adjacent(a, b) {
		return "", invalid("Shards %s and %s in stream %s are not adjacent.", a.id, b.id, stream)
	}
	return s.merge(t, a, b, s.now()).id, nil
}
