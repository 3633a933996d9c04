package kinesisfake

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"
)

type getRecordsInput struct {
	ShardIterator string
	Limit         *int
	StreamARN     string
}

// page is one answer of GetRecords.
type page struct {
	records  []record
	next     string // empty at the end of a closed shard
	children []childShard
	behind   time.Duration

	continuation string // of an event of a subscription; empty at the end of the shard
}

type childShard struct {
	ShardId      string
	ParentShards []string
	HashKeyRange hashKeyRange
}

func (s *Service) getRecords(body []byte) ([]byte, error) {
	var in getRecordsInput
	if err := parse(body, &in); err != nil {
		return nil, err
	}
	p, err := s.page(in)
	if err != nil {
		return nil, err
	}
	return p.json() // without the lock: records never change
}

// page reads the page an iterator stands at.
func (s *Service) page(in getRecordsInput) (page, error) {
	limit := maxPageRecords
	if in.Limit != nil {
		limit = *in.Limit
	}
	if limit < 1 || limit > maxPageRecords {
		return page{}, invalid("Limit must be from 1 to %d.", maxPageRecords)
	}
	i, ok := parseIterator(in.ShardIterator)
	if !ok {
		return page{}, invalid("Invalid ShardIterator.")
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if in.StreamARN != "" {
		if _, err := s.find(named{StreamARN: in.StreamARN}); err != nil {
			return page{}, err
		}
	}
	t, d, err := s.locate(i)
	if err != nil {
		return page{}, err
	}
	now := s.now()
	if age := now.Sub(i.issued); age > s.limits.iteratorTTL {
		return page{}, refusal("ExpiredIteratorException", "Iterator expired. It was issued %s ago, while it can be used for %s.", age, s.limits.iteratorTTL)
	}
	horizon := t.horizon(now)
	if d.expired(horizon) {
		return page{}, t.noShard(d.id)
	}
	if s.limits.read && !(d.readBytes.open(now, readPerSecond) && d.reads.allow(now, callsPerSecond)) {
		return page{}, tooFast(t, d)
	}

	place := max(min(i.place, len(d.records)), d.first(horizon))
	p, bytes := d.read(place, limit)
	d.readBytes.take(bytes, readPerSecond)
	end := place + len(p.records)
	if end < len(d.records) {
		tip := end // of an empty page; otherwise the last record answered
		if len(p.records) > 0 {
			tip = end - 1
		}
		p.behind = max(now.Sub(d.records[tip].arrival), 0)
	}
	if d.closed.IsZero() || end < len(d.records) {
		p.next = iterator{t.birth, d.number, end, now}.String()
		return p, nil
	}
	p.children = d.offspring()
	return p, nil
}

// offspring are the children of a shard, as its last answer tells them.
func (d *shard) offspring() []childShard {
	var children []childShard
	for _, child := range d.heirs {
		children = append(children, childShard{child.id, ids(child.parents), child.hashKeyRange()})
	}
	return children
}

// read takes the records of a page from a place on, and how many bytes they are.
// No record is larger than a page.
func (d *shard) read(place, limit int) (page, int) {
	if d.emptyPages > 0 {
		d.emptyPages--
		return page{}, 0
	}
	end, bytes := place, 0
	for end < len(d.records) && end-place < limit {
		n := d.records[end].size()
		if bytes+n > maxPageBytes {
			break
		}
		bytes += n
		end++
	}
	return page{records: d.records[place:end:end]}, bytes
}

// json writes a page by hand: it is most of what the service ever writes.
func (p page) json() ([]byte, error) {
	size := 512
	for _, r := range p.records {
		size += 192 + len(r.key) + base64.StdEncoding.EncodedLen(len(r.data))
	}
	b := append(make([]byte, 0, size), `{"Records":[`...)
	for i, r := range p.records {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"SequenceNumber":"`...)
		b = append(b, r.sequence...)
		b = append(b, `","ApproximateArrivalTimestamp":`...)
		b = appendEpoch(b, r.arrival)
		b = append(b, `,"Data":"`...)
		b = base64.StdEncoding.AppendEncode(b, r.data)
		b = append(b, '"')
		if r.keyed {
			b = appendString(append(b, `,"PartitionKey":`...), r.key)
		}
		b = append(b, '}')
	}
	b = append(b, `],"MillisBehindLatest":`...)
	b = strconv.AppendInt(b, p.behind.Milliseconds(), 10)
	if p.next != "" {
		b = append(append(append(b, `,"NextShardIterator":"`...), p.next...), '"')
	}
	if p.continuation != "" {
		b = append(append(append(b, `,"ContinuationSequenceNumber":"`...), p.continuation...), '"')
	}
	if p.children != nil {
		children, err := json.Marshal(p.children)
		if err != nil {
			return nil, err
		}
		b = append(append(b, `,"ChildShards":`...), children...)
	}
	return append(b, '}'), nil
}

// appendString writes a JSON string, most of which need no escapes.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a string always marshals
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

func ids(shards []*shard) []string {
	list := make([]string, len(shards))
	for i, d := range shards {
		list[i] = d.id
	}
	return list
}
