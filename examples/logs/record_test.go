package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/shard"
)

func record(data []byte) *shard.Record {
	return &shard.Record{Shard: "shardId-000000000000", Sequence: "42", Data: data, ArrivedAt: time.Date(2026, 11, 21, 7, 30, 0, 0, time.UTC)}
}

// A line in the combined log format is read as the server meant it.
func TestAccessLineIsRead(t *testing.T) {
	c, err := read(record([]byte(`192.0.2.7 - ann [21/Nov/2026:08:03:12 +0100] "GET /a\"b HTTP/1.1" 304 - "-" "An \"agent\""` + "\r\n\n" +
		`2001:db8::1 - - [21/Nov/2026:07:03:12 +0000] "" 400 226 "-" "-"`)))
	if err != nil || len(c.Events) != 2 {
		t.Fatalf("%v: %+v", err, c)
	}
	one := c.Events[0]
	want := access{Client: "192.0.2.7", User: "ann", Request: `GET /a\"b HTTP/1.1`, Status: 304, Referer: "-", Agent: `An \"agent\"`}
	if *one.Access != want || !one.Time.Equal(time.Date(2026, 11, 21, 7, 3, 12, 0, time.UTC)) || one.ID != "shardId-000000000000/42/0" {
		t.Errorf("got %+v with %+v", one, *one.Access)
	}
	if two := c.Events[1]; two.ID != "shardId-000000000000/42/1" || two.Access.Bytes != 226 {
		t.Errorf("got %+v", two)
	}
}

// Whatever is no log is an error, and nothing worse.
func TestRubbishIsAnError(t *testing.T) {
	texts := []string{
		"", "\n", "hello", `{"messageType":"DATA_MESSAGE"}`, "\x1f\x8b", "\x1f\x8b\x08\x00\x00not gzip after all", "\xff",
		`192.0.2.7 - - [soon] "GET / HTTP/1.1" 200 5 "-" "-"`,
		`192.0.2.7 - - [21/Nov/2026:07:03:12 +0000] "GET / HTTP/1.1" 200 5 "-" "-`,
		`192.0.2.7 - - [21/Nov/2026:07:03:12 +0000] "GET / HTTP/1.1" 2000 5 "-" "-"`,
		`192.0.2.7 - - [21/Nov/2026:07:03:12 +0000] "GET / HTTP/1.1" 200 -5 "-" "-"`,
		`192.0.2.7 - - [21/Nov/2026:07:03:12 +0000] "GET / HTTP/1.1" 200 5 "-" "-" and more`,
		`192.0.2.7 - - [21/Nov/2026:07:03:12 +0000] "GET / HTTP/1.1" 200 5 "-" "\`,
		string(zip([]byte(`{"messageType":"DATA_MESSAGE","logEvents":[{"timestamp":1,"message":"no id"}]}`))),
		string(zip([]byte(`{"messageType":"DATA_MESSAGE","logEvents":[{"id":"1","timestamp":9223372036854775807}]}`))),
		string(zip([]byte(strings.Repeat("[", 100_000)))),
	}
	for _, text := range texts {
		if c, err := read(record([]byte(text))); err == nil {
			t.Errorf("%.60q is read as %+v", text, c)
		}
	}
	for _, make := range rubbish {
		if err := check(record(make())); err == nil {
			t.Errorf("%.60q is taken for a log", make())
		}
	}
}

// A record that unzips to a gigabyte costs no more than what is believed of it,
// in one member or in many.
func TestBombIsRefusedCheaply(t *testing.T) {
	var one, many bytes.Buffer
	z, _ := gzip.NewWriterLevel(&one, gzip.BestSpeed)
	chunk := make([]byte, 1<<20)
	for range 1 << 10 {
		if _, err := z.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	member := zip(chunk)
	for range 64 {
		many.Write(member)
	}
	for name, bomb := range map[string][]byte{"one": one.Bytes(), "many": many.Bytes()} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := check(record(bomb))
		runtime.ReadMemStats(&after)
		if !errors.Is(err, errTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
		if grew := after.TotalAlloc - before.TotalAlloc; grew > 6*maxUnzipped {
			t.Errorf("%s: %d bytes were allocated", name, grew)
		}
	}
}

// A control message holds nothing to keep.
func TestControlMessageIsSkipped(t *testing.T) {
	c, err := read(record(zipped(subscription{MessageType: controlMessage, LogEvents: []logEvent{{Message: "checking"}}})))
	if err != nil || !c.Control || len(c.Events) != 0 {
		t.Errorf("%v: %+v", err, c)
	}
}

// An event whose clock cannot be believed is filed under its record's arrival.
func TestHourIsBelievedWithinADay(t *testing.T) {
	arrived := time.Date(2026, 11, 21, 7, 30, 0, 0, time.UTC)
	for at, want := range map[time.Time]string{
		arrived.Add(-time.Hour):       "2026-11-21 06",
		arrived.Add(-23 * time.Hour):  "2026-11-20 08",
		arrived.Add(50 * time.Minute): "2026-11-21 08",
		arrived.Add(-25 * time.Hour):  "2026-11-21 07",
		arrived.Add(2 * time.Hour):    "2026-11-21 07",
		time.Unix(0, 0):               "2026-11-21 07",
	} {
		if got := hourOf(&event{Time: at}, arrived).Format("2006-01-02 15"); got != want {
			t.Errorf("%v is filed under %s, want %s", at, got, want)
		}
	}
}
