package snsdestination

import (
	"context"
	"errors"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
)

// batchLimit is how many messages one PublishBatch has; together they have
// destination.MaxSNSBytes,
// https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html.
const batchLimit = 10

// Publish publishes emitted records, up to 10 in a call, and returns nil when the
// topic has accepted all of them. An error is a *destination.PublishError.
func (t *Topic) Publish(ctx context.Context, records []batching.Emitted) error {
	if t.problem != nil {
		return destination.RefuseAll(t, records, t.problem)
	}
	return destination.Courier{
		Destination: t.arn,
		Packing:     t.options.Packing,
		Form:        destination.FormText,
		Limit:       batchLimit,
		LimitBytes:  t.options.MaxBytes,
		Unordered:   t.options.Unordered,
		Send:        t.sendBatch,
		Isolate:     isolate,
		Hints:       hints,
		Counter:     &t.counter,
	}.Publish(ctx, records)
}

func (t *Topic) sendBatch(ctx context.Context, parcels []destination.Parcel) ([]error, error) {
	in := &sns.PublishBatchInput{TopicArn: &t.arn}
	for i := range parcels {
		in.PublishBatchRequestEntries = append(in.PublishBatchRequestEntries, t.entry(i, &parcels[i]))
	}
	out, err := t.client.PublishBatch(ctx, in)
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
var errUntold = errors.New("the topic did not say what became of it")

func number(id *string, n int) (int, bool) {
	i, err := strconv.Atoi(aws.ToString(id))
	return i, err == nil && i >= 0 && i < n
}

func (t *Topic) entry(i int, p *destination.Parcel) types.PublishBatchRequestEntry {
	e := types.PublishBatchRequestEntry{
		Id:                aws.String(strconv.Itoa(i)),
		Message:           aws.String(string(p.Body)),
		MessageAttributes: make(map[string]types.MessageAttributeValue, len(p.Attributes)),
	}
	for _, a := range p.Attributes {
		e.MessageAttributes[a.Name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(a.Value)}
	}
	if t.FIFO() {
		e.MessageGroupId = aws.String(destination.KeyGroup(p.Record))
		e.MessageDeduplicationId = aws.String(destination.RepeatID(t.options.Scope, p.Record))
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
	case "BatchRequestTooLong", "InvalidParameter", "InvalidParameterValue", "ParameterValueInvalid", "ValidationException":
		return true
	}
	return false
}
