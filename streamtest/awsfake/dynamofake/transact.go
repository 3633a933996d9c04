package dynamofake

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The limits of a transaction:
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
const (
	maxTransaction      = 100
	maxTransactionBytes = 4 << 20
	tokenLife           = 10 * time.Minute
)

// settled is a transaction that was done under a ClientRequestToken.
type settled struct {
	at      time.Time
	request string
	answer  object
}

type transactWrite struct {
	Put            *putRequest
	Update         *updateRequest
	Delete         *keyRequest
	ConditionCheck *keyRequest
}

type transactWriteInput struct {
	TransactItems               []json.RawMessage
	ClientRequestToken          string
	ReturnConsumedCapacity      string
	ReturnItemCollectionMetrics string
}

// transactWriteItems is TransactWriteItems: all of its writes, or none.
//
// All conditions are judged against the state before the transaction; that is
// the same as one after the other, because no item may occur twice.
func (s *Service) transactWriteItems(in transactWriteInput) (any, error) {
	items, err := transactItems[transactWrite](in.TransactItems)
	if err != nil {
		return nil, err
	}
	request, err := sameText(in.TransactItems)
	if err != nil {
		return nil, err
	}
	if done, ok := s.settledBy(in.ClientRequestToken); ok {
		if done.request != request {
			return nil, &apiError{code: "IdempotentParameterMismatchException", message: "The provided idempotent token was used with different parameters"}
		}
		return done.answer, nil
	}
	writes, err := s.planAll(items)
	if err != nil {
		return nil, err
	}
	units := map[string]float64{}
	for _, w := range writes {
		w.transactional = true
		s.commit(w)
		units[w.table.name] += w.units
	}
	answer := object{}
	capacities(answer, in.ReturnConsumedCapacity, units)
	if in.ClientRequestToken != "" {
		s.tokens[in.ClientRequestToken] = settled{s.now(), request, answer}
	}
	return answer, nil
}

// transactItems reads the parts of a transaction, each with its parameters
// checked as those of a single request are.
func transactItems[T any](raw []json.RawMessage) ([]T, error) {
	if len(raw) == 0 || len(raw) > maxTransaction {
		return nil, invalid("1 validation error detected: Value at 'transactItems' failed to satisfy constraint: Member must have length between 1 and %d", maxTransaction)
	}
	items := make([]T, len(raw))
	for i, r := range raw {
		read := decoded(func(_ *Service, item T) (any, error) {
			items[i] = item
			return nil, nil
		})
		if _, err := read(nil, r); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// sameText is one text for equal requests, however their members are ordered.
func sameText(items []json.RawMessage) (string, error) {
	whole, err := json.Marshal(items)
	if err != nil {
		return "", malformed(err)
	}
	var request any
	if err := json.Unmarshal(whole, &request); err != nil {
		return "", malformed(err)
	}
	ordered, err := json.Marshal(request) // members of objects in order of name
	return string(ordered), err
}

// settledBy is the transaction that was done under a token in the last ten
// minutes. Older ones are forgotten here.
func (s *Service) settledBy(token string) (settled, bool) {
	now := s.now()
	for t, done := range s.tokens {
		if now.Sub(done.at) > tokenLife {
			delete(s.tokens, t)
		}
	}
	done, ok := s.tokens[token]
	return done, ok && token != ""
}

// planAll decides all writes of a transaction, or says why each cannot be.
func (s *Service) planAll(items []transactWrite) ([]*write, error) {
	writes := make([]*write, len(items))
	reasons := make([]object, len(items))
	codes := make([]string, len(items))
	seen := map[string]bool{}
	cancelled, bytes := false, 0
	for i, item := range items {
		place, err := s.placeOf(item)
		if err != nil {
			return nil, err
		}
		if seen[place] {
			return nil, invalid("Transaction request cannot include multiple operations on one item")
		}
		seen[place] = true
		w, err := s.planOne(item)
		codes[i], reasons[i] = "None", object{"Code": "None"}
		if err == nil {
			writes[i] = w
			bytes += max(w.after.size(), w.before.size())
			continue
		}
		var refused *apiError
		if !errors.As(err, &refused) || refused.code != "ConditionalCheckFailedException" {
			return nil, err
		}
		cancelled = true
		codes[i] = "ConditionalCheckFailed"
		reasons[i] = object{"Code": codes[i], "Message": refused.message}
		if old, ok := refused.more["Item"]; ok {
			reasons[i]["Item"] = old
		}
	}
	if bytes > maxTransactionBytes {
		return nil, invalid("Transaction request size has exceeded the maximum allowed size of 4 MB")
	}
	if cancelled {
		return nil, &apiError{
			code:    "TransactionCanceledException",
			message: fmt.Sprintf("Transaction cancelled, please refer cancellation reasons for specific reasons [%s]", strings.Join(codes, ", ")),
			more:    object{"CancellationReasons": reasons},
		}
	}
	return writes, nil
}

// placeOf is the table and key that a part of a transaction is about.
func (s *Service) placeOf(item transactWrite) (string, error) {
	var tables []string
	var key Item
	add := func(name string, k Item) { tables, key = append(tables, name), k }
	if item.Put != nil {
		add(item.Put.TableName, item.Put.Item)
	}
	if item.Update != nil {
		add(item.Update.TableName, item.Update.Key)
	}
	if item.Delete != nil {
		add(item.Delete.TableName, item.Delete.Key)
	}
	if item.ConditionCheck != nil {
		add(item.ConditionCheck.TableName, item.ConditionCheck.Key)
	}
	if len(tables) != 1 {
		return "", invalid("TransactItems can only contain one of Check, Put, Update or Delete")
	}
	t, err := s.active(tables[0])
	if err != nil {
		return "", err
	}
	return t.name + "/" + t.keyOf(key), nil
}

func (s *Service) planOne(item transactWrite) (*write, error) {
	switch {
	case item.Put != nil:
		return s.planPut(*item.Put)
	case item.Update != nil:
		return s.planUpdate(*item.Update)
	case item.Delete != nil:
		return s.planDelete(*item.Delete)
	}
	return s.planCheck(*item.ConditionCheck)
}

type transactGet struct {
	Get *struct {
		TableName                string
		Key                      Item
		ProjectionExpression     *string
		ExpressionAttributeNames map[string]string
	}
}

// transactGetItems is TransactGetItems: all items as of one instant.
func (s *Service) transactGetItems(in struct {
	TransactItems          []json.RawMessage
	ReturnConsumedCapacity string
}) (any, error) {
	items, err := transactItems[transactGet](in.TransactItems)
	if err != nil {
		return nil, err
	}
	units := map[string]float64{}
	responses := make([]object, len(items))
	for i, item := range items {
		if item.Get == nil {
			return nil, invalid("The Get of a transaction item must not be null")
		}
		it, t, err := s.lookUp(getRequest{
			TableName: item.Get.TableName, Key: item.Get.Key, ConsistentRead: true,
			ProjectionExpression: item.Get.ProjectionExpression, ExpressionAttributeNames: item.Get.ExpressionAttributeNames,
		}, 2)
		if err != nil {
			return nil, err
		}
		units[t.name] += 2 * readUnits(it.whole.size(), true)
		responses[i] = object{}
		if it.whole != nil {
			responses[i]["Item"] = it.asked
		}
	}
	answer := object{"Responses": responses}
	capacities(answer, in.ReturnConsumedCapacity, units)
	return answer, nil
}
