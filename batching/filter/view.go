package filter

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/towpath/towpath/shard"
)

// view is a record as patterns see it, with the fields of the given names. Of a
// record that is to be read as JSON and is none, NotJSON is set: a payload of
// Kinesis is then absent, and a change record nil.
func view(r *shard.Record, names []string) (event map[string]any, notJSON bool) {
	arn := strings.SplitN(r.Stream, ":", 5)
	if len(arn) == 5 && arn[2] == "dynamodb" {
		v, _ := decode(r.Data)
		event, isObject := v.(map[string]any)
		return event, !isObject
	}
	event = make(map[string]any, len(names))
	for _, name := range names {
		if name == "data" {
			v, ok := decode(r.Data)
			if !ok {
				notJSON = true
				continue
			}
			event[name] = v
		} else if v, ok := metadata(r, arn, name); ok {
			event[name] = v
		}
	}
	return event, notJSON
}

// metadata is what Lambda's event shows of a Kinesis record beside its payload.
func metadata(r *shard.Record, arn []string, name string) (value any, ok bool) {
	switch name {
	case "partitionKey":
		return r.PartitionKey, r.Keyed || r.PartitionKey != ""
	case "sequenceNumber":
		return r.Sequence, true
	case "approximateArrivalTimestamp":
		seconds := float64(r.ArrivedAt.UnixMilli()) / 1000
		return json.Number(strconv.FormatFloat(seconds, 'f', 3, 64)), !r.ArrivedAt.IsZero()
	case "kinesisSchemaVersion", "eventVersion":
		return "1.0", true
	case "eventSource":
		return "aws:kinesis", true
	case "eventName":
		return "aws:kinesis:record", true
	case "eventID":
		return r.Shard + ":" + r.Sequence, true
	case "eventSourceARN":
		return r.Stream, true
	case "awsRegion":
		if len(arn) == 5 {
			return arn[3], true
		}
	}
	return nil, false
}

// deepestPayload is how far the payload of a record may nest. No pattern looks
// further: a name in it stands for an object, and for a list round that.
const deepestPayload = 2 * deepest

// nests reports whether JSON nests deeper than a number of levels, without
// building anything of it.
func nests(data []byte, most int) bool {
	level, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			if level++; level > most {
				return true
			}
		case c == ']' || c == '}':
			level--
		}
	}
	return false
}

// decode reads one JSON value, its numbers as they are written.
func decode(data []byte) (v any, ok bool) {
	// encoding/json would put U+FFFD for what is no UTF-8, and match that.
	if !utf8.Valid(data) || nests(data, deepestPayload) {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return nil, false
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, false
	}
	return v, true
}
