package awsfake_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/streamtest/awsfake"
)

func TestAnswersCarryTheDateOfTheClock(t *testing.T) {
	clock := time.Date(2031, 5, 6, 7, 8, 9, 0, time.FixedZone("", 3600))
	a := newStream(t, awsfake.WithClock(func() time.Time { return clock }))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://kinesis.us-east-1.amazonaws.com/", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Amz-Target", "Kinesis_20131202.ListStreams")
	response, err := a.HTTPClient().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got, want := response.Header.Get("Date"), "Tue, 06 May 2031 06:08:09 GMT"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil || !bytes.Contains(body, []byte(`"clicks"`)) {
		t.Errorf("got %s, %v", body, err)
	}
}

func TestHandleAddsAService(t *testing.T) {
	a := awsfake.New()
	if err := put(t.Context(), once(a, "w")); err == nil {
		t.Error("found a stream that is not there")
	}
	a.Handle("kinesis", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"ShardId":"mine","SequenceNumber":"1"}`)
	}))
	out, err := once(a, "w").PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: aws.String("clicks"), PartitionKey: aws.String("k"), Data: []byte{}})
	if err != nil || *out.ShardId != "mine" {
		t.Errorf("got %v, %v", out, err)
	}
}

func TestEndedContextIsHeeded(t *testing.T) {
	a := newStream(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://kinesis.us-east-1.amazonaws.com/", strings.NewReader(`{"StreamName":"clicks"}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Amz-Target", "Kinesis_20131202.DeleteStream")
	if response, err := a.HTTPClient().Do(request); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v", response, err)
	}
	if a.Kinesis().Shards("clicks") == nil {
		t.Error("a call of an ended context was applied")
	}
}

func TestLoopbackSpeaksTheSameAndBreaksConnections(t *testing.T) {
	a := newStream(t)
	url, stop, err := a.Serve()
	if err != nil {
		t.Fatal(err)
	}
	config := awsfake.LoopbackConfig("worker-1", url)
	config.RetryMaxAttempts = 1
	client := kinesis.NewFromConfig(config)
	if err := put(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	it, err := client.GetShardIterator(t.Context(), &kinesis.GetShardIteratorInput{StreamName: aws.String("clicks"), ShardId: aws.String("shardId-000000000000"), ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
	if err != nil {
		t.Fatal(err)
	}
	out, err := client.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: it.ShardIterator})
	if err != nil || len(out.Records) != 1 || string(out.Records[0].Data) != "x" {
		t.Errorf("got %v, %v", out, err)
	}
	if a.Count("worker-1", "kinesis", "") != 3 {
		t.Error("the caller was not recognised")
	}

	remove := a.Intercept(func(context.Context, awsfake.Call) awsfake.Fault { return awsfake.LoseAnswer() })
	if err := put(t.Context(), client); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("lost answer: got %v", err)
	}
	remove()
	if got := len(a.Kinesis().Records("clicks")); got != 2 {
		t.Errorf("applied %d times, want 2", got)
	}
	hung := a.Intercept(func(context.Context, awsfake.Call) awsfake.Fault { return awsfake.Hang() })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := put(ctx, client); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("hung: got %v", err)
	}
	hung()
	// The answer never overtakes a request, however large that is.
	large := make([]byte, 1<<20)
	for range 5 {
		_, err := client.PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: aws.String("clicks"), PartitionKey: aws.String("k"), Data: large})
		if err != nil {
			t.Fatalf("large record: %v", err)
		}
	}
	stop()
	stop()
}
