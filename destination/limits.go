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
	// MaxFIFOTokenBytes is the length of a message group id and of a message
	// deduplication id: 128 characters, letters, digits and ASCII punctuation.
	// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
	MaxFIFOTokenBytes = 128
)

// minPackingBytes is the least a limit may be: the metadata alone takes up to
// about 4 KiB, with an error of 1 KiB and long names.
const minPackingBytes = 8 << 10
