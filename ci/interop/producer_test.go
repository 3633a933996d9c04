package main

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/towpath/towpath/streamtest/awsfake"
)

// A server that is dead ends the run with an error, and does not have the producer
// ask it for ever.
func TestProducerOfADeadServerEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := awsfake.New()
		if err := cloud.Kinesis().CreateStream("clicks", 1); err != nil {
			t.Fatal(err)
		}
		defer cloud.Cut("", "")()
		p := &producer{client: kinesis.NewFromConfig(cloud.Config("producer")), stream: "clicks", random: rand.New(rand.NewPCG(1, 1)), accepted: map[string]int{}}
		began := time.Now()
		err := p.run(t.Context())
		if took := time.Since(began); err == nil || took < putPatience || took > putPatience+time.Minute {
			t.Errorf("it ended after %v with %v, want an error after %v", took, err, putPatience)
		}
	})
}
