package kinesisfake_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/streamtest/awsfake/kinesisfake"
)

func (w world) register(name string) (*types.Consumer, error) {
	out, err := w.client.RegisterStreamConsumer(w.t.Context(), &kinesis.RegisterStreamConsumerInput{StreamARN: aws.String(w.fake.ARN(w.stream)), ConsumerName: &name})
	if err != nil {
		return nil, err
	}
	return out.Consumer, nil
}

func (w world) status(arn string) string {
	w.t.Helper()
	out, err := w.client.DescribeStreamConsumer(w.t.Context(), &kinesis.DescribeStreamConsumerInput{ConsumerARN: &arn})
	if err != nil {
		return err.Error()
	}
	return string(out.ConsumerDescription.ConsumerStatus)
}

func TestConsumerIsCreatedUsedAndDeleted(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		c, err := w.register("app")
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("%s/consumer/app:%d", w.fake.ARN(w.stream), time.Now().Unix())
		same(t, "ARN", *c.ConsumerARN, want)
		same(t, "status", c.ConsumerStatus, "CREATING")
		same(t, "created", c.ConsumerCreationTimestamp.Unix(), time.Now().Unix())
		_, err = w.register("app")
		refused(t, "registered twice", err, "ResourceInUseException")
		_, err = w.subscribe(t.Context(), want, firstShard, at(types.ShardIteratorTypeLatest))
		refused(t, "subscribed while CREATING", err, "ResourceInUseException")
		time.Sleep(3 * time.Second)
		same(t, "after its time", w.status(want), "ACTIVE")
		summary, err := w.client.DescribeStreamSummary(t.Context(), &kinesis.DescribeStreamSummaryInput{StreamName: &w.stream})
		if err != nil || *summary.StreamDescriptionSummary.ConsumerCount != 1 {
			t.Errorf("got %v, %v", summary, err)
		}

		l := w.listen(want, at(types.ShardIteratorTypeLatest))
		if _, err := w.client.DeleteStream(t.Context(), &kinesis.DeleteStreamInput{StreamName: &w.stream}); err == nil {
			t.Error("a stream with a consumer was deleted")
		}
		named := kinesis.DeregisterStreamConsumerInput{StreamARN: aws.String(w.fake.ARN(w.stream)), ConsumerName: aws.String("app")}
		if _, err := w.client.DeregisterStreamConsumer(t.Context(), &named); err != nil {
			t.Fatal(err)
		}
		refused(t, "its subscription", l.ended(), "ResourceNotFoundException")
		same(t, "deregistered", w.status(want), "DELETING")
		time.Sleep(time.Second)
		_, err = w.subscribe(t.Context(), want, firstShard, at(types.ShardIteratorTypeLatest))
		refused(t, "subscribed while DELETING", err, "ResourceInUseException")
		time.Sleep(2 * time.Second)
		_, err = w.client.DeregisterStreamConsumer(t.Context(), &named)
		refused(t, "deregistered again", err, "ResourceNotFoundException")
		_, err = w.subscribe(t.Context(), want, firstShard, at(types.ShardIteratorTypeLatest))
		refused(t, "subscribed when gone", err, "ResourceNotFoundException")
	}, kinesisfake.WithConsumerTime(3*time.Second))
}

func TestConsumerOfTheSameNameHasAnotherARN(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		first := w.consumer("app")
		if err := w.fake.DeregisterConsumer(w.stream, "app"); err != nil {
			t.Fatal(err)
		}
		if second := w.consumer("app"); second == first {
			t.Errorf("both are %s", first)
		}
		_, err := w.subscribe(t.Context(), first, firstShard, at(types.ShardIteratorTypeLatest))
		refused(t, "the ARN of the one before", err, "ResourceNotFoundException")
	})
}

