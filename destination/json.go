package destination

import (
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// The envelope is written by hand, for two reasons: the order and the format of
// its keys are Lambda's, and its largest value is a JSON document within a JSON
// string, which encoding/json would copy three times.

// appendString appends s as a JSON string.
func appendString[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	dst = appendEscaped(dst, s)
	return append(dst, '"')
}

// appendEscaped appends s as it stands within the quotes of a JSON string.
//
// What it writes may be shown on a terminal, sent as the body of a queue's
// message (SQS refuses control characters, U+FFFE and U+FFFF, see
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html)
// and put on one line: control and format characters, line separators and
// noncharacters are escaped. Bytes that are no UTF-8 become U+FFFD.
func appendEscaped[T string | []byte](dst []byte, s T) []byte {
	from := 0
	for i := 0; i < len(s); {
		if plain[s[i]] {
			i++
			continue
		}
		r, size := decodeRune(s[i:])
		if size > 1 && printable(r) {
			i += size
			continue
		}
		dst = append(dst, s[from:i]...)
		dst = appendEscape(dst, r)
		i += size
		from = i
	}
	return append(dst, s[from:]...)
}

// escapedLen is the number of bytes that appendEscaped would append.
func escapedLen(s []byte) int {
	n := 0
	for i := 0; i < len(s); {
		if plain[s[i]] {
			n++
			i++
			continue
		}
		r, size := utf8.DecodeRune(s[i:])
		n += escapeLen(r, size)
		i += size
	}
	return n
}

func escapeLen(r rune, size int) int {
	switch {
	case size > 1 && printable(r):
		return size
	case shortEscape(r) != 0:
		return 2
	case r > 0xffff:
		return 12
	}
	return 6
}

// plain are the bytes that stand for themselves in a JSON string.
var plain = func() (t [256]bool) {
	for c := 0x20; c < 0x7f; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

func decodeRune[T string | []byte](s T) (rune, int) {
	return utf8.DecodeRuneInString(string(s[:min(len(s), utf8.UTFMax)]))
}

func printable(r rune) bool {
	return r >= 0xa0 && r != '\u2028' && r != '\u2029' && r&0xfffe != 0xfffe &&
		!(r == utf8.RuneError) && !unicode.Is(unicode.Cf, r)
}

func shortEscape(r rune) byte {
	switch r {
	case '"', '\\':
		return byte(r)
	case '\n':
		return 'n'
	case '\r':
		return 'r'
	case '\t':
		return 't'
	}
	return 0
}

func appendEscape(dst []byte, r rune) []byte {
	if c := shortEscape(r); c != 0 {
		return append(dst, '\\', c)
	}
	if r > 0xffff {
		high, low := utf16.EncodeRune(r)
		return appendHex(appendHex(dst, high), low)
	}
	return appendHex(dst, r)
}

func appendHex(dst []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	return append(dst, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
}

// truncate shortens s so that its escaped form has at most limit bytes, with an
// ellipsis at the end if something was cut off. It never cuts a character.
func truncate(s string, limit int) string {
	const ellipsis = "…"
	n, keep := 0, 0
	for i := 0; i < len(s); {
		r, size := decodeRune(s[i:])
		n += plainOrEscape(s[i], r, size)
		if n > limit {
			return strings.ToValidUTF8(s[:keep], "\ufffd") + ellipsis
		}
		i += size
		if n <= limit-len(ellipsis) {
			keep = i
		}
	}
	return s
}

func plainOrEscape(c byte, r rune, size int) int {
	if plain[c] {
		return 1
	}
	return escapeLen(r, size)
}
