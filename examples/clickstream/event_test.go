package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestEventComesBackAsItWasWritten(t *testing.T) {
	want := event{
		Key:  `user "7" <né>`,
		Time: time.Date(2024, 3, 13, 10, 21, 14, 123456789, time.UTC),
		Name: "product_view", N: 41, Line: 1207,
	}
	data, err := encodeEvent(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeEvent(data)
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestDecoderRefusesWhatIsNoEvent(t *testing.T) {
	tests := []struct{ data, wants string }{
		{"", "empty"},
		{" \n", "empty"},
		{"user_0001,home,2024-03-13", "invalid character"},
		{`{"v":1,"key":"a","time":"2024-03-13T10:`, "unexpected end"},
		{`{"key":"a","time":"2024-03-13T10:21:14Z"}`, "version is 0"},
		{`{"v":2,"key":"a","time":"2024-03-13T10:21:14Z"}`, "version is 2"},
		{`{"v":1,"time":"2024-03-13T10:21:14Z"}`, "no key"},
		{`{"v":1,"key":"a"}`, "no time"},
		{`{"v":1,"key":"a","time":"yesterday"}`, "yesterday"},
		{`{"v":1,"key":"a","time":"2024-03-13T10:21:14Z","n":-1}`, "ordinal"},
		{`{"v":1,"key":7,"time":"2024-03-13T10:21:14Z"}`, "number"},
		{`[1,2,3]`, "array"},
	}
	for _, tt := range tests {
		if e, err := decodeEvent([]byte(tt.data)); err == nil {
			t.Errorf("%s: decoded to %+v, want an error", tt.data, e)
		} else if !strings.Contains(err.Error(), tt.wants) {
			t.Errorf("%s: %v, want it to name %q", tt.data, err, tt.wants)
		}
	}
}

func TestTimesAreReadInEveryForm(t *testing.T) {
	second := time.Date(2024, 3, 13, 10, 21, 14, 0, time.UTC)
	tests := []struct {
		text string
		want time.Time
	}{
		{"2024-03-13T10:21:14Z", second},
		{"2024-03-13T12:21:14.5+02:00", second.Add(time.Second / 2)},
		{"2024-03-13 10:21:14", second},
		{" 2024-03-13 10:21:14 ", second},
		{"2024-03-13 10:21:14.123456", second.Add(123456 * time.Microsecond)},
		{"2024-03-13 10:21:14.123456+00:00", second.Add(123456 * time.Microsecond)},
		{"2024-03-13 05:21:14-05:00", second},
		{"2024-03-13T10:21:14", second},
		{"1710325274", second},
		{"1710325274.000000001", second.Add(time.Nanosecond)},
		{"1710325274.25", second.Add(time.Second / 4)},
		{"1710325274000", second},
		{"1710325274250", second.Add(time.Second / 4)},
		{"-1.5", time.Unix(-2, 5e8).UTC()},
		{"-0.5", time.Unix(-1, 5e8).UTC()},
		{"0", time.Unix(0, 0).UTC()},
	}
	for _, tt := range tests {
		got, err := parseTime(tt.text)
		if err != nil || !got.Equal(tt.want) || got.Location() != time.UTC {
			t.Errorf("parseTime(%q) = %v, %v; want %v", tt.text, got, err, tt.want)
		}
	}
	for _, text := range []string{"", "yesterday", "13/03/2024", "1.7e9", "1710325274.x", "1710325274000000", "2024-13-01 00:00:00"} {
		if got, err := parseTime(text); err == nil {
			t.Errorf("parseTime(%q) = %v, want an error", text, got)
		}
	}
}

func Example_event() {
	data, _ := encodeEvent(event{
		Key:  "user_0000",
		Time: time.Date(2024, 3, 13, 10, 21, 14, 0, time.UTC),
		Name: "home", N: 1, Line: 2,
	})
	fmt.Println(string(data))

	_, err := decodeEvent([]byte(`{"v":1,"time":"2024-03-13T10:21:14Z","event":"home"}`))
	fmt.Println(err)
	// Output:
	// {"v":1,"key":"user_0000","time":"2024-03-13T10:21:14Z","event":"home","n":1,"line":2}
	// decode event: it has no key
}
