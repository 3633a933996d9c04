package sqsdestination

import (
	"context"
	"errors"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
)

// batchLimit is how many messages one SendMessageBatch has; together they have
// destination.MaxSQSBytes,
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html.
const batchLimit = 10

// Publish sends emitted records, up to 10 in a call, and returns nil when the
// queue has accepted all of them. An error is a *destination.PublishError.
func (q *Queue) Publish(ctx context.Context, records []batching.Emitted) error {
	if q.problem != nil {
		return destination.RefuseAll(q, records, q.problem)
	}
	return destination.Courier{
		Destination: q.url,
		Packing:     q.options.Packing,
		Form:        destination.FormText,
		Limit:       batchLimit,
		LimitBytes:  destination.MaxSQSBytes,
		Unordered:   q.options.Unordered,
		Send:        q.sendBatch,
		Isolate:     isolate,
		Hints:       hints,
		Counter:     &q.counter,
	}.Publish(ctx, records)
}

func (q *Queue) sendBatch(ctx context.Context, parcels []destination.Parcel) ([]error, error) {
	in := &sqs.SendMessageBatchInput{QueueUrl: &q.url}
	for i := range parcels {
		in.Entries = append(in.Entries, q.entry(i, &parcels[i]))
	}
	out, err := q.client.SendMessageBatch(ctx, in)
	if err != nil {
		return nil, err
	}
	fates := make([]error, len(parcels))
	for i := range fates {
		fates[i] = errUntold
	}
	for _, e := range out.Successful {
		if i, ok := number(e.Id, len(parcels)); ok {
			fates[i] = nil
		}
	}
	for _, e := range out.Failed {
		if i, ok := number(e.Id, len(parcels)); ok {
			fates[i] = &destination.EntryError{Code: aws.ToString(e.Code), Message: aws.ToString(e.Message)}
		}
	}
	return fates, nil
}

// errUntold is for a message that the answer does not mention.
var errUntold = errors.New("the queue did not say what became of it")

func number(id *string, n int) (int, bool) {
	i, err := strconv.Atoi(aws.ToString(id))
	return i, err == nil && i >= 0 && i < n
}

func (q *Queue) entry(i int, p *destination.Parcel) types.SendMessageBatchRequestEntry {
	e := types.SendMessageBatchRequestEntry{
		Id:                aws.String(strconv.Itoa(i)),
		MessageBody:       aws.String(string(p.Body)),
		MessageAttributes: make(map[string]types.MessageAttributeValue, len(p.Attributes)),
	}
	for _, a := range p.Attributes {
		e.MessageAttributes[a.Name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(a.Value)}
	}
	if q.FIFO() {
		e.MessageGroupId = aws.String(destination.KeyGroup(p.Record))
		e.MessageDeduplicationId = aws.String(destination.RepeatID(q.options.Scope, p.Record))
	}
	return e
}

// isolate reports whether one message can be why a whole batch was refused.
func isolate(err error) bool {
	var coded interface{ ErrorCode() string }
	if !errors.As(err, &coded) {
		return false
	}
	switch coded.ErrorCode() {
	case "BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong",
		"InvalidMessageContents", "InvalidParameterValue", "InvalidAttributeValue":
		return true
	}
	return false
}
