// Package dynamodestination writes items into a table of Amazon DynamoDB: batches
// that were given up, and records that a handler emits.
//
// The table has a partition key of type string, id unless Options.PartitionKey
// names another, and no sort key. The item of a failure has the envelope of
// package destination in body, and condition, shardId and application beside it;
// its id is the failure's deduplication id, so that a repeat overwrites. The item
// of an emitted record has its id, its key, its payload in body (a string if it
// is text, else binary) and its attributes; or whatever Options.Item makes of it,
// which is how a handler fills a table of the user's own design.
//
// An item has at most 400 KB: without a Store (see destination.Packing) a single
// record above about 300 KB is described and not carried, and an emitted one is
// refused.
//
// The role needs dynamodb:BatchWriteItem on the table.
package dynamodestination

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/destination"
)

// API is what is used of *dynamodb.Client.
type API interface {
	BatchWriteItem(ctx context.Context, in *dynamodb.BatchWriteItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.BatchWriteItemOutput, error)
}

// Options change how items are made. The zero value is right.
type Options struct {
	// Packing says what happens to what is too large. MaxBytes is 400 KB
	// (destination.MaxDynamoDBBytes), names and values of the item together.
	destination.Packing
	// PartitionKey is the name of the table's partition key. Default: id.
	PartitionKey string
	// Item makes the item of an emitted record. Default: id, key, body and
	// attributes. It must always make the same of the same record, and give two
	// records that are to stand beside each other different keys. An error
	// refuses the record.
	Item func(*batching.Emitted) (map[string]types.AttributeValue, error)
	// Unordered fills every call with 25 items, whatever the records' keys are.
	// Default: of one key one at a time, so that one that is refused does not come
	// behind the next, which would matter where Item writes over what it wrote for
	// another record of that key.
	Unordered bool
}

// Table is a table as a destination. It keeps no state but counts, and may be
// used by several goroutines.
type Table struct {
	counter destination.Counter
	client  API
	given   string // as it was opened
	options Options
	problem error
}

var (
	_ destination.Destination = (*Table)(nil)
	_ destination.Publisher   = (*Table)(nil)
	_ destination.Validator   = (*Table)(nil)
)

// batchLimit is how many items one BatchWriteItem has,
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html.
const batchLimit = 25

// Open names a table by its name or its ARN. It calls nothing. What is wrong with
// its arguments, Validate says, and every Send and Publish.
func Open(client API, table string, optFns ...func(*Options)) *Table {
	t := &Table{client: client, given: table}
	t.options.MaxBytes, t.options.PartitionKey = destination.MaxDynamoDBBytes, "id"
	for _, fn := range optFns {
		fn(&t.options)
	}
	t.problem = t.check()
	return t
}

var tableName = regexp.MustCompile(`^[a-zA-Z0-9_.-]{3,255}$`)

func (t *Table) check() error {
	var problems []error
	if t.client == nil {
		problems = append(problems, errors.New("the client is nil"))
	}
	name := t.given
	if arn, ok := destination.ParseARN(t.given); ok && arn.Service == "dynamodb" {
		name, _ = strings.CutPrefix(arn.Resource, "table/")
	}
	if !tableName.MatchString(name) {
		problems = append(problems, fmt.Errorf("the table is %q, want its name or its ARN, arn:aws:dynamodb:<region>:<account>:table/<name>", t.given))
	}
	switch n := len(t.options.PartitionKey); {
	case n == 0 || n > 255:
		problems = append(problems, fmt.Errorf("PartitionKey has %d bytes, want 1 to 255", n))
	case reserved[t.options.PartitionKey]:
		problems = append(problems, fmt.Errorf("PartitionKey is %q, which is the name of something else in the item", t.options.PartitionKey))
	}
	if n := t.options.MaxBytes; n <= 0 || n > destination.MaxDynamoDBBytes {
		problems = append(problems, fmt.Errorf("MaxBytes is %d, want 1 to %d", n, destination.MaxDynamoDBBytes))
	}
	problems = append(problems, t.options.Packing.Validate())
	return errors.Join(problems...)
}

