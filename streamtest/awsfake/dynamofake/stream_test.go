package dynamofake_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/streamtest/awsfake/dynamofake"
)

const withStream = `{"TableName":"T","BillingMode":"PAY_PER_REQUEST","KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],
	"AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_AND_OLD_IMAGES"}}`

// streamBench is a bench whose table has a stream.
type streamBench struct {
	bench
	arn string
}

func streamBenchOf(t *testing.T, b backend, create string) *streamBench {
	t.Helper()
	out := &streamBench{bench: benchOf(t, b, create)}
	out.arn = out.latest()
	return out
}

func (b *streamBench) latest() string {
	var d struct {
		Table struct{ LatestStreamArn string }
	}
	b.ask("DescribeTable", `{"TableName":"T"}`, &d)
	return d.Table.LatestStreamArn
}

// ask sends a request and reads the answer into out; it returns the code of the
// refusal, if it was refused.
func (b *streamBench) ask(operation, body string, out any) string {
	b.Helper()
	body = strings.ReplaceAll(body, `"ARN"`, `"`+b.arn+`"`)
	status, raw, err := b.call(operation, strings.ReplaceAll(body, `"T"`, `"`+b.table+`"`))
	if err != nil {
		b.Fatal(err)
	}
	if status != 200 {
		var refusal struct {
			Type string `json:"__type"`
		}
		_ = json.Unmarshal(raw, &refusal)
		return refusal.Type[strings.LastIndex(refusal.Type, "#")+1:]
	}
	if err := json.Unmarshal(raw, out); err != nil {
		b.Fatalf("%s answered %s: %v", operation, raw, err)
	}
	return ""
}

type shardAnswer struct {
	ShardId, ParentShardId string
	SequenceNumberRange    struct{ StartingSequenceNumber, EndingSequenceNumber string }
}

func (b *streamBench) shards() []shardAnswer {
	b.Helper()
	var d struct {
		StreamDescription struct{ Shards []shardAnswer }
	}
	if code := b.ask("DescribeStream", `{"StreamArn":"ARN"}`, &d); code != "" {
		b.Fatalf("DescribeStream: %s", code)
	}
	return d.StreamDescription.Shards
}

// iterator asks for an iterator; more are further members.
func (b *streamBench) iterator(shardID, kind, more string) (token, code string) {
	b.Helper()
	var i struct{ ShardIterator string }
	code = b.ask("GetShardIterator", fmt.Sprintf(`{"StreamArn":"ARN","ShardId":%q,"ShardIteratorType":%q%s}`, shardID, kind, more), &i)
	return i.ShardIterator, code
}

type pageAnswer struct {
	Records []struct {
		EventName string `json:"eventName"`
		DynamoDB  struct {
			SequenceNumber   string
			SizeBytes        int
			StreamViewType   string
			Keys             json.RawMessage
			NewImage         json.RawMessage
			OldImage         json.RawMessage
			CreationDateTime float64 `json:"ApproximateCreationDateTime"`
		} `json:"dynamodb"`
		UserIdentity struct{ PrincipalId, Type string } `json:"userIdentity"`
	}
	NextShardIterator string
}

func (b *streamBench) read(iterator, more string) (page pageAnswer, code string) {
	b.Helper()
	code = b.ask("GetRecords", fmt.Sprintf(`{"ShardIterator":%q%s}`, iterator, more), &page)
	return page, code
}

// tell shows a page as one text a record, and whether it has a next one.
func (p pageAnswer) tell() string {
	var b strings.Builder
	for _, r := range p.Records {
		fmt.Fprintf(&b, "%s %s→%s %d; ", r.EventName, canonical(r.DynamoDB.OldImage), canonical(r.DynamoDB.NewImage), r.DynamoDB.SizeBytes)
	}
	fmt.Fprintf(&b, "next %t", p.NextShardIterator != "")
	return b.String()
}

func canonical(raw json.RawMessage) string {
	if raw == nil {
		return "none"
	}
	var v any
	_ = json.Unmarshal(raw, &v)
	return text(v)
}

// TestStreamAnswersAsDynamoDBLocalDoes asks the fake what
// TestServerStreamAnswersAsTheFakeDoes asks DynamoDB Local.
func TestStreamAnswersAsDynamoDBLocalDoes(t *testing.T) {
	service := dynamofake.New(time.Now)
	probeStream(t, fake{service}, func() {
		for _, table := range service.Tables() {
			_ = service.Rollover(table)
		}
	})
}

