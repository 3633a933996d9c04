package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/towpath/towpath/shard"
)

// kinesisRecord is a record of Kinesis as GetRecords, Lambda or a person writes
// it.
type kinesisRecord struct {
	PartitionKey   *string         `json:"partitionKey"`
	SequenceNumber string          `json:"sequenceNumber"`
	Data           *[]byte         `json:"data"`
	Arrival        json.Number     `json:"approximateArrivalTimestamp"`
	EventSourceARN string          `json:"eventSourceARN"`
	EventID        string          `json:"eventID"`
	Kinesis        *kinesisRecord  `json:"kinesis"`
	DynamoDB       json.RawMessage `json:"dynamodb"`
}

// recordOf reads one record. A DynamoDB record stays as it is.
func recordOf(line []byte) (shard.Record, error) {
	var k kinesisRecord
	if err := json.Unmarshal(line, &k); err != nil {
		return shard.Record{}, fmt.Errorf("not a record: %w", err)
	}
	if k.DynamoDB != nil {
		return shard.Record{Stream: streamOf(k.EventSourceARN, "arn:aws:dynamodb:::"), Data: line}, nil
	}
	source, event := k.EventSourceARN, k.EventID
	if k.Kinesis != nil {
		k = *k.Kinesis
	}
	if k.Data == nil {
		return shard.Record{}, errors.New(`not a record: it has neither "data" in base64 nor "dynamodb"`)
	}
	r := shard.Record{Stream: streamOf(source, "arn:aws:kinesis:::"), Sequence: k.SequenceNumber, Data: *k.Data}
	r.Shard, _, _ = strings.Cut(event, ":")
	if k.PartitionKey != nil {
		r.PartitionKey, r.Keyed = *k.PartitionKey, true
	}
	if k.Arrival != "" {
		seconds, err := k.Arrival.Float64()
		if err != nil || math.IsInf(seconds, 0) {
			return shard.Record{}, fmt.Errorf("approximateArrivalTimestamp is %s, want seconds since 1970", k.Arrival)
		}
		r.ArrivedAt = time.UnixMilli(int64(math.Round(seconds * 1000)))
	}
	return r, nil
}

// streamOf is the stream that a record names, or a nameless one of its service.
func streamOf(arn, service string) string {
	if strings.HasPrefix(arn, "arn:") {
		return arn
	}
	return service
}
