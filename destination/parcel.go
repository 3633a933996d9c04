package destination

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/towpath/towpath/batching"
)

// Form says in which shape a service takes an emitted record.
type Form int

const (
	// FormText is the payload as it is where the service takes it: text of the
	// characters that SQS allows, with id, key and attributes beside it. What is
	// not such text, or has an attribute the service would refuse, is a Document,
	// which AttributeForm tells.
	FormText Form = iota
	// FormObject is the payload as it is if it is a JSON object, else a Document.
	// A payload that reads like a Document is put into one, so that what
	// ParseDocument reads was always made by this package.
	FormObject
	// FormBytes is the payload as it is, unless it reads like a Document.
	FormBytes
	// FormDocument is a Document.
	FormDocument
)

// What stands beside an emitted record where the service has a place for it.
const (
	// AttributeID is the attribute with the record's id.
	AttributeID = "towpath-id"
	// AttributeKey is the attribute with the record's key.
	AttributeKey = "towpath-key"
	// AttributeForm is "document" if the body is a Document and not the payload.
	AttributeForm = "towpath-form"
)

// Parcel is an emitted record as a service gets it.
type Parcel struct {
	// Record is the record itself.
	Record *batching.Emitted
	// Body is what is sent: its payload or its Document.
	Body []byte
	// Attributes stand beside it, if the service has a place for them.
	Attributes []Attribute
	// Claimed is set if the payload went to the store.
	Claimed bool
}

// Size is what the parcel counts towards a limit: body and attributes.
func (p *Parcel) Size() int { return len(p.Body) + attributeBytes(p.Attributes) }

// maxAttributes is how many attributes a message of SQS may have,
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html.
const maxAttributes = 10

// parcel makes the parcel of a record, whatever its size.
func (p Packing) parcel(e *batching.Emitted, form Form) Parcel {
	out := Parcel{Record: e, Body: e.Data}
	if p.Attributed {
		out.Attributes = beside(e)
	}
	bare := true
	switch form {
	case FormText:
		bare = len(e.Data) > 0 && legalText(e.Data) && legalAttributes(out.Attributes)
	case FormObject:
		bare = isObject(e.Data) && !isDocument(e.Data)
	case FormBytes:
		bare = !isObject(e.Data) || !isDocument(e.Data)
	case FormDocument:
		bare = false
	}
	if !bare {
		out.Body = NewDocument(e)
		if p.Attributed {
			out.Attributes = p.ofDocument(e)
		}
	}
	return out
}

func isDocument(data []byte) bool {
	_, err := ParseDocument(data)
	return err == nil
}

// beside are id and key, then the record's own attributes by name.
func beside(e *batching.Emitted) []Attribute {
	all := make([]Attribute, 0, 2+len(e.Attributes))
	if e.ID != "" {
		all = append(all, Attribute{AttributeID, e.ID})
	}
	if e.Key != "" {
		all = append(all, Attribute{AttributeKey, e.Key})
	}
	for _, name := range slices.Sorted(maps.Keys(e.Attributes)) {
		all = append(all, Attribute{name, e.Attributes[name]})
	}
	return all
}

// ofDocument are the attributes beside a document: its form, and of id and key
// what the service takes.
func (p Packing) ofDocument(e *batching.Emitted) []Attribute {
	all := []Attribute{{AttributeForm, "document"}}
	for _, a := range []Attribute{{AttributeID, e.ID}, {AttributeKey, e.Key}} {
		if len(a.Value) <= 2*maxAttributeBytes && legalAttributes([]Attribute{a}) {
			all = append(all, a)
		}
	}
	return all
}

