package destination

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/towpath/towpath/batching"
)

// Document is an emitted record with all there is to it in one JSON object, for
// services that have no place beside the body, or whose body is JSON:
//
//	{"id":"…","key":"…","attributes":{…},"data":{"click":1}}
//
// Of data, which is JSON itself, text, which is not, and base64, which is no
// UTF-8, exactly one is there; or dataRef, when the payload was too large and
// lies in a store. A JSON value keeps its numbers and the order of its keys, but
// not the white space between them.
type Document struct {
	// ID names the record for ever; a repeat has the same.
	ID string
	// Key is what its order belongs to.
	Key string
	// Attributes are those that were emitted with it.
	Attributes map[string]string
	// Data is the payload; nil if Ref is set and Open was not called.
	Data []byte
	// Ref says where the payload lies that was too large; nil if it is here.
	Ref *PayloadRef
}

// maxDataDepth is how deep a payload that is put into a document as JSON may be
// nested. EventBridge follows 1,000 levels,
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html.
const maxDataDepth = 500

// NewDocument is the document of an emitted record, on one line.
func NewDocument(e *batching.Emitted) []byte { return appendDocument(nil, e, nil) }

func appendDocument(dst []byte, e *batching.Emitted, ref *PayloadRef) []byte {
	dst = slices.Grow(dst, 128+e.Size()+len(e.Data)/2)
	dst = append(dst, `{"id":`...)
	dst = appendString(dst, e.ID)
	if utf8.ValidString(e.Key) {
		dst = append(dst, `,"key":`...)
		dst = appendString(dst, e.Key)
	} else {
		dst = append(dst, `,"keyBase64":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, []byte(e.Key))
		dst = append(dst, '"')
	}
	if len(e.Attributes) > 0 {
		open := byte('{')
		dst = append(dst, `,"attributes":`...)
		for _, name := range slices.Sorted(maps.Keys(e.Attributes)) {
			dst = append(dst, open)
			dst = appendString(dst, name)
			dst = append(dst, ':')
			dst = appendString(dst, e.Attributes[name])
			open = ','
		}
		dst = append(dst, '}')
	}
	if ref != nil {
		dst = append(dst, `,"dataRef":{"uri":`...)
		dst = appendString(dst, ref.URI)
		dst = append(dst, `,"bytes":`...)
		dst = strconv.AppendInt(dst, ref.Bytes, 10)
		dst = append(dst, `,"sha256":`...)
		dst = appendString(dst, ref.SHA256)
		return append(dst, "}}"...)
	}
	return append(appendData(dst, e.Data), '}')
}

// appendData writes the member that holds the payload.
func appendData(dst, data []byte) []byte {
	switch {
	case !utf8.Valid(data):
		dst = append(dst, `,"base64":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, data)
		return append(dst, '"')
	case json.Valid(data) && depth(data) <= maxDataDepth:
		return appendJSON(append(dst, `,"data":`...), data)
	}
	return appendString(append(dst, `,"text":`...), data)
}

// appendJSON appends valid JSON without white space. What may not be shown or
// sent stands within its strings only, so that it can be escaped in its place.
func appendJSON(dst, data []byte) []byte {
	var b bytes.Buffer
	if err := json.Compact(&b, data); err != nil {
		return append(dst, data...) // it was found valid, so this does not happen
	}
	compact := b.Bytes()
	for i := 0; i < len(compact); {
		if c := compact[i]; c < 0x7f {
			dst = append(dst, c)
			i++
			continue
		}
		r, size := utf8.DecodeRune(compact[i:])
		if printable(r) {
			dst = append(dst, compact[i:i+size]...)
		} else {
			dst = appendEscape(dst, r)
		}
		i += size
	}
	return dst
}

// depth is how deep valid JSON is nested.
func depth(data []byte) (most int) {
	now, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			now++
			most = max(most, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return most
}

// isObject reports whether data is a JSON object that every service reads.
func isObject(data []byte) bool {
	head := bytes.TrimLeft(data, " \t\r\n")
	return len(head) > 0 && head[0] == '{' && utf8.Valid(data) && json.Valid(data) && depth(data) <= maxDataDepth
}

// ParseDocument reads what NewDocument wrote. The error does not show what is in
// it.
func ParseDocument(document []byte) (*Document, error) {
	var in struct {
		ID         *string           `json:"id"`
		Key        string            `json:"key"`
		KeyBase64  []byte            `json:"keyBase64"`
		Attributes map[string]string `json:"attributes"`
		Data       json.RawMessage   `json:"data"`
		Text       *string           `json:"text"`
		Base64     *[]byte           `json:"base64"`
		DataRef    *PayloadRef       `json:"dataRef"`
	}
	if err := json.Unmarshal(document, &in); err != nil {
		return nil, fmt.Errorf("read the document of a record: it is not one: %T", err)
	}
	if in.ID == nil {
		return nil, errors.New("read the document of a record: it has no id")
	}
	d := &Document{ID: *in.ID, Key: in.Key, Attributes: in.Attributes, Ref: in.DataRef}
	if in.KeyBase64 != nil {
		d.Key = string(in.KeyBase64)
	}
	switch {
	case in.Data != nil:
		d.Data = in.Data
	case in.Text != nil:
		d.Data = []byte(*in.Text)
	case in.Base64 != nil:
		d.Data = *in.Base64
	case in.DataRef == nil:
		return nil, errors.New("read the document of a record: it has no payload")
	}
	return d, nil
}

// Open takes the payload that lies at Ref, and checks its size and hash.
func (d *Document) Open(payload []byte) error {
	if d.Ref == nil {
		return errors.New("open the payload of a record: it is in the document")
	}
	if int64(len(payload)) != d.Ref.Bytes || hashOf(payload) != d.Ref.SHA256 {
		return fmt.Errorf("open the payload of a record: %d bytes are not the %d that were stored, or not the same", len(payload), d.Ref.Bytes)
	}
	d.Data = payload
	return nil
}
