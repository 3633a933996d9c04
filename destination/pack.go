package destination

import (
	"context"
	"errors"
	"fmt"

	"github.com/towpath/towpath/shard"
)

// Store keeps payloads that are too large for a message. An s3destination.Bucket
// is one.
type Store interface {
	// Put keeps body under the key and returns where it lies, as an URI. It
	// returns only when the body is stored for good. The same key is written
	// again on a repeat, with the same body.
	Put(ctx context.Context, key string, body []byte, contentType string) (uri string, err error)
}

// Packing says how failures become messages of a limited size. The zero value
// is no limit and the whole payload.
type Packing struct {
	// MaxBytes is the most that one message may have, attributes included, in
	// bytes; 0 is no limit. Drivers set it to the limit of their service; set it
	// lower only for a queue with a lower MaximumMessageSize. Less than 8 KiB is
	// refused by Validate.
	MaxBytes int
	// Store takes payloads that do not fit, whole; the message refers to them.
	// Without it a batch that does not fit is split into several messages, and
	// a single record that does not fit is described but not carried; see
	// RequirePayload.
	Store Store
	// RequirePayload refuses a record that does not fit with ErrRefused rather
	// than to describe it without its payload. Nothing then leaves the stream
	// uncarried, and the lane of that record stands still until a Store is
	// there or the limit is raised. Default: off, so that no record blocks its
	// lane for ever; Counts.Omitted says how often it happened.
	RequirePayload bool
	// Payload says how much of the records is sent. Default: all. With
	// PayloadHash and PayloadNone the records are only in the stream, and the
	// Store is not used.
	Payload PayloadMode
	// RedactError turns the handler's last error into the text that is sent;
	// nil is Error(), cut to 1 KiB.
	RedactError func(error) string
	// Attributed tells that the message carries Failure.Attributes beside its
	// body, so that their size counts. Drivers set it.
	Attributed bool
}

// Validate says what is wrong with the packing.
func (p Packing) Validate() error {
	var problems []error
	if p.MaxBytes != 0 && p.MaxBytes < minPackingBytes {
		problems = append(problems, fmt.Errorf("MaxBytes is %d, want 0 (the service's limit) or at least %d", p.MaxBytes, minPackingBytes))
	}
	if p.Payload < PayloadFull || p.Payload > PayloadNone {
		problems = append(problems, fmt.Errorf("Payload is %d, want PayloadFull, PayloadHash or PayloadNone", p.Payload))
	}
	if p.RequirePayload && p.Payload != PayloadFull {
		problems = append(problems, errors.New("RequirePayload is set, but Payload says not to send it"))
	}
	return errors.Join(problems...)
}

// Message is one message for a service.
type Message struct {
	// Part is what the message carries: the failure itself, or some of its
	// records. Its ID is the same on a repeat.
	Part Failure
	// Body is the envelope.
	Body []byte
	// Attributes go beside it, if the packing says so.
	Attributes []Attribute
	// Claimed is set if the payload went to the store, and Omitted if it is
	// nowhere but in the stream because it did not fit.
	Claimed, Omitted bool
}

// Pack makes the messages of a failure, none larger than MaxBytes. It waits only
// for the Store.
//
// How a failure is split depends on its records, its application and MaxBytes
// alone, and not on the error or the worker, so that the parts of a repeat are
// those of the first time.
func (p Packing) Pack(ctx context.Context, f Failure) ([]Message, error) {
	if len(f.Records) == 0 {
		return nil, errNoRecords
	}
	var event []byte
	if p.Payload != PayloadNone {
		event = f.Event()
	}
	options := EnvelopeOptions{Payload: p.Payload, RedactError: p.RedactError}
	whole := p.message(f, options, event)
	alone := len(f.Records) == 1 || p.Store != nil || p.Payload != PayloadFull
	switch {
	case p.fits(whole) && (alone || p.uncut(f, whole)):
		return []Message{whole}, nil
	case p.Payload != PayloadFull:
		return nil, p.tooLarge(whole)
	case p.Store != nil:
		return p.claim(ctx, whole, event)
	case len(f.Records) == 1:
		return p.omit(whole, event)
	}
	return p.split(ctx, f)
}

func (p Packing) message(part Failure, o EnvelopeOptions, event []byte) Message {
	m := Message{Part: part, Body: part.envelope(o, event)}
	if p.Attributed {
		m.Attributes = part.Attributes()
	}
	return m
}

func (p Packing) fits(m Message) bool {
	return p.MaxBytes == 0 || len(m.Body)+attributeBytes(m.Attributes) <= p.MaxBytes
}

