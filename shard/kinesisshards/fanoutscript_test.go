package kinesisshards_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// frame is a message of an event stream.
func frame(event, payload string) []byte {
	var headers []byte
	for _, h := range [][2]string{{":message-type", "event"}, {":event-type", event}, {":content-type", "application/json"}} {
		headers = append(append(headers, byte(len(h[0]))), h[0]...)
		headers = append(binary.BigEndian.AppendUint16(append(headers, 7), uint16(len(h[1]))), h[1]...)
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(16+len(headers)+len(payload)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(headers)))
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	b = append(append(b, headers...), payload...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

// event is an event with records of these sequence numbers.
func event(continuation string, sequences ...string) []byte {
	type record struct{ SequenceNumber, PartitionKey, Data string }
	e := map[string]any{"MillisBehindLatest": 0, "Records": []record{}}
	var all []record
	for _, s := range sequences {
		all = append(all, record{s, "key", "AAAA"})
	}
	if all != nil {
		e["Records"] = all
	}
	if continuation != "" {
		e["ContinuationSequenceNumber"] = continuation
	}
	payload, _ := json.Marshal(e)
	return frame("SubscribeToShardEvent", string(payload))
}

// lines answers SubscribeToShard with what it was told to, and then with a
// refusal; all else comes from the fake. It notes what is asked.
type lines struct {
	aws.HTTPClient
	answers [][]byte
	asked   []string
}

func (l *lines) Do(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".SubscribeToShard") {
		return l.HTTPClient.Do(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var in struct {
		StartingPosition struct{ Type, SequenceNumber string }
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	l.asked = append(l.asked, strings.TrimSpace(in.StartingPosition.Type+" "+in.StartingPosition.SequenceNumber))
	answer := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: r}
	if len(l.answers) == 0 {
		answer.StatusCode = http.StatusBadRequest
		answer.Header.Set("X-Amzn-Errortype", "LimitExceededException")
		answer.Body = io.NopCloser(strings.NewReader("{}"))
		return answer, nil
	}
	answer.Body = io.NopCloser(io.MultiReader(bytes.NewReader(frame("initial-response", "{}")), bytes.NewReader(l.answers[0])))
	l.answers = l.answers[1:]
	return answer, nil
}

// read has a reader behind record 10 read what these answers have.
func (l *lines) read(t *testing.T, check func(t *testing.T, r *tail)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a := awsfake.New()
		must(t, a.Kinesis().CreateStream(clicks, 1))
		_, err := a.Kinesis().RegisterConsumer(clicks, application)
		must(t, err)
		l.HTTPClient = a.HTTPClient()
		cfg := a.Config("tester")
		cfg.HTTPClient = l
		source := kinesisshards.Open(kinesis.NewFromConfig(cfg), clicks, fanOut(neverPoll))
		stream, err := source.Describe(t.Context())
		must(t, err)
		r := &tail{t: t, Reader: source.Open(shard.Start{
			Stream: stream, Shard: shard0, After: shard.After("10", 0), LastArrival: time.Now(), ReadUpTo: time.Now(),
		})}
		for len(l.answers) > 0 || len(l.asked) == 0 {
			_ = r.step() // kept in errs
		}
		for len(r.errs) == 0 || !strings.Contains(r.errs[len(r.errs)-1].Error(), "LimitExceeded") {
			_ = r.step()
		}
		r.close()
		check(t, r)
	})
}

// What is unusual in a subscription loses and repeats nothing, and the next one
// begins where it should.
func TestWhatIsUnusualInASubscription(t *testing.T) {
	join := func(frames ...[]byte) []byte { return slices.Concat(frames...) }
	torn := event("12", "12")
	broken := slices.Clone(torn)
	broken[len(broken)-1]++
	for _, c := range []struct {
		name    string
		answers [][]byte
		asked   string
		want    string
		skipped int
	}{
		{"as it should be", [][]byte{join(event("10", "10"), event("12", "11", "12"))},
			"AT_SEQUENCE_NUMBER 10, AFTER_SEQUENCE_NUMBER 12", "11 12", 0},
		{"the record at the start has not come yet", [][]byte{join(event("10"))},
			"AT_SEQUENCE_NUMBER 10, AT_SEQUENCE_NUMBER 10", "", 0},
		{"a continuation that goes on without records", [][]byte{join(event("11", "10", "11"), event("17"))},
			"AT_SEQUENCE_NUMBER 10, AFTER_SEQUENCE_NUMBER 17", "11", 0},
		{"no continuation", [][]byte{join(event("", "10", "11"))},
			"AT_SEQUENCE_NUMBER 10, AT_SEQUENCE_NUMBER 11", "11", 0},
		{"an event of another kind", [][]byte{join(frame("Weather", `{"sun":true}`), event("11", "10", "11"))},
			"AT_SEQUENCE_NUMBER 10, AFTER_SEQUENCE_NUMBER 11", "11", 0},
		{"an event twice, and one out of order", [][]byte{join(event("12", "10", "11", "12"), event("12", "11", "12"), event("13", "13"))},
			"AT_SEQUENCE_NUMBER 10, AFTER_SEQUENCE_NUMBER 13", "11 12 13", 2},
		{"a sequence number that is none", [][]byte{join(event("12", "10", "11", "x", "12"), event("13", "13")), join(event("12", "11", "12"))},
			"AT_SEQUENCE_NUMBER 10, AT_SEQUENCE_NUMBER 11, AFTER_SEQUENCE_NUMBER 12", "11 12", 0},
		{"nothing but a sequence number that is none", [][]byte{join(event("11", "10", "11"), event("13", "x")), join(event("12", "12"))},
			"AT_SEQUENCE_NUMBER 10, AFTER_SEQUENCE_NUMBER 11, AFTER_SEQUENCE_NUMBER 12", "11 12", 0},
		{"torn", [][]byte{join(event("11", "10", "11"), torn[:len(torn)/2]), join(torn)},
			"AT_SEQUENCE_NUMBER 10, AFTER_SEQUENCE_NUMBER 11, AFTER_SEQUENCE_NUMBER 12", "11 12", 0},
		{"broken", [][]byte{join(event("11", "10", "11"), broken), join(torn)},
			"AT_SEQUENCE_NUMBER 10, AFTER_SEQUENCE_NUMBER 11, AFTER_SEQUENCE_NUMBER 12", "11 12", 0},
		{"no frames", [][]byte{[]byte("<html>busy</html>"), join(event("11", "10", "11"))},
			"AT_SEQUENCE_NUMBER 10, AT_SEQUENCE_NUMBER 10, AFTER_SEQUENCE_NUMBER 11", "11", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := &lines{answers: c.answers}
			l.read(t, func(t *testing.T, r *tail) {
				var got []string
				for _, record := range r.records {
					got = append(got, record.Sequence)
				}
				if strings.Join(got, " ") != c.want || r.skipped != c.skipped || len(r.loss) > 0 {
					t.Errorf("read %s, %d skipped, lost %v; want %s and %d", got, r.skipped, r.loss, c.want, c.skipped)
				}
				if asked := strings.Join(l.asked[:min(len(l.asked), strings.Count(c.asked, ",")+1)], ", "); asked != c.asked {
					t.Errorf("subscribed %s, want %s", asked, c.asked)
				}
			})
		})
	}
}
