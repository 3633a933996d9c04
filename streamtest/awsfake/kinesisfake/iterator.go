package kinesisfake

import (
	"time"
)

type getShardIteratorInput struct {
	named
	ShardId                string
	ShardIteratorType      string
	StartingSequenceNumber *string
	Timestamp              *epoch
}

type getShardIteratorOutput struct{ ShardIterator string }

func (s *Service) getShardIterator(in getShardIteratorInput) (out getShardIteratorOutput, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(in.named)
	if err != nil {
		return out, err
	}
	now := s.now()
	d, err := t.find(in.ShardId, now)
	if err != nil {
		return out, err
	}
	if s.limits.read && !d.iterators.allow(now, callsPerSecond) {
		return out, tooFast(t, d)
	}
	place, err := t.place(d, position{in.ShardIteratorType, in.StartingSequenceNumber, in.Timestamp}, now)
	if err != nil {
		return out, err
	}
	out.ShardIterator = iterator{t.birth, d.number, place, now}.String()
	return out, nil
}

// position is where a reader wants to begin.
type position struct {
	Type           string
	SequenceNumber *string
	Timestamp      *epoch
}

// place is where a new iterator or subscription stands: the index of the next
// record to read, which may be one that was trimmed since, or one still to come.
func (t *stream) place(d *shard, in position, now time.Time) (int, error) {
	bySequence := in.Type == "AT_SEQUENCE_NUMBER" || in.Type == "AFTER_SEQUENCE_NUMBER"
	byTime := in.Type == "AT_TIMESTAMP"
	switch {
	case bySequence != (in.SequenceNumber != nil):
		return 0, invalid("A sequence number goes with AT_SEQUENCE_NUMBER and AFTER_SEQUENCE_NUMBER only, and they need it; the type is %s.", in.Type)
	case byTime != (in.Timestamp != nil):
		return 0, invalid("Timestamp goes with AT_TIMESTAMP only, and that needs it; the type is %s.", in.Type)
	}
	switch in.Type {
	case "TRIM_HORIZON":
		return d.first(t.horizon(now)), nil
	case "LATEST":
		return len(d.records), nil
	case "AT_TIMESTAMP":
		at := time.Time(*in.Timestamp)
		if at.After(now) {
			return 0, invalid("Timestamp %s lies in the future.", at.UTC().Format(time.RFC3339Nano))
		}
		return d.since(at), nil
	case "AT_SEQUENCE_NUMBER":
		return t.placeOf(d, *in.SequenceNumber, 0)
	case "AFTER_SEQUENCE_NUMBER":
		return t.placeOf(d, *in.SequenceNumber, 1)
	}
	return 0, refusal("ValidationException", "type %q of a position is none of the five", in.Type)
}

// placeOf is where the record with a sequence number stands, moved by after if
// the number is a record's. Only numbers that the shard has given out are known:
// of records, of its start and end, and those between two records, as a
// subscription's continuations are.
func (t *stream) placeOf(d *shard, number string, after int) (int, error) {
	n, ok := parseSequence(number)
	if !ok {
		return 0, invalid("StartingSequenceNumber %s used in GetShardIterator on shard %s in stream %s under account %s is invalid.", number, d.id, t.name, account)
	}
	if n.shard != uint32(d.number) && int(n.shard) < len(t.shards) && t.shards[n.shard].birth == n.birth {
		return 0, invalid("Invalid StartingSequenceNumber. It encodes %s, while it was used in a call to a shard with %s", t.shards[n.shard].id, d.id)
	}
	switch {
	case number == d.starting():
		return 0, nil
	case number == d.ending:
		return len(d.records), nil
	case n.index > 0 && n.index <= uint64(len(d.records)) && d.records[n.index-1].sequence == number:
		return int(n.index) - 1 + after, nil
	case n.birth == d.birth && n.shard == uint32(d.number) && n.index <= uint64(len(d.records)) && n.second > d.secondOf(int(n.index)):
		return int(n.index), nil
	}
	return 0, invalid("StartingSequenceNumber %s used in GetShardIterator on shard %s in stream %s under account %s is invalid because it did not come from this stream.", number, d.id, t.name, account)
}

// secondOf is the second in the number of the record of an index, or in that of
// the start of the shard.
func (d *shard) secondOf(index int) uint64 {
	if index == startIndex {
		return uint64(max(d.created.Unix(), 0))
	}
	return uint64(max(d.records[index-1].arrival.Unix(), 0))
}

// continuation is the number that reading goes on after, when the next record is
// at a place: that of the record before it, or one between the two as soon as the
// second of that record has passed. So it grows while nothing is put, too.
func (d *shard) continuation(place int, now time.Time) string {
	second := max(d.secondOf(place), uint64(max(now.Unix(), 0)))
	return sequence{d.birth, uint64(place), second, uint32(d.number)}.String()
}

// iterator is what a shard iterator holds.
type iterator struct {
	stream uint64 // its birth
	shard  int
	place  int // of the next record
	issued time.Time
}

// String is the iterator as clients see it.
func (i iterator) String() string {
	return seal(iteratorToken, int64(i.stream), int64(i.shard), int64(i.place), i.issued.UnixNano())
}

// parseIterator takes an iterator apart, and reports whether it was one.
func parseIterator(s string) (iterator, bool) {
	var stream, shard, place, issued int64
	if !unseal(s, iteratorToken, &stream, &shard, &place, &issued) {
		return iterator{}, false
	}
	return iterator{uint64(stream), int(shard), int(place), time.Unix(0, issued)}, true
}

// locate is the stream and the shard an iterator belongs to.
func (s *Service) locate(i iterator) (*stream, *shard, error) {
	for _, t := range s.streams {
		if t.birth == i.stream && i.shard >= 0 && i.shard < len(t.shards) {
			t.settle(s.now())
			return t, t.shards[i.shard], nil
		}
	}
	return nil, nil, notFound("The stream of the shard iterator does not exist under account %s.", account)
}

func tooFast(t *stream, d *shard) error {
	return refusal("ProvisionedThroughputExceededException", "Rate exceeded for shard %s in stream %s under account %s.", d.id, t.name, account)
}