func (p Packing) tooLarge(m Message) error {
	return fmt.Errorf("%w: the message has %d bytes without a payload, the limit is %d",
		ErrRefused, len(m.Body)+attributeBytes(m.Attributes), p.MaxBytes)
}

// claim puts the event into the store and refers to it.
func (p Packing) claim(ctx context.Context, m Message, event []byte) ([]Message, error) {
	uri, err := p.Store.Put(ctx, "payload/"+m.Part.ObjectKey(), event, "application/json")
	if err != nil {
		return nil, fmt.Errorf("store the payload of %d bytes: %w", len(event), err)
	}
	ref := &PayloadRef{URI: uri, Bytes: int64(len(event)), SHA256: hashOf(event)}
	m = p.message(m.Part, EnvelopeOptions{Ref: ref, RedactError: p.RedactError}, nil)
	m.Claimed = true
	if !p.fits(m) {
		return nil, p.tooLarge(m)
	}
	return []Message{m}, nil
}

// omit describes a record that fits in no message.
func (p Packing) omit(m Message, event []byte) ([]Message, error) {
	if p.RequirePayload {
		return nil, fmt.Errorf("%w: a record of %d bytes makes a message of %d bytes, the limit is %d; set a Store",
			ErrRefused, len(m.Part.Records[0].Data), len(m.Body)+attributeBytes(m.Attributes), p.MaxBytes)
	}
	m = p.message(m.Part, EnvelopeOptions{Payload: PayloadHash, RedactError: p.RedactError}, event)
	m.Omitted = true
	if !p.fits(m) {
		return nil, p.tooLarge(m)
	}
	return []Message{m}, nil
}

// split cuts the records into runs that fit and packs each.
func (p Packing) split(ctx context.Context, f Failure) ([]Message, error) {
	var messages []Message
	for _, n := range p.cut(f) {
		part := f
		part.Records, f.Records = f.Records[:n:n], f.Records[n:]
		packed, err := p.packRun(ctx, part)
		if err != nil {
			return nil, err
		}
		messages = append(messages, packed...)
	}
	return messages, nil
}

// packRun packs a run that cut thinks fits. If it does not after all, as only
// names beyond reason can bring about, it is halved.
func (p Packing) packRun(ctx context.Context, part Failure) ([]Message, error) {
	if len(part.Records) == 1 {
		return p.Pack(ctx, part)
	}
	m := p.message(part, EnvelopeOptions{RedactError: p.RedactError}, part.Event())
	if p.fits(m) {
		return []Message{m}, nil
	}
	left, right := part, part
	half := len(part.Records) / 2
	left.Records, right.Records = part.Records[:half], part.Records[half:]
	a, err := p.packRun(ctx, left)
	if err != nil {
		return nil, err
	}
	b, err := p.packRun(ctx, right)
	return append(a, b...), err
}

// cut decides how many records each message takes, in order: as many as fit. A
// record that does not fit alone is a run of its own. One pass, each record
// encoded once.
func (p Packing) cut(f Failure) []int {
	room := p.MaxBytes - p.reserve(f)
	var runs []int
	var buf []byte
	n, size := 0, 0
	for i := range f.Records {
		buf = f.appendRecord(buf[:0], &f.Records[i])
		length := escapedLen(buf) + 1 // and a comma
		if n > 0 && size+length > room {
			runs = append(runs, n)
			n, size = 0, 0
		}
		n++
		size += length
	}
	return append(runs, n)
}

// uncut decides whether a batch of several records goes as one, by the measure
// of cut: with room for the longest error and worker's name, so that a repeat
// decides alike. A message may for that reason be split though it would have
// fitted by a few KiB.
func (p Packing) uncut(f Failure, whole Message) bool {
	return p.MaxBytes == 0 || len(whole.Body) <= p.MaxBytes-p.reserve(f) || len(p.cut(f)) == 1
}

// reserveBytes is room for what changes from one sending to the next: error,
// worker, condition (twice, with the attribute), the response, the count of
// attempts (twice, 20 digits), the time; and for sequence numbers that are
// longer than those of the first and last record.
const reserveBytes = maxErrorBytes + maxWorkerBytes + 3*maxConditionBytes + 512

// reserve is the room that everything but the records takes, at most.
func (p Packing) reserve(f Failure) int {
	constant := Failure{
		Application: f.Application, Stream: f.Stream, Shard: f.Shard,
		Records: []shard.Record{f.Records[0], f.Records[len(f.Records)-1]},
	}
	n := reserveBytes + len(constant.envelope(EnvelopeOptions{Payload: PayloadNone}, nil)) +
		len(`,"payload":""`) + escapedLen([]byte(eventHead+eventTail))
	if p.Attributed {
		n += attributeBytes(constant.Attributes()) + len("condition") + len(attributeType)
	}
	return n
}
