package s3destination_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/destination/s3destination"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// The service's own client and protocol, in the process, with the bucket in the
// host and in the path.
func TestBucketIsADestinationOverTheWire(t *testing.T) {
	for name, pathStyle := range map[string]bool{"host": false, "path": true} {
		t.Run(name, func(t *testing.T) {
			destinationtest.RunDestination(t, func(t *testing.T) destinationtest.Rig {
				a := awsfake.New()
				rig := wireRig(t, s3.NewFromConfig(a.Config("test"), func(o *s3.Options) { o.UsePathStyle = pathStyle }))
				rig.Refuse = func(*testing.T) func() { return a.Intercept(refused) }
				return rig
			})
		})
	}
}

// refused is how a bucket that was deleted answers a writer.
func refused(_ context.Context, c awsfake.Call) awsfake.Fault {
	if c.Operation == "PutObject" {
		return awsfake.Fail("NoSuchBucket", http.StatusNotFound)
	}
	return awsfake.Fault{}
}

func TestMissingBucketIsReadableOverTheWire(t *testing.T) {
	client := s3.NewFromConfig(awsfake.New().Config("test"))
	err := s3destination.Open(client, "there-is-no-such-bucket").Send(t.Context(), destinationtest.Sample(1))
	if err == nil || !strings.Contains(err.Error(), "there is no such bucket") || !strings.Contains(err.Error(), "s3://there-is-no-such-bucket/") {
		t.Errorf("error %v, want one that says what is missing", err)
	}
}
