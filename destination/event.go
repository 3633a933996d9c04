package destination

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/towpath/towpath/shard"
)

// Event is the payload: the records as the event with which AWS Lambda calls a
// function, {"Records":[…]}.
//
// A record of Kinesis has the shape of
// https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html, its data in
// base64. A record of a DynamoDB stream whose data is itself such a record of
// Lambda's (a JSON object with a member dynamodb, as
// https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html shows it) stands
// there as it is; any other is written in the shape of Kinesis.
//
// ParseEvent gives back the same records. The cost is linear in their size.
func (f *Failure) Event() []byte {
	size := len(`{"Records":[]}`)
	for i := range f.Records {
		size += recordSizeHint(&f.Records[i])
	}
	return f.appendEvent(make([]byte, 0, size))
}

// LambdaEvent is Event without what only ParseEvent needs: it is what a Lambda
// function gets, and nothing beside. What Lambda's event has no place for is
// left out, such as the index within an aggregate.
func (f *Failure) LambdaEvent() []byte {
	size := len(eventHead) + len(eventTail)
	for i := range f.Records {
		size += recordSizeHint(&f.Records[i])
	}
	dst := append(make([]byte, 0, size), eventHead...)
	for i := range f.Records {
		if i > 0 {
			dst = append(dst, ',')
		}
		r := &f.Records[i]
		if isDynamoDB(f.Stream) && isLambdaRecord(r.Data) {
			dst = append(dst, r.Data...)
		} else {
			dst = append(f.appendKinesisMembers(dst, r), '}')
		}
	}
	return append(dst, eventTail...)
}

func (f *Failure) appendEvent(dst []byte) []byte {
	dst = append(dst, eventHead...)
	for i := range f.Records {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = f.appendRecord(dst, &f.Records[i])
	}
	return append(dst, eventTail...)
}

const (
	eventHead = `{"Records":[`
	eventTail = `]}`
)

// recordSizeHint is a little more than a record without surprises needs.
func recordSizeHint(r *shard.Record) int {
	return base64.StdEncoding.EncodedLen(len(r.Data)) + len(r.PartitionKey) + 2*len(r.Stream) + 2*len(r.Sequence) + 512
}

func (f *Failure) appendRecord(dst []byte, r *shard.Record) []byte {
	if isDynamoDB(f.Stream) && isLambdaRecord(r.Data) {
		dst = append(dst, beyondHead...)
		dst = f.beyondDynamoDB(r).append(dst)
		dst = append(dst, ',')
		return append(dst, r.Data[1:]...)
	}
	return f.appendKinesis(dst, r)
}

func (f *Failure) appendKinesis(dst []byte, r *shard.Record) []byte {
	dst = f.appendKinesisMembers(dst, r)
	if b := beyondKinesis(r); b != (beyond{}) {
		dst = append(dst, `,"towpath":`...)
		dst = b.append(dst)
	}
	return append(dst, '}')
}

// appendKinesisMembers writes the members in Lambda's order, and leaves the
// object open.
func (f *Failure) appendKinesisMembers(dst []byte, r *shard.Record) []byte {
	dst = append(dst, `{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":`...)
	if r.Keyed || r.PartitionKey != "" {
		dst = appendString(dst, r.PartitionKey)
	} else {
		dst = append(dst, "null"...)
	}
	dst = append(dst, `,"sequenceNumber":`...)
	dst = appendString(dst, r.Sequence)
	dst = append(dst, `,"data":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, r.Data)
	dst = append(dst, '"')
	if !r.ArrivedAt.IsZero() {
		dst = append(dst, `,"approximateArrivalTimestamp":`...)
		dst = appendEpoch(dst, r.ArrivedAt)
	}
	dst = append(dst, `},"eventSource":"aws:kinesis","eventVersion":"1.0","eventID":"`...)
	dst = appendEscaped(dst, r.Shard)
	dst = append(dst, ':')
	dst = appendEscaped(dst, r.Sequence)
	dst = append(dst, `","eventName":"aws:kinesis:record","invokeIdentityArn":`...)
	dst = appendString(dst, f.FunctionARN())
	dst = append(dst, `,"awsRegion":`...)
	region, _ := regionAndAccount(r.Stream)
	dst = appendString(dst, region)
	dst = append(dst, `,"eventSourceARN":`...)
	return appendString(dst, r.Stream)
}

