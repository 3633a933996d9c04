package kinesisshards_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"

	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/shard/kinesisshards"
	"github.com/towpath/towpath/shard/kpl"
)

// script is a service that gives the answers it was told to, one after the
// other, and then none. It says what it was asked.
type script struct {
	pages     []page
	iterators []error // of GetShardIterator, one a call; none is success
	listings  []listing
	listed    []types.Shard // when listings are used up
	options   func(*kinesisshards.Options)
	asked     []string
}

type page struct {
	records  []types.Record
	next     string // empty is none
	children []types.ChildShard
	behind   *int64
	err      error
}

type listing struct {
	shards []types.Shard
	token  string
	err    error
}

func refusal(code, message string) error {
	return &smithy.GenericAPIError{Code: code, Message: message}
}

func (s *script) DescribeStreamSummary(context.Context, *kinesis.DescribeStreamSummaryInput, ...func(*kinesis.Options)) (*kinesis.DescribeStreamSummaryOutput, error) {
	return &kinesis.DescribeStreamSummaryOutput{StreamDescriptionSummary: &types.StreamDescriptionSummary{
		StreamARN: new("arn"), StreamName: new(clicks), RetentionPeriodHours: aws.Int32(24), StreamCreationTimestamp: new(time.Unix(1e9, 5)),
	}}, nil
}

func (s *script) ListShards(_ context.Context, in *kinesis.ListShardsInput, _ ...func(*kinesis.Options)) (*kinesis.ListShardsOutput, error) {
	asked := fmt.Sprintf("list name=%s token=%s", aws.ToString(in.StreamName), aws.ToString(in.NextToken))
	if in.ExclusiveStartShardId != nil {
		asked += " after=" + *in.ExclusiveStartShardId
	}
	s.asked = append(s.asked, asked)
	if len(s.listings) == 0 {
		return &kinesis.ListShardsOutput{Shards: s.listed}, nil
	}
	l := s.listings[0]
	s.listings = s.listings[1:]
	return &kinesis.ListShardsOutput{Shards: l.shards, NextToken: &l.token}, l.err
}

func (s *script) GetShardIterator(_ context.Context, in *kinesis.GetShardIteratorInput, _ ...func(*kinesis.Options)) (*kinesis.GetShardIteratorOutput, error) {
	s.asked = append(s.asked, strings.TrimSpace(fmt.Sprintf("%s %s", in.ShardIteratorType, aws.ToString(in.StartingSequenceNumber))))
	var err error
	if len(s.iterators) > 0 {
		err, s.iterators = s.iterators[0], s.iterators[1:]
	}
	return &kinesis.GetShardIteratorOutput{ShardIterator: new("fresh")}, err
}

func (s *script) GetRecords(_ context.Context, in *kinesis.GetRecordsInput, _ ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error) {
	s.asked = append(s.asked, "read "+*in.ShardIterator)
	if len(s.pages) == 0 {
		return &kinesis.GetRecordsOutput{NextShardIterator: new("idle"), MillisBehindLatest: new(int64)}, nil
	}
	p := s.pages[0]
	s.pages = s.pages[1:]
	out := &kinesis.GetRecordsOutput{Records: p.records, ChildShards: p.children, MillisBehindLatest: p.behind}
	if p.next != "" {
		out.NextShardIterator = &p.next
	}
	return out, p.err
}

// records are records with these sequence numbers.
func records(sequences ...string) []types.Record {
	var list []types.Record
	for _, s := range sequences {
		list = append(list, types.Record{SequenceNumber: &s, PartitionKey: new("key"), Data: []byte(s), ApproximateArrivalTimestamp: new(time.Now())})
	}
	return list
}

func listed(id string, first, last string, parents ...string) types.Shard {
	d := types.Shard{ShardId: &id, SequenceNumberRange: &types.SequenceNumberRange{StartingSequenceNumber: &first}}
	if last != "" {
		d.SequenceNumberRange.EndingSequenceNumber = &last
	}
	for i, p := range parents {
		if i == 0 {
			d.ParentShardId = &p
		} else {
			d.AdjacentParentShardId = &p
		}
	}
	return d
}

