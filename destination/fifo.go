package destination

import "strings"

// ByShard groups the messages of a FIFO queue or topic by shard: those of one
// shard are delivered in order. It is the default.
func ByShard(f *Failure) string { return f.Shard }

// ByKey groups them by the partition key of the first record, so that a reader
// that is stuck on one key goes on with the others. It orders by key only if a
// failure holds one record, as with bisecting; a batch of several keys is in the
// group of its first.
func ByKey(f *Failure) string {
	if len(f.Records) == 0 || f.Records[0].PartitionKey == "" {
		return f.Shard
	}
	return f.Records[0].PartitionKey
}

// GroupID is the message group id that a FIFO queue or topic gets for what a
// grouping such as ByShard says: the text itself if the service takes it (1 to
// 128 letters, digits and ASCII punctuation), else its SHA-256. A grouping that
// says nothing, or is nil, gives the shard.
func (f *Failure) GroupID(by func(*Failure) string) string {
	group := ""
	if by != nil {
		group = by(f)
	}
	if group == "" {
		group = ByShard(f)
	}
	return fifoToken(group)
}

// fifoToken is s if a FIFO queue takes it as a name, else its SHA-256.
func fifoToken(s string) string {
	unfit := func(r rune) bool { return r <= ' ' || r > '~' }
	if s == "" || len(s) > MaxFIFOTokenBytes || strings.ContainsFunc(s, unfit) {
		return hashOf([]byte(s))
	}
	return s
}

// DeduplicationID is the SHA-256 of application and ID in hexadecimal: the same
// for a repeat, and another for another application that gave up the same
// records. FIFO queues and topics drop a repeat within 5 minutes, see
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagededuplicationid-property.html;
// a later one arrives twice. So does not a batch that is given up, worked again
// after a seek, and given up again within the 5 minutes: it is dropped as well.
func (f *Failure) DeduplicationID() string {
	return hashOf([]byte(f.Application + "\x00" + f.ID()))
}
