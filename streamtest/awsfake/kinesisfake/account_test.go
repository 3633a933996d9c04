package kinesisfake_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// A stream of another account is another stream than its namesake here, and is
// found by its ARN alone.
func TestStreamsOfAnotherAccountHaveToBeNamedByTheirARN(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		const foreign = "arn:aws:kinesis:us-east-1:111122223333:stream/clicks"
		if err := w.fake.CreateStream(foreign, 2); err != nil {
			t.Fatal(err)
		}
		for _, again := range []string{foreign, "arn:aws:sqs:us-east-1:111122223333:clicks"} {
			if err := w.fake.CreateStream(again, 2); err == nil {
				t.Errorf("%s was created", again)
			}
		}
		if _, _, err := w.fake.Put(foreign, "key", []byte("theirs")); err != nil {
			t.Fatal(err)
		}
		w.put("key", "ours")
		for name, in := range map[string]*kinesis.DescribeStreamSummaryInput{
			w.fake.ARN("clicks"): {StreamName: aws.String("clicks")}, foreign: {StreamARN: aws.String(foreign)},
		} {
			out, err := w.client.DescribeStreamSummary(t.Context(), in)
			if err != nil || *out.StreamDescriptionSummary.StreamARN != name {
				t.Errorf("%s: got %v, %v", name, out, err)
			}
		}
		shards, err := w.client.ListShards(t.Context(), &kinesis.ListShardsInput{StreamARN: aws.String(foreign)})
		if err != nil || len(shards.Shards) != 2 {
			t.Fatalf("the foreign stream lists %v, %v", shards, err)
		}
		read := ""
		for _, s := range shards.Shards {
			at, err := w.client.GetShardIterator(t.Context(), &kinesis.GetShardIteratorInput{
				StreamARN: aws.String(foreign), ShardId: s.ShardId, ShardIteratorType: types.ShardIteratorTypeTrimHorizon,
			})
			if err != nil {
				t.Fatal(err)
			}
			out, err := w.client.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: at.ShardIterator})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range out.Records {
				read += string(r.Data)
			}
		}
		same(t, "the foreign records", read, "theirs")
		listed, err := w.client.ListStreams(t.Context(), &kinesis.ListStreamsInput{})
		if err != nil {
			t.Fatal(err)
		}
		same(t, "our streams", listed.StreamNames, "[clicks]")
		if _, err := w.client.DeleteStream(t.Context(), &kinesis.DeleteStreamInput{StreamARN: aws.String(foreign)}); err != nil {
			t.Fatal(err)
		}
		_, err = w.client.DescribeStreamSummary(t.Context(), &kinesis.DescribeStreamSummaryInput{StreamARN: aws.String(foreign)})
		refused(t, "a stream that is gone", err, "ResourceNotFoundException")
		if w.fake.Shards("clicks") == nil {
			t.Error("the namesake is gone as well")
		}
	})
}
