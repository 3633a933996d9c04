// Package deliveryfake is Amazon Data Firehose in memory, as far as a producer sees
// it. It speaks the AWS JSON 1.1 protocol of the real service: PutRecord and
// PutRecordBatch with the number and the sizes of records, and records of a batch
// that fail while others are taken.
//
// # What is not here
//
// Destinations, buffers, transformations and quotas of throughput: what arrived
// is looked at with [Service.Records].
package deliveryfake

import (
	"bytes"
	"fmt"
	"regexp"
	"sync"
)

// arnPrefix has the only region and account there are.
const arnPrefix = "arn:aws:firehose:us-east-1:000000000000:deliverystream/"

// The limits of PutRecordBatch, before base64,
// https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html.
const (
	maxRecords = 500
	maxRecord  = 1_024_000
	maxBytes   = 4 << 20
)

// Service is one account's Firehose in one region. It is an http.Handler for the
// AWS JSON 1.1 protocol and safe for use by many goroutines. Make one with [New].
type Service struct {
	mu      sync.Mutex // guards all below; held for work in memory only
	streams map[string][][]byte
	put     int // the last number given to a record
	refuse  func([]byte) bool
}

// New makes a Firehose without streams.
func New() *Service { return &Service{streams: map[string][][]byte{}} }

var streamName = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,64}$`)

// CreateStream makes a stream and returns its ARN. One that is there stays as it
// is. The ARN is empty if the name cannot be one.
func (s *Service) CreateStream(name string) (arn string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !streamName.MatchString(name) {
		return ""
	}
	if s.streams[name] == nil {
		s.streams[name] = [][]byte{}
	}
	return arnPrefix + name
}

// Records is everything a stream ever accepted, in order; nil if there is no such
// stream.
func (s *Service) Records(stream string) [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams[stream] == nil {
		return nil
	}
	all := make([][]byte, 0, len(s.streams[stream]))
	for _, r := range s.streams[stream] {
		all = append(all, bytes.Clone(r))
	}
	return all
}

// RefuseSome refuses, until restore is called, the records of PutRecordBatch that
// refuse is true of, with the code ServiceUnavailableException, and takes the
// others, as the service does when it is asked for too much. refuse must not call
// the Service.
func (s *Service) RefuseSome(refuse func(data []byte) bool) (restore func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = refuse
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.refuse = nil
	}
}

// operations are the calls the service knows, by the name in X-Amz-Target.
var operations = map[string]func(*Service, []byte) ([]byte, error){
	"PutRecord":      operation((*Service).putRecord),
	"PutRecordBatch": operation((*Service).putRecordBatch),
}

type record struct{ Data []byte }

type putInput struct {
	DeliveryStreamName string
	Record             record
	Records            []record
}

type putResult struct {
	RecordID     string `json:"RecordId,omitempty"`
	ErrorCode    string `json:",omitempty"`
	ErrorMessage string `json:",omitempty"`
}

type batchOutput struct {
	FailedPutCount   int
	Encrypted        bool
	RequestResponses []putResult
}

func (s *Service) putRecord(in putInput) (putResult, error) {
	if err := s.check(in.DeliveryStreamName, in.Record); err != nil {
		return putResult{}, err
	}
	return s.take(in.DeliveryStreamName, in.Record.Data), nil
}

func (s *Service) putRecordBatch(in putInput) (out batchOutput, err error) {
	switch n := len(in.Records); {
	case n == 0:
		return out, refusal("ValidationException", "1 validation error detected: Value at 'records' failed to satisfy constraint: Member must have length greater than or equal to 1")
	case n > maxRecords:
		return out, refusal("InvalidArgumentException", "A maximum of %d records can be sent per batch.", maxRecords)
	}
	if err := s.check(in.DeliveryStreamName, in.Records...); err != nil {
		return out, err
	}
	for _, r := range in.Records {
		if s.refuse != nil && s.refuse(r.Data) {
			out.FailedPutCount++
			out.RequestResponses = append(out.RequestResponses, putResult{ErrorCode: "ServiceUnavailableException", ErrorMessage: "Slow down."})
			continue
		}
		out.RequestResponses = append(out.RequestResponses, s.take(in.DeliveryStreamName, r.Data))
	}
	return out, nil
}

// check holds a request against the limits.
func (s *Service) check(stream string, records ...record) error {
	if s.streams[stream] == nil {
		return refusal("ResourceNotFoundException", "Firehose %s not found under account 000000000000.", stream)
	}
	total := 0
	for i, r := range records {
		total += len(r.Data)
		if len(r.Data) > maxRecord {
			return refusal("ValidationException", "1 validation error detected: Value at 'records.%d.member.data' failed to satisfy constraint: Member must have length less than or equal to %d", i+1, maxRecord)
		}
	}
	if total > maxBytes {
		return refusal("InvalidArgumentException", "Records size exceeds 4 MB limit")
	}
	return nil
}

func (s *Service) take(stream string, data []byte) putResult {
	s.put++
	s.streams[stream] = append(s.streams[stream], data)
	return putResult{RecordID: fmt.Sprintf("%064d", s.put)}
}
