package kinesisfake_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

func TestListShardsPagesByTokenAlone(t *testing.T) {
	inBubble(t, 5, func(t *testing.T, w world) {
		var got []string
		out, err := w.client.ListShards(t.Context(), &kinesis.ListShardsInput{
			StreamName: &w.stream, MaxResults: aws.Int32(2),
			ShardFilter: &types.ShardFilter{Type: types.ShardFilterTypeAtLatest},
		})
		if err != nil {
			t.Fatal(err)
		}
		// The filter of the first call holds for all its pages.
		if _, _, err := w.fake.Split(w.stream, "shardId-000000000003"); err != nil {
			t.Fatal(err)
		}
		token := out.NextToken
		for {
			got = append(got, numbers(out.Shards)...)
			if out.NextToken == nil {
				break
			}
			out, err = w.client.ListShards(t.Context(), &kinesis.ListShardsInput{NextToken: out.NextToken, MaxResults: aws.Int32(2)})
			if err != nil {
				t.Fatal(err)
			}
		}
		same(t, "open shards", got, "[0 1 2 4 5 6]")

		_, err = w.client.ListShards(t.Context(), &kinesis.ListShardsInput{NextToken: token, StreamName: &w.stream})
		refused(t, "token and name", err, "InvalidArgumentException")
		_, err = w.client.ListShards(t.Context(), &kinesis.ListShardsInput{NextToken: aws.String("AAAA")})
		refused(t, "no token", err, "InvalidArgumentException")
		time.Sleep(301 * time.Second)
		_, err = w.client.ListShards(t.Context(), &kinesis.ListShardsInput{NextToken: token})
		refused(t, "token after 301 s", err, "ExpiredNextTokenException")
	})
}

func TestShardFilters(t *testing.T) {
	inBubble(t, 2, func(t *testing.T, w world) {
		born := time.Now()
		time.Sleep(time.Hour)
		if _, _, err := w.fake.Split(w.stream, "shardId-000000000000"); err != nil { // into 2 and 3
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if _, err := w.fake.Merge(w.stream, "shardId-000000000003", "shardId-000000000001"); err != nil { // into 4
			t.Fatal(err)
		}
		filter := func(kind types.ShardFilterType, at time.Time) []string {
			f := &types.ShardFilter{Type: kind}
			if !at.IsZero() {
				f.Timestamp = &at
			}
			return w.list(kinesis.ListShardsInput{ShardFilter: f})
		}
		var none time.Time
		same(t, "no filter", w.list(kinesis.ListShardsInput{}), "[0 1 2 3 4]")
		same(t, "FROM_TRIM_HORIZON", filter(types.ShardFilterTypeFromTrimHorizon, none), "[0 1 2 3 4]")
		same(t, "AT_TRIM_HORIZON", filter(types.ShardFilterTypeAtTrimHorizon, none), "[0 1]")
		same(t, "AT_LATEST", filter(types.ShardFilterTypeAtLatest, none), "[2 4]")
		same(t, "AT_TIMESTAMP 30 min", filter(types.ShardFilterTypeAtTimestamp, born.Add(30*time.Minute)), "[0 1]")
		same(t, "AT_TIMESTAMP 90 min", filter(types.ShardFilterTypeAtTimestamp, born.Add(90*time.Minute)), "[1 2 3]")
		same(t, "FROM_TIMESTAMP 90 min", filter(types.ShardFilterTypeFromTimestamp, born.Add(90*time.Minute)), "[1 2 3 4]")
		same(t, "FROM_TIMESTAMP 3 h", filter(types.ShardFilterTypeFromTimestamp, born.Add(3*time.Hour)), "[2 4]")
		same(t, "AFTER_SHARD_ID", w.list(kinesis.ListShardsInput{ShardFilter: &types.ShardFilter{Type: types.ShardFilterTypeAfterShardId, ShardId: aws.String("shardId-000000000002")}}), "[3 4]")
		same(t, "ExclusiveStartShardId", w.list(kinesis.ListShardsInput{ExclusiveStartShardId: aws.String("shardId-000000000002")}), "[3 4]")

		time.Sleep(23*time.Hour + 30*time.Minute) // the split is out of retention, the merge is not
		same(t, "no filter, a day later", w.list(kinesis.ListShardsInput{}), "[1 2 3 4]")
		same(t, "AT_TRIM_HORIZON, a day later", filter(types.ShardFilterTypeAtTrimHorizon, none), "[1 2 3]")
	})
}

func TestFiltersTellShardsOfOneInstantApart(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		if _, _, err := w.fake.Split(w.stream, "shardId-000000000000"); err != nil {
			t.Fatal(err)
		}
		horizon := kinesis.ListShardsInput{ShardFilter: &types.ShardFilter{Type: types.ShardFilterTypeAtTrimHorizon}}
		same(t, "AT_TRIM_HORIZON", w.list(horizon), "[0]")
		if err := w.fake.TrimBefore(w.stream, w.fake.Shards(w.stream)[0].Closed); err != nil {
			t.Fatal(err)
		}
		same(t, "AT_TRIM_HORIZON at the split", w.list(horizon), "[1 2]")
		same(t, "listed at the split", w.list(kinesis.ListShardsInput{}), "[0 1 2]")
	})
}

func TestStreamIsFoundByNameAndByItsARNs(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w world) {
		describe := func(in kinesis.DescribeStreamSummaryInput) error {
			_, err := w.client.DescribeStreamSummary(t.Context(), &in)
			return err
		}
		arn := w.fake.ARN(w.stream)
		for _, in := range []kinesis.DescribeStreamSummaryInput{
			{StreamName: &w.stream}, {StreamARN: &arn}, {StreamARN: aws.String(arn + "/consumer/other:1700000000")}, {StreamName: &w.stream, StreamARN: &arn},
		} {
			if err := describe(in); err != nil {
				t.Error(err)
			}
		}
		refused(t, "another name", describe(kinesis.DescribeStreamSummaryInput{StreamName: aws.String("other")}), "ResourceNotFoundException")
		refused(t, "another ARN", describe(kinesis.DescribeStreamSummaryInput{StreamARN: aws.String(arn + "x")}), "ResourceNotFoundException")
		refused(t, "nothing", describe(kinesis.DescribeStreamSummaryInput{}), "InvalidArgumentException")
		_, err := w.client.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: &w.stream, ShardCount: aws.Int32(1)})
		refused(t, "created twice", err, "ResourceInUseException")

		_, err = w.client.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: aws.String("orders"), StreamModeDetails: &types.StreamModeDetails{StreamMode: types.StreamModeOnDemand}})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		pages := kinesis.NewListStreamsPaginator(w.client, &kinesis.ListStreamsInput{Limit: aws.Int32(1)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, page.StreamNames...)
		}
		same(t, "streams", names, "[clicks orders]")
		out, err := w.client.DescribeStream(t.Context(), &kinesis.DescribeStreamInput{StreamName: aws.String("orders"), Limit: aws.Int32(3)})
		if err != nil {
			t.Fatal(err)
		}
		same(t, "shards of an on-demand stream", numbers(out.StreamDescription.Shards), "[0 1 2]")
		same(t, "has more", *out.StreamDescription.HasMoreShards, true)
	})
}
