package tape

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"time"

	"github.com/towpath/towpath/shard"
)

// Event is one line of a tape: a record that is to be put, and where it was.
type Event struct {
	// Key is the partition key, and Keyed whether there is one.
	Key   string
	Keyed bool
	// ExplicitHash is the hash that it is put with instead of its key's, in decimal;
	// empty is none.
	ExplicitHash string
	// Data is the payload.
	Data []byte
	// Arrived is when it arrived at the stream that it is from; zero if not known.
	Arrived time.Time
	// Shard, Sequence and Sub are where it was there: the shard's id, the sequence
	// number, and the place in an aggregate, else 0.
	Shard, Sequence string
	Sub             int64
	// Line is its number in the file, from 1; 0 if it is from none.
	Line int
}

// EventOf is the event of a record.
func EventOf(r *shard.Record) Event {
	return Event{
		Key: r.PartitionKey, Keyed: r.Keyed, Data: r.Data, Arrived: r.ArrivedAt,
		Shard: r.Shard, Sequence: r.Sequence, Sub: r.Sub,
	}
}

// line is an event as it stands in a file.
type line struct {
	Arrival  json.Number `json:"approximateArrivalTimestamp,omitempty"`
	Shard    string      `json:"shardId,omitempty"`
	Sequence string      `json:"sequenceNumber,omitempty"`
	Sub      int64       `json:"subSequenceNumber,omitempty"`
	Key      *string     `json:"partitionKey,omitempty"`
	Hash     string      `json:"explicitHashKey,omitempty"`
	Data     *[]byte     `json:"data"`
}

// MarshalJSON is the line of a file.
func (e Event) MarshalJSON() ([]byte, error) {
	l := line{Shard: e.Shard, Sequence: e.Sequence, Sub: e.Sub, Hash: e.ExplicitHash, Data: &e.Data}
	if e.Data == nil {
		l.Data = &[]byte{}
	}
	if e.Keyed {
		l.Key = &e.Key
	}
	if !e.Arrived.IsZero() {
		l.Arrival = json.Number(seconds(e.Arrived))
	}
	return json.Marshal(l)
}

// seconds are those since 1970, to the millisecond, without an exponent.
func seconds(t time.Time) string {
	return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', -1, 64)
}

// The first year that is no time of arrival.
const beyond = 10_000

// UnmarshalJSON reads the line of a file. The error says what is wrong with it, and
// shows nothing of key and data.
func (e *Event) UnmarshalJSON(text []byte) error {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) && wrong.Field != "" {
			return fmt.Errorf("%q is a JSON %s", wrong.Field, kind(wrong.Value))
		}
		return fmt.Errorf("it is no JSON object, with \"data\" in base64: %w", bare(err))
	}
	if l.Data == nil {
		return errors.New(`it has no "data"`)
	}
	*e = Event{ExplicitHash: l.Hash, Data: *l.Data, Shard: l.Shard, Sequence: l.Sequence, Sub: l.Sub}
	if l.Key != nil {
		e.Key, e.Keyed = *l.Key, true
	}
	if l.Hash != "" {
		n, ok := new(big.Int).SetString(l.Hash, 10)
		if !ok || n.Sign() < 0 || n.BitLen() > 128 || n.String() != l.Hash { // the service takes no 007
			return errors.New(`"explicitHashKey" is no decimal number of 128 bits`)
		}
	}
	if l.Arrival != "" {
		s, err := l.Arrival.Float64()
		if err != nil || math.Abs(s) > 1e12 || time.Unix(int64(s), 0).UTC().Year() >= beyond {
			return errors.New(`"approximateArrivalTimestamp" is no number of seconds since 1970`)
		}
		e.Arrived = time.UnixMilli(int64(math.Round(s * 1000))).UTC()
	}
	return nil
}

// kind is the word for a kind of JSON value, without what follows it.
func kind(value string) string {
	for i, r := range value {
		if r == ' ' {
			return value[:i]
		}
	}
	return value
}

// bare is an error of the decoder that shows no more than a place.
func bare(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("wrong at byte %d", syntax.Offset)
	}
	return errors.New("what \"data\" has is no base64")
}
