package awsfake_test

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/towpath/towpath/streamtest/awsfake"
)

// Any request to the AWS in the process is answered, or refused: none brings it
// down, and none is answered as the fault of the service.
func FuzzRequests(f *testing.F) {
	for target, body := range map[string]string{
		"Kinesis_20131202.CreateStream":           `{"StreamName":"s","ShardCount":2}`,
		"Kinesis_20131202.PutRecords":             `{"StreamName":"clicks","Records":[{"Data":"AAAA","PartitionKey":"a","ExplicitHashKey":"1"}]}`,
		"Kinesis_20131202.GetShardIterator":       `{"StreamName":"clicks","ShardId":"shardId-000000000000","ShardIteratorType":"AT_TIMESTAMP","Timestamp":1.7E9}`,
		"Kinesis_20131202.ListShards":             `{"StreamName":"clicks","ShardFilter":{"Type":"AT_TRIM_HORIZON"},"MaxResults":1}`,
		"Kinesis_20131202.SubscribeToShard":       `{"ConsumerARN":"x","ShardId":"shardId-000000000000","StartingPosition":{"Type":"LATEST"}}`,
		"Kinesis_20131202.SplitShard":             `{"StreamName":"clicks","ShardToSplit":"shardId-000000000000","NewStartingHashKey":"170141183460469231731687303715884105728"}`,
		"DynamoDB_20120810.PutItem":               `{"TableName":"t","Item":{"id":{"S":"a"},"n":{"N":"1e3"}},"ConditionExpression":"attribute_not_exists(id) OR #n = :v","ExpressionAttributeNames":{"#n":"n"},"ExpressionAttributeValues":{":v":{"N":"1"}}}`,
		"DynamoDB_20120810.UpdateItem":            `{"TableName":"t","Key":{"id":{"S":"a"}},"UpdateExpression":"SET a.b[3] = if_not_exists(c, :v) + :v REMOVE d ADD e :v DELETE f :s","ExpressionAttributeValues":{":v":{"N":"1"},":s":{"SS":["x"]}}}`,
		"DynamoDB_20120810.Scan":                  `{"TableName":"t","FilterExpression":"size(a) BETWEEN :x AND :y AND NOT contains(b, :x)","ExpressionAttributeValues":{":x":{"N":"1"},":y":{"N":"2"}}}`,
		"DynamoDB_20120810.TransactWriteItems":    `{"TransactItems":[{"ConditionCheck":{"TableName":"t","Key":{"id":{"S":"a"}},"ConditionExpression":"n IN (:x)","ExpressionAttributeValues":{":x":{"N":"1"}}}}]}`,
		"DynamoDBStreams_20120810.GetRecords":     `{"ShardIterator":"x"}`,
		"AmazonSQS.SendMessageBatch":              `{"QueueUrl":"http://x/1/q","Entries":[{"Id":"a","MessageBody":"b"}]}`,
		"AWSEvents.PutEvents":                     `{"Entries":[{"Source":"a","DetailType":"b","Detail":"{}"}]}`,
		"Firehose_20150804.PutRecordBatch":        `{"DeliveryStreamName":"d","Records":[{"Data":"AAAA"}]}`,
		"AWSStepFunctions.StartExecution":         `{"stateMachineArn":"arn:aws:states:us-east-1:1:stateMachine:m","input":"{}"}`,
		"DynamoDB_20120810.CreateTable":           `{"TableName":"u","KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],"AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"BillingMode":"PAY_PER_REQUEST"}`,
		"DynamoDB_20120810.BatchGetItem":          `{"RequestItems":{"t":{"Keys":[{"id":{"S":"a"}}]}}}`,
		"DynamoDB_20120810.Query":                 `{"TableName":"t","KeyConditionExpression":"id = :v","ExpressionAttributeValues":{":v":{"S":"a"}}}`,
		"Kinesis_20131202.RegisterStreamConsumer": `{"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/clicks","ConsumerName":"c"}`,
	} {
		f.Add(target, []byte(body))
	}
	f.Fuzz(func(t *testing.T, target string, body []byte) {
		a := awsfake.New()
		if err := a.Kinesis().CreateStream("clicks", 1); err != nil {
			t.Fatal(err)
		}
		for _, made := range []string{`{"TableName":"t","KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],"AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"BillingMode":"PAY_PER_REQUEST"}`} {
			ask(t, a, "DynamoDB_20120810.CreateTable", []byte(made))
		}
		if status := ask(t, a, target, body); status >= 500 {
			t.Errorf("%s %q: status %d", target, body, status)
		}
	})
}

// ask sends one request and tells the status, 0 if the connection broke.
func ask(t *testing.T, a *awsfake.AWS, target string, body []byte) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://aws.test/", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", target)
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	answer, err := a.HTTPClient().Do(r)
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, 1<<10) // a subscription goes on for ever
	return answer.StatusCode
}
