package kinesisfake

import (
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
)

// A stream of events is a row of messages of the AWS event stream encoding:
//
//	length of all, 4 bytes | length of the headers, 4 | CRC of these 8, 4
//	headers | payload | CRC of all before, 4
//
// where a header is the length of its name in one byte, the name, the type of
// its value (7 is a string), the length of that in two bytes, and the value.

// eventStream is the content type of such an answer.
const eventStream = "application/vnd.amazon.eventstream"

// header is a header of a message, whose value is a string.
type header struct{ name, value string }

// frame is a message. Its checksums are those of RFC 1952.
func frame(payload []byte, headers ...header) []byte {
	size := 16 + len(payload)
	for _, h := range headers {
		size += 4 + len(h.name) + len(h.value)
	}
	b := make([]byte, 0, size)
	b = binary.BigEndian.AppendUint32(b, uint32(size))
	b = binary.BigEndian.AppendUint32(b, uint32(size-16-len(payload)))
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	for _, h := range headers {
		b = append(append(b, byte(len(h.name))), h.name...)
		b = binary.BigEndian.AppendUint16(append(b, 7), uint16(len(h.value)))
		b = append(b, h.value...)
	}
	b = append(b, payload...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

// eventFrame is an event of a type. The service begins a stream with one of the
// type initial-response, which holds what is no event in the answer: nothing.
func eventFrame(kind string, payload []byte) []byte {
	return frame(payload,
		header{":message-type", "event"}, header{":event-type", kind}, header{":content-type", "application/json"})
}

// exceptionFrame is an error within a stream, which ends it.
func exceptionFrame(e *Error) []byte {
	payload, _ := json.Marshal(map[string]string{"message": e.Message}) // strings always marshal
	return frame(payload,
		header{":message-type", "exception"}, header{":exception-type", e.Code}, header{":content-type", "application/json"})
}
