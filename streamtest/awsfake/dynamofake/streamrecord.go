package dynamofake

import (
	"fmt"
	"strconv"
	"time"
)

// StreamRecord is one record of a stream as [Service.OnStream] tells of it.
type StreamRecord struct {
	Table string // whose item changed
	ARN   string // of the stream
	Shard string // the id of the shard
	// Sequence is the record's sequence number, decimal; it grows along a shard
	// and from it to its children.
	Sequence string
	Key      Item      // of the item
	Event    string    // INSERT, MODIFY or REMOVE
	At       time.Time // when it was written, by the clock of the service
}

// publish puts a write that changed something into the stream of its table.
func (s *Service) publish(w *write, expired bool) {
	t := w.table.latest
	if t == nil || !t.enabled() {
		return
	}
	now := s.now()
	s.settle(t, now)
	it := w.after
	if it == nil {
		it = w.before
	}
	d := t.taking(it)
	if d == nil {
		return
	}
	r := t.record(w, expired, now)
	d.records = append(d.records, r)
	s.streamed = append(s.streamed, StreamRecord{
		Table: t.table, ARN: t.arn(), Shard: d.id, Sequence: r.sequence, Key: t.schema.key(it), Event: event(w), At: now,
	})
}

func event(w *write) string {
	switch {
	case w.before == nil:
		return "INSERT"
	case w.after == nil:
		return "REMOVE"
	}
	return "MODIFY"
}

// record writes a record as GetRecords answers it. Its time is cut to the
// second, as in the real service.
func (t *stream) record(w *write, expired bool, now time.Time) streamRecord {
	it := w.after
	if it == nil {
		it = w.before
	}
	key := t.schema.key(it)
	r := streamRecord{sequence: t.next(), at: now, size: key.size()}
	b := fmt.Appendf(nil, `{"eventID":"%032x","eventName":"%s","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"us-east-1","dynamodb":{"ApproximateCreationDateTime":%d,"Keys":`,
		t.sequence, event(w), now.Unix())
	b = key.appendJSON(b)
	image := func(name string, it Item, view string) {
		if it == nil || t.view != "NEW_AND_OLD_IMAGES" && t.view != view {
			return
		}
		b = append(append(append(b, `,"`...), name...), `":`...)
		b = it.appendJSON(b)
		r.size += it.size()
	}
	image("NewImage", w.after, "NEW_IMAGE")
	image("OldImage", w.before, "OLD_IMAGE")
	b = append(append(append(b, `,"SequenceNumber":"`...), r.sequence...), `","SizeBytes":`...)
	b = strconv.AppendInt(b, int64(r.size), 10)
	b = append(append(append(b, `,"StreamViewType":"`...), t.view...), `"}`...)
	if expired {
		b = append(b, `,"userIdentity":{"PrincipalId":"dynamodb.amazonaws.com","Type":"Service"}`...)
	}
	r.body = append(b, '}')
	return r
}
