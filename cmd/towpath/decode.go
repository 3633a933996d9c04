package main

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// How a payload is read, as -decode says.
const (
	decodeAuto   = "auto"
	decodeText   = "text"
	decodeJSON   = "json"
	decodeGzip   = "gzip"
	decodeLogs   = "cloudwatch-logs"
	decodeBase64 = "base64"
)

var decodings = []string{decodeAuto, decodeText, decodeJSON, decodeGzip, decodeLogs, decodeBase64}

// content is what a payload says: one, or several of a record of CloudWatch Logs.
type content struct {
	data  []byte
	event *logEvent
}

// logEvent is where a message of CloudWatch Logs comes from.
type logEvent struct {
	Group  string    `json:"log_group"`
	Stream string    `json:"log_stream"`
	At     time.Time `json:"logged_at"`
}

// decoded reads a payload. What cannot be read as it was asked for is given as it
// is, with the reason.
func decoded(how string, data []byte) ([]content, error) {
	asIs := []content{{data: data}}
	switch how {
	case decodeGzip:
		plain, err := inflated(data)
		if err != nil {
			return asIs, err
		}
		return []content{{data: plain}}, nil
	case decodeLogs:
		events, err := logEventsOf(data)
		if err != nil {
			return asIs, err
		}
		return events, nil
	case decodeJSON:
		if !json.Valid(data) {
			return asIs, errors.New("it is no JSON")
		}
	case decodeAuto:
		if bytes.HasPrefix(data, gzipMagic) {
			if events, err := logEventsOf(data); err == nil {
				return events, nil
			}
			if plain, err := inflated(data); err == nil {
				return []content{{data: plain}}, nil
			}
		}
	}
	return asIs, nil
}

var gzipMagic = []byte{0x1f, 0x8b}

// mostInflated bounds what a payload is unpacked to: a record has 10 MiB at most,
// and text packs some ten times.
const mostInflated = 100 << 20

func inflated(data []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, errors.New("it is no gzip")
	}
	plain, err := io.ReadAll(io.LimitReader(z, mostInflated+1))
	switch {
	case err != nil:
		return nil, errors.New("its gzip is broken")
	case len(plain) > mostInflated:
		return nil, fmt.Errorf("it unpacks to more than %d MiB", mostInflated>>20)
	}
	return plain, nil
}

// logEventsOf takes apart what a subscription of CloudWatch Logs puts, see
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html.
func logEventsOf(data []byte) ([]content, error) {
	plain, err := inflated(data)
	if err != nil {
		return nil, err
	}
	var document struct {
		MessageType         string
		LogGroup, LogStream string
		LogEvents           []struct {
			Timestamp int64
			Message   string
		}
	}
	if json.Unmarshal(plain, &document) != nil || document.MessageType == "" {
		return nil, errors.New("it is no record of CloudWatch Logs")
	}
	if document.MessageType != "DATA_MESSAGE" { // whether the stream can be reached
		return []content{{data: plain}}, nil
	}
	all := make([]content, len(document.LogEvents))
	for i, e := range document.LogEvents {
		at := time.UnixMilli(e.Timestamp).UTC()
		if at.Year() > 9999 || at.Year() < 0 { // which JSON cannot say
			at = time.Time{}
		}
		all[i] = content{data: []byte(e.Message), event: &logEvent{document.LogGroup, document.LogStream, at}}
	}
	return all, nil
}

// isText reports whether a payload is text for people: UTF-8 with few control
// characters beside white space, as in coloured lines of a log.
func isText(data []byte) bool {
	if !utf8.Valid(data) {
		return false
	}
	odd := 0
	for _, r := range string(data) {
		if unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' {
			odd++
		}
	}
	return odd*5 <= len(data)
}

// shown is a payload on one line that no terminal obeys. What is no text is shown in
// base64, unless text was asked for.
func shown(how string, data []byte) string {
	switch {
	case how == decodeBase64, how != decodeText && !isText(data):
		return "base64:" + base64.StdEncoding.EncodeToString(data)
	case how == decodeJSON && json.Valid(data):
		var b bytes.Buffer
		if json.Compact(&b, data) == nil {
			data = b.Bytes()
		}
	}
	return visible(strings.TrimRight(string(data), "\r\n"))
}

// visible is a text on one line: everything that a terminal would obey, or that
// turns the direction of writing, is shown by its number.
func visible(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n <= 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case isHidden(r):
			b.WriteString(escape(r))
		default:
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}

// isHidden are control characters, marks of direction and other formats, and the
// two ends of line of Unicode.
func isHidden(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029'
}

// escape is a character as JSON writes its number.
func escape(r rune) string {
	if r1, r2 := utf16.EncodeRune(r); r1 != unicode.ReplacementChar {
		return fmt.Sprintf(`\u%04x\u%04x`, r1, r2)
	}
	return fmt.Sprintf(`\u%04x`, r)
}

// harmless is a JSON document in which what a terminal would obey is escaped: it is
// the same document, as such characters stand in its texts alone.
func harmless(document []byte) []byte {
	hidden := func(r rune) bool { return r != '\n' && isHidden(r) }
	if bytes.IndexFunc(document, hidden) < 0 {
		return document
	}
	var b bytes.Buffer
	for _, r := range string(document) {
		if hidden(r) {
			b.WriteString(escape(r))
		} else {
			b.WriteRune(r)
		}
	}
	return b.Bytes()
}

// payload is a payload in a document: of data, which is JSON itself, text, which is
// not, and base64, which is no UTF-8, one is there.
type payload struct {
	Data   json.RawMessage `json:"data,omitempty"`
	Text   *string         `json:"text,omitempty"`
	Base64 *[]byte         `json:"base64,omitempty"`
}

// payloadOf puts a payload into a document. A text that is a bare number or word
// stays text.
func payloadOf(how string, data []byte) payload {
	text := string(data)
	switch first := bytes.TrimLeft(data, " \t\r\n"); {
	case how == decodeBase64, !utf8.Valid(data):
		return payload{Base64: &data}
	case how != decodeText && len(first) > 0 && strings.ContainsRune(`{["`, rune(first[0])) && json.Valid(data):
		return payload{Data: data}
	}
	return payload{Text: &text}
}

// harmlessText is a text of several lines that no terminal obeys.
func harmlessText(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	return strings.Join(lines, "\n")
}