// read has a source on a script read n times, in virtual time.
func (s *script) read(t *testing.T, after shard.Position, n int, check func(t *testing.T, r *tail)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if s.options == nil {
			s.options = func(*kinesisshards.Options) {}
		}
		source := kinesisshards.Open(s, clicks, s.options)
		start := shard.Start{Shard: shard0, After: after, Stream: shard.Stream{ARN: "arn", Retention: 24 * time.Hour}}
		r := &tail{t: t, Reader: source.Open(start)}
		for range n {
			_ = r.step() // kept in errs
		}
		check(t, r)
	})
}

func (s *script) wantAsked(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(s.asked, want) {
		t.Errorf("asked %q, want %q", s.asked, want)
	}
}

func TestRecordsThatGoBackwardsAreDroppedAndCounted(t *testing.T) {
	s := &script{pages: []page{
		{records: records("10", "11", "9", "11", "12"), next: "b"},
		{records: records("12", "13"), next: "c"}, // the new iterator stands at 12
	}}
	s.read(t, shard.TrimHorizon(), 2, func(t *testing.T, r *tail) {
		r.has("10", "11", "12", "13")
		if r.skipped != 2 || len(r.loss) > 0 || len(r.errs) > 0 {
			t.Errorf("skipped %d, lost %v, errors %v; want 2 skipped", r.skipped, r.loss, r.errs)
		}
	})
	s.wantAsked(t, "TRIM_HORIZON", "read fresh", "AT_SEQUENCE_NUMBER 12", "read fresh")
}

func TestTheSameIteratorAgainIsNotUsed(t *testing.T) {
	s := &script{pages: []page{
		{records: records("10"), next: "b"},
		{records: records("11"), next: "b"},
		{records: records("11", "12"), next: "c"},
	}}
	s.read(t, shard.TrimHorizon(), 3, func(t *testing.T, r *tail) { r.has("10", "11", "12") })
	s.wantAsked(t, "TRIM_HORIZON", "read fresh", "read b", "AT_SEQUENCE_NUMBER 11", "read fresh")
}

func TestRecordsWithNilFieldsArrive(t *testing.T) {
	s := &script{pages: []page{{records: []types.Record{{SequenceNumber: new("10")}}, next: "b"}}}
	s.read(t, shard.TrimHorizon(), 1, func(t *testing.T, r *tail) {
		r.has("")
		if len(r.records) == 1 && (r.records[0].Keyed || !r.records[0].ArrivedAt.IsZero()) {
			t.Errorf("got %+v, want neither key nor time", r.records[0])
		}
	})
}

func TestARecordWithoutASequenceNumberHoldsTheShard(t *testing.T) {
	for _, bad := range []*string{nil, new(""), new("LATEST"), new("12x"), new(strings.Repeat("1", 500))} {
		broken := append(records("10", "11"), types.Record{SequenceNumber: bad})
		s := &script{pages: []page{
			{records: broken, next: "b"},
			{records: append(records("11"), broken[2]), next: "c"},
			{records: broken[2:], next: "c"},
			{records: records("11", "12"), next: "d"},
		}}
		s.read(t, shard.TrimHorizon(), 4, func(t *testing.T, r *tail) {
			r.has("10", "11", "12")
			if len(r.errs) != 2 || !strings.Contains(r.errs[0].Error(), "sequence number") {
				t.Errorf("got errors %v, want two about the sequence number", r.errs)
			}
		})
	}
}

func TestAnEndWithoutChildrenInTheAnswerIsLookedUp(t *testing.T) {
	child := listed("shardId-000000000002", "50", "", shard0, "shardId-000000000001")
	tests := map[string]struct {
		listed []types.Shard
		ended  bool
	}{
		"closed, with a child":   {[]types.Shard{listed(shard0, "1", "40"), child}, true},
		"closed, with none yet":  {[]types.Shard{listed(shard0, "1", "40")}, false},
		"still open":             {[]types.Shard{listed(shard0, "1", ""), child}, false},
		"open and without child": {[]types.Shard{listed(shard0, "1", "")}, false},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			s := &script{listed: c.listed, pages: []page{{records: records("10", "11")}, {records: records("11"), next: "b"}}}
			s.read(t, shard.TrimHorizon(), 2, func(t *testing.T, r *tail) {
				r.has("10", "11")
				if r.ended != c.ended || len(r.errs) > 0 {
					t.Errorf("ended %t, errors %v; want ended %t", r.ended, r.errs, c.ended)
				}
			})
		})
	}
}