// reserved are the names of what stands beside the partition key.
var reserved = map[string]bool{"body": true, "key": true, "attributes": true, "condition": true, "shardId": true, "application": true}

// Validate says what is wrong with the arguments of Open, all at once.
func (t *Table) Validate() error { return t.problem }

// String is the table's name or ARN, as it was opened.
func (t *Table) String() string { return t.given }

// Counts says how many failures and records were accepted, and in which form.
func (t *Table) Counts() destination.Counts { return t.counter.Counts() }

// Send writes the failure, as one item or several, and returns nil when the table
// has accepted all of them. An error is a *destination.SendError.
func (t *Table) Send(ctx context.Context, f destination.Failure) error {
	if t.problem != nil {
		return f.Refusal(t, nil, fmt.Errorf("%w: %w", destination.ErrRefused, t.problem))
	}
	packing := t.options.Packing
	packing.MaxBytes -= sizeOf(t.failureItem(&f, nil))
	messages, err := packing.Pack(ctx, f)
	if err != nil {
		return f.Refusal(t, nil, err)
	}
	for i := range messages {
		item := t.failureItem(&messages[i].Part, messages[i].Body)
		fates, err := t.put(ctx, []map[string]types.AttributeValue{item})
		if err == nil {
			err = fates[0]
		}
		if err != nil {
			return f.Refusal(t, hints, fmt.Errorf("item %d of %d: %w", i+1, len(messages), err))
		}
	}
	t.counter.Accepted(messages)
	return nil
}

func (t *Table) failureItem(f *destination.Failure, body []byte) map[string]types.AttributeValue {
	item := map[string]types.AttributeValue{
		t.options.PartitionKey: text(f.DeduplicationID()),
		"body":                 text(string(body)),
	}
	for _, a := range f.Attributes() {
		item[a.Name] = text(a.Value)
	}
	return item
}

// Publish writes emitted records, up to 25 in a call, and returns nil when the
// table has accepted all of them. An error is a *destination.PublishError.
func (t *Table) Publish(ctx context.Context, records []batching.Emitted) error {
	if t.problem != nil {
		return destination.RefuseAll(t, records, t.problem)
	}
	return destination.Courier{
		Destination: t.given,
		Packing:     t.options.Packing,
		Form:        destination.FormBytes,
		Limit:       batchLimit,
		LimitBytes:  destination.MaxDynamoDBBatchBytes,
		Unordered:   t.options.Unordered,
		Extra:       t.beside,
		Send:        t.send,
		Isolate:     isolate,
		Hints:       hints,
		Counter:     &t.counter,
	}.Publish(ctx, records)
}

// beside is how many bytes the item of a record has beside its payload. An item
// that Options.Item can not make is refused when it is sent.
func (t *Table) beside(e *batching.Emitted) int {
	if t.options.Item != nil {
		item, err := t.options.Item(e)
		if err != nil {
			return 0
		}
		return sizeOf(item) - len(e.Data)
	}
	return sizeOf(t.emittedItem(e, nil))
}

// send makes one call of parcels whose items can be made.
func (t *Table) send(ctx context.Context, parcels []destination.Parcel) ([]error, error) {
	fates := make([]error, len(parcels))
	var items []map[string]types.AttributeValue
	var of []int
	for i := range parcels {
		item, err := t.item(&parcels[i])
		if err != nil {
			fates[i] = err
			continue
		}
		items, of = append(items, item), append(of, i)
	}
	if len(items) == 0 {
		return fates, nil
	}
	put, err := t.put(ctx, items)
	if err != nil {
		return nil, err
	}
	for n, i := range of {
		fates[i] = put[n]
	}
	return fates, nil
}

func (t *Table) item(p *destination.Parcel) (map[string]types.AttributeValue, error) {
	if t.options.Item == nil {
		return t.emittedItem(p.Record, p.Body), nil
	}
	if p.Claimed {
		return nil, fmt.Errorf("%w: its item is larger than an item may be, and Item says what is in it", destination.ErrRefused)
	}
	item, err := t.options.Item(p.Record)
	if err != nil {
		return nil, fmt.Errorf("make its item: %w", err)
	}
	return item, nil
}

