package recordpage

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
)

// ReadJSON reads an answer in JSON 1.1 into a page, with payloads where place
// says. A body without a byte is an empty page. What stands behind the answer is
// not looked at. After an error the page is empty.
func ReadJSON(body []byte, page *Page, place Place) error {
	r := jsonReader{tokens: tokens{b: body}, builder: begin(page, place)}
	if len(body) == 0 {
		return nil
	}
	if err := r.answer(); err != nil {
		page.Reset()
		return fmt.Errorf("an answer of %d bytes: %w", len(body), err)
	}
	return nil
}

type jsonReader struct {
	tokens
	builder
}

// members reads an object, or null.
func (r *jsonReader) members(depth int, read func(name []byte) (known bool, err error)) error {
	if none, err := r.null(); none || err != nil {
		return err
	}
	return r.object(depth, read)
}

// object reads an object. A member that is null is one that is not there; one that
// is there twice counts as it was given last. What the function does not know is
// skipped, which is at the given depth.
func (r *jsonReader) object(depth int, read func(name []byte) (known bool, err error)) error {
	if err := r.open('{'); err != nil {
		return err
	}
	for first := true; ; first = false {
		name, ok, err := r.member(first)
		if !ok || err != nil {
			return err
		}
		if none, err := r.null(); err != nil {
			return err
		} else if none {
			continue
		}
		known, err := read(name)
		if err == nil && !known {
			err = r.skip(depth)
		}
		if err != nil {
			return err
		}
	}
}

// answer reads the whole, which is not null.
func (r *jsonReader) answer() error {
	return r.object(2, func(name []byte) (known bool, err error) {
		switch string(name) {
		case "Records":
			err = r.records()
		case "ChildShards":
			err = r.children()
		case "MillisBehindLatest":
			r.page.Behind, err = r.integer()
		case "NextShardIterator":
			r.page.Next, err = r.own()
		default:
			return false, nil
		}
		return true, err
	})
}

func (r *jsonReader) records() error {
	if err := r.open('['); err != nil {
		return err
	}
	r.list(r.i)
	for first := true; ; first = false {
		if ok, err := r.item(first); !ok || err != nil {
			return err
		}
		to, err := r.grow(r.i, len(r.b))
		if err != nil {
			return err
		}
		if err := r.record(to); err != nil {
			return fmt.Errorf("record %d: %w", len(r.page.Records)-1, err)
		}
	}
}

// record reads a record, or null. It is what object does, written out: a function
// called for each member of each record makes reading a page some 4 % slower.
func (r *jsonReader) record(to *Record) error {
	if none, err := r.null(); none || err != nil {
		return err
	}
	if err := r.open('{'); err != nil {
		return err
	}
	for first := true; ; first = false {
		name, ok, err := r.member(first)
		if !ok || err != nil {
			return err
		}
		if none, err := r.null(); err != nil {
			return err
		} else if none {
			continue
		}
		switch string(name) {
		case "Data":
			to.Data, err = r.blob()
		case "SequenceNumber":
			to.Sequence, err = r.shared()
			to.Has |= GivenSequence
		case "PartitionKey":
			to.Key, err = r.shared()
			to.Has |= GivenKey
		case "ApproximateArrivalTimestamp":
			to.ArrivedAt, err = r.time()
			to.Has |= GivenArrivedAt
		case "EncryptionType":
			to.Encryption, err = r.encryption()
		default:
			err = r.skip(4)
		}
		if err != nil {
			return err
		}
	}
}

// own is a string that stands for itself.
func (r *jsonReader) own() (*string, error) {
	b, err := r.text()
	if err != nil {
		return nil, err
	}
	s := string(b)
	return &s, nil
}

// shared is a string in the block of the page's.
func (r *jsonReader) shared() (string, error) {
	b, err := r.text()
	if err != nil {
		return "", err
	}
	return r.keep(b, r.i, len(r.b)), nil
}

// encryption is a word of which all records have the same.
func (r *jsonReader) encryption() (string, error) {
	b, err := r.text()
	if err != nil {
		return "", err
	}
	return r.word(b), nil
}

func (r *jsonReader) integer() (*int64, error) {
	b, err := r.number()
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%q is no whole number of 64 bits", b)
	}
	return &n, nil
}

func (r *jsonReader) time() (time.Time, error) {
	if r.next() == '"' {
		return time.Time{}, errTextTime
	}
	b, err := r.number()
	if err != nil {
		return time.Time{}, err
	}
	seconds, ok := plainFloat(b)
	if !ok {
		if seconds, err = strconv.ParseFloat(string(b), 64); err != nil {
			return time.Time{}, fmt.Errorf("%q is out of the range of timestamps", b)
		}
	}
	return atMillisecond(seconds * 1e3), nil
}

var errTextTime = errors.New("a timestamp is a string, want a number")

// atMillisecond is a time so many milliseconds after the epoch, cut to one. What
// does not fit in 64 bits wraps around as it does in the SDK.
func atMillisecond(ms float64) time.Time {
	var n int64
	switch {
	case ms >= math.MaxInt64:
		n = math.MaxInt64
	case ms <= math.MinInt64:
		n = math.MinInt64
	default:
		n = int64(ms)
	}
	return time.Unix(0, n*1e6).UTC()
}
