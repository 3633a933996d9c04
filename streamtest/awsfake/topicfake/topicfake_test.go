package topicfake_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/topicfake"
)

func TestSubscribersGetWhatIsPublished(t *testing.T) {
	inBubble(t, "failed", func(t *testing.T, w world) {
		w.must(w.subscribe("raw", "true"))
		w.must(w.subscribe("wrapped", "false"))
		w.must(w.subscribe("raw", "true")) // once is enough
		refused(t, "the same otherwise", w.subscribe("raw", "false"), "InvalidParameter")
		const body = "<é\t\U0001F600 & \"more\">+%20"
		out, err := w.publish(body, func(in *sns.PublishInput) {
			in.Subject = aws.String("a subject")
			in.MessageAttributes = map[string]types.MessageAttributeValue{
				"condition": text("RetriesExhausted"),
				"raw":       {DataType: aws.String("Binary"), BinaryValue: []byte{0, 255}},
			}
		})
		w.must(err)

		raw := w.aws.SQS().Messages("raw")
		if len(raw) != 1 || raw[0].Body != body || raw[0].Attributes["condition"].Text != "RetriesExhausted" || !slices.Equal(raw[0].Attributes["raw"].Binary, []byte{0, 255}) {
			t.Errorf("raw: got %+v", raw)
		}
		wrapped := w.aws.SQS().Messages("wrapped")
		if len(wrapped) != 1 || len(wrapped[0].Attributes) != 0 {
			t.Fatalf("wrapped: got %+v", wrapped)
		}
		var e struct {
			Type, MessageID, TopicArn, Subject, Message string
			MessageAttributes                           map[string]struct{ Type, Value string }
		}
		w.must(json.Unmarshal([]byte(wrapped[0].Body), &e))
		same(t, "envelope", []string{e.Type, e.MessageID, e.TopicArn, e.Subject, e.Message}, []string{"Notification", *out.MessageId, w.arn, "a subject", body})
		same(t, "attributes", e.MessageAttributes, "map[condition:{String RetriesExhausted} raw:{Binary AP8=}]")

		got := w.fake.Published(w.arn)
		if len(got) != 1 || got[0].Body != body || got[0].ID != *out.MessageId || len(got[0].Attributes) != 2 {
			t.Errorf("published: got %+v", got)
		}
		_, err = w.publish("\x00") // no queue takes it, unless JSON is around it
		w.must(err)
		same(t, "queue", len(w.aws.SQS().Messages("raw")), 1)

		list, err := w.client.ListSubscriptionsByTopic(t.Context(), &sns.ListSubscriptionsByTopicInput{TopicArn: &w.arn})
		w.must(err)
		same(t, "subscriptions", len(list.Subscriptions), 2)
		_, err = w.client.Unsubscribe(t.Context(), &sns.UnsubscribeInput{SubscriptionArn: list.Subscriptions[0].SubscriptionArn})
		w.must(err)
		_, err = w.publish("after")
		w.must(err)
		same(t, "queues", []int{len(w.aws.SQS().Messages("raw")), len(w.aws.SQS().Messages("wrapped"))}, "[1 3]")
	})
}

func TestSizesHoldToTheByte(t *testing.T) {
	inBubble(t, "failed", func(t *testing.T, w world) {
		attribute := func(in *sns.PublishInput) {
			in.MessageAttributes = map[string]types.MessageAttributeValue{"name": text("value")}
		}
		const counted = len("name" + "String" + "value")
		for i, most := range []int{256 << 10, 1 << 20} {
			if i > 0 {
				w.set("MaximumMessageSize", fmt.Sprint(most))
			}
			for n, fits := range map[int]bool{most - 1: true, most: true, most + 1: false} {
				_, plain := w.publish(strings.Repeat("b", n))
				_, attributed := w.publish(strings.Repeat("b", n-counted), attribute)
				for _, err := range []error{plain, attributed} {
					if fits {
						w.must(err)
					} else {
						refused(t, fmt.Sprint(n), err, "InvalidParameter")
					}
				}
				_, err := w.client.PublishBatch(t.Context(), &sns.PublishBatchInput{TopicArn: &w.arn, PublishBatchRequestEntries: []types.PublishBatchRequestEntry{
					{Id: aws.String("a"), Message: aws.String("x")}, {Id: aws.String("b"), Message: aws.String(strings.Repeat("b", n-1))},
				}})
				if fits {
					w.must(err)
				} else {
					refused(t, fmt.Sprint("batch of ", n), err, "BatchRequestTooLong")
				}
			}
		}
	})
}

