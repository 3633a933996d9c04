package main

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/towpath/towpath/dashboard"
	"github.com/towpath/towpath/streamtest/awsfake"
)

func TestPageIsServedOnThisHostUntilItIsClosed(t *testing.T) {
	d := newDemo()
	aws := awsfake.New()
	if err := aws.Kinesis().CreateStream(streamName, 2); err != nil {
		t.Fatal(err)
	}
	p, err := openPage(dashboard.Source{Name: "clickstream", Tables: tablesOf(aws.Config("dashboard"), streamName, tableName), Current: d.statuses, Recorder: &d.recorder})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(p.url, "http://127.0.0.1:") {
		t.Errorf("it is at %s", p.url)
	}
	answer, err := http.Get(p.url)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(answer.Body)
	answer.Body.Close()
	if answer.StatusCode != 200 || !strings.Contains(string(text), "towpath clickstream") {
		t.Errorf("status %d: %s", answer.StatusCode, text)
	}
	events, err := http.Get(p.url + "events")
	if err != nil {
		t.Fatal(err)
	}
	defer events.Body.Close()
	line, lines := "", bufio.NewReader(events.Body)
	for !strings.HasPrefix(line, "data: ") {
		if line, err = lines.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(line, "no such table") { // there are no workers yet to make it
		t.Errorf("the first event says nothing of the tables: %s", line)
	}
	if err := p.close(); err != nil {
		t.Error(err)
	}
	if _, err := http.Get(p.url); err == nil {
		t.Error("it is served still")
	}
}