// beyond is what a record of ours has and Lambda's event has no place for. Only
// what is needed is written.
type beyond struct {
	// Sub is the index within an aggregate.
	Sub int64 `json:"sub,omitempty"`
	// Key is the partition key in base64, where it is no valid UTF-8 or the
	// event has no place for it at all.
	Key *string `json:"partitionKey,omitempty"`
	// Unkeyed is set on a record with a key that is not the service's.
	Unkeyed bool `json:"unkeyed,omitempty"`
	// Sequence is the sequence number, where the event is not ours.
	Sequence *string `json:"sequence,omitempty"`
	// ArrivedAt is the time of arrival, where it is finer than milliseconds or
	// the event is not ours.
	ArrivedAt *time.Time `json:"arrivedAt,omitempty"`
	// Shard and Stream are set where they differ from the failure's.
	Shard  *string `json:"shard,omitempty"`
	Stream *string `json:"stream,omitempty"`
}

// append writes b. Marshal of a struct of strings, numbers and times cannot
// fail but for a year of five digits, and then the time is left out.
func (b beyond) append(dst []byte) []byte {
	text, err := json.Marshal(b)
	if err != nil {
		b.ArrivedAt = nil
		text, _ = json.Marshal(b)
	}
	return append(dst, text...)
}

func beyondKinesis(r *shard.Record) beyond {
	b := beyond{Sub: r.Sub, Unkeyed: !r.Keyed && r.PartitionKey != ""}
	if !utf8.ValidString(r.PartitionKey) {
		b.Key = base64Of(r.PartitionKey)
	}
	if r.ArrivedAt.Nanosecond()%int(time.Millisecond) != 0 {
		b.ArrivedAt = utc(r.ArrivedAt)
	}
	return b
}

func (f *Failure) beyondDynamoDB(r *shard.Record) beyond {
	b := beyond{Sub: r.Sub, Sequence: &r.Sequence, Unkeyed: !r.Keyed}
	if r.PartitionKey != "" {
		b.Key = base64Of(r.PartitionKey)
	}
	if !r.ArrivedAt.IsZero() {
		b.ArrivedAt = utc(r.ArrivedAt)
	}
	if r.Shard != f.Shard {
		b.Shard = &r.Shard
	}
	if r.Stream != f.Stream {
		b.Stream = &r.Stream
	}
	return b
}

func base64Of(s string) *string {
	text := base64.StdEncoding.EncodeToString([]byte(s))
	return &text
}

func utc(t time.Time) *time.Time {
	t = t.UTC()
	return &t
}

// appendEpoch writes seconds with three decimals, as Lambda does.
func appendEpoch(dst []byte, t time.Time) []byte {
	ms := t.UnixMilli()
	if ms < 0 {
		dst = append(dst, '-')
		ms = -ms
	}
	dst = strconv.AppendInt(dst, ms/1000, 10)
	ms %= 1000
	return append(dst, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
}

// beyondHead begins a DynamoDB record that was written by this package. What
// follows the object behind it is the record's data less its first brace, byte
// for byte, so that the data can be cut out again as it was.
const beyondHead = `{"towpath":`

// isLambdaRecord reports whether data can stand in a DynamoDB event as it is,
// and can be read from there.
func isLambdaRecord(data []byte) bool {
	if len(data) < 2 || data[0] != '{' || data[len(data)-1] != '}' || !utf8.Valid(data) {
		return false
	}
	var e eventRecord
	if json.Unmarshal(data, &e) != nil || e.DynamoDB == nil || e.Kinesis != nil {
		return false
	}
	_, err := parseEpoch(e.DynamoDB.CreatedAt)
	return err == nil
}

// isDynamoDB decides by the ARN of the stream which of Lambda's two shapes the
// envelope has.
func isDynamoDB(stream string) bool {
	parts := strings.SplitN(stream, ":", 4)
	return len(parts) == 4 && parts[0] == "arn" && parts[2] == "dynamodb"
}

// regionAndAccount reads arn:partition:service:region:account:resource.
func regionAndAccount(stream string) (region, account string) {
	parts := strings.SplitN(stream, ":", 6)
	if len(parts) != 6 {
		return "", ""
	}
	return parts[3], parts[4]
}