func (t *Table) emittedItem(e *batching.Emitted, body []byte) map[string]types.AttributeValue {
	item := map[string]types.AttributeValue{t.options.PartitionKey: text(e.ID), "body": payload(body)}
	if e.Key != "" {
		item["key"] = payload([]byte(e.Key))
	}
	if len(e.Attributes) > 0 {
		all := make(map[string]types.AttributeValue, len(e.Attributes))
		for name, value := range e.Attributes {
			all[name] = payload([]byte(value))
		}
		item["attributes"] = &types.AttributeValueMemberM{Value: all}
	}
	return item
}

// put makes one call and tells the fate of each item.
func (t *Table) put(ctx context.Context, items []map[string]types.AttributeValue) ([]error, error) {
	requests := make([]types.WriteRequest, len(items))
	for i, item := range items {
		requests[i].PutRequest = &types.PutRequest{Item: item}
	}
	out, err := t.client.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{t.given: requests}})
	if err != nil {
		return nil, err
	}
	left := map[string]bool{}
	unnamed := 0
	for _, of := range out.UnprocessedItems {
		for _, r := range of {
			if r.PutRequest == nil {
				unnamed++
				continue
			}
			left[t.keyOf(r.PutRequest.Item)] = true
		}
	}
	fates := make([]error, len(items))
	for i, item := range items {
		if left[t.keyOf(item)] || unnamed > 0 {
			fates[i] = &destination.EntryError{Code: "Unprocessed", Message: "the table did not get to it"}
		}
	}
	return fates, nil
}

// keyOf tells the items of one call apart. Of a table with another key that is
// whatever Options.Item put there.
func (t *Table) keyOf(item map[string]types.AttributeValue) string {
	switch v := item[t.options.PartitionKey].(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return v.Value
	case *types.AttributeValueMemberB:
		return string(v.Value)
	}
	return ""
}

// isolate reports whether one item can be why a whole call was refused: one
// without the key, or two with the same.
func isolate(err error) bool {
	var coded interface{ ErrorCode() string }
	return errors.As(err, &coded) && coded.ErrorCode() == "ValidationException"
}

// sizeOf is what an item counts towards the limit: names and values, see
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html.
func sizeOf(item map[string]types.AttributeValue) int {
	n := 0
	for name, value := range item {
		n += len(name) + sizeOfValue(value)
	}
	return n
}

func sizeOfValue(v types.AttributeValue) int {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return len(v.Value)
	case *types.AttributeValueMemberB:
		return len(v.Value)
	case *types.AttributeValueMemberN:
		return sizeOfNumber(v.Value)
	case *types.AttributeValueMemberSS:
		return sum(v.Value, func(s string) int { return len(s) })
	case *types.AttributeValueMemberNS:
		return sum(v.Value, sizeOfNumber)
	case *types.AttributeValueMemberBS:
		return sum(v.Value, func(b []byte) int { return len(b) })
	case *types.AttributeValueMemberL:
		return 3 + sum(v.Value, func(e types.AttributeValue) int { return 1 + sizeOfValue(e) })
	case *types.AttributeValueMemberM:
		return 3 + len(v.Value) + sizeOf(v.Value)
	}
	return 1 // a boolean, null
}

// sizeOfNumber is about a byte for two digits, and one.
func sizeOfNumber(s string) int { return len(s)/2 + 2 }

func sum[T any](all []T, size func(T) int) int {
	n := 0
	for _, one := range all {
		n += size(one)
	}
	return n
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

// payload is text if it can be.
func payload(data []byte) types.AttributeValue {
	if utf8.Valid(data) {
		return text(string(data))
	}
	return &types.AttributeValueMemberB{Value: data}
}

// hints are by the codes of
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html#API_BatchWriteItem_Errors.
var hints = map[string]string{
	"AccessDeniedException":                  "access denied, the role needs dynamodb:BatchWriteItem on the table",
	"ResourceNotFoundException":              "there is no such table in this account and region",
	"ProvisionedThroughputExceededException": "the table is written faster than its capacity",
	"ValidationException":                    "the item is not as the table takes it: compare the table's key with PartitionKey",
}
