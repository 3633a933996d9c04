package kinesisfake_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"

	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/kinesisfake"
)

// world is a stream in a fake, with the SDK's client in front of it.
type world struct {
	t      *testing.T
	client *kinesis.Client
	fake   *kinesisfake.Service
	stream string
}

// inBubble runs f with a stream of n shards, in virtual time, and with a client
// that does not try again.
func inBubble(t *testing.T, n int, f func(t *testing.T, w world), options ...kinesisfake.Option) {
	synctest.Test(t, func(t *testing.T) {
		a := awsfake.New(awsfake.WithKinesis(options...))
		config := a.Config("tester")
		config.RetryMaxAttempts = 1
		w := world{t, kinesis.NewFromConfig(config), a.Kinesis(), "clicks"}
		if err := w.fake.CreateStream(w.stream, n); err != nil {
			t.Fatal(err)
		}
		f(t, w)
	})
}

func (w world) put(key, data string) string {
	w.t.Helper()
	_, sequence, err := w.fake.Put(w.stream, key, []byte(data))
	if err != nil {
		w.t.Fatal(err)
	}
	return sequence
}

func (w world) iterator(in kinesis.GetShardIteratorInput) *string {
	w.t.Helper()
	in.StreamName = &w.stream
	if in.ShardId == nil {
		in.ShardId = aws.String("shardId-000000000000")
	}
	out, err := w.client.GetShardIterator(w.t.Context(), &in)
	if err != nil {
		w.t.Fatal(err)
	}
	return out.ShardIterator
}

func (w world) horizon(shard string) *string {
	w.t.Helper()
	return w.iterator(kinesis.GetShardIteratorInput{ShardId: &shard, ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
}

func (w world) get(iterator *string) *kinesis.GetRecordsOutput {
	w.t.Helper()
	out, err := w.client.GetRecords(w.t.Context(), &kinesis.GetRecordsInput{ShardIterator: iterator})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// read is the data that an iterator's page holds.
func (w world) read(iterator *string) []string {
	w.t.Helper()
	got := []string{}
	for _, r := range w.get(iterator).Records {
		got = append(got, string(r.Data))
	}
	return got
}

func (w world) list(in kinesis.ListShardsInput) []string {
	w.t.Helper()
	in.StreamName = &w.stream
	out, err := w.client.ListShards(w.t.Context(), &in)
	if err != nil {
		w.t.Fatal(err)
	}
	return numbers(out.Shards)
}

// numbers are the ids of shards without their common beginning.
func numbers(shards []types.Shard) []string {
	list := []string{}
	for _, s := range shards {
		list = append(list, (*s.ShardId)[len("shardId-00000000000"):])
	}
	return list
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func refused(t *testing.T, what string, err error, code string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code {
		t.Errorf("%s: got %v, want %s", what, err, code)
	}
}
