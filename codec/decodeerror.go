package codec

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// DecodeError says that a record could not be decoded. Its text holds nothing of
// the data, so that it can be logged where payloads must not be: decoders quote
// what they stumble over, in Err.
type DecodeError struct {
	// Codec is the name of the codec.
	Codec string
	// Bytes is the length of the data.
	Bytes int
	// What is wrong, in words that quote nothing.
	What string
	// Err is the decoder's own error. It may quote the data.
	Err error
}

// Error is the text without the data.
func (e *DecodeError) Error() string {
	return fmt.Sprintf("decode %s of %d bytes: %s", e.Codec, e.Bytes, e.What)
}

// Unwrap is Err.
func (e *DecodeError) Unwrap() error { return e.Err }

// Fault is an error whose text quotes nothing of the data, as a codec says what
// it has found itself.
type Fault string

// Error is the text.
func (f Fault) Error() string { return string(f) }

// Undecodable is the DecodeError of a codec for n bytes of data. What is wrong is
// told of a Fault and of the errors of encoding/json; of any other only which
// type of error it is.
func Undecodable(codec string, n int, err error) *DecodeError {
	return &DecodeError{Codec: codec, Bytes: n, What: what(err), Err: err}
}

func what(err error) string {
	var fault Fault
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &fault):
		return fault.Error()
	case errors.As(err, &syntax):
		return fmt.Sprintf("it is no JSON from byte %d on", syntax.Offset)
	case errors.As(err, &kind) && kind.Field != "":
		return fmt.Sprintf("what stands before byte %d is no %s, as %s is", kind.Offset, kind.Type, kind.Field)
	case errors.As(err, &kind):
		return fmt.Sprintf("what stands before byte %d is no %s", kind.Offset, kind.Type)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "it ends too early"
	case strings.HasPrefix(err.Error(), "json: unknown field "):
		return "it has a member that is not expected" // encoding/json has no type for it
	}
	return fmt.Sprintf("the decoder failed with a %T", innermost(err))
}

// innermost is the end of a chain of errors.
func innermost(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}
