package destination

// The sizes that services accept for one message, in bytes. They are worked out
// before anything is sent, so that a failure that is too large is packed in
// another way rather than refused for ever.
const (
	// MaxSQSBytes is the most that a message of SQS may have, its body and its
	// attributes (name, type and value) together: 1 MiB since August 2025. A
	// queue can be set to less (MaximumMessageSize).
	// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
	MaxSQSBytes = 1 << 20
	// MaxSNSBytes is the most that a message of SNS may have, its body and its
	// attributes together: 256 KiB, unless the topic is set to more
	// (MaximumMessageSize), up to MaxSNSTopicBytes.
	// https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
	MaxSNSBytes = 256 << 10
	// MaxSNSTopicBytes is the most that a topic can be set to: 1 MiB.
	MaxSNSTopicBytes = 1 << 20
	// MaxS3KeyBytes is the length of a key in UTF-8. The object itself may have
	// 5 GiB in one request, which no batch reaches: records have 10 MiB at most
	// and an event source 6 MiB or 10,000 of them.
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
	MaxS3KeyBytes = 1024
	// MaxEventBridgeBytes is the most that the entries of one PutEvents may have
	// together, source, detail type, detail and resources: less than 1 MiB since
	// January 2026.
	// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
	MaxEventBridgeBytes = 1<<20 - 1
	// MaxLambdaBytes is the payload of a function that is called and waited for,
	// below 6 MiB ("Request must be smaller than 6291456 bytes").
	// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
	MaxLambdaBytes = 6<<20 - 1
	// MaxLambdaEventBytes is the payload of a function that is called and not
	// waited for: 1 MiB since October 2025.
	// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
	MaxLambdaEventBytes = 1 << 20
	// MaxStepFunctionsBytes is the input of an execution, in UTF-8.
	// https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
	MaxStepFunctionsBytes = 262_144
	// MaxFirehoseBytes is a record of Firehose, before base64: 1,000 KiB.
	// https://docs.aws.amazon.com/firehose/latest/APIReference/API_Record.html
	MaxFirehoseBytes = 1_024_000
	// MaxFirehoseBatchBytes is all of one PutRecordBatch: 4 MiB.
	// https://docs.aws.amazon.com/firehose/latest/dg/limits.html
	MaxFirehoseBatchBytes = 4 << 20
	// MaxKinesisBytes is a record of Kinesis, payload before base64 and partition
	// key together: 1 MiB, unless the stream is set to more
	// (MaxRecordSizeInKiB), up to MaxKinesisStreamBytes.
	// https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
	MaxKinesisBytes = 1 << 20
	// MaxKinesisStreamBytes is the most that a stream can be set to, and all of
	// one PutRecords: 10 MiB.
	MaxKinesisStreamBytes = 10 << 20
	// MaxDynamoDBBytes is an item, names and values together: 400 KB.
	// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
	MaxDynamoDBBytes = 400 << 10
	// MaxDynamoDBBatchBytes is all of one BatchWriteItem: 16 MB.
	// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
	MaxDynamoDBBatchBytes = 16 << 20
	// MaxFIFOTokenBytes is the length of a message group id and of a message
	// deduplication id: 128 characters, letters, digits and ASCII punctuation.
	// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
	MaxFIFOTokenBytes = 128
)

// minPackingBytes is the least a limit may be: the metadata alone takes up to
// about 4 KiB, with an error of 1 KiB and long names.
const minPackingBytes = 8 << 10
