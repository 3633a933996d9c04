package traffic

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/towpath/towpath/streamtest/awsfake"
)

func opened(t *testing.T, shards int) (Stream, *awsfake.AWS) {
	t.Helper()
	cloud := awsfake.New()
	if err := cloud.Kinesis().CreateStream("clicks", shards); err != nil {
		t.Fatal(err)
	}
	return Stream{"clicks", kinesis.NewFromConfig(cloud.Config("producer"), func(o *kinesis.Options) { o.Retryer = aws.NopRetryer{} })}, cloud
}

func some(n int) []types.PutRecordsRequestEntry {
	records := make([]types.PutRecordsRequestEntry, n)
	for i := range records {
		records[i] = types.PutRecordsRequestEntry{PartitionKey: aws.String("key"), Data: []byte("data")}
	}
	return records
}

// A server that is dead ends the run with an error, and is not asked for ever.
func TestPutToADeadServerEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, cloud := opened(t, 1)
		defer cloud.Cut("", "")()
		began := time.Now()
		err := s.Put(some(1), func(int, types.PutRecordsResultEntry) { t.Error("a record was taken") })
		if took := time.Since(began); err == nil || took < putPatience || took > putPatience+time.Minute {
			t.Errorf("it ended after %v with %v, want an error after %v", took, err, putPatience)
		}
	})
}

// Of more than a shard takes in a second the rest is put again, and each record is
// told of once, by the index it was given with.
func TestRefusedRecordsArePutAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := opened(t, 1)
		var got []int
		for range 5 { // a shard takes 1,000 a second
			before := len(got)
			if err := s.Put(some(400), func(i int, at types.PutRecordsResultEntry) {
				if *at.ShardId == "" || *at.SequenceNumber == "" {
					t.Errorf("record %d stands nowhere", i)
				}
				got = append(got, i)
			}); err != nil {
				t.Fatal(err)
			}
			put := slices.Sorted(slices.Values(got[before:]))
			if len(put) != 400 || put[0] != 0 || len(slices.Compact(put)) != 400 {
				t.Fatalf("%d records were told of, want each of 400 once", len(put))
			}
		}
	})
}

// However often a stream is resharded, it keeps within its bounds and its shards
// cover all keys.
func TestReshardKeepsTheNumberOfShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := opened(t, 4)
		for i := range 60 {
			if _, err := s.Reshard(t.Context(), 3, 7, float64(i*37%60)/60); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute) // the stream is active again
			open, err := s.open(t.Context())
			if err != nil || len(open) < 3 || len(open) > 7 {
				t.Fatalf("%d shards, error %v", len(open), err)
			}
			for i := range open[1:] {
				if last(open[i]).Cmp(first(open[i+1])) >= 0 {
					t.Fatalf("%s and %s overlap", *open[i].ShardId, *open[i+1].ShardId)
				}
			}
		}
	})
}
