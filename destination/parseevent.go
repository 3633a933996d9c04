package destination

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/towpath/towpath/shard"
)

// ParseEvent reads the records of an event that Failure.Event wrote, or AWS
// Lambda. The event of a DynamoDB stream does not name the shard, so that it is
// given; it and the stream stand in for what a record leaves out.
func ParseEvent(event []byte, stream, shardID string) ([]shard.Record, error) {
	var doc struct {
		Records []json.RawMessage
	}
	if err := json.Unmarshal(event, &doc); err != nil {
		return nil, fmt.Errorf("parse event: %w", err)
	}
	records := make([]shard.Record, len(doc.Records))
	for i, raw := range doc.Records {
		r, err := parseRecord(raw)
		if err != nil {
			return nil, fmt.Errorf("parse event: record %d of %d: %w", i+1, len(doc.Records), err)
		}
		if r.Stream == "" {
			r.Stream = stream
		}
		if r.Shard == "" {
			r.Shard = shardID
		}
		records[i] = r
	}
	return records, nil
}

// eventRecord is what is read of a record in either shape.
type eventRecord struct {
	Kinesis *struct {
		PartitionKey   *string     `json:"partitionKey"`
		SequenceNumber string      `json:"sequenceNumber"`
		Data           string      `json:"data"`
		ArrivedAt      json.Number `json:"approximateArrivalTimestamp"`
	} `json:"kinesis"`
	DynamoDB *struct {
		SequenceNumber string
		CreatedAt      json.Number `json:"ApproximateCreationDateTime"`
	} `json:"dynamodb"`
	EventID string `json:"eventID"`
	Stream  string `json:"eventSourceARN"`
	// Beyond is looked into only where this package wrote it: the data of a
	// DynamoDB record may have a member of that name.
	Beyond json.RawMessage `json:"towpath"`
}

func parseRecord(raw json.RawMessage) (shard.Record, error) {
	var e eventRecord
	if err := json.Unmarshal(raw, &e); err != nil {
		return shard.Record{}, err
	}
	switch {
	case e.Kinesis != nil:
		return e.kinesis()
	case e.DynamoDB != nil:
		return e.dynamoDB(raw)
	}
	return shard.Record{}, errors.New("it has neither a member kinesis nor a member dynamodb")
}

func (e *eventRecord) kinesis() (shard.Record, error) {
	k := e.Kinesis
	r := shard.Record{Stream: e.Stream, Sequence: k.SequenceNumber, Keyed: k.PartitionKey != nil}
	if r.Keyed {
		r.PartitionKey = *k.PartitionKey
	}
	// The event's id is shard:sequence.
	r.Shard, _ = strings.CutSuffix(e.EventID, ":"+k.SequenceNumber)
	var err error
	if r.Data, err = base64.StdEncoding.DecodeString(k.Data); err != nil {
		return r, fmt.Errorf("data: %w", err)
	}
	if r.ArrivedAt, err = parseEpoch(k.ArrivedAt); err != nil {
		return r, err
	}
	var b beyond
	if e.Beyond != nil {
		if err := json.Unmarshal(e.Beyond, &b); err != nil {
			return r, fmt.Errorf("towpath: %w", err)
		}
	}
	return r, b.apply(&r)
}

// dynamoDB takes the whole record as the data. One that this package wrote
// begins with what was put before it, which is taken away again.
func (e *eventRecord) dynamoDB(raw json.RawMessage) (shard.Record, error) {
	r := shard.Record{Stream: e.Stream, Sequence: e.DynamoDB.SequenceNumber}
	at, err := parseEpoch(e.DynamoDB.CreatedAt)
	if err != nil {
		return r, err
	}
	rest, ours := bytes.CutPrefix(raw, []byte(beyondHead))
	if !ours {
		r.Data, r.ArrivedAt = bytes.Clone(raw), at
		return r, nil
	}
	d := json.NewDecoder(bytes.NewReader(rest))
	var b beyond
	if err := d.Decode(&b); err != nil {
		return r, fmt.Errorf("towpath: %w", err)
	}
	behind := rest[d.InputOffset():]
	if len(behind) == 0 || behind[0] != ',' {
		return r, errors.New("towpath: nothing follows it")
	}
	r.Data = append([]byte{'{'}, behind[1:]...)
	// The stream is the failure's unless Beyond says otherwise: the data may
	// name another, or none.
	r.Stream, r.Keyed = "", !b.Unkeyed
	return r, b.apply(&r)
}

// apply puts b over what the event itself said.
func (b beyond) apply(r *shard.Record) error {
	r.Sub = b.Sub
	if b.Key != nil {
		key, err := base64.StdEncoding.DecodeString(*b.Key)
		if err != nil {
			return fmt.Errorf("towpath: partition key: %w", err)
		}
		r.PartitionKey = string(key)
	}
	if b.Unkeyed {
		r.Keyed = false
	}
	if b.Sequence != nil {
		r.Sequence = *b.Sequence
	}
	if b.ArrivedAt != nil {
		r.ArrivedAt = b.ArrivedAt.UTC()
		if !writable(r.ArrivedAt) {
			return fmt.Errorf("towpath: time of arrival %v is out of range", r.ArrivedAt)
		}
	}
	if b.Shard != nil {
		r.Shard = *b.Shard
	}
	if b.Stream != nil {
		r.Stream = *b.Stream
	}
	return nil
}

// parseEpoch reads seconds with a fraction, which is believed to the
// millisecond; nothing is the zero time.
func parseEpoch(n json.Number) (time.Time, error) {
	if n == "" {
		return time.Time{}, nil
	}
	s, err := n.Float64()
	if err != nil {
		return time.Time{}, fmt.Errorf("time of arrival: %w", err)
	}
	if math.Abs(s) > 1e12 {
		return time.Time{}, fmt.Errorf("time of arrival %s is out of range", n)
	}
	t := time.UnixMilli(int64(math.Round(s * 1000))).UTC()
	if !writable(t) {
		return time.Time{}, fmt.Errorf("time of arrival %s is out of range", n)
	}
	return t, nil
}

// writable reports whether t has a year of four digits, without which it could
// not be written again.
func writable(t time.Time) bool { return t.Year() >= 1 && t.Year() <= 9999 }
