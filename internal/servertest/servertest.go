// Package servertest finds the servers that a test is to run against, and is
// loud where there are none: a test that silently did not run proves nothing.
package servertest

import (
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/towpath/towpath/streamtest/awsfake"
)

const (
	// Endpoints is the environment variable that names the servers, as
	// kinesis=URL,dynamodb=URL,aws=URL: aws is one that has SQS, SNS and S3.
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

// Config talks to a server by its name in Endpoints.
func Config(t testing.TB, name string) aws.Config {
	t.Helper()
	return awsfake.LoopbackConfig("test", Endpoint(t, name))
}