func TestConsumersAreAtMostTwentyAndListedInPages(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		for i := range 20 {
			if _, err := w.register(fmt.Sprintf("app-%d", 20-i)); err != nil {
				t.Fatal(err)
			}
		}
		_, err := w.register("one-more")
		refused(t, "the 21st", err, "LimitExceededException")
		var names []string
		in := kinesis.ListStreamConsumersInput{StreamARN: aws.String(w.fake.ARN(w.stream)), MaxResults: aws.Int32(8)}
		for {
			out, err := w.client.ListStreamConsumers(t.Context(), &in)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range out.Consumers {
				names = append(names, strings.TrimPrefix(*c.ConsumerName, "app-"))
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				break
			}
		}
		same(t, "names", names, "[20 19 18 17 16 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1]")
		out, err := w.client.ListStreamConsumers(t.Context(), &kinesis.ListStreamConsumersInput{StreamARN: in.StreamARN, MaxResults: aws.Int32(1)})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(301 * time.Second)
		in.NextToken = out.NextToken
		_, err = w.client.ListStreamConsumers(t.Context(), &in)
		refused(t, "token after 301 s", err, "ExpiredNextTokenException")
	})
}

func TestConsumersBeingCreatedAreAtMostFive(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		for i := range 5 {
			if _, err := w.register(fmt.Sprint("app", i)); err != nil {
				t.Fatal(err)
			}
		}
		_, err := w.register("sixth")
		refused(t, "the sixth at once", err, "LimitExceededException")
		time.Sleep(time.Minute)
		if _, err := w.register("sixth"); err != nil {
			t.Error(err)
		}
	}, kinesisfake.WithConsumerTime(time.Minute))
}

func TestConsumerIsNamedConsistently(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		arn, streamARN := w.consumer("app"), w.fake.ARN(w.stream)
		for what, c := range map[string]struct {
			in   kinesis.DescribeStreamConsumerInput
			code string
		}{
			"all three":        {kinesis.DescribeStreamConsumerInput{ConsumerARN: &arn, ConsumerName: aws.String("app"), StreamARN: &streamARN}, ""},
			"name alone":       {kinesis.DescribeStreamConsumerInput{ConsumerName: aws.String("app")}, "InvalidArgumentException"},
			"nothing":          {kinesis.DescribeStreamConsumerInput{}, "InvalidArgumentException"},
			"another name":     {kinesis.DescribeStreamConsumerInput{ConsumerARN: &arn, ConsumerName: aws.String("other")}, "InvalidArgumentException"},
			"another stream":   {kinesis.DescribeStreamConsumerInput{ConsumerARN: &arn, StreamARN: aws.String(streamARN + "x")}, "InvalidArgumentException"},
			"no ARN":           {kinesis.DescribeStreamConsumerInput{ConsumerARN: &streamARN}, "InvalidArgumentException"},
			"no such consumer": {kinesis.DescribeStreamConsumerInput{ConsumerName: aws.String("other"), StreamARN: &streamARN}, "ResourceNotFoundException"},
			"no such stream":   {kinesis.DescribeStreamConsumerInput{ConsumerName: aws.String("app"), StreamARN: aws.String(streamARN + "x")}, "ResourceNotFoundException"},
		} {
			out, err := w.client.DescribeStreamConsumer(t.Context(), &c.in)
			if c.code != "" {
				refused(t, what, err, c.code)
			} else if err != nil || *out.ConsumerDescription.StreamARN != streamARN || *out.ConsumerDescription.ConsumerARN != arn {
				t.Errorf("%s: got %v, %v", what, out, err)
			}
		}
		_, err := w.register("a b")
		refused(t, "a name with a space", err, "ValidationException")
	})
}

func TestDeletedStreamEndsItsSubscriptions(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		l := w.listen(w.consumer("app"), at(types.ShardIteratorTypeLatest))
		_, err := w.client.DeleteStream(t.Context(), &kinesis.DeleteStreamInput{StreamName: &w.stream})
		refused(t, "with a consumer", err, "ResourceInUseException")
		if _, err := w.client.DeleteStream(t.Context(), &kinesis.DeleteStreamInput{StreamName: &w.stream, EnforceConsumerDeletion: aws.Bool(true)}); err != nil {
			t.Fatal(err)
		}
		refused(t, "the subscription", l.ended(), "ResourceNotFoundException")
		synctest.Wait()
	})
}
