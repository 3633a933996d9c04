package kinesisfake_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/streamtest/awsfake/kinesisfake"
)

// BenchmarkGetRecords is the fake's own cost of a page of 1,000 records of
// 1 KiB, without the SDK: what a benchmark of a consumer has to take off.
func BenchmarkGetRecords(b *testing.B) {
	a := awsfake.New(awsfake.WithKinesis(kinesisfake.WithReadLimits(false), kinesisfake.WithIteratorTTL(time.Hour)))
	if err := a.Kinesis().CreateStream("clicks", 1); err != nil {
		b.Fatal(err)
	}
	data := make([]byte, 1<<10)
	for i := range 100_000 {
		if _, _, err := a.Kinesis().Put("clicks", fmt.Sprint(i), data); err != nil {
			b.Fatal(err)
		}
	}
	ask := func(operation, body string) *http.Response {
		r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "https://kinesis.us-east-1.amazonaws.com/", strings.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		r.Header.Set("X-Amz-Target", "Kinesis_20131202."+operation)
		response, err := a.HTTPClient().Do(r)
		if err != nil || response.StatusCode != http.StatusOK {
			b.Fatal(response, err)
		}
		return response
	}
	response := ask("GetShardIterator", `{"StreamName":"clicks","ShardId":"shardId-000000000000","ShardIteratorType":"TRIM_HORIZON"}`)
	head := make([]byte, 512)
	n, _ := response.Body.Read(head)
	iterator := strings.TrimPrefix(strings.TrimSuffix(string(head[:n]), `"}`), `{"ShardIterator":"`)
	b.ReportAllocs()
	for b.Loop() {
		ask("GetRecords", `{"Limit":1000,"ShardIterator":"`+iterator+`"}`)
	}
}