// legalText reports whether SQS takes the text: UTF-8 of the characters #x9, #xA,
// #xD, #x20 to #xD7FF, #xE000 to #xFFFD and #x10000 to #x10FFFF,
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html.
func legalText[T string | []byte](s T) bool {
	for i := 0; i < len(s); {
		if s[i] >= ' ' && s[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, size := decodeRune(s[i:])
		if r == utf8.RuneError && size <= 1 || r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff {
			return false
		}
		i += size
	}
	return true
}

// legalAttributes reports whether SQS and SNS take the attributes: at most 10,
// none empty, names of up to 256 letters, digits, _, - and single dots.
func legalAttributes(attributes []Attribute) bool {
	if len(attributes) > maxAttributes {
		return false
	}
	for _, a := range attributes {
		if a.Value == "" || !legalText(a.Value) || !legalName(a.Name) {
			return false
		}
	}
	return true
}

func legalName(s string) bool {
	lower := strings.ToLower(s)
	if s == "" || len(s) > 256 || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") ||
		strings.HasPrefix(lower, "aws.") || strings.HasPrefix(lower, "amazon.") {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-' && r != '.'
	})
}

// wrap makes the parcel of a record, with so many bytes of its own beside body
// and attributes, none larger than MaxBytes. It waits only for the Store.
func (p Packing) wrap(ctx context.Context, e *batching.Emitted, form Form, extra int) (Parcel, error) {
	out := p.parcel(e, form)
	n := out.Size() + extra
	if p.MaxBytes == 0 || n <= p.MaxBytes {
		return out, nil
	}
	if p.Store == nil {
		return Parcel{}, fmt.Errorf("%w: a message of %d bytes, the limit is %d; set a Store, or emit less at a time", ErrRefused, n, p.MaxBytes)
	}
	uri, err := p.Store.Put(ctx, EmittedKey(e), e.Data, "application/octet-stream")
	if err != nil {
		return Parcel{}, fmt.Errorf("store the payload of %d bytes: %w", len(e.Data), err)
	}
	ref := &PayloadRef{URI: uri, Bytes: int64(len(e.Data)), SHA256: hashOf(e.Data)}
	out = Parcel{Record: e, Body: appendDocument(nil, e, ref), Claimed: true}
	if p.Attributed {
		out.Attributes = p.ofDocument(e)
	}
	if n := out.Size() + extra; n > p.MaxBytes {
		return Parcel{}, fmt.Errorf("%w: a message of %d bytes without its payload, the limit is %d; emit less in attributes and key", ErrRefused, n, p.MaxBytes)
	}
	return out, nil
}

// EmittedKey is the key of an emitted record in an object store, below a prefix
// of its owner's: emitted/<shard>/YYYY/MM/DD/<sequence number>-<digest of its id>,
// with the date on which the record arrived that it was made of, or
// emitted/<digest> if it was made of none. A repeat has the same. Without an id the
// digest is one of key and payload.
func EmittedKey(e *batching.Emitted) string {
	digest := hashOf([]byte(identity(e)))
	if e.Of == nil {
		return "emitted/" + digest
	}
	return "emitted/" + keyPart(e.Of.Shard) + "/" + e.Of.ArrivedAt.UTC().Format("2006/01/02") + "/" +
		keyPart(recordName(e.Of)) + "-" + digest[:32]
}

// RepeatID is what a service recognises a repeat of an emitted record by: 64
// hexadecimal digits made from the scope and the id alone; without an id, from
// key and payload. The scope keeps two applications apart that emit to one place.
func RepeatID(scope string, e *batching.Emitted) string {
	return hashOf([]byte(scope + "\x00" + identity(e)))
}

// identity is the id or, where there is none, as of what was made by hand of no
// record, what the record holds: two that differ must not pass for one.
func identity(e *batching.Emitted) string {
	if e.ID != "" {
		return e.ID
	}
	return "\x00" + hashOf([]byte(e.Key)) + hashOf(e.Data)
}

// KeyGroup is the message group of an emitted record on a FIFO queue or topic:
// its key if the service takes it, else the SHA-256 of the key; without a key its
// shard.
func KeyGroup(e *batching.Emitted) string {
	if e.Key == "" && e.Of != nil {
		return fifoToken(e.Of.Shard)
	}
	return fifoToken(e.Key)
}
