package queuefake_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/towpath/towpath/streamtest/awsfake/queuefake"
)

func text(value string) types.MessageAttributeValue {
	return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &value}
}

// The client verifies the digests of bodies itself. That of attributes it does
// not, so a known one is compared.
func TestMessagesComeBackWithTheirAttributes(t *testing.T) {
	inBubble(t, "failed", func(t *testing.T, w world) {
		out, err := w.send("é\t\U0001F600", func(in *sqs.SendMessageInput) {
			in.MessageAttributes = map[string]types.MessageAttributeValue{
				"condition": text("RetriesExhausted"),
				"count":     {DataType: aws.String("Number.int"), StringValue: aws.String("-3.5e2")},
				"raw":       {DataType: aws.String("Binary"), BinaryValue: []byte{0, 255}},
			}
		})
		w.must(err)
		got := w.receive()
		if len(got) != 1 || *got[0].Body != "é\t\U0001F600" || len(got[0].MessageAttributes) != 3 {
			t.Fatalf("got %v", got)
		}
		same(t, "binary", got[0].MessageAttributes["raw"].BinaryValue, []byte{0, 255})
		same(t, "digests", *got[0].MD5OfMessageAttributes, *out.MD5OfMessageAttributes)
		same(t, "id", *got[0].MessageId, *out.MessageId)

		out, err = w.send("m", func(in *sqs.SendMessageInput) {
			in.MessageAttributes = map[string]types.MessageAttributeValue{"timestamp": {DataType: aws.String("Number"), StringValue: aws.String("1493147359900")}}
		})
		w.must(err)
		same(t, "known digest", *out.MD5OfMessageAttributes, "235c5c510d26fb653d073faed50ae77c")
	})
}

func TestSizesHoldToTheByte(t *testing.T) {
	inBubble(t, "failed", func(t *testing.T, w world) {
		attribute := func(in *sqs.SendMessageInput) {
			in.MessageAttributes = map[string]types.MessageAttributeValue{"name": text("value")}
		}
		const counted = len("name" + "String" + "value")
		for _, most := range []int{1 << 20, 1024} {
			w.set("MaximumMessageSize", fmt.Sprint(most))
			for n, fits := range map[int]bool{most - 1: true, most: true, most + 1: false} {
				_, plain := w.send(strings.Repeat("b", n))
				_, attributed := w.send(strings.Repeat("b", n-counted), attribute)
				for _, err := range []error{plain, attributed} {
					if fits {
						w.must(err)
					} else {
						refused(t, fmt.Sprint(n), err, "InvalidParameterValue")
					}
				}
			}
		}
		w.set("MaximumMessageSize", fmt.Sprint(1<<20))
		for n, fits := range map[int]bool{1<<20 - 1: true, 1 << 20: true, 1<<20 + 1: false} {
			half := strings.Repeat("b", n/2)
			_, err := w.client.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: &w.url, Entries: []types.SendMessageBatchRequestEntry{
				{Id: aws.String("a"), MessageBody: &half}, {Id: aws.String("b"), MessageBody: aws.String(half + strings.Repeat("b", n%2))},
			}})
			if fits {
				w.must(err)
			} else {
				refused(t, fmt.Sprint(n), err, "BatchRequestTooLong")
			}
		}
	})
}

func TestOnlyCharactersOfXMLAreTaken(t *testing.T) {
	inBubble(t, "failed", func(t *testing.T, w world) {
		_, err := w.send("\t\n\r \ud7ff\ue000\ufffd\U0010ffff")
		w.must(err)
		for _, r := range []rune{0, 1, 8, 0x0b, 0x0c, 0x1f, 0xfffe, 0xffff} {
			_, err := w.send("a" + string(r))
			refused(t, fmt.Sprintf("body %U", r), err, "InvalidMessageContents")
			_, err = w.send("m", func(in *sqs.SendMessageInput) {
				in.MessageAttributes = map[string]types.MessageAttributeValue{"a": text("a" + string(r))}
			})
			refused(t, fmt.Sprintf("attribute %U", r), err, "InvalidMessageContents")
		}
		_, err = w.send("")
		refused(t, "empty", err, "MissingParameter")
	})
}

func TestAttributesFollowTheRules(t *testing.T) {
	inBubble(t, "failed", func(t *testing.T, w world) {
		send := func(attributes map[string]types.MessageAttributeValue) error {
			_, err := w.send("m", func(in *sqs.SendMessageInput) { in.MessageAttributes = attributes })
			return err
		}
		for _, n := range []int{9, 10, 11} {
			many := map[string]types.MessageAttributeValue{}
			for i := range n {
				many[fmt.Sprint("a", i)] = text("v")
			}
			if err := send(many); n <= 10 {
				w.must(err)
			} else {
				refused(t, "eleven", err, "InvalidParameterValue")
			}
		}
		for _, name := range []string{"aws.x", "Amazon.x", ".x", "x.", "x..y", "a b", strings.Repeat("x", 257)} {
			refused(t, name, send(map[string]types.MessageAttributeValue{name: text("v")}), "InvalidParameterValue")
		}
		for what, v := range map[string]types.MessageAttributeValue{
			"empty":       text(""),
			"type":        {DataType: aws.String("Text"), StringValue: aws.String("v")},
			"no number":   {DataType: aws.String("Number"), StringValue: aws.String("v")},
			"wrong value": {DataType: aws.String("Binary"), StringValue: aws.String("v")},
		} {
			refused(t, what, send(map[string]types.MessageAttributeValue{"a": v}), "InvalidParameterValue")
		}
	})
}

