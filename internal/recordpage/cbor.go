package recordpage

import (
	"fmt"
	"math"
	"time"
)

// IsCBOR reports whether a body is an answer in CBOR: whether it begins with a
// map. JSON begins with a brace or white space, which are no maps of CBOR.
func IsCBOR(body []byte) bool { return len(body) > 0 && body[0]>>5 == majorMap }

// ReadCBOR reads an answer in Kinesis' CBOR into a page, as ReadJSON does one in
// JSON: payloads are strings of bytes, and timestamps numbers of milliseconds with
// or without tag 1. With InBody payloads are where they are, and nothing is
// written to the body. Null, or the same member once more, takes back what was
// given.
func ReadCBOR(body []byte, page *Page, place Place) error {
	r := cborReader{items: items{b: body}, builder: begin(page, place)}
	if len(body) == 0 {
		return nil
	}
	if err := r.answer(); err != nil {
		page.Reset()
		return fmt.Errorf("an answer of %d bytes: %w", len(body), err)
	}
	return nil
}

type cborReader struct {
	items
	builder
}

// members reads a map; false is null instead. What the function does not know is
// skipped, which is at the given depth.
func (r *cborReader) members(depth int, read func(name []byte) (known bool, err error)) (bool, error) {
	h, ok, err := r.want(majorMap)
	if !ok || err != nil {
		return false, err
	}
	for {
		if ok, err := r.items.more(&h); !ok || err != nil {
			return err == nil, err
		}
		name, ok, err := r.text()
		if !ok {
			return false, orElse(err, "a name is no text")
		}
		known, err := read(name)
		if err == nil && !known {
			err = r.skip(depth)
		}
		if err != nil {
			return false, err
		}
	}
}

func (r *cborReader) answer() error {
	ok, err := r.members(2, func(name []byte) (known bool, err error) {
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
	if !ok {
		return orElse(err, "it is null")
	}
	return err
}

func (r *cborReader) records() error {
	h, ok, err := r.want(majorList)
	if !ok {
		r.page.Records = nil
		return err
	}
	r.list(r.i)
	for {
		if ok, err := r.items.more(&h); !ok || err != nil {
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

func (r *cborReader) record(to *Record) error {
	_, err := r.members(4, func(name []byte) (known bool, err error) {
		switch string(name) {
		case "Data":
			to.Data, err = r.blob()
		case "SequenceNumber":
			to.Sequence, err = r.shared(to, GivenSequence)
		case "PartitionKey":
			to.Key, err = r.shared(to, GivenKey)
		case "ApproximateArrivalTimestamp":
			to.ArrivedAt, err = r.time(to)
		case "EncryptionType":
			var text []byte
			text, _, err = r.text()
			to.Encryption = r.word(text)
		default:
			return false, nil
		}
		return true, err
	})
	return err
}

func (r *cborReader) blob() ([]byte, error) {
	h, ok, err := r.want(majorBytes)
	if !ok || err != nil {
		return nil, err
	}
	b, err := r.run(h)
	switch {
	case err != nil:
		return nil, err
	case h.open():
		return append(make([]byte, 0, len(b)), b...), nil
	case r.place == Apart:
		to := r.page.room(len(b), r.builder.more(r.i, len(r.b)))
		copy(to, b)
		return to, nil
	}
	return b, nil
}

// own is a text that stands for itself; nil is null.
func (r *cborReader) own() (*string, error) {
	b, ok, err := r.text()
	if !ok {
		return nil, err
	}
	s := string(b)
	return &s, nil
}

// shared is a text in the block of the page's.
func (r *cborReader) shared(to *Record, field Given) (string, error) {
	b, ok, err := r.text()
	if to.Has &^= field; !ok {
		return "", err
	}
	to.Has |= field
	return r.keep(b, r.i, len(r.b)), nil
}

func (r *cborReader) integer() (*int64, error) {
	h, err := r.head()
	switch {
	case err != nil || h.null():
		return nil, err
	case h.major > majorNegative:
		return nil, fmt.Errorf("an item of type %d at byte %d, want a whole number", h.major, r.i)
	}
	n, err := h.whole()
	if err != nil {
		return nil, err
	}
	return &n, nil
}

func (r *cborReader) time(to *Record) (at time.Time, err error) {
	to.Has &^= GivenArrivedAt
	h, err := r.head()
	if err == nil && h.major == majorTag && h.n == 1 {
		h, err = r.head()
	} else if err == nil && h.null() {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	to.Has |= GivenArrivedAt
	if h.major <= majorNegative {
		n, err := h.whole()
		return time.UnixMilli(n).UTC(), err
	}
	if ms, ok := h.float(); ok && math.Abs(ms) < 1<<53 {
		return time.UnixMilli(int64(ms)).UTC(), nil
	}
	return time.Time{}, fmt.Errorf("an item of type %d at byte %d is no time", h.major, r.i)
}

func (r *cborReader) children() error {
	h, ok, err := r.want(majorList)
	r.page.Children = nil
	if !ok {
		return err
	}
	r.page.Children = []Child{}
	for {
		if ok, err := r.items.more(&h); !ok || err != nil {
			return err
		}
		if len(r.page.Children) >= MaxRecords {
			return fmt.Errorf("there are more than %d child shards", MaxRecords)
		}
		var c Child
		if err := r.child(&c); err != nil {
			return fmt.Errorf("child shard %d: %w", len(r.page.Children), err)
		}
		r.page.Children = append(r.page.Children, c)
	}
}

func (r *cborReader) child(to *Child) error {
	_, err := r.members(4, func(name []byte) (known bool, err error) {
		switch string(name) {
		case "ShardId":
			to.ID, err = r.own()
		case "ParentShards":
			to.Parents, err = r.parents()
		case "HashKeyRange":
			to.Hashes, err = r.hashes()
		default:
			return false, nil
		}
		return true, err
	})
	return err
}

func (r *cborReader) parents() ([]string, error) {
	h, ok, err := r.want(majorList)
	if !ok || err != nil {
		return nil, err
	}
	list := []string{}
	for {
		if ok, err := r.items.more(&h); !ok || err != nil {
			return list, err
		}
		if len(list) >= MaxRecords {
			return nil, fmt.Errorf("there are more than %d parents", MaxRecords)
		}
		id, _, err := r.text()
		if err != nil {
			return nil, err
		}
		list = append(list, string(id))
	}
}

func (r *cborReader) hashes() (*HashRange, error) {
	to := &HashRange{}
	ok, err := r.members(5, func(name []byte) (known bool, err error) {
		switch string(name) {
		case "StartingHashKey":
			to.Start, err = r.own()
		case "EndingHashKey":
			to.End, err = r.own()
		default:
			return false, nil
		}
		return true, err
	})
	if !ok {
		return nil, err
	}
	return to, nil
}
