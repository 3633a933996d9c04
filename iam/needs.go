package iam

// need is what one mode asks of one kind of resource.
type need struct {
	mode    Mode
	on      *place
	actions []string
}

// needs is the table. Nothing else in this package says what is allowed, beside
// keys.go for the keys of KMS.
var needs = []need{
	{Polling, stream, kinesis("DescribeStreamSummary", "ListShards", "GetShardIterator", "GetRecords")},

	{FanOut, stream, kinesis("DescribeStreamSummary", "ListShards", "GetShardIterator", "GetRecords", "DescribeStreamConsumer")},
	{FanOut, fanOutConsumer, kinesis("DescribeStreamConsumer", "SubscribeToShard")},
	{FanOut, consumerByName, kinesis("DescribeStreamConsumer")},

	{Changes, tableStream, dynamo("DescribeStream", "GetShardIterator", "GetRecords")},
	{Changes, tableStreams, dynamo("ListStreams")},

	{Leases, leaseTable, dynamo("DescribeTable", "GetItem", "PutItem", "UpdateItem", "DeleteItem", "Scan")},
	{Leases, ownerIndex, dynamo("Query")},
	{Leases, sessionTable, dynamo("DescribeTable", "GetItem", "PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem", "Scan")},

	{State, stateTable, dynamo("DescribeTable", "GetItem", "PutItem", "DeleteItem", "Query")},
	{Overflow, overflowObjects, []string{"s3:PutObject", "s3:GetObject", "s3:DeleteObject"}},
	{Overflow, overflowBucket, []string{"s3:ListBucket"}},
	{Parking, parkedTable, dynamo("DescribeTable", "PutItem", "DeleteItem", "Query")},
	{BesideKCL, kclTables, dynamo("Scan")},
	{Once, onceTable, dynamo("DescribeTable", "PutItem", "UpdateItem")},

	{Send, queues, []string{"sqs:SendMessage"}},
	{Send, topics, []string{"sns:Publish"}},
	{Send, buses, []string{"events:PutEvents"}},
	{Send, objects, []string{"s3:PutObject"}},
	{Send, functions, []string{"lambda:InvokeFunction"}},
	{Send, streams, kinesis("PutRecords")},
	{Send, deliveries, []string{"firehose:PutRecordBatch"}},
	{Send, machines, []string{"states:StartExecution"}},
	{Send, tables, dynamo("BatchWriteItem")},

	{Redrive, queues, []string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"}},
	{Redrive, objects, []string{"s3:GetObject", "s3:DeleteObject"}},
	{Redrive, buckets, []string{"s3:ListBucket"}},

	{Status, stream, kinesis("DescribeStreamSummary", "ListShards", "GetShardIterator", "GetRecords")},
	{Status, tableStream, dynamo("DescribeStream", "GetShardIterator", "GetRecords")},
	{Status, tableStreams, dynamo("ListStreams")},
	{Status, leaseTable, dynamo("Scan")},
	{Status, sessionTable, dynamo("GetItem", "Scan")},

	{Doctor, stream, kinesis("DescribeStreamSummary", "ListShards", "GetShardIterator", "GetRecords", "ListStreamConsumers")},
	{Doctor, tableStream, dynamo("DescribeStream", "GetShardIterator", "GetRecords")},
	{Doctor, tableStreams, dynamo("ListStreams")},
	{Doctor, changedTable, dynamo("DescribeTable")},
	{Doctor, leaseTable, dynamo("DescribeTable", "DescribeTimeToLive", "DescribeContinuousBackups", "GetItem", "Scan")},
	{Doctor, ownerIndex, dynamo("Query")},
	{Doctor, sessionTable, dynamo("DescribeTable", "DescribeTimeToLive", "DescribeContinuousBackups", "GetItem", "Scan")},
	{Doctor, stateTable, dynamo("DescribeTable", "DescribeTimeToLive", "DescribeContinuousBackups")},
	{Doctor, parkedTable, dynamo("DescribeTable", "DescribeTimeToLive", "DescribeContinuousBackups")},
	{Doctor, kclTables, dynamo("Scan")},

	{Cost, stream, kinesis("DescribeStreamSummary")},
	{Cost, leaseTable, dynamo("DescribeTable", "Scan")},
	{Cost, sessionTable, dynamo("Scan")},

	{Migrate, stream, kinesis("DescribeStreamSummary", "ListShards")},
	{Migrate, tableStream, dynamo("DescribeStream")},
	{Migrate, tableStreams, dynamo("ListStreams")},
	{Migrate, leaseTable, dynamo("DescribeTable", "Scan")},
	{Migrate, kclTables, dynamo("Scan")},
	{Tail, stream, kinesis("DescribeStreamSummary", "ListShards", "GetShardIterator", "GetRecords")},
	{Tail, tableStream, dynamo("DescribeStream", "GetShardIterator", "GetRecords")},
	{Tail, tableStreams, dynamo("ListStreams")},
	{Play, stream, kinesis("DescribeStreamSummary", "ListShards", "PutRecords")},
	{Failures, queues, []string{"sqs:ReceiveMessage", "sqs:ChangeMessageVisibility"}},
	{Failures, objects, []string{"s3:GetObject"}},
	{Failures, buckets, []string{"s3:ListBucket"}},

	{Steer, leaseTable, dynamo("Scan")},
	{Steer, sessionTable, dynamo("GetItem", "UpdateItem", "Scan")},
	{Release, leaseTable, dynamo("GetItem", "UpdateItem", "Scan")},
	{Release, sessionTable, dynamo("GetItem", "UpdateItem", "Scan")},

	{Operator, stream, kinesis("DescribeStreamSummary", "ListShards", "GetShardIterator", "GetRecords")},
	{Operator, tableStream, dynamo("DescribeStream", "GetShardIterator", "GetRecords")},
	{Operator, tableStreams, dynamo("ListStreams")},
	{Operator, leaseTable, dynamo("GetItem", "PutItem", "UpdateItem", "Scan")},
	{Operator, sessionTable, dynamo("GetItem", "UpdateItem", "ConditionCheckItem", "Scan")},

	{Fork, stream, kinesis("DescribeStreamSummary", "ListShards")},
	{Fork, tableStream, dynamo("DescribeStream")},
	{Fork, tableStreams, dynamo("ListStreams")},
	{Fork, leaseTable, dynamo("CreateTable", "DescribeTable", "GetItem", "PutItem", "UpdateItem", "Scan")},
	{Fork, sessionTable, dynamo("CreateTable", "DescribeTable", "GetItem", "UpdateItem", "ConditionCheckItem", "Scan")},
	{Fork, forkedTable, dynamo("Scan")},

	{Bootstrap, stream, kinesis("DescribeStreamSummary")},
	{Bootstrap, tableStream, dynamo("DescribeStream")},
	{Bootstrap, tableStreams, dynamo("ListStreams")},
	{Bootstrap, leaseTable, dynamo("CreateTable", "DescribeTable", "Scan")},
	{Bootstrap, sessionTable, dynamo("CreateTable", "DescribeTable", "GetItem", "UpdateItem")},
	{BootstrapState, stateTable, dynamo("CreateTable", "DescribeTable")},
	{BootstrapParking, parkedTable, dynamo("CreateTable", "DescribeTable")},
	{BootstrapFanOut, stream, kinesis("RegisterStreamConsumer")},
}

// tagging is added to dynamodb:CreateTable for tables that get tags.
const tagging = "dynamodb:TagResource"

func kinesis(actions ...string) []string { return prefixed("kinesis:", actions) }
func dynamo(actions ...string) []string  { return prefixed("dynamodb:", actions) }

func prefixed(service string, actions []string) []string {
	all := make([]string, len(actions))
	for i, a := range actions {
		all[i] = service + a
	}
	return all
}
