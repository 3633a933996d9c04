package dynamocheckpoint

import (
	"context"
	"errors"
	"regexp"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// values are what the words with a colon stand for. A write is given all that
// its caller has and sends those that it names; nil and the empty string are
// "not there" in a condition in braces.
type values map[string]types.AttributeValue

// expression is a write made ready to be sent.
type expression struct {
	update, condition *string
	names             map[string]string
	values            values
}

var (
	braced      = regexp.MustCompile(`\{(\w+) = (:\w+)\}`)
	valueNamed  = regexp.MustCompile(`:\w+`)
	reservedFor = regexp.MustCompile(`#\w+`)
)

// with fills in a write.
func (w write) with(v values) expression {
	var update string
	for _, clause := range []struct{ verb, what string }{{"SET ", w.set}, {"REMOVE ", w.remove}, {"", w.more}} {
		if clause.what != "" {
			update += clause.verb + clause.what + " "
		}
	}
	condition := braced.ReplaceAllStringFunc(w.condition, func(s string) string {
		part := braced.FindStringSubmatch(s)
		if isAbsent(v[part[2]]) {
			return "attribute_not_exists(" + part[1] + ")"
		}
		return part[1] + " = " + part[2]
	})
	e := expression{update: optional(update), condition: optional(condition)}
	for _, name := range valueNamed.FindAllString(update+condition, -1) {
		if e.values == nil {
			e.values = values{}
		}
		e.values[name] = v[name]
	}
	for _, name := range reservedFor.FindAllString(update+condition, -1) {
		if e.names == nil {
			e.names = map[string]string{}
		}
		e.names[name] = name[1:]
	}
	return e
}

func isAbsent(v types.AttributeValue) bool {
	s, ok := v.(*types.AttributeValueMemberS)
	return v == nil || ok && s.Value == ""
}

// optional is nil for the empty string, which DynamoDB refuses.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

const allOld = types.ReturnValuesOnConditionCheckFailureAllOld

// update sends a write as an UpdateItem and returns the row that it made.
func (t *Table) update(ctx context.Context, w write, table, keyName, key string, v values, options ...func(*dynamodb.Options)) (item, error) {
	e := w.with(v)
	out, err := t.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &table, Key: item{keyName: text(key)},
		UpdateExpression: e.update, ConditionExpression: e.condition,
		ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
		ReturnValues:                        types.ReturnValueAllNew,
		ReturnValuesOnConditionCheckFailure: allOld,
	}, options...)
	if err != nil {
		return nil, err
	}
	return out.Attributes, nil
}

// updating, putting, deleting and checking are a write as part of a transaction.
func updating(w write, table, keyName, key string, v values) types.TransactWriteItem {
	e := w.with(v)
	return types.TransactWriteItem{Update: &types.Update{
		TableName: &table, Key: item{keyName: text(key)},
		UpdateExpression: e.update, ConditionExpression: e.condition,
		ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
		ReturnValuesOnConditionCheckFailure: allOld,
	}}
}

func putting(w write, table string, row item) types.TransactWriteItem {
	e := w.with(nil)
	return types.TransactWriteItem{Put: &types.Put{
		TableName: &table, Item: row, ConditionExpression: e.condition,
		ReturnValuesOnConditionCheckFailure: allOld,
	}}
}

func deleting(w write, table, keyName, key string, v values) types.TransactWriteItem {
	e := w.with(v)
	return types.TransactWriteItem{Delete: &types.Delete{
		TableName: &table, Key: item{keyName: text(key)}, ConditionExpression: e.condition,
		ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
		ReturnValuesOnConditionCheckFailure: allOld,
	}}
}

func checking(w write, table, keyName, key string, v values) types.TransactWriteItem {
	e := w.with(v)
	return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
		TableName: &table, Key: item{keyName: text(key)}, ConditionExpression: e.condition,
		ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
		ReturnValuesOnConditionCheckFailure: allOld,
	}}
}

// transact sends a transaction. The client gives it a token of its own, so that
// its own retry of a transaction that was applied is answered with success.
func (t *Table) transact(ctx context.Context, parts ...types.TransactWriteItem) error {
	ctx, cancel := t.bounded(ctx)
	defer cancel()
	_, err := t.client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: parts})
	return err
}

// refusal tells whether a write was refused by its condition, and by which row.
// The row is nil if there is none, or if the server does not say.
func refusal(err error) (row item, refused bool) {
	var failed *types.ConditionalCheckFailedException
	if errors.As(err, &failed) {
		return failed.Item, true
	}
	return nil, false
}

// refusals are the parts of a transaction that were refused by their condition,
// with the rows that refused them. It is empty for a transaction that met
// another one, or was throttled: that one was not applied, and says nothing
// about the rows.
func refusals(err error) map[int]item {
	var cancelled *types.TransactionCanceledException
	if !errors.As(err, &cancelled) {
		return nil
	}
	rows := map[int]item{}
	for i, reason := range cancelled.CancellationReasons {
		if reason.Code != nil && *reason.Code == "ConditionalCheckFailed" {
			rows[i] = reason.Item
		}
	}
	return rows
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

// rate is a number with three decimals.
func rate(f float64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatFloat(f, 'f', 3, 64)}
}

func truth(b bool) types.AttributeValue { return &types.AttributeValueMemberBOOL{Value: b} }

func set(words []string) types.AttributeValue { return &types.AttributeValueMemberSS{Value: words} }
