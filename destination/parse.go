package destination

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Envelope is what ParseEnvelope read.
type Envelope struct {
	// Failure is what was sent. Its Records are nil if the payload is not in
	// the message; Open sets them. Its Err has the text of the error only, and
	// that cut to 1 KiB.
	Failure Failure
	// ID is the failure's id as its sender wrote it; empty in one of Lambda's.
	ID string
	// RequestID and FunctionARN are Lambda's.
	RequestID, FunctionARN string
	// First and Last are the sequence numbers of the first and last record,
	// FirstArrival and LastArrival when they arrived: to the millisecond, or to
	// the second with DynamoDB.
	First, Last               string
	FirstArrival, LastArrival time.Time
	// BatchSize is the number of records.
	BatchSize int
	// Ref says where the payload lies, if it is not in the message.
	Ref *PayloadRef
	// Omitted is set if the payload is nowhere but in the stream. Its size and
	// hash are known if the sender wrote them, else zero.
	Omitted bool
	// PayloadBytes is the size of the payload that was left out, in bytes, and
	// PayloadSHA256 its hash in hexadecimal.
	PayloadBytes  int64
	PayloadSHA256 string
}

// document is the JSON document as it is read.
type document struct {
	RequestContext *struct {
		RequestID   string    `json:"requestId"`
		FunctionARN string    `json:"functionArn"`
		Condition   Condition `json:"condition"`
		InvokeCount int       `json:"approximateInvokeCount"`
	} `json:"requestContext"`
	ResponseContext *struct {
		FunctionError *string `json:"functionError"`
	} `json:"responseContext"`
	Version       string      `json:"version"`
	Timestamp     time.Time   `json:"timestamp"`
	Kinesis       *batchInfo  `json:"KinesisBatchInfo"`
	DynamoDB      *batchInfo  `json:"DDBStreamBatchInfo"`
	Payload       *string     `json:"payload"`
	Ref           *PayloadRef `json:"payloadRef"`
	PayloadBytes  int64       `json:"payloadBytes"`
	PayloadSHA256 string      `json:"payloadSHA256"`
	Ours          *struct {
		Application string  `json:"application"`
		Handler     string  `json:"handler"`
		Worker      string  `json:"worker"`
		ID          string  `json:"id"`
		Attempts    int     `json:"attempts"`
		Partial     bool    `json:"partial"`
		Error       *string `json:"error"`
	} `json:"towpath"`
}

type batchInfo struct {
	Shard        string    `json:"shardId"`
	First        string    `json:"startSequenceNumber"`
	Last         string    `json:"endSequenceNumber"`
	FirstArrival time.Time `json:"approximateArrivalOfFirstRecord"`
	LastArrival  time.Time `json:"approximateArrivalOfLastRecord"`
	BatchSize    int       `json:"batchSize"`
	Stream       string    `json:"streamArn"`
}

// ParseEnvelope reads what Failure.Envelope wrote, and what AWS Lambda sends to
// an on-failure destination for Kinesis and DynamoDB streams. It believes
// nothing: a document that is damaged or of another kind is an error.
func ParseEnvelope(b []byte) (*Envelope, error) {
	var d document
	if err := json.Unmarshal(b, &d); err != nil {
		return nil, fmt.Errorf("parse envelope: %w", err)
	}
	info, err := d.check()
	if err != nil {
		return nil, fmt.Errorf("parse envelope: %w", err)
	}
	e := d.envelope(info)
	if d.Payload != nil {
		if err := e.open([]byte(*d.Payload)); err != nil {
			return nil, fmt.Errorf("parse envelope: %w", err)
		}
	}
	return e, nil
}

func (d *document) check() (*batchInfo, error) {
	info := d.Kinesis
	if info == nil {
		info = d.DynamoDB
	}
	switch {
	case d.RequestContext == nil || info == nil:
		return nil, errors.New("it has no requestContext, or neither KinesisBatchInfo nor DDBStreamBatchInfo")
	case d.Kinesis != nil && d.DynamoDB != nil:
		return nil, errors.New("it has both KinesisBatchInfo and DDBStreamBatchInfo")
	case d.Version != "1.0":
		return nil, fmt.Errorf("its version is %q, want 1.0", d.Version)
	case d.Payload != nil && d.Ref != nil:
		return nil, errors.New("it has both payload and payloadRef")
	}
	for _, t := range []*time.Time{&d.Timestamp, &info.FirstArrival, &info.LastArrival} {
		if *t = t.UTC(); !writable(*t) {
			return nil, fmt.Errorf("time %v is out of range", *t)
		}
	}
	return info, nil
}

func (d *document) envelope(info *batchInfo) *Envelope {
	e := &Envelope{
		Failure: Failure{
			Stream: info.Stream, Shard: info.Shard,
			Condition: d.RequestContext.Condition,
			Attempts:  d.RequestContext.InvokeCount,
			Partial:   d.ResponseContext != nil && d.ResponseContext.FunctionError == nil && Condition(d.RequestContext.Condition) != Success,
			At:        d.Timestamp,
		},
		RequestID: d.RequestContext.RequestID, FunctionARN: d.RequestContext.FunctionARN,
		First: info.First, Last: info.Last,
		FirstArrival: info.FirstArrival, LastArrival: info.LastArrival,
		BatchSize: info.BatchSize,
		Ref:       d.Ref, Omitted: d.Payload == nil && d.Ref == nil,
		PayloadBytes: d.PayloadBytes, PayloadSHA256: d.PayloadSHA256,
	}
	if d.Ref != nil {
		e.PayloadBytes, e.PayloadSHA256 = d.Ref.Bytes, d.Ref.SHA256
	}
	if o := d.Ours; o != nil {
		e.ID = o.ID
		e.Failure.Application, e.Failure.Handler = o.Application, o.Handler
		e.Failure.Worker, e.Failure.Attempts = o.Worker, o.Attempts
		e.Failure.Partial = e.Failure.Partial || o.Partial
		if o.Error != nil {
			e.Failure.Err = errors.New(*o.Error)
		}
	}
	return e
}

// Open sets Failure.Records from the event that lies where Ref says, after it
// has compared its size and hash with what the message says of it.
func (e *Envelope) Open(event []byte) error {
	if e.PayloadSHA256 != "" {
		if got := int64(len(event)); got != e.PayloadBytes {
			return fmt.Errorf("open payload: it has %d bytes, the message says %d", got, e.PayloadBytes)
		}
		if got := hashOf(event); got != e.PayloadSHA256 {
			return fmt.Errorf("open payload: its SHA-256 is %s, the message says %s", got, e.PayloadSHA256)
		}
	}
	if err := e.open(event); err != nil {
		return fmt.Errorf("open payload: %w", err)
	}
	return nil
}

func (e *Envelope) open(event []byte) error {
	records, err := ParseEvent(event, e.Failure.Stream, e.Failure.Shard)
	if err != nil {
		return err
	}
	if len(records) != e.BatchSize || len(records) == 0 {
		return fmt.Errorf("the payload holds %d records, batchSize says %d", len(records), e.BatchSize)
	}
	e.Failure.Records = records
	return nil
}
