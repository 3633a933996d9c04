package destination_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/shard"
)

// Any bytes in the place of Lambda's event are either refused, or records that
// can be written as an event again and are then the same.
func FuzzParseEvent(f *testing.F) {
	const stream, id = "arn:aws:kinesis:us-east-1:1:stream/clicks", "shardId-000000000000"
	f.Add([]byte(`{"Records":[{"kinesis":{"partitionKey":"a","sequenceNumber":"7","data":"AAAA","approximateArrivalTimestamp":1.7E9},"eventID":"shardId-000000000000:7","eventSourceARN":"` + stream + `"}]}`))
	f.Add([]byte(`{"Records":[{"eventID":"x","dynamodb":{"SequenceNumber":"7","Keys":{"Id":{"S":"a"}}},"eventSourceARN":"arn:aws:dynamodb:us-east-1:1:table/t/stream/x"}]}`))
	f.Add([]byte(`{"Records":[{"kinesis":null,"dynamodb":null}]}`))
	f.Add([]byte(`{"records":[7]}`))
	f.Fuzz(func(t *testing.T, event []byte) {
		records, err := destination.ParseEvent(event, stream, id)
		if err != nil || len(records) == 0 {
			return
		}
		again := (&destination.Failure{Stream: stream, Shard: id, Records: records}).Event()
		back, err := destination.ParseEvent(again, stream, id)
		if err != nil || len(back) != len(records) {
			t.Fatalf("written as %s, it is read as %d records, error %v, want %d", again, len(back), err, len(records))
		}
		for i := range back {
			if g, w := back[i], records[i]; g.Position() != w.Position() || g.PartitionKey != w.PartitionKey || g.Keyed != w.Keyed {
				t.Errorf("record %d is %+v, want %+v", i, g, w)
			}
		}
	})
}

// Whatever a record, an error and a handler's name contain, the document that is
// sent is JSON without a control character or a broken rune in it, and the
// payload comes back byte for byte.
func FuzzFailureIsWritten(f *testing.F) {
	f.Add("shardId-000000000000", "4959", "a", []byte("x"), "boom")
	f.Add("\n\x1b[31m", "", "\xff", []byte{0, 0xff}, "\u2028\r\nGET / HTTP/1.1")
	f.Fuzz(func(t *testing.T, shardID, sequence, key string, data []byte, cause string) {
		failure := &destination.Failure{
			Application: "app", Condition: destination.RetryAttemptsExhausted, Attempts: 1, Stream: "arn:aws:kinesis:us-east-1:1:stream/clicks", Shard: shardID,
			Records: []shard.Record{{Stream: "arn:aws:kinesis:us-east-1:1:stream/clicks", Shard: shardID, Sequence: sequence, PartitionKey: key, Keyed: true, Data: data}},
			Err:     errors.New(cause), At: time.Unix(1e9, 0),
		}
		doc, err := failure.Envelope(destination.EnvelopeOptions{})
		if err != nil {
			return
		}
		if !json.Valid(doc) || !utf8.Valid(doc) || bytes.ContainsFunc(doc, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
			t.Fatalf("the document is %q", doc)
		}
		e, err := destination.ParseEnvelope(doc)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, doc)
		}
		if got := e.Failure.Records; len(got) != 1 || !bytes.Equal(got[0].Data, data) || got[0].PartitionKey != strings.ToValidUTF8(key, "\ufffd") && utf8.ValidString(key) {
			t.Errorf("the records came back as %+v", got)
		}
	})
}