// probeStream asks what programs rely on. roll closes every open shard; without
// it the rest is left out.
func probeStream(t *testing.T, backend backend, roll func()) {
	b := streamBenchOf(t, backend, withStream)
	if b.arn == "" {
		t.Fatal("the table has no LatestStreamArn")
	}
	for _, v := range []string{"1", "1", "2"} { // the second changes nothing
		b.must("PutItem", `{"TableName":"T","Item":{"id":{"S":"a"},"n":{"N":"`+v+`"}}}`)
	}
	b.must("UpdateItem", `{"TableName":"T","Key":{"id":{"S":"a"}},"UpdateExpression":"SET n = :n","ExpressionAttributeValues":{":n":{"N":"2"}}}`)
	b.must("DeleteItem", `{"TableName":"T","Key":{"id":{"S":"a"}}}`)
	b.must("DeleteItem", `{"TableName":"T","Key":{"id":{"S":"a"}}}`)
	want := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", what, got, want)
		}
	}
	first := b.shards()
	if len(first) != 1 || first[0].ParentShardId != "" || first[0].SequenceNumberRange.EndingSequenceNumber != "" {
		t.Fatalf("a new stream has the shards %+v, want one open one", first)
	}
	id := first[0].ShardId
	it, _ := b.iterator(id, "TRIM_HORIZON", "")
	page, _ := b.read(it, "")
	const all = `INSERT none→{"id":{"S":"a"},"n":{"N":"1"}} 9; MODIFY {"id":{"S":"a"},"n":{"N":"1"}}→{"id":{"S":"a"},"n":{"N":"2"}} 15; REMOVE {"id":{"S":"a"},"n":{"N":"2"}}→none 9; `
	want("all from the trim horizon", page.tell(), all+"next true")
	numbers := []string{}
	for _, r := range page.Records {
		numbers = append(numbers, r.DynamoDB.SequenceNumber)
	}
	latest, _ := b.iterator(id, "LATEST", "")
	b.must("PutItem", `{"TableName":"T","Item":{"id":{"S":"c"}}}`)
	tip, _ := b.read(latest, "")
	want("what came after LATEST", tip.tell(), `INSERT none→{"id":{"S":"c"}} 6; next true`)
	more, _ := b.read(page.NextShardIterator, "")
	want("the page after the first", more.tell(), `INSERT none→{"id":{"S":"c"}} 6; next true`)
	for i, number := range numbers {
		at, _ := b.iterator(id, "AT_SEQUENCE_NUMBER", `,"SequenceNumber":"`+number+`"`)
		after, _ := b.iterator(id, "AFTER_SEQUENCE_NUMBER", `,"SequenceNumber":"`+number+`"`)
		a, _ := b.read(at, `,"Limit":1`)
		c, _ := b.read(after, "")
		if len(a.Records) != 1 || a.Records[0].DynamoDB.SequenceNumber != number || len(c.Records) != len(numbers)-i {
			t.Errorf("at and after %s: %s and %s", number, a.tell(), c.tell())
		}
	}

	refused := func(shardID, kind, more, code string) {
		t.Helper()
		if _, got := b.iterator(shardID, kind, more); got != code {
			t.Errorf("GetShardIterator of %s %s%s: %q, want %q", shardID, kind, more, got, code)
		}
	}
	refused("shardId-00000000000000000000-00000000", "TRIM_HORIZON", "", "ResourceNotFoundException")
	refused(id, "AT_SEQUENCE_NUMBER", "", "ValidationException")
	refused(id, "TRIM_HORIZON", `,"SequenceNumber":"`+numbers[0]+`"`, "ValidationException")
	refused(id, "AT_SEQUENCE_NUMBER", `,"SequenceNumber":"1"`, "ValidationException")
	if _, code := b.read("bogus", ""); code != "ValidationException" {
		t.Errorf("an iterator that is none: %q", code)
	}
	if _, code := b.read(it, `,"Limit":1001`); code != "ValidationException" {
		t.Errorf("a limit of 1001: %q", code)
	}

	if roll == nil {
		return
	}
	roll()
	shards := b.shards()
	if len(shards) != 2 || shards[0].ShardId != id || shards[0].SequenceNumberRange.EndingSequenceNumber == "" ||
		shards[1].ParentShardId != id || shards[1].SequenceNumberRange.EndingSequenceNumber != "" {
		t.Fatalf("after the roll-over the shards are %+v", shards)
	}
	end, _ := b.read(tip.NextShardIterator, "")
	want("behind the last record of a closed shard", end.tell(), "next false")
	whole, _ := b.read(it, "")
	want("a closed shard as a whole", whole.tell(), all+`INSERT none→{"id":{"S":"c"}} 6; next false`)
	short, _ := b.read(it, `,"Limit":2`)
	if short.NextShardIterator == "" || len(short.Records) != 2 {
		t.Errorf("a part of a closed shard: %s", short.tell())
	}
	refused(shards[1].ShardId, "AFTER_SEQUENCE_NUMBER", `,"SequenceNumber":"`+numbers[0]+`"`, "ValidationException")

	var d struct {
		StreamDescription struct {
			LastEvaluatedShardId, StreamStatus string
			Shards                             []shardAnswer
		}
	}
	b.ask("DescribeStream", `{"StreamArn":"ARN","Limit":1}`, &d)
	if d.StreamDescription.LastEvaluatedShardId != id || len(d.StreamDescription.Shards) != 1 {
		t.Errorf("a page of one shard: %+v", d)
	}
	if code := b.ask("DescribeStream", `{"StreamArn":"ARN","Limit":101}`, &d); code != "ValidationException" {
		t.Errorf("a page of 101 shards: %q", code)
	}
	if code := b.ask("DescribeStream", strings.Replace(`{"StreamArn":"ARN"}`, "ARN", b.arn[:len(b.arn)-3]+"999", 1), &d); code != "ResourceNotFoundException" {
		t.Errorf("a stream that is not there: %q", code)
	}

	b.must("UpdateTable", `{"TableName":"T","StreamSpecification":{"StreamEnabled":false}}`)
	b.ask("DescribeStream", `{"StreamArn":"ARN"}`, &d)
	if last := d.StreamDescription.Shards[1]; d.StreamDescription.StreamStatus != "DISABLED" || last.SequenceNumberRange.EndingSequenceNumber == "" {
		t.Errorf("a disabled stream: %+v", d)
	}
	last, _ := b.iterator(shards[1].ShardId, "TRIM_HORIZON", "")
	end, _ = b.read(last, "")
	want("the last shard of a disabled stream", end.tell(), "next false")
	b.want("UpdateTable", `{"TableName":"T","StreamSpecification":{"StreamEnabled":false}}`, "ValidationException")
	time.Sleep(2 * time.Millisecond) // labels are in milliseconds
	b.must("UpdateTable", `{"TableName":"T","StreamSpecification":{"StreamEnabled":true,"StreamViewType":"KEYS_ONLY"}}`)
	old := b.arn
	if b.arn = b.latest(); b.arn == old {
		t.Error("a stream that was enabled again has the ARN of the one before")
	}
	b.must("PutItem", `{"TableName":"T","Item":{"id":{"S":"d"},"n":{"N":"1"}}}`)
	it, _ = b.iterator(b.shards()[0].ShardId, "TRIM_HORIZON", "")
	page, _ = b.read(it, "")
	want("KEYS_ONLY", page.tell(), "INSERT none→none 3; next true")
	var list struct {
		Streams []struct{ StreamArn, StreamLabel string }
	}
	b.ask("ListStreams", `{"TableName":"T"}`, &list)
	if len(list.Streams) != 2 || list.Streams[0].StreamArn != b.arn || list.Streams[1].StreamArn != old {
		t.Errorf("the streams of the table are %+v", list.Streams)
	}
}

