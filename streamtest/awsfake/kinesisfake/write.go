package kinesisfake

import (
	"time"
	"unicode/utf8"
)

type putRecordInput struct {
	named
	putEntry
}

type putEntry struct {
	Data            []byte
	PartitionKey    *string
	ExplicitHashKey *string
}

type putRecordOutput struct {
	ShardId        string
	SequenceNumber string
	EncryptionType string
}

type putRecordsInput struct {
	named
	Records []putEntry
}

type putRecordsOutput struct {
	FailedRecordCount int
	Records           []putResult
	EncryptionType    string
}

type putResult struct {
	ShardId        string `json:",omitempty"`
	SequenceNumber string `json:",omitempty"`
	ErrorCode      string `json:",omitempty"`
	ErrorMessage   string `json:",omitempty"`
}

func (s *Service) putRecord(in putRecordInput) (out putRecordOutput, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(in.named)
	if err != nil {
		return out, err
	}
	hash, err := in.check()
	if err != nil {
		return out, err
	}
	d, r, err := s.put(t, hash, in.putEntry)
	if err != nil {
		return out, err
	}
	return putRecordOutput{d.id, r.sequence, "NONE"}, nil
}

func (s *Service) putRecords(in putRecordsInput) (out putRecordsOutput, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(in.named)
	if err != nil {
		return out, err
	}
	if n := len(in.Records); n == 0 || n > maxPutRecords {
		return out, refusal("ValidationException", "Records must be from 1 to %d, not %d.", maxPutRecords, n)
	}
	hashes, bytes := make([]hashKey, len(in.Records)), 0
	for i, e := range in.Records {
		if hashes[i], err = e.check(); err != nil {
			return out, err
		}
		bytes += len(e.Data) + len(*e.PartitionKey)
	}
	if bytes > maxPutBytes {
		return out, invalid("Records size exceeds 10 MB limit")
	}
	out.EncryptionType = "NONE"
	for i, e := range in.Records {
		d, r, err := s.put(t, hashes[i], e)
		if refused, ok := err.(*Error); ok {
			out.FailedRecordCount++
			out.Records = append(out.Records, putResult{ErrorCode: refused.Code, ErrorMessage: refused.Message})
			continue
		}
		out.Records = append(out.Records, putResult{ShardId: d.id, SequenceNumber: r.sequence})
	}
	return out, nil
}

// check says what is wrong with an entry, or where it goes.
func (e putEntry) check() (hashKey, error) {
	if e.PartitionKey == nil || *e.PartitionKey == "" || utf8.RuneCountInString(*e.PartitionKey) > maxPartitionKey {
		return hashKey{}, refusal("ValidationException", "PartitionKey must have from 1 to %d characters.", maxPartitionKey)
	}
	if len(e.Data)+len(*e.PartitionKey) > maxRecordBytes {
		return hashKey{}, refusal("ValidationException", "Data and PartitionKey must have at most %d bytes.", maxRecordBytes)
	}
	if e.ExplicitHashKey == nil {
		return hashOf(*e.PartitionKey), nil
	}
	k, ok := parseHashKey(*e.ExplicitHashKey)
	if !ok {
		return hashKey{}, invalid("Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was %s", *e.ExplicitHashKey)
	}
	return k, nil
}

// put appends an entry to the shard its hash key falls to. Its errors are all
// of type *Error.
func (s *Service) put(t *stream, hash hashKey, e putEntry) (*shard, record, error) {
	d := t.owner(hash)
	if d == nil {
		return nil, record{}, refusal("InternalFailure", "no open shard of stream %s holds hash key %s", t.name, hash)
	}
	now, bytes := s.now(), len(e.Data)+len(*e.PartitionKey)
	if s.refuse != nil && s.refuse(e.Data) {
		return nil, record{}, tooFast(t, d)
	}
	if d.rejectedPut > 0 {
		d.rejectedPut--
		return nil, record{}, tooFast(t, d)
	}
	if s.limits.write {
		if !d.writeBytes.open(now, writePerSecond) || !d.writes.allow(now, recordsPerSecond) {
			return nil, record{}, tooFast(t, d)
		}
		d.writeBytes.take(bytes, writePerSecond)
	}
	return d, d.append(now, record{key: *e.PartitionKey, keyed: true, data: e.Data}), nil
}

// append stores a record as the shard's next. Arrival times never go back
// within a shard, whatever the clock does.
func (d *shard) append(now time.Time, r record) record {
	r.arrival = now.Truncate(time.Millisecond)
	if n := len(d.records); n > 0 && d.records[n-1].arrival.After(r.arrival) {
		r.arrival = d.records[n-1].arrival
	}
	r.sequence = sequence{d.birth, uint64(len(d.records)) + 1, uint64(max(r.arrival.Unix(), 0)), uint32(d.number)}.String()
	d.records = append(d.records, r)
	d.wake()
	return r
}