func TestFIFOTopicDropsRepeatsForFiveMinutes(t *testing.T) {
	inBubble(t, "failed.fifo", func(t *testing.T, w world) {
		w.must(w.subscribe("queue.fifo", "true"))
		publish := func(body, group, id string) *sns.PublishOutput {
			t.Helper()
			out, err := w.publish(body, inGroup(group, id))
			w.must(err)
			return out
		}
		first := publish("first", "g", "id")
		time.Sleep(5*time.Minute - time.Nanosecond)
		same(t, "repeat", *publish("changed", "g", "id").MessageId, *first.MessageId)
		time.Sleep(time.Nanosecond)
		if again := publish("again", "g", "id"); *again.SequenceNumber <= *first.SequenceNumber {
			t.Errorf("after the window: got %v, was %v", *again.SequenceNumber, *first.SequenceNumber)
		}
		_, err := w.publish("m", inGroup("g", ""))
		refused(t, "without an id", err, "InvalidParameter")
		_, err = w.publish("m")
		refused(t, "without a group", err, "InvalidParameter")
		w.set("ContentBasedDeduplication", "true")
		publish("content", "g", "")
		publish("content", "g", "")
		same(t, "published", len(w.fake.Published(w.arn)), 3)
		queued := w.aws.SQS().Messages("queue.fifo")
		same(t, "queued", len(queued), 3)
		same(t, "last", []string{queued[2].Body, queued[2].GroupID}, "[content g]")

		w.arn = w.fake.CreateTopic("standard")
		_, err = w.publish("m", inGroup("g", "id"))
		refused(t, "on a standard topic", err, "InvalidParameter")
		refused(t, "a FIFO queue on a standard topic", w.subscribe("queue.fifo", "true"), "InvalidParameter")
	})
}

func TestBatchesSayWhatBecameOfEachEntry(t *testing.T) {
	inBubble(t, "failed", func(t *testing.T, w world) {
		publish := func(entries ...types.PublishBatchRequestEntry) (*sns.PublishBatchOutput, error) {
			return w.client.PublishBatch(t.Context(), &sns.PublishBatchInput{TopicArn: &w.arn, PublishBatchRequestEntries: entries})
		}
		entry := func(id, body string) types.PublishBatchRequestEntry {
			return types.PublishBatchRequestEntry{Id: &id, Message: &body}
		}
		out, err := publish(entry("good", "m"), entry("bad", ""), entry("fine", "n"))
		w.must(err)
		if len(out.Successful) != 2 || len(out.Failed) != 1 || *out.Failed[0].Id != "bad" || *out.Failed[0].Code != "InvalidParameter" {
			t.Errorf("got %v and %v", out.Successful, out.Failed)
		}
		var many []types.PublishBatchRequestEntry
		for i := range 11 {
			many = append(many, entry(fmt.Sprint(i), "m"))
		}
		_, err = publish(many[:10]...)
		w.must(err)
		_, err = publish(many...)
		refused(t, "eleven", err, "TooManyEntriesInBatchRequest")
		_, err = publish(many[:0]...)
		refused(t, "none", err, "EmptyBatchRequest")
		_, err = publish(entry("a", "m"), entry("a", "n"))
		refused(t, "twins", err, "BatchEntryIdsNotDistinct")
		same(t, "published", len(w.fake.Published(w.arn)), 12)
	})
}

