package s3destination_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/destination/destinationtest"
	"github.com/towpath/towpath/destination/s3destination"
	"github.com/towpath/towpath/streamtest/awsfake"
)

func TestBucketIsAPublisherOverTheWire(t *testing.T) {
	destinationtest.RunPublisher(t, func(t *testing.T) destinationtest.PublisherRig {
		a := awsfake.New()
		config := a.Config("test")
		config.RetryMaxAttempts = 1
		rig := publisherRig(wireRig(t, s3.NewFromConfig(config)))
		rig.RefuseSome = func(_ *testing.T, refuse func([]byte) bool) func() {
			return a.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
				if c.Operation == "PutObject" && refuse(c.Body) {
					return awsfake.Fail("InternalError", 500)
				}
				return awsfake.Fault{}
			})
		}
		rig.Refuse = func(*testing.T) func() { return a.Intercept(refused) }
		return rig
	})
}

func TestBucketIsAPublisherOnAServer(t *testing.T) {
	client := client(t)
	destinationtest.RunPublisher(t, func(t *testing.T) destinationtest.PublisherRig { return publisherRig(wireRig(t, client)) })
}

// publisherRig reads a bucket's objects; a bucket has no order but that of names.
func publisherRig(rig destinationtest.Rig) destinationtest.PublisherRig {
	return destinationtest.PublisherRig{
		Publisher:  rig.Destination.(*s3destination.Bucket),
		Attributed: true,
		Once:       true,
		Unordered:  true,
		Published: func(t *testing.T) (all []destinationtest.Published) {
			for _, o := range rig.Accepted(t) {
				all = append(all, destinationtest.Unwrap(t, destination.FormDocument, o.Body, nil))
			}
			return all
		},
	}
}

// TestKeysAreWrittenOneAfterTheOther looks at the requests, since a bucket keeps
// no order.
func TestKeysAreWrittenOneAfterTheOther(t *testing.T) {
	a := awsfake.New()
	if err := a.S3().CreateBucket("emitted"); err != nil {
		t.Fatal(err)
	}
	under := map[string]bool{}
	var order []string
	b := s3destination.Open(s3.NewFromConfig(a.Config("test")), "emitted", func(o *s3destination.Options) { o.Concurrency = 1 })
	a.Trace(func(e awsfake.Exchange) {
		d, err := destination.ParseDocument(e.Body)
		if err != nil {
			t.Error(err)
			return
		}
		under[d.Key] = true
		order = append(order, d.ID)
	})
	records := destinationtest.SampleEmitted(12, 3)
	if err := b.Publish(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, e := range records {
		want = append(want, e.ID)
	}
	if !slices.Equal(order, want) || len(under) != 3 {
		t.Errorf("written were %q, want %q", order, want)
	}
	if got := b.Counts(); got != (destination.Counts{Published: 12}) {
		t.Errorf("counted %+v, want 12 published", got)
	}
}

func TestConcurrencyIsChecked(t *testing.T) {
	b := s3destination.Open(&bucket{}, "emitted", func(o *s3destination.Options) { o.Concurrency = -1 })
	if err := b.Validate(); err == nil || !strings.Contains(err.Error(), "Concurrency is -1") {
		t.Errorf("error %v", err)
	}
}

func ExampleBucket_Publish() {
	fake := awsfake.New() // in production: s3.NewFromConfig(cfg)
	_ = fake.S3().CreateBucket("orders")
	bucket := s3destination.Open(s3.NewFromConfig(fake.Config("worker-1")), "orders")

	// Set as EmitTo of a consumer, whose handler calls Emit. Here by hand.
	err := bucket.Publish(context.Background(), []batching.Emitted{
		{ID: "order-1#0", Key: "alice", Data: []byte(`{"total":12}`)},
	})
	for key, o := range fake.S3().Objects("orders") {
		fmt.Println(key[:8], string(o.Body))
	}
	fmt.Println(err)
	// Output:
	// emitted/ {"id":"order-1#0","key":"alice","data":{"total":12}}
	// <nil>
}