func TestAnEndWhoseLookUpFailsKeepsItsRecords(t *testing.T) {
	failing := listing{err: refusal("InternalFailure", "no")}
	children := []types.Shard{listed(shard0, "1", "40"), listed("shardId-000000000001", "50", "", shard0)}
	s := &script{
		listings: []listing{failing, failing},
		listed:   children,
		pages:    []page{{records: records("10")}, {records: records("10")}, {records: records("10")}},
	}
	s.read(t, shard.TrimHorizon(), 3, func(t *testing.T, r *tail) {
		r.has("10")
		if !r.ended || len(r.errs) != 1 {
			t.Errorf("ended %t, errors %v; want the end, and one error", r.ended, r.errs)
		}
	})
}

func TestARefusedPositionIsJudged(t *testing.T) {
	open := []types.Shard{listed(shard0, "5", "")}
	tests := []struct {
		name, refusal string
		listed        []types.Shard
		page          []types.Record
		want          error
		says          string
		loss          bool
	}{
		{name: "trimmed", refusal: "StartingSequenceNumber 10 is invalid.", listed: open, page: records("12", "13"), loss: true},
		{name: "of another stream", refusal: "... is invalid because it did not come from this stream.", listed: open, want: shard.ErrNoStream},
		{name: "of another shard", refusal: "Invalid StartingSequenceNumber. It encodes shardId-000000000007, while ...", listed: open, says: "It encodes"},
		{name: "from before the shard", refusal: "is invalid.", listed: []types.Shard{listed(shard0, "11", "")}, says: "before the shard's beginning"},
		{name: "from behind what is there", refusal: "is invalid.", listed: open, page: records("8", "9"), says: "does not know position 10"},
		{name: "of a shard that is gone", refusal: "is invalid.", want: shard.ErrNoShard},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			s := &script{iterators: []error{refusal("InvalidArgumentException", c.refusal)}, listed: c.listed}
			if c.page != nil {
				s.pages = []page{{records: c.page, next: "b"}}
			}
			s.read(t, shard.After("10", 0), 1, func(t *testing.T, r *tail) {
				if c.loss {
					if r.has("12", "13"); len(r.loss) != 1 || r.loss[0].After.Sequence != "10" || r.loss[0].Until.Sequence != "12" {
						t.Errorf("got losses %v, want the one from 10 to 12", r.loss)
					}
					return
				}
				r.has()
				if len(r.errs) != 1 || c.want != nil && !errors.Is(r.errs[0], c.want) || !strings.Contains(r.errs[0].Error(), c.says) {
					t.Errorf("got errors %v, want %v saying %q", r.errs, c.want, c.says)
				}
			})
		})
	}
}

func TestAnAggregateAtTheCheckpointIsDeliveredWholeOnce(t *testing.T) {
	aggregate := func(sequences ...string) []types.Record {
		list := records(sequences...)
		for i := range list {
			list[i].Data = []byte("\xf3\x89\x9a\xc2 and no digest of this")
		}
		return list
	}
	tests := []struct {
		name  string
		after shard.Position
		page  []types.Record
		want  int
	}{
		{"aggregate", shard.After("10", 0), aggregate("10", "11"), 2},
		{"within an aggregate", shard.After("10", 7), records("10", "11"), 2},
		{"plain", shard.After("10", 0), records("10", "11"), 1},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			s := &script{pages: []page{
				{records: c.page, next: "b"},
				{err: refusal("ExpiredIteratorException", "old")},
				{records: aggregate("11", "12"), next: "c"},
			}, options: func(o *kinesisshards.Options) { o.Aggregated = kpl.Whole }}
			s.read(t, c.after, 2, func(t *testing.T, r *tail) {
				if len(r.records) != c.want+1 || r.skipped > 0 || len(r.loss) > 0 || len(r.errs) > 0 {
					t.Errorf("got %d records, skipped %d, lost %v, errors %v; want %d records", len(r.records), r.skipped, r.loss, r.errs, c.want+1)
				}
			})
		})
	}
}

