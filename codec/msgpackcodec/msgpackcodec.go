// Package msgpackcodec reads and writes records in MessagePack.
//
// It is github.com/vmihailenco/msgpack/v5 behind a guard. That library believes
// the lengths it reads, so that a record of five bytes can make it ask for tens
// of gigabytes, and one of repeated 0x91 overflows its stack: the process ends,
// the lease moves on, and the next process ends. Here every record is walked
// first, in about a tenth of the time that decoding takes, and what is not
// exactly one well-formed value is an error.
//
// What the guard does not bound is what the caller's own type costs for each
// element that is really there: a record of n bytes has at most n elements, so
// that decoding takes up to n times the size of the element's type. Keep element
// types small where producers are not trusted.
package msgpackcodec

import (
	"bytes"
	"fmt"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/towpath/towpath/codec"
)

// Codec is MessagePack. Its zero value is ready.
type Codec struct {
	// MaxDepth is how deep arrays and maps may nest. 0 is the default, 128,
	// which is deeper than hand-written types go; a larger one is cut to 10,000
	// (encoding/json's limit), as each level costs stack.
	MaxDepth int
	// AllowExtensions lets extensions other than timestamps through to the
	// decoders that the program registered with msgpack.RegisterExt. Those run
	// on bytes of the producer's choice. Default: they are an error.
	AllowExtensions bool
	// DisallowUnknownFields makes a member that the struct does not have an
	// error. Default: it is ignored.
	DisallowUnknownFields bool
	// StructTag is a second struct tag to take names from where there is no tag
	// msgpack, such as json. Default: none.
	StructTag string
}

var _ codec.Codec = Codec{}

const (
	defaultDepth = 128
	largestDepth = 10_000
)

// Name is msgpack.
func (Codec) Name() string { return "msgpack" }

// Decode reads one MessagePack value. Bytes behind it are an error, and so is a
// panic of a type's own decoder. Its errors are codec.DecodeErrors.
func (c Codec) Decode(data []byte, into any) error {
	if err := c.decode(data, into); err != nil {
		return codec.Undecodable(c.Name(), len(data), err)
	}
	return nil
}

func (c Codec) decode(data []byte, into any) (err error) {
	if err := walk(data, c.depth(), c.AllowExtensions); err != nil {
		return err
	}
	defer func() {
		if p := recover(); p != nil {
			err = &panicError{p}
		}
	}()
	d := msgpack.GetDecoder()
	d.Reset(bytes.NewReader(data))
	d.DisallowUnknownFields(c.DisallowUnknownFields)
	d.SetCustomStructTag(c.StructTag)
	if err := d.Decode(into); err != nil {
		return err
	}
	msgpack.PutDecoder(d) // not after an error or a panic: who knows its state
	return nil
}

// panicError is a panic of a type's own decoder, which may quote the data.
type panicError struct{ value any }

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

func (c Codec) depth() int {
	if c.MaxDepth <= 0 {
		return defaultDepth
	}
	return min(c.MaxDepth, largestDepth)
}

// Encode is v in MessagePack; keys of maps are not sorted.
func (c Codec) Encode(v any) (data []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			data, err = nil, fmt.Errorf("encode msgpack: panic: %v", p)
		}
	}()
	var buf bytes.Buffer
	e := msgpack.NewEncoder(&buf)
	e.SetCustomStructTag(c.StructTag)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode msgpack: %w", err)
	}
	return buf.Bytes(), nil
}
