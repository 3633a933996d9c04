package queuefake

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

const fifoSuffix = ".fifo"

// queue is a queue with all the messages it ever had.
type queue struct {
	name       string
	created    time.Time
	modified   time.Time
	purged     time.Time // zero if never
	attributes map[string]string
	messages   []*message
	deleted    int                 // so many messages at the beginning are deleted
	repeats    map[string]*message // FIFO: the last accepted, by scope and deduplication id
}

func (q *queue) url() string {
	return "https://sqs." + region + ".amazonaws.com/" + account + "/" + q.name
}

func (q *queue) arn() string { return "arn:aws:sqs:" + region + ":" + account + ":" + q.name }

func (q *queue) fifo() bool { return strings.HasSuffix(q.name, fifoSuffix) }

// number is the value of an attribute that is one.
func (q *queue) number(name string) int {
	n, err := strconv.Atoi(q.attributes[name])
	if err != nil {
		return numbers[name].usual
	}
	return n
}

// seconds is the value of an attribute that is a time.
func (q *queue) seconds(name string) time.Duration {
	return time.Duration(q.number(name)) * time.Second
}

// numbers are the attributes that are numbers, with their bounds and defaults:
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html.
var numbers = map[string]struct{ least, most, usual int }{
	"DelaySeconds":                  {0, 900, 0},
	"MaximumMessageSize":            {1024, maxBytes, maxBytes},
	"MessageRetentionPeriod":        {60, 1209600, 345600},
	"ReceiveMessageWaitTimeSeconds": {0, 20, 0},
	"VisibilityTimeout":             {0, 43200, 30},
}

// choices are the attributes that are words, with the words they may be. An
// empty list is any text.
var choices = map[string][]string{
	"ContentBasedDeduplication":    {"true", "false"},
	"DeduplicationScope":           {"queue", "messageGroup"},
	"FifoQueue":                    {"true"},
	"FifoThroughputLimit":          {"perQueue", "perMessageGroupId"},
	"KmsDataKeyReusePeriodSeconds": nil,
	"KmsMasterKeyId":               nil,
	"Policy":                       nil,
	"SqsManagedSseEnabled":         {"true", "false"},
}

var onlyFIFO = map[string]bool{"ContentBasedDeduplication": true, "DeduplicationScope": true, "FifoQueue": true, "FifoThroughputLimit": true}

var queueName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

func newQueue(in createInput, now time.Time) (*queue, error) {
	base, fifo := strings.CutSuffix(in.QueueName, fifoSuffix)
	if !queueName.MatchString(base) || len(in.QueueName) > 80 {
		return nil, invalid("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	if wants := in.Attributes["FifoQueue"] == "true"; wants != fifo {
		return nil, invalid("The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.")
	}
	q := &queue{name: in.QueueName, created: now, attributes: map[string]string{}, repeats: map[string]*message{}}
	for name, bounds := range numbers {
		q.attributes[name] = strconv.Itoa(bounds.usual)
	}
	q.attributes["SqsManagedSseEnabled"] = "true"
	if fifo {
		q.attributes["FifoQueue"], q.attributes["ContentBasedDeduplication"] = "true", "false"
		q.attributes["DeduplicationScope"], q.attributes["FifoThroughputLimit"] = "queue", "perQueue"
	}
	return q, q.set(in.Attributes, now)
}

// set changes attributes, all or none.
func (q *queue) set(attributes map[string]string, now time.Time) error {
	for name, value := range attributes {
		if err := q.allows(name, value); err != nil {
			return err
		}
	}
	for name, value := range attributes {
		q.attributes[name] = value
	}
	q.modified = now
	return nil
}

// allows says whether an attribute may have a value.
func (q *queue) allows(name, value string) error {
	words, isChoice := choices[name]
	bounds, isNumber := numbers[name]
	switch {
	case name == "RedrivePolicy" || name == "RedriveAllowPolicy":
		return refusal("UnsupportedOperation", "Dead-letter queues are not modelled.")
	case !isChoice && !isNumber, onlyFIFO[name] && !q.fifo():
		return refusal("InvalidAttributeName", "Unknown Attribute %s.", name)
	}
	bad := refusal("InvalidAttributeValue", "Invalid value for the parameter %s.", name)
	if isNumber {
		if n, err := strconv.Atoi(value); err != nil || n < bounds.least || n > bounds.most {
			return bad
		}
		return nil
	}
	for _, word := range words {
		if word == value {
			return nil
		}
	}
	if len(words) > 0 {
		return bad
	}
	return nil
}
