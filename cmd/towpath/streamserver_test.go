package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/internal/servertest"
	"github.com/towpath/towpath/tape"
)

// On a server what is played is what is recorded, in the order of each key, and by
// key alone; and what is not there is status 3.
func TestServerStreamIsPlayedRecordedAndShown(t *testing.T) {
	endpoint := servertest.Endpoint(t, "kinesis")
	for name, value := range surroundings(endpoint) {
		t.Setenv(name, value)
	}
	client := kinesis.NewFromConfig(servertest.Config(t, "kinesis"))
	stream := fmt.Sprintf("tool-%d", time.Now().UnixNano())
	if _, err := client.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: &stream, ShardCount: new(int32(2))}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = client.DeleteStream(t.Context(), &kinesis.DeleteStreamInput{StreamName: &stream})
	})
	waiter := kinesis.NewStreamExistsWaiter(client, func(o *kinesis.StreamExistsWaiterOptions) { o.MinDelay, o.MaxDelay = 50*time.Millisecond, time.Second })
	if err := waiter.Wait(t.Context(), &kinesis.DescribeStreamInput{StreamName: &stream}, 30*time.Second); err != nil {
		t.Fatal(err)
	}
	must := func(args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if status := run(t.Context(), append([]string{"towpath"}, args...), strings.NewReader(""), &out, &errs); status != 0 {
			t.Fatalf("%v: status %d, %s", args, status, &errs)
		}
		return out.String()
	}
	folder := t.TempDir()
	file, back := filepath.Join(folder, "events.ndjson"), filepath.Join(folder, "back.ndjson")
	var lines strings.Builder
	for i := range 40 {
		fmt.Fprintf(&lines, `{"user":"user-%d","n":%d}`+"\n", i%5, i)
	}
	if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	must("play", "-stream", stream, "-file", file, "-key-field", ".user", "-speed", "max", "-yes")
	must("record", "-stream", stream, "-file", back)
	recorded, err := os.Open(back)
	if err != nil {
		t.Fatal(err)
	}
	defer recorded.Close()
	last, n := map[string]string{}, 0
	for events := tape.NewReader(recorded); ; n++ {
		e, err := events.Next()
		if err != nil {
			break
		}
		number := fmt.Sprintf("%s %02s", e.Key, strings.TrimSuffix(string(e.Data[bytes.LastIndexByte(e.Data, ':')+1:]), "}"))
		if number <= last[e.Key] {
			t.Errorf("%s came behind %s", number, last[e.Key])
		}
		last[e.Key] = number
	}
	if n != 40 {
		t.Errorf("%d events were recorded, want 40", n)
	}
	if got := must("tail", "-stream", stream, "-from", "horizon", "-until", "tip", "-key", "user-3"); strings.Count(got, "\n") != 8 || strings.Count(got, "user-3  ") != 8 {
		t.Errorf("of a key was shown\n%s", got)
	}
	var out, errs bytes.Buffer
	if status := run(t.Context(), []string{"towpath", "tail", "-stream", stream + "-not"}, strings.NewReader(""), &out, &errs); status != exitMissing {
		t.Errorf("a stream that is not there: got status %d, %s", status, &errs)
	}
}
