// Package codec turns the bytes of a record into a value and back.
//
// A codec is given bytes that somebody else wrote. Its promise is that no input
// does more harm than an error: no panic, no memory beyond a small multiple of
// the input and of what it is decoded into, no time beyond a multiple of its
// length. A record that cannot be decoded is then one that can be given up,
// rather than one that ends every process that reads it.
//
// JSON is here; MessagePack is in the package msgpackcodec, so that who does not
// use it does not link it.
package codec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Codec turns bytes into values and back. It keeps no state and may be used by
// several goroutines.
type Codec interface {
	// Name is the codec's name in errors and metrics, such as json.
	Name() string
	// Decode reads data, all of it, into the value that into points to. It
	// keeps no reference to data. After an error what into points to may be
	// half filled. An error's text is logged and must quote nothing of data:
	// see DecodeError.
	Decode(data []byte, into any) error
	// Encode is the bytes of v.
	Encode(v any) ([]byte, error)
}

// JSON is encoding/json with its defaults: unknown members are ignored.
var JSON Codec = JSONCodec{}

// JSONCodec is encoding/json with a choice of strictness. Its zero value is
// JSON. Documents may nest up to 10,000 deep, which is encoding/json's limit.
type JSONCodec struct {
	// DisallowUnknownFields makes a member that the struct does not have an
	// error. Default: it is ignored, so that producers may add members first.
	DisallowUnknownFields bool
	// UseNumber decodes a number into an any as a json.Number and not as a
	// float64, which holds no integer beyond 2⁵³ exactly. Default: float64.
	UseNumber bool
}

// Name is json.
func (JSONCodec) Name() string { return "json" }

// Decode reads one JSON document. Anything but white space behind it is an
// error. Its errors are DecodeErrors.
func (c JSONCodec) Decode(data []byte, into any) error {
	if err := c.decode(data, into); err != nil {
		return Undecodable(c.Name(), len(data), err)
	}
	return nil
}

func (c JSONCodec) decode(data []byte, into any) error {
	if c == (JSONCodec{}) {
		return json.Unmarshal(data, into)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if c.DisallowUnknownFields {
		d.DisallowUnknownFields()
	}
	if c.UseNumber {
		d.UseNumber()
	}
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Fault(fmt.Sprintf("something follows the document at byte %d", d.InputOffset()))
	}
	return nil
}

// Encode is json.Marshal.
func (JSONCodec) Encode(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode json: %w", err)
	}
	return data, nil
}
