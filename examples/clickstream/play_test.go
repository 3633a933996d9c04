package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/destination"
)

// quiet is a file for what nobody reads.
func quiet(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestEveryRunFindsEverySession(t *testing.T) {
	handovers, redelivered := 0, 0
	for seed := range 4 {
		status, r, stderr := playInBubble(t, "-seed", fmt.Sprint(seed))
		if status != 0 || r.Read != 31_106+defaultPoison || r.Handled != 31_106 || r.Failed != defaultPoison || r.Sessions != defaultLogSessions {
			t.Errorf("seed %d: status %d, %+v\n%s", seed, status, r, stderr)
		}
		handovers, redelivered = handovers+r.Handovers, redelivered+r.Redelivered
		if r.Shards != 7 || r.Reshards != 2 || r.Crashes != 1 {
			t.Errorf("seed %d: not everything happened: %+v\n%s", seed, r, stderr)
		}
		if r.Seconds > 40 {
			t.Errorf("seed %d: took %v s, which leaves a slow machine no room below 60", seed, r.Seconds)
		}
	}
	// A kill may come right after a checkpoint, but not each time.
	if handovers == 0 || redelivered == 0 {
		t.Errorf("%d hand-overs and %d records redelivered in all, want some", handovers, redelivered)
	}
}

// What is put in aggregates is found all the same.
func TestAggregatedRecordsAreFoundOneByOne(t *testing.T) {
	status, r, stderr := playInBubble(t, "-aggregate")
	if status != 0 || r.Read != 31_106+defaultPoison || r.Handled != 31_106 || r.Failed != defaultPoison || r.Sessions != defaultLogSessions {
		t.Errorf("status %d, %+v\n%s", status, r, stderr)
	}
	items := []item{{"a", []byte("1")}, {"b", []byte("2")}, {"a", []byte("3")}, {"a", []byte("4")}}
	if got := packed(items, true); len(got) != 2 || got[0].Users != 3 || got[1].Users != 1 || got[0].PartitionKey != "a" {
		t.Errorf("four items are put as %+v, want one record for a and one for b", got)
	}
	if got := packed(items, false); len(got) != 4 || string(got[2].Data) != "3" {
		t.Errorf("four items are put as %+v, want each by itself", got)
	}
}

// A fleet of one worker over one shard is the least that the schedule has to
// cope with; many of each are the most.
func TestFleetsOfAnySizeLoseNothing(t *testing.T) {
	for _, size := range []string{"-workers 1 -shards 1", "-workers 2 -shards 64", "-workers 32 -shards 2"} {
		status, r, stderr := playInBubble(t, strings.Fields(size)...)
		if status != 0 || r.Sessions != defaultLogSessions {
			t.Errorf("%s: status %d, %+v\n%s", size, status, r, stderr)
		}
	}
}

func TestALogOfOneRowIsPlayed(t *testing.T) {
	path := file(t, "user_id,timestamp,event\nann,1710325274,home\n")
	status, r, stderr := playInBubble(t, "-input", path)
	if status != 0 || r.Read != 1 || r.Sessions != 1 || r.Crashes != 1 {
		t.Errorf("status %d, %+v\n%s", status, r, stderr)
	}
}

func TestWhatFailedLiesInTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, err := parseFlags([]string{"-poison", "6"}, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		f, err := load(o)
		if err != nil {
			t.Fatal(err)
		}
		f.Items = f.Items[:12_000] // enough for some of the poison, and quick
		put := map[string]bool{}
		for _, it := range f.Items {
			if _, err := decodeEvent(it.Data); err != nil {
				put[string(it.Data)] = true
			}
		}
		d := newDemo()
		r, err := d.play(t.Context(), o, f, quiet(t))
		if err != nil || r.Failed == 0 || len(r.problems()) > 0 {
			t.Fatalf("%+v, %v", r, err)
		}
		got := map[string]bool{}
		for _, m := range d.aws.SQS().Messages(d.queue) {
			e, err := destination.ParseEnvelope([]byte(m.Body))
			if err != nil {
				t.Fatalf("%v: %s", err, m.Body)
			}
			for _, r := range e.Failure.Records {
				got[string(r.Data)] = true
			}
		}
		if len(got) != len(put) {
			t.Errorf("in the queue are %v, want %v", got, put)
		}
	})
}

func TestARunThatIsInterruptedEndsAndOwnsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		var out strings.Builder
		status := run(ctx, []string{"-json"}, &out, quiet(t))
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it went on for %v after it was told to stop", took-5*time.Second)
		}
		if !strings.Contains(out.String(), `"order_violations":0`) || status > 1 {
			t.Errorf("status %d: %s", status, out.String())
		}
	})
}
