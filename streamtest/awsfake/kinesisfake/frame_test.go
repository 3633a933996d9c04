package kinesisfake_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go/eventstream"

	"github.com/towpath/towpath/streamtest/awsfake/kinesisfake"
)

// subscribeByHand sends the request that an SDK sends, and returns the answer.
func subscribeByHand(ctx context.Context, t *testing.T, url, consumer string) *http.Response {
	t.Helper()
	body := fmt.Sprintf(`{"ConsumerARN":%q,"ShardId":%q,"StartingPosition":{"Type":"TRIM_HORIZON"}}`, consumer, firstShard)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Amz-Target", "Kinesis_20131202.SubscribeToShard")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return answer
}

// The service serves by itself here, without the AWS around it.
func TestFramesAreThoseOfTheEventStreamEncoding(t *testing.T) {
	fake := kinesisfake.New(time.Now, kinesisfake.WithTakeOver(0), kinesisfake.WithReadLimits(false))
	server := httptest.NewServer(fake)
	defer server.Close()
	if err := fake.CreateStream("clicks", 1); err != nil {
		t.Fatal(err)
	}
	arn, err := fake.RegisterConsumer("clicks", "app")
	if err != nil {
		t.Fatal(err)
	}
	decoder := eventstream.NewDecoder()
	answer := subscribeByHand(t.Context(), t, server.URL, arn)
	same(t, "status", answer.StatusCode, 200)
	same(t, "content type", answer.Header.Get("Content-Type"), "application/vnd.amazon.eventstream")
	read := func() (headers, payload string) {
		t.Helper()
		m, err := decoder.Decode(answer.Body, nil)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, h := range m.Headers {
			all = append(all, h.Name+"="+h.Value.String())
		}
		return strings.Join(all, " "), string(m.Payload)
	}
	headers, payload := read()
	same(t, "first headers", headers, ":message-type=event :event-type=initial-response :content-type=application/json")
	same(t, "first payload", payload, "{}")

	if _, _, err := fake.Put("clicks", "k", []byte("x")); err != nil {
		t.Fatal(err)
	}
	headers, payload = read() // as soon as it is put, before the answer ends
	same(t, "event headers", headers, ":message-type=event :event-type=SubscribeToShardEvent :content-type=application/json")
	if !strings.Contains(payload, `"Data":"eA=="`) || !strings.Contains(payload, `"ContinuationSequenceNumber":"4`) {
		t.Errorf("event payload: %s", payload)
	}
	fake.FailSubscriptions("clicks", "", "", "KMSDisabledException")
	headers, payload = read()
	same(t, "exception headers", headers, ":message-type=exception :exception-type=KMSDisabledException :content-type=application/json")
	same(t, "exception payload", payload, `{"message":"injected by the test"}`)
	if rest, err := io.ReadAll(answer.Body); err != nil || len(rest) != 0 {
		t.Errorf("after the exception: %q, %v", rest, err)
	}

	answer = subscribeByHand(t.Context(), t, server.URL, arn)
	same(t, "again", answer.StatusCode, 200)
	fake.TearSubscriptions("clicks", "", "")
	if _, _, err := fake.Put("clicks", "k", bytes.Repeat([]byte("y"), 1000)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(answer.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("torn: %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	subscribeByHand(ctx, t, server.URL, arn)
	cancel()
	server.Close() // waits for the requests under way
	same(t, "subscriptions of a client that went", fake.Subscriptions("clicks"), "[]")
}