func TestBatchesSayWhatBecameOfEachEntry(t *testing.T) {
	inBubble(t, "failed", func(t *testing.T, w world) {
		send := func(entries ...types.SendMessageBatchRequestEntry) (*sqs.SendMessageBatchOutput, error) {
			return w.client.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: &w.url, Entries: entries})
		}
		entry := func(id, body string) types.SendMessageBatchRequestEntry {
			return types.SendMessageBatchRequestEntry{Id: &id, MessageBody: &body}
		}
		out, err := send(entry("good", "m"), entry("bad", "\x00"), entry("fine", "n"))
		w.must(err)
		if len(out.Successful) != 2 || len(out.Failed) != 1 || *out.Failed[0].Id != "bad" || *out.Failed[0].Code != "InvalidMessageContents" {
			t.Errorf("got %v and %v", out.Successful, out.Failed)
		}
		var many []types.SendMessageBatchRequestEntry
		for i := range 11 {
			many = append(many, entry(fmt.Sprint(i), "m"))
		}
		_, err = send(many[:10]...)
		w.must(err)
		_, err = send(many...)
		refused(t, "eleven", err, "TooManyEntriesInBatchRequest")
		_, err = send(many[:0]...)
		refused(t, "none", err, "EmptyBatchRequest")
		_, err = send(entry("a", "m"), entry("a", "n"))
		refused(t, "twins", err, "BatchEntryIdsNotDistinct")
		_, err = send(entry("a b", "m"))
		refused(t, "id", err, "InvalidBatchEntryId")
		same(t, "accepted", len(w.fake.Messages("failed")), 12)
	})
}

func TestFIFOQueueDropsRepeatsForFiveMinutes(t *testing.T) {
	inBubble(t, "failed.fifo", func(t *testing.T, w world) {
		send := func(body, group, id string) *sqs.SendMessageOutput {
			t.Helper()
			out, err := w.send(body, inGroup(group, id))
			w.must(err)
			return out
		}
		first := send("first", "g", "id")
		w.must(w.drop(w.receive()[0])) // being deleted does not matter
		time.Sleep(5*time.Minute - time.Nanosecond)
		repeat := send("changed", "h", "id")
		same(t, "repeat", []string{*repeat.MessageId, *repeat.SequenceNumber}, []string{*first.MessageId, *first.SequenceNumber})
		same(t, "queue", bodies(w.receive()), "[]")
		time.Sleep(time.Nanosecond)
		again := send("again", "g", "id")
		if *again.SequenceNumber <= *first.SequenceNumber || *again.MessageId == *first.MessageId {
			t.Errorf("after the window: got %v, was %v", *again.SequenceNumber, *first.SequenceNumber)
		}
		same(t, "queue", bodies(w.receive()), "[again]")

		_, err := w.send("m", inGroup("g", ""))
		refused(t, "without an id", err, "InvalidParameterValue")
		w.set("ContentBasedDeduplication", "true")
		send("content", "g", "")
		send("content", "g", "")
		send("content", "g", "its-own")
		same(t, "accepted", len(w.fake.Messages("failed.fifo")), 4)
		w.set("DeduplicationScope", "messageGroup")
		send("scoped", "g", "x")
		send("scoped", "h", "x")
		same(t, "accepted by group", len(w.fake.Messages("failed.fifo")), 6)
	})
}

func TestGroupsBelongToFIFOQueues(t *testing.T) {
	inBubble(t, "failed.fifo", func(t *testing.T, w world) {
		_, err := w.send("m")
		refused(t, "without a group", err, "MissingParameter")
		for n, fits := range map[int]bool{127: true, 128: true, 129: false} {
			long := strings.Repeat("~", n)
			for _, change := range []func(*sqs.SendMessageInput){inGroup(long, "a"), inGroup("g", long)} {
				if _, err := w.send("m", change); fits {
					w.must(err)
				} else {
					refused(t, fmt.Sprint(n), err, "InvalidParameterValue")
				}
			}
		}
		_, err = w.send("m", inGroup("g h", "a"))
		refused(t, "a space", err, "InvalidParameterValue")
		_, err = w.send("m", inGroup("g", "b"), func(in *sqs.SendMessageInput) { in.DelaySeconds = 1 })
		refused(t, "a delay", err, "InvalidParameterValue")
		w.url = w.fake.CreateQueue("standard")
		_, err = w.send("m", inGroup("g", "a"))
		refused(t, "on a standard queue", err, "InvalidParameterValue")
	})
}

// TestRefusedEntriesOfABatchAreTold: the others are taken, and the service is to
// blame.
func TestRefusedEntriesOfABatchAreTold(t *testing.T) {
	inBubble(t, "q", func(t *testing.T, w world) {
		restore := w.fake.RefuseSome(func(m queuefake.Message) bool { return m.Body == "no" })
		send := func() *sqs.SendMessageBatchOutput {
			out, err := w.client.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: &w.url, Entries: []types.SendMessageBatchRequestEntry{
				{Id: aws.String("a"), MessageBody: aws.String("yes")}, {Id: aws.String("b"), MessageBody: aws.String("no")},
			}})
			w.must(err)
			return out
		}
		out := send()
		if len(out.Successful) != 1 || len(out.Failed) != 1 || *out.Failed[0].Id != "b" || *out.Failed[0].Code != "InternalError" || out.Failed[0].SenderFault {
			t.Errorf("got %+v", out)
		}
		restore()
		same(t, "restored", len(send().Failed), 0)
		same(t, "messages", len(w.fake.Messages("q")), 3)
	})
}