// A stream's shards roll over every four hours of the service's time; a day
// after it was closed a shard is gone with its records.
func TestStreamLivesAsLongAsTheRealOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := dynamofake.New(time.Now)
		service.Partitions(3)
		b := streamBenchOf(t, fake{service}, withStream)
		for day := range 10 * 6 {
			b.must("PutItem", fmt.Sprintf(`{"TableName":"T","Item":{"id":{"S":"a"},"n":{"N":"%d"}}}`, day))
			time.Sleep(4 * time.Hour)
		}
		shards := b.shards()
		open := 0
		for _, d := range shards {
			if d.SequenceNumberRange.EndingSequenceNumber == "" {
				open++
			}
		}
		if open != 3 || len(shards) != 3*7 {
			t.Errorf("%d shards, %d of them open, want 21 and 3", len(shards), open)
		}
		it, _ := b.iterator(shards[0].ShardId, "TRIM_HORIZON", "")
		time.Sleep(15*time.Minute + time.Second)
		if _, code := b.read(it, ""); code != "ExpiredIteratorException" {
			t.Errorf("an iterator after 15 minutes: %q", code)
		}
		service.IteratorsLast(10 * time.Second)
		it, _ = b.iterator(shards[0].ShardId, "TRIM_HORIZON", "")
		time.Sleep(10*time.Second + 1)
		if _, code := b.read(it, ""); code != "ExpiredIteratorException" {
			t.Errorf("an iterator of ten seconds after them: %q", code)
		}
		b.must("UpdateTable", `{"TableName":"T","StreamSpecification":{"StreamEnabled":false}}`)
		time.Sleep(24 * time.Hour)
		if code := b.ask("DescribeStream", `{"StreamArn":"ARN"}`, new(any)); code != "ResourceNotFoundException" {
			t.Errorf("a stream that was disabled a day ago: %q", code)
		}
	})
}

