package main

import (
	"bytes"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/towpath/towpath/shard"
)

// access is what a line in the combined log format says, which Apache and nginx
// write:
//
//	192.0.2.7 - ann [21/Nov/2026:07:03:12 +0000] "GET /cart HTTP/1.1" 200 512 "https://shop.example/" "Mozilla/5.0"
type access struct {
	// Client is the address that asked, User who it said it was ("-" is nobody).
	Client string `json:"client"`
	User   string `json:"user"`
	// Request is the first line of the request, as the server wrote it.
	Request string `json:"request"`
	// Status is the status of the answer and Bytes its size.
	Status int   `json:"status"`
	Bytes  int64 `json:"bytes"`
	// Referer and Agent are what the client sent of them.
	Referer string `json:"referer"`
	Agent   string `json:"agent"`
}

const accessTime = "02/Jan/2006:15:04:05 -0700"

// readAccess reads a record of lines. One line that is none fails all: nobody
// could say which of them had been kept.
func readAccess(r *shard.Record) (content, error) {
	if !utf8.Valid(r.Data) {
		return content{}, errNoLog
	}
	var c content
	for line := range bytes.Lines(r.Data) {
		text := strings.TrimRight(string(line), "\r\n")
		if text == "" {
			continue
		}
		e, ok := parseAccess(text)
		if !ok {
			return content{}, errNoLog
		}
		e.ID = lineID(r, len(c.Events))
		c.Events = append(c.Events, e)
	}
	if len(c.Events) == 0 {
		return content{}, errNoLog
	}
	return c, nil
}

// parseAccess reads one line.
func parseAccess(line string) (event, bool) {
	l := scanner{rest: line, ok: true}
	a := &access{Client: l.word()}
	l.word() // what identd said
	a.User = l.word()
	at, err := time.Parse(accessTime, l.between('[', ']'))
	a.Request = l.quoted()
	status, bytes := l.word(), l.word()
	a.Referer, a.Agent = l.quoted(), l.quoted()
	if !l.ok || l.rest != "" || err != nil || at.UTC().Year() < 1970 {
		return event{}, false
	}
	if a.Status, err = strconv.Atoi(status); err != nil || a.Status < 100 || a.Status > 999 {
		return event{}, false
	}
	if bytes != "-" { // no body
		if a.Bytes, err = strconv.ParseInt(bytes, 10, 64); err != nil || a.Bytes < 0 {
			return event{}, false
		}
	}
	return event{Time: at.UTC(), Message: line, Access: a}, true
}

// scanner takes a line apart from left to right. Once it is not ok it stays so.
type scanner struct {
	rest string
	ok   bool
}

// word is what stands before the next space.
func (s *scanner) word() string {
	word, rest, _ := strings.Cut(s.rest, " ")
	s.rest, s.ok = rest, s.ok && word != ""
	return word
}

// between is what stands between two marks, and a space behind them.
func (s *scanner) between(open, end byte) string {
	i := strings.IndexByte(s.rest, end)
	if i < 1 || s.rest[0] != open {
		s.ok = false
		return ""
	}
	text := s.rest[1:i]
	s.rest = strings.TrimPrefix(s.rest[i+1:], " ")
	return text
}

// quoted is what stands in quotes. The servers write a quote within as \".
func (s *scanner) quoted() string {
	if !strings.HasPrefix(s.rest, `"`) {
		s.ok = false
		return ""
	}
	for i := 1; i < len(s.rest); i++ {
		switch s.rest[i] {
		case '\\':
			i++
		case '"':
			text := s.rest[1:i]
			s.rest = strings.TrimPrefix(s.rest[i+1:], " ")
			return text
		}
	}
	s.ok = false
	return ""
}