// A shard with little in it answers empty pages for long stretches. An iterator
// that moved through them is not given up for the sake of a verification that
// has been made.
func TestNearTheTrimHorizonEmptyPagesAreStillPassed(t *testing.T) {
	lag := new(int64(23 * 3600 * 1000))
	s := &script{pages: []page{
		{next: "a", behind: lag},
		{records: records("10"), next: "b", behind: lag},
		{next: "c", behind: lag},
		{records: records("11"), next: "d", behind: lag},
		{records: records("11", "12"), next: "e", behind: lag},
	}}
	for _, p := range s.pages {
		for i := range p.records {
			p.records[i].ApproximateArrivalTimestamp = new(time.Date(1999, 12, 31, 1, 0, 0, 0, time.UTC))
		}
	}
	synctest.Test(t, func(t *testing.T) {
		start := shard.Start{Shard: shard0, After: shard.After("10", 0), Stream: shard.Stream{ARN: "arn", Retention: 24 * time.Hour}}
		start.LastArrival = time.Now().Add(-23 * time.Hour)
		r := &tail{t: t, Reader: kinesisshards.Open(s, clicks).Open(start)}
		r.until(2).has("11", "12")
	})
	s.wantAsked(t, "AT_SEQUENCE_NUMBER 10", "read fresh", "read a", "read b", "read c", "AT_SEQUENCE_NUMBER 11", "read fresh")
}

func TestWithoutADateTheHostsTimeBeforeTheCallCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		stream, err := kinesisshards.Open(slow{&script{}}, clicks).Describe(t.Context())
		must(t, err)
		if !stream.Now.Equal(began) {
			t.Errorf("Now is %s, want %s", stream.Now, began)
		}
		if want := time.Unix(1e9, 0); !stream.CreatedAt.Equal(want) || stream.Retention != 24*time.Hour {
			t.Errorf("got %+v, want it created at %s and to keep a day", stream, want)
		}
	})
}

func TestAWrongSourceSaysSoAtTheFirstCall(t *testing.T) {
	for given, want := range map[string]string{
		"":                       "got nothing",
		"my stream":              "' '",
		strings.Repeat("x", 129): "129 characters",
		"arn:aws:sqs:us-east-1:123456789012:clicks":                           "sqs",
		"arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026":         "dynamodb",
		"arn:aws:kinesis:us-east-1:123456789012:stream/clicks/consumer/app:1": "fan-out",
		"arn:aws:kinesis:us-east-1":                                           "want arn:",
		"arn:aws:kinesis::123456789012:stream/clicks":                         "want arn:",
		"arn:aws:kinesis:us-east-1:123456789012:streamconsumer/clicks":        "stream/name",
		"arn:aws:kinesis:us-east-1:123456789012:stream/":                      "0 characters",
	} {
		s := &script{}
		source := kinesisshards.Open(s, given)
		_, describeErr := source.Describe(t.Context())
		_, listErr := source.List(t.Context())
		_, nextErr := source.Open(shard.Start{Shard: shard0}).Next(t.Context())
		for _, err := range []error{source.Validate(), describeErr, listErr, nextErr} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: got %v, want an error with %q", given, err, want)
			}
		}
		s.wantAsked(t)
	}
	for _, given := range []string{"clicks", "a.b_c-1", "arn:aws-cn:kinesis:cn-north-1:123456789012:stream/clicks"} {
		must(t, kinesisshards.Open(&script{}, given).Validate())
	}
	err := kinesisshards.Open(nil, "", func(o *kinesisshards.Options) {
		o.Limit, o.PollFloor, o.PollCeiling, o.ReadsPerSecond, o.BytesPerSecond = 10_001, -1, -2, -3, -4
	}).Validate()
	for _, want := range []string{"client", "stream", "Limit", "PollFloor", "PollCeiling", "ReadsPerSecond", "BytesPerSecond"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want all problems, %s too", err, want)
		}
	}
}