// What retention passed cannot be read any more, and the service says so.
func TestStreamTellsThatRecordsWereTrimmed(t *testing.T) {
	service := dynamofake.New(time.Now)
	b := streamBenchOf(t, fake{service}, withStream)
	for i := range 5 {
		b.must("PutItem", fmt.Sprintf(`{"TableName":"T","Item":{"id":{"S":"%d"}}}`, i))
	}
	id := b.shards()[0].ShardId
	it, _ := b.iterator(id, "TRIM_HORIZON", "")
	page, _ := b.read(it, "")
	number := func(i int) string { return `,"SequenceNumber":"` + page.Records[i].DynamoDB.SequenceNumber + `"` }
	if err := service.TrimStream(b.table, id, 3); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		kind, more, code string
		records          int
	}{
		{"TRIM_HORIZON", "", "", 2},
		{"AFTER_SEQUENCE_NUMBER", number(1), "TrimmedDataAccessException", 0},
		{"AT_SEQUENCE_NUMBER", number(2), "TrimmedDataAccessException", 0},
		{"AFTER_SEQUENCE_NUMBER", number(2), "", 2}, // nothing behind it was trimmed
		{"AT_SEQUENCE_NUMBER", number(4), "", 1},
	} {
		at, _ := b.iterator(id, c.kind, c.more)
		if page, code := b.read(at, ""); code != c.code || len(page.Records) != c.records {
			t.Errorf("%s %s: %d records and %q, want %d and %q", c.kind, c.more, len(page.Records), code, c.records, c.code)
		}
	}
	if _, code := b.read(it, ""); code != "TrimmedDataAccessException" {
		t.Errorf("an iterator that was passed by the trim horizon: %q", code)
	}
}

// A stream's listing comes in pages of a hundred shards, and can be asked for the
// children of one.
func TestStreamListsAHundredShardsAPage(t *testing.T) {
	service := dynamofake.New(time.Now)
	service.Partitions(130)
	b := streamBenchOf(t, fake{service}, withStream)
	if err := service.Rollover(b.table); err != nil {
		t.Fatal(err)
	}
	seen, pages, from := map[string]bool{}, 0, ""
	for {
		var d struct {
			StreamDescription struct {
				LastEvaluatedShardId string
				Shards               []shardAnswer
			}
		}
		b.ask("DescribeStream", `{"StreamArn":"ARN"`+from+`}`, &d)
		pages++
		for _, s := range d.StreamDescription.Shards {
			seen[s.ShardId] = true
		}
		if d.StreamDescription.LastEvaluatedShardId == "" {
			break
		}
		from = `,"ExclusiveStartShardId":"` + d.StreamDescription.LastEvaluatedShardId + `"`
	}
	if len(seen) != 260 || pages != 3 {
		t.Errorf("%d shards on %d pages, want 260 on 3", len(seen), pages)
	}
	parent := service.StreamShards(b.table)[7].ID
	var d struct {
		StreamDescription struct{ Shards []shardAnswer }
	}
	b.ask("DescribeStream", `{"StreamArn":"ARN","ShardFilter":{"Type":"CHILD_SHARDS","ShardId":"`+parent+`"}}`, &d)
	if s := d.StreamDescription.Shards; len(s) != 1 || s[0].ParentShardId != parent {
		t.Errorf("the children of %s are %+v", parent, s)
	}
}

// The record of an item that time to live took says who did it.
func TestStreamNamesTheServiceThatExpiredAnItem(t *testing.T) {
	service := dynamofake.New(time.Now)
	b := streamBenchOf(t, fake{service}, withStream)
	b.must("PutItem", `{"TableName":"T","Item":{"id":{"S":"a"}}}`)
	var told []dynamofake.StreamRecord
	service.OnStream(func(r dynamofake.StreamRecord) { told = append(told, r) })
	if err := service.Expire(b.table, dynamofake.Item{"id": dynamofake.S("a")}); err != nil {
		t.Fatal(err)
	}
	it, _ := b.iterator(b.shards()[0].ShardId, "TRIM_HORIZON", "")
	page, _ := b.read(it, "")
	last := page.Records[1]
	if last.EventName != "REMOVE" || last.UserIdentity.PrincipalId != "dynamodb.amazonaws.com" || last.UserIdentity.Type != "Service" {
		t.Errorf("got %+v", last)
	}
	if len(told) != 1 || told[0].Event != "REMOVE" || told[0].Sequence != last.DynamoDB.SequenceNumber || told[0].Key.String() != `{id: "a"}` {
		t.Errorf("the observer was told %+v", told)
	}
}
