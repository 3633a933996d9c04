package destination

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
)

// EnvelopeOptions say how an envelope is written. The zero value carries the
// whole payload.
type EnvelopeOptions struct {
	// Payload says how much of the records is in it.
	Payload PayloadMode
	// Ref, if set, stands in the place of the payload.
	Ref *PayloadRef
	// RedactError turns the handler's last error into the text that is sent;
	// nil is Error(). A handler's error may hold what it found in a record.
	RedactError func(error) string
}

// PayloadMode says how much of the records a message carries.
type PayloadMode int

const (
	// PayloadFull is the whole event. The default.
	PayloadFull PayloadMode = iota
	// PayloadHash is the size of the event in bytes and its SHA-256, so that
	// what is read again from the stream can be compared. The records are
	// nowhere but in the stream, until its retention ends.
	PayloadHash
	// PayloadNone is nothing, as Lambda's messages to SQS and SNS carry nothing.
	PayloadNone
)

// PayloadRef says where an event lies that is not in the message: the claim
// check.
type PayloadRef struct {
	// URI is what the store gave, such as s3://bucket/key.
	URI string `json:"uri"`
	// Bytes is the size and SHA256 the hash in hexadecimal of what lies there.
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

const (
	// maxErrorBytes bounds the error in an envelope, in bytes of its JSON.
	maxErrorBytes = 1024
	// maxWorkerBytes bounds the worker's name in an envelope, likewise.
	maxWorkerBytes = 256
	// maxConditionBytes bounds a condition that is not one of this package's.
	maxConditionBytes = 64
)

// Envelope is the failure as a JSON document on one line. The package's
// documentation says what is in it. It fails only for a failure without records.
//
// The error is cut to 1 KiB and the worker's name to 256 bytes. What is no valid
// UTF-8 becomes U+FFFD, except data and partition keys, which stay as they are.
func (f *Failure) Envelope(o EnvelopeOptions) ([]byte, error) {
	if len(f.Records) == 0 {
		return nil, errNoRecords
	}
	var event []byte
	if o.Ref == nil && o.Payload != PayloadNone {
		event = f.Event()
	}
	return f.envelope(o, event), nil
}

var errNoRecords = errors.New("a failure without records: there is nothing to send")

// envelope is Envelope with the event already made; it is not looked at if the
// options do not ask for it.
func (f *Failure) envelope(o EnvelopeOptions, event []byte) []byte {
	dst := make([]byte, 0, 2048+len(event)+len(event)/16)
	dst = f.appendMetadata(dst)
	switch {
	case o.Ref != nil:
		dst = append(dst, `,"payloadRef":{"uri":`...)
		dst = appendString(dst, o.Ref.URI)
		dst = append(dst, `,"bytes":`...)
		dst = strconv.AppendInt(dst, o.Ref.Bytes, 10)
		dst = append(dst, `,"sha256":`...)
		dst = appendString(dst, o.Ref.SHA256)
		dst = append(dst, '}')
	case o.Payload == PayloadFull:
		dst = append(dst, `,"payload":`...)
		dst = appendString(dst, event)
	case o.Payload == PayloadHash:
		dst = append(dst, `,"payloadOmitted":true,"payloadBytes":`...)
		dst = strconv.AppendInt(dst, int64(len(event)), 10)
		dst = append(dst, `,"payloadSHA256":`...)
		dst = appendString(dst, hashOf(event))
	default:
		dst = append(dst, `,"payloadOmitted":true`...)
	}
	dst = f.appendOurs(dst, o)
	return append(dst, '}')
}

func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// appendMetadata writes what Lambda writes, in Lambda's order, see
// https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html.
func (f *Failure) appendMetadata(dst []byte) []byte {
	dst = append(dst, `{"requestContext":{"requestId":`...)
	dst = appendString(dst, f.RequestID())
	dst = append(dst, `,"functionArn":`...)
	dst = appendString(dst, f.FunctionARN())
	dst = append(dst, `,"condition":`...)
	dst = appendString(dst, truncate(string(f.Condition), maxConditionBytes))
	dst = append(dst, `,"approximateInvokeCount":`...)
	// Lambda counts 1 for records that expired before the first call. How often
	// the handler was really called is in towpath.attempts.
	dst = strconv.AppendInt(dst, int64(max(f.Attempts, 1)), 10)
	dst = append(dst, '}')
	if f.answered() {
		dst = append(dst, `,"responseContext":{"statusCode":200,"executedVersion":"$LATEST"`...)
		switch {
		case f.Condition == Success:
			dst = append(dst, '}') // there is no functionError where nothing failed
		case f.Partial:
			dst = append(dst, `,"functionError":null}`...)
		default:
			dst = append(dst, `,"functionError":"Unhandled"}`...)
		}
	}
	dst = append(dst, `,"version":"1.0","timestamp":"`...)
	dst = f.At.UTC().AppendFormat(dst, milliseconds)
	dst = append(dst, '"')
	return f.appendBatchInfo(dst)
}

const (
	milliseconds = "2006-01-02T15:04:05.000Z"
	seconds      = "2006-01-02T15:04:05Z"
)

// answered reports whether there is a response to tell of: Lambda leaves it out
// for records that expired. A process that died over a record was called and is,
// like a function that crashed, Unhandled.
func (f *Failure) answered() bool {
	return f.Condition != RecordAgeExceeded && (f.Attempts > 0 || f.Condition == ProcessCrashed)
}

func (f *Failure) appendBatchInfo(dst []byte) []byte {
	first, last := &f.Records[0], &f.Records[len(f.Records)-1]
	layout, info := milliseconds, `,"KinesisBatchInfo":{"shardId":`
	if isDynamoDB(f.Stream) {
		layout, info = seconds, `,"DDBStreamBatchInfo":{"shardId":`
	}
	dst = append(dst, info...)
	dst = appendString(dst, f.Shard)
	dst = append(dst, `,"startSequenceNumber":`...)
	dst = appendString(dst, first.Sequence)
	dst = append(dst, `,"endSequenceNumber":`...)
	dst = appendString(dst, last.Sequence)
	dst = append(dst, `,"approximateArrivalOfFirstRecord":"`...)
	dst = first.ArrivedAt.UTC().AppendFormat(dst, layout)
	dst = append(dst, `","approximateArrivalOfLastRecord":"`...)
	dst = last.ArrivedAt.UTC().AppendFormat(dst, layout)
	dst = append(dst, `","batchSize":`...)
	dst = strconv.AppendInt(dst, int64(len(f.Records)), 10)
	dst = append(dst, `,"streamArn":`...)
	dst = appendString(dst, f.Stream)
	return append(dst, '}')
}

// appendOurs writes the member towpath.
func (f *Failure) appendOurs(dst []byte, o EnvelopeOptions) []byte {
	dst = append(dst, `,"towpath":{"application":`...)
	dst = appendString(dst, f.Application)
	if f.Handler != "" {
		dst = append(dst, `,"handler":`...)
		dst = appendString(dst, f.Handler)
	}
	dst = append(dst, `,"worker":`...)
	dst = appendString(dst, truncate(f.Worker, maxWorkerBytes))
	dst = append(dst, `,"id":`...)
	dst = appendString(dst, f.ID())
	dst = append(dst, `,"attempts":`...)
	dst = strconv.AppendInt(dst, int64(f.Attempts), 10)
	if f.Partial && !f.answered() {
		dst = append(dst, `,"partial":true`...)
	}
	if f.Err != nil {
		text := f.errorText(o)
		dst = append(dst, `,"error":`...)
		dst = appendString(dst, truncate(text, maxErrorBytes))
	}
	return append(dst, '}')
}

func (f *Failure) errorText(o EnvelopeOptions) string {
	if o.RedactError != nil {
		return o.RedactError(f.Err)
	}
	return f.Err.Error()
}

// FunctionARN names the application in the form of an ARN, where Lambda's
// records have that of a function.
func (f *Failure) FunctionARN() string {
	region, account := regionAndAccount(f.Stream)
	return "arn:towpath:consumer:" + region + ":" + account + ":" + f.Application
}

// RequestID is a UUID made from ID alone, so that a repeat has the same: the
// first 16 bytes of its SHA-256 as a UUID of version 8, as RFC 9562 (B.2) does.
func (f *Failure) RequestID() string {
	sum := sha256.Sum256([]byte(f.ID()))
	sum[6] = sum[6]&0x0f | 0x80
	sum[8] = sum[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}