func TestTopicsAreMadeListedAndDeleted(t *testing.T) {
	inBubble(t, "failed", func(t *testing.T, w world) {
		ctx := t.Context()
		create := func(name string, attributes map[string]string) error {
			_, err := w.client.CreateTopic(ctx, &sns.CreateTopicInput{Name: &name, Attributes: attributes})
			return err
		}
		w.must(create("failed", nil))
		w.must(create("other.fifo", map[string]string{"FifoTopic": "true", "ContentBasedDeduplication": "true"}))
		refused(t, "changed", create("other.fifo", map[string]string{"FifoTopic": "true", "ContentBasedDeduplication": "false"}), "InvalidParameter")
		for _, name := range []string{"a b", "a.b", "no.fifo", strings.Repeat("t", 257)} {
			refused(t, name, create(name, nil), "InvalidParameter")
		}
		for i := range 120 {
			w.must(create(fmt.Sprint("many-", i), nil))
		}
		count := 0
		for p := sns.NewListTopicsPaginator(w.client, &sns.ListTopicsInput{}); p.HasMorePages(); {
			page, err := p.NextPage(ctx)
			w.must(err)
			count += len(page.Topics)
		}
		same(t, "listed", count, 122)
		w.set("DisplayName", "Failed & gone")
		got, err := w.client.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: &w.arn})
		w.must(err)
		same(t, "attributes", []string{got.Attributes["TopicArn"], got.Attributes["DisplayName"], got.Attributes["SubscriptionsConfirmed"]}, []string{w.arn, "Failed & gone", "0"})

		for range 2 { // deleting what is gone is well
			_, err = w.client.DeleteTopic(ctx, &sns.DeleteTopicInput{TopicArn: &w.arn})
			w.must(err)
		}
		_, err = w.publish("m")
		refused(t, "gone", err, "NotFound")
		var gone *types.NotFoundException
		if !errors.As(err, &gone) {
			t.Errorf("got %v, want a *types.NotFoundException", err)
		}
		_, err = w.client.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: &w.arn})
		refused(t, "attributes of it", err, "NotFound")
		_, err = w.client.Publish(ctx, &sns.PublishInput{TopicArn: aws.String("failed"), Message: aws.String("m")})
		refused(t, "no ARN", err, "InvalidParameter")
		if w.fake.Published(w.arn) != nil {
			t.Error("a topic that is gone has messages")
		}
	})
}

func TestPartsOfAMessageFollowTheRules(t *testing.T) {
	inBubble(t, "failed", func(t *testing.T, w world) {
		for what, c := range map[string]struct {
			code   string
			change func(*sns.PublishInput)
		}{
			"empty":     {"InvalidParameter", func(in *sns.PublishInput) { in.Message = aws.String("") }},
			"subject":   {"InvalidParameter", func(in *sns.PublishInput) { in.Subject = aws.String(strings.Repeat("s", 101)) }},
			"structure": {"InvalidParameter", func(in *sns.PublishInput) { in.MessageStructure = aws.String("json") }},
			"value": {"ParameterValueInvalid", func(in *sns.PublishInput) {
				in.MessageAttributes = map[string]types.MessageAttributeValue{"a": text("")}
			}},
			"type": {"ParameterValueInvalid", func(in *sns.PublishInput) {
				in.MessageAttributes = map[string]types.MessageAttributeValue{"a": {DataType: aws.String("Text"), StringValue: aws.String("v")}}
			}},
		} {
			_, err := w.publish("m", c.change)
			refused(t, what, err, c.code)
		}
		_, err := w.publish(`{"default":"for all","sqs":"for queues"}`, func(in *sns.PublishInput) { in.MessageStructure = aws.String("json") })
		w.must(err)
		same(t, "published", w.fake.Published(w.arn)[0].Body, "for queues")
	})
}

// TestRefusedEntriesOfABatchAreTold: the others are taken, and the service is to
// blame.
func TestRefusedEntriesOfABatchAreTold(t *testing.T) {
	a := awsfake.New()
	arn := a.SNS().CreateTopic("t")
	restore := a.SNS().RefuseSome(func(m topicfake.Message) bool { return m.Body == "no" })
	send := func() *sns.PublishBatchOutput {
		out, err := sns.NewFromConfig(a.Config("tester")).PublishBatch(t.Context(), &sns.PublishBatchInput{TopicArn: &arn, PublishBatchRequestEntries: []types.PublishBatchRequestEntry{
			{Id: aws.String("a"), Message: aws.String("yes")}, {Id: aws.String("b"), Message: aws.String("no")},
		}})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	out := send()
	if len(out.Successful) != 1 || len(out.Failed) != 1 || *out.Failed[0].Id != "b" || *out.Failed[0].Code != "InternalError" || out.Failed[0].SenderFault {
		t.Errorf("got %+v", out)
	}
	restore()
	if out := send(); len(out.Failed) != 0 || len(a.SNS().Published(arn)) != 3 {
		t.Errorf("restored: got %+v", out)
	}
}
