package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"unicode/utf8"
)

// Any arguments, with any input, end with a status that means something and,
// where it is not 0, one line that says why: never with a panic, nor a write.
func FuzzArguments(f *testing.F) {
	for _, line := range []string{
		"match -p testdata/none", "seek -application a -stream s -to horizon", "seek -application a -stream s -shard x -to 1/2",
		"reset -application a -stream s -to 2026-01-01T00:00:00Z", "fork -application a -stream s -from b -from-kind kcl",
		"--help", "seek -to", "seek -application= -stream=\x00 -to ٣", "nothing at all", "",
	} {
		f.Add(line, "")
	}
	f.Add("match -pattern -", `{"data":"AAAA"}`)
	f.Fuzz(func(t *testing.T, line, in string) {
		// Nothing behind the command is reached: whatever asks a service is over.
		for name, value := range map[string]string{
			"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test",
			"AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1",
		} {
			t.Setenv(name, value)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var out, errs bytes.Buffer
		args := strings.Split(line, " ")
		for _, a := range args {
			if strings.HasPrefix(a, "/") || strings.Contains(a, "..") {
				return // files of the machine are not what this is about
			}
		}
		status := run(ctx, append([]string{"towpath"}, args...), strings.NewReader(in), &out, &errs)
		if status < 0 || status > 4 {
			t.Errorf("%q: status %d", args, status)
		}
		if said := errs.String(); (status != 0) != (said != "") || status != 0 && !strings.HasPrefix(said, "towpath: ") {
			t.Errorf("%q: status %d with %q", args, status, said)
		}
	})
}

// Any text is a place that can be said again, or an error that quotes it.
func FuzzPlace(f *testing.F) {
	for _, s := range []string{"horizon", "TIP", "2026-05-04T12:30:00.5+02:00", "4959/3", "0/-1", "٣", "", "LATEST"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := placeOf("to", s)
		if err == nil {
			if bad := p.Validate(); bad != nil {
				t.Errorf("%q is the place %s: %v", s, p, bad)
			}
		} else if !strings.Contains(err.Error(), "is no place") {
			t.Errorf("%q: %v", s, err)
		} else if !utf8.ValidString(err.Error()) {
			t.Errorf("%q: the error is no text: %q", s, err)
		}
	})
}

// Any line is a record, or an error on one line.
func FuzzRecordLine(f *testing.F) {
	f.Add([]byte(`{"partitionKey":"1","data":"AAAA","sequenceNumber":"7","approximateArrivalTimestamp":1.7e9}`))
	f.Add([]byte(`{"eventName":"INSERT","dynamodb":{"NewImage":{"state":{"S":"done"}}}}`))
	f.Add([]byte(`{"kinesis":{"data":null},"eventID":"x:y"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if _, err := recordOf(line); err != nil && strings.ContainsRune(err.Error(), '\n') {
			t.Errorf("%q: %v", line, err)
		}
	})
}
