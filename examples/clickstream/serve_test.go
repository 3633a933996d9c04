package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/streamtest/awsfake"
)

// stream makes an AWS with a stream that holds the given events.
func stream(t *testing.T, events ...event) *awsfake.AWS {
	t.Helper()
	fake := awsfake.New()
	if err := fake.Kinesis().CreateStream("clicks", 2); err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		data, err := encodeEvent(e)
		if err == nil {
			_, _, err = fake.Kinesis().Put("clicks", e.Key, data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return fake
}

func TestAServiceWorksUntilItIsTold(t *testing.T) {
	t.Chdir(t.TempDir()) // where the failures go
	synctest.Test(t, func(t *testing.T) {
		fake := stream(t, click("ann", 1, 0), click("bob", 1, 0), click("ann", 2, time.Hour), click("ann", 2, time.Hour))
		if _, _, err := fake.Kinesis().Put("clicks", "bob", []byte("what is this")); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		r, err := work(ctx, fake.Config("worker"), options{Stream: "clicks", Table: "clickstream", Create: true}, quiet(t))
		if took := time.Since(began); took > 65*time.Second {
			t.Errorf("it went on for %v after it was told to stop", took-time.Minute)
		}
		// The event that was put twice is one.
		want := report{Read: 4, Handled: 3, Redelivered: 1, Failed: 1, Sessions: 3, Shards: 2, Seconds: r.Seconds}
		if err != nil || r != want || r.exitStatus() != 0 {
			t.Errorf("got %+v, %v; want %+v", r, err, want)
		}
	})
	line, err := os.ReadFile(failuresFile)
	if err != nil {
		t.Fatal(err)
	}
	var failure struct{ Version string }
	if err := json.Unmarshal(line, &failure); err != nil || strings.Count(string(line), "\n") != 1 {
		t.Errorf("the file of failures holds %s, %v", line, err)
	}
}

func TestAServiceSaysWhatIsMissing(t *testing.T) {
	for _, tt := range []struct {
		o     options
		wants string
	}{
		{options{Stream: "clicks", Table: "clickstream"}, `the tables "clickstream" and "clickstream-sessions" are not both there in us-east-1; -create-tables makes them`},
		{options{Stream: "orders", Table: "clickstream", Create: true}, `there is no stream "orders" in us-east-1`},
		{options{Stream: "not a name", Table: "clickstream"}, `not a name`},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			_, err := work(t.Context(), stream(t).Config("worker"), tt.o, quiet(t))
			if err == nil || !strings.Contains(err.Error(), tt.wants) || time.Since(began) > 10*time.Second {
				t.Errorf("got %v after %v, want %q", err, time.Since(began), tt.wants)
			}
		})
	}
}

func TestWithoutARegionNothingIsTried(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_PROFILE": "", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "",
	} {
		t.Setenv(name, value)
	}
	if status, _, stderr := command(t, "-stream", "clicks"); status != 1 || !strings.Contains(stderr, "set AWS_REGION") {
		t.Errorf("status %d: %s", status, stderr)
	}
	t.Setenv("AWS_REGION", "us-east-1")
	if status, _, stderr := command(t, "-stream", "clicks"); status != 1 || !strings.Contains(stderr, "no credentials that work") {
		t.Errorf("status %d: %s", status, stderr)
	}
}
