package queuefake_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func TestMessageComesAgainWhenItsTimeoutIsOver(t *testing.T) {
	inBubble(t, "failed", func(t *testing.T, w world) {
		_, err := w.send("m")
		w.must(err)
		first := w.receive()
		same(t, "first", bodies(first), "[m]")
		time.Sleep(30*time.Second - time.Nanosecond)
		same(t, "in flight", bodies(w.receive()), "[]")
		time.Sleep(time.Nanosecond)
		second := w.receive()
		same(t, "second", bodies(second), "[m]")
		same(t, "count", second[0].Attributes["ApproximateReceiveCount"], "2")

		w.must(w.drop(first[0])) // stale: nothing happens
		w.must(w.hide(second[0], 5))
		time.Sleep(5 * time.Second)
		third := w.receive()
		same(t, "third", bodies(third), "[m]")
		w.must(w.hide(third[0], 0))
		refused(t, "not in flight", w.hide(third[0], 1), "MessageNotInflight")
		fourth := w.receive()
		same(t, "fourth", bodies(fourth), "[m]")
		refused(t, "too long", w.hide(fourth[0], 43201), "InvalidParameterValue")
		w.must(w.drop(fourth[0]))
		w.must(w.drop(fourth[0])) // again is well
		time.Sleep(time.Hour)
		same(t, "deleted", bodies(w.receive()), "[]")
		m := w.fake.Messages(w.url)
		if len(m) != 1 || m[0].Receives != 4 || !m[0].Gone || m[0].Body != "m" {
			t.Errorf("got %+v", m)
		}
		refused(t, "no handle", w.drop(types.Message{ReceiptHandle: aws.String("x")}), "ReceiptHandleIsInvalid")
	})
}

func TestGroupWaitsWhileItsMessageIsInFlight(t *testing.T) {
	inBubble(t, "failed.fifo", func(t *testing.T, w world) {
		for _, m := range []string{"a1", "b1", "a2", "c1", "b2"} {
			_, err := w.send(m, inGroup(m[:1], m))
			w.must(err)
		}
		one := func() []types.Message {
			out, err := w.client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &w.url, VisibilityTimeout: 60})
			w.must(err)
			return out.Messages
		}
		a1 := one()
		same(t, "first", bodies(a1), "[a1]")
		same(t, "the others", bodies(w.receive()), "[b1 c1 b2]") // for 30 s
		w.must(w.drop(a1[0]))
		a2 := one()
		same(t, "next of its group", bodies(a2), "[a2]")
		time.Sleep(30 * time.Second)
		same(t, "came again", bodies(w.receive()), "[b1 c1 b2]")
		time.Sleep(30 * time.Second)
		refused(t, "too late", w.drop(a2[0]), "InvalidParameterValue")
		same(t, "in order", bodies(w.receive()), "[b1 a2 c1 b2]")
	})
}

func TestDelayAndRetentionAreOfTheClock(t *testing.T) {
	inBubble(t, "failed", func(t *testing.T, w world) {
		_, err := w.send("late", func(in *sqs.SendMessageInput) { in.DelaySeconds = 900 })
		w.must(err)
		time.Sleep(900*time.Second - time.Nanosecond)
		same(t, "delayed", bodies(w.receive()), "[]")
		time.Sleep(time.Nanosecond)
		same(t, "there", bodies(w.receive()), "[late]")
		w.set("MessageRetentionPeriod", "960")
		time.Sleep(time.Minute - time.Nanosecond)
		same(t, "retained", bodies(w.receive()), "[late]")
		time.Sleep(time.Minute)
		same(t, "too old", bodies(w.receive()), "[]")
		_, err = w.send("m", func(in *sqs.SendMessageInput) { in.DelaySeconds = 901 })
		refused(t, "delay", err, "InvalidParameterValue")
	})
}

func TestBatchesOfReceipts(t *testing.T) {
	inBubble(t, "failed", func(t *testing.T, w world) {
		for _, m := range []string{"a", "b"} {
			_, err := w.send(m)
			w.must(err)
		}
		got := w.receive()
		hidden, err := w.client.ChangeMessageVisibilityBatch(t.Context(), &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &w.url, Entries: []types.ChangeMessageVisibilityBatchRequestEntry{
			{Id: aws.String("a"), ReceiptHandle: got[0].ReceiptHandle, VisibilityTimeout: 0},
		}})
		w.must(err)
		same(t, "changed", len(hidden.Successful), 1)
		got[0] = w.receive()[0]
		dropped, err := w.client.DeleteMessageBatch(t.Context(), &sqs.DeleteMessageBatchInput{QueueUrl: &w.url, Entries: []types.DeleteMessageBatchRequestEntry{
			{Id: aws.String("a"), ReceiptHandle: got[0].ReceiptHandle}, {Id: aws.String("b"), ReceiptHandle: got[1].ReceiptHandle}, {Id: aws.String("c"), ReceiptHandle: aws.String("x")},
		}})
		w.must(err)
		if len(dropped.Successful) != 2 || len(dropped.Failed) != 1 || *dropped.Failed[0].Code != "ReceiptHandleIsInvalid" {
			t.Errorf("got %v and %v", dropped.Successful, dropped.Failed)
		}
		time.Sleep(time.Hour)
		same(t, "left", bodies(w.receive()), "[]")
	})
}
