package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// timeLayouts are the written forms a log's time column may have. A layout
// without decimals accepts them too: package time reads a fraction after the
// seconds whether the layout names one or not.
var timeLayouts = []string{
	time.RFC3339,
	"2006-01-02 15:04:05",       // without a zone: taken as UTC
	"2006-01-02 15:04:05Z07:00", // PostgreSQL and Python's str(datetime)
	"2006-01-02T15:04:05",
}

// millisFrom is the number from which a Unix time is read as milliseconds:
// 100,000,000,000 seconds is the year 5138, as many milliseconds is March 1973.
const millisFrom = 100_000_000_000

// parseTime reads a time in any of the forms a log is likely to use: RFC 3339,
// "2006-01-02 15:04:05" with decimals and an offset if it likes, Unix seconds
// (with decimals) or Unix milliseconds. The result is in UTC.
func parseTime(text string) (time.Time, error) {
	text = strings.TrimSpace(text)
	if at, ok := parseUnix(text); ok {
		return inRange(text, at)
	}
	for _, layout := range timeLayouts {
		if at, err := time.Parse(layout, text); err == nil {
			return inRange(text, at.UTC())
		}
	}
	return time.Time{}, fmt.Errorf("time %q is none of: RFC 3339, 2006-01-02 15:04:05, Unix seconds, Unix milliseconds", clip(text, 40))
}

// parseUnix reads seconds or milliseconds. It works on the digits, not on a
// floating-point number, which has no room for the nanoseconds of our century.
func parseUnix(text string) (time.Time, bool) {
	whole, fraction, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	if n >= millisFrom || n <= -millisFrom {
		if strings.Trim(fraction, "0") != "" {
			return time.Time{}, false
		}
		return time.UnixMilli(n).UTC(), true
	}
	var nanos int64
	if fraction != "" {
		if len(fraction) > 9 {
			fraction = fraction[:9]
		}
		f, err := strconv.ParseUint(fraction+strings.Repeat("0", 9-len(fraction)), 10, 32)
		if err != nil {
			return time.Time{}, false
		}
		nanos = int64(f)
		if strings.HasPrefix(whole, "-") {
			nanos = -nanos
		}
	}
	return time.Unix(n, nanos).UTC(), true
}

// inRange keeps out what RFC 3339 cannot write: years beyond 9999. They are
// what microseconds look like when read as milliseconds.
func inRange(text string, at time.Time) (time.Time, error) {
	if y := at.Year(); y < 0 || y > 9999 {
		return time.Time{}, fmt.Errorf("time %q is in the year %d; Unix times must be in seconds or milliseconds", clip(text, 40), y)
	}
	return at, nil
}

// clip shortens text for a message, at a rune's edge.
func clip(text string, most int) string {
	runes := 0
	for i := range text {
		if runes == most {
			return text[:i] + "…"
		}
		runes++
	}
	return text
}
