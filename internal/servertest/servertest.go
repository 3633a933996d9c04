// Package servertest finds the servers that a test is to run against, and is
// loud where there are none: a test that silently did not run proves nothing.
package servertest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/streamtest/awsfake"
)

const (
	// Endpoints is the environment variable that names the servers, as
	// kinesis=URL,dynamodb=URL,aws=URL: aws is one that has SQS, SNS and S3,
	// EventBridge, Lambda, Step Functions and Firehose, but for what Lacking names.
	// kpl is no server but a program: a python with what ci/aggregates.txt names.
	Endpoints = "TOWPATH_TEST_ENDPOINTS"
	// Required is the environment variable that, set to 1, makes a missing
	// server a failure instead of a skip.
	Required = "TOWPATH_TEST_REQUIRED"
)

// Endpoint is the address of a server by its name in Endpoints. Without one the
// test is skipped, or fails if Required is set.
func Endpoint(t testing.TB, name string) string {
	t.Helper()
	for pair := range strings.SplitSeq(os.Getenv(Endpoints), ",") {
		if url, ok := strings.CutPrefix(strings.TrimSpace(pair), name+"="); ok && url != "" {
			return url
		}
	}
	if os.Getenv(Required) == "1" {
		t.Fatalf("%s names no server %s, and %s is 1", Endpoints, name, Required)
	}
	t.Skipf("NOT TESTED: %s names no server %s, so that this did not run against one", Endpoints, name)
	return ""
}

// Lacking is the environment variable that names, between commas, what the
// servers of Endpoints do not have, such as lambda where there is no Docker.
const Lacking = "TOWPATH_TEST_LACKING"

// Lacks reports, loudly, that the servers do not have a service, by its signing
// name. It is for a server that is known to lack it; nothing is skipped silently.
func Lacks(t testing.TB, service string) bool {
	t.Helper()
	for name := range strings.SplitSeq(os.Getenv(Lacking), ",") {
		if strings.TrimSpace(name) == service {
			t.Logf("NOT TESTED: %s says that the servers have no %s", Lacking, service)
			return true
		}
	}
	return false
}

// Config talks to a server by its name in Endpoints.
func Config(t testing.TB, name string) aws.Config {
	t.Helper()
	return awsfake.LoopbackConfig("test", Endpoint(t, name))
}

// Control is the environment variable that names the control port of the server
// dynamodb, which ci/dynamodb/RollingDynamo.java describes.
const Control = "TOWPATH_TEST_DYNAMODB_CONTROL"

// Streams does to all stream shards of the server dynamodb what takes hours.
// Tests that use it must not run in parallel with other stream tests.
type Streams struct{ url string }

// StreamControl finds the control port; nil without one, as LocalStack has none.
// A test then leaves out what needs it.
func StreamControl(t testing.TB) *Streams {
	t.Helper()
	url := os.Getenv(Control)
	if url == "" {
		t.Logf("NOT TESTED: %s is not set, so that no stream shard can be rolled over", Control)
		return nil
	}
	return &Streams{url}
}

// Rollover closes every open shard of every stream; each gets one child.
func (s *Streams) Rollover(t testing.TB) {
	t.Helper()
	s.post(t, "/rollover")
}

// Age makes all records so many hours older, rolls over the shards that are
// older than 4 hours then, and trims the records that are older than 24.
func (s *Streams) Age(t testing.TB, hours int) {
	t.Helper()
	s.post(t, "/age?hours="+strconv.Itoa(hours))
}

func (s *Streams) post(t testing.TB, path string) {
	t.Helper()
	answer, err := http.Post(s.url+path, "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		why, _ := io.ReadAll(answer.Body)
		t.Fatalf("POST %s: %s: %s", path, answer.Status, why)
	}
}

// Drop deletes tables when the test has ended, whether they are there or not.
func Drop(t testing.TB, client *dynamodb.Client, names ...string) {
	ctx := context.WithoutCancel(t.Context())
	t.Cleanup(func() {
		for _, name := range names {
			_, err := client.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: &name})
			var missing *types.ResourceNotFoundException
			if err != nil && !errors.As(err, &missing) {
				t.Errorf("delete table %s: %v", name, err)
			}
		}
	})
}
