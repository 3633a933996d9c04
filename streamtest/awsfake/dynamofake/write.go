package dynamofake

import "slices"

// maxItem is the largest item in bytes:
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
const maxItem = 400 * 1024

// conditional are the parameters that all writes share.
type conditional struct {
	TableName                           string
	ConditionExpression                 *string
	ExpressionAttributeNames            map[string]string
	ExpressionAttributeValues           Item
	ReturnValuesOnConditionCheckFailure string
}

type putRequest struct {
	conditional
	Item Item
}

type updateRequest struct {
	conditional
	Key              Item
	UpdateExpression *string
}

// keyRequest is a deletion, or in a transaction a mere check.
type keyRequest struct {
	conditional
	Key Item
}

// answering are the parameters about the answer of a single write.
type answering struct {
	ReturnValues                string
	ReturnConsumedCapacity      string
	ReturnItemCollectionMetrics string // accepted; there are no local indexes to measure
}

// write is a planned write: its condition held when it was planned.
type write struct {
	table         *table
	key           string
	before, after Item // nil where there is no item
	touched       []path
	transactional bool
	expired       bool // time to live took the item
	units         float64
}

// planPut decides a PutItem against the present state, and changes nothing.
func (s *Service) planPut(in putRequest) (*write, error) {
	t, given, err := s.begin(in.conditional, false)
	if err != nil {
		return nil, err
	}
	c, err := conditionOf(in.conditional, given)
	if err != nil {
		return nil, err
	}
	if err := t.checkItem(in.Item); err != nil {
		return nil, err
	}
	if in.Item.size() > maxItem {
		return nil, invalid("Item size has exceeded the maximum allowed size")
	}
	return s.plan(t, in.conditional, in.Item, c, func(Item) (Item, error) { return in.Item, nil })
}

// planUpdate decides an UpdateItem.
func (s *Service) planUpdate(in updateRequest) (*write, error) {
	t, given, err := s.begin(in.conditional, in.UpdateExpression != nil)
	if err != nil {
		return nil, err
	}
	u, err := parseUpdate(in.UpdateExpression, given)
	if err != nil {
		return nil, err
	}
	c, err := conditionOf(in.conditional, given)
	if err != nil {
		return nil, err
	}
	if err := t.checkKey(in.Key); err != nil {
		return nil, err
	}
	for _, p := range u.paths() {
		if slices.Contains(t.schema.names(), p.attribute()) {
			return nil, invalid("One or more parameter values were invalid: Cannot update attribute %s. This attribute is part of the key", p.attribute())
		}
	}
	w, err := s.plan(t, in.conditional, in.Key, c, func(before Item) (Item, error) {
		if before == nil {
			before = in.Key
		}
		after, err := u.apply(before)
		if err != nil {
			return nil, err
		}
		if after.size() > maxItem {
			return nil, invalid("Item size to update has exceeded the maximum allowed size")
		}
		return after, t.checkIndexKeys(after)
	})
	if err != nil {
		return nil, err
	}
	w.touched = u.paths()
	return w, nil
}

// planDelete decides a DeleteItem.
func (s *Service) planDelete(in keyRequest) (*write, error) {
	return s.planKey(in, func(Item) (Item, error) { return nil, nil })
}

// planCheck decides a ConditionCheck.
func (s *Service) planCheck(in keyRequest) (*write, error) {
	if in.ConditionExpression == nil {
		return nil, invalid("The ConditionExpression of a ConditionCheck must not be null")
	}
	return s.planKey(in, func(before Item) (Item, error) { return before, nil })
}

func (s *Service) planKey(in keyRequest, change func(Item) (Item, error)) (*write, error) {
	t, given, err := s.begin(in.conditional, false)
	if err != nil {
		return nil, err
	}
	c, err := conditionOf(in.conditional, given)
	if err != nil {
		return nil, err
	}
	if err := t.checkKey(in.Key); err != nil {
		return nil, err
	}
	return s.plan(t, in.conditional, in.Key, c, change)
}

// begin finds the table and gathers the placeholders. expressions says whether
// there are expressions beside the condition.
func (s *Service) begin(in conditional, expressions bool) (*table, *placeholders, error) {
	switch in.ReturnValuesOnConditionCheckFailure {
	case "", "NONE", "ALL_OLD":
	default:
		return nil, nil, unknownValue("returnValuesOnConditionCheckFailure", in.ReturnValuesOnConditionCheckFailure, "[ALL_OLD, NONE]")
	}
	given, err := placeholdersOf(in.ExpressionAttributeNames, in.ExpressionAttributeValues, expressions || in.ConditionExpression != nil)
	if err != nil {
		return nil, nil, err
	}
	t, err := s.active(in.TableName)
	return t, given, err
}

// conditionOf reads the condition, which is the last expression of a write.
func conditionOf(in conditional, given *placeholders) (condition, error) {
	c, err := parseCondition("ConditionExpression", in.ConditionExpression, given)
	if err != nil {
		return nil, err
	}
	return c, given.unused()
}

// plan checks the condition against the row and computes what follows it.
func (s *Service) plan(t *table, in conditional, key Item, c condition, change func(Item) (Item, error)) (*write, error) {
	w := &write{table: t, key: t.keyOf(key)}
	w.before = t.get(w.key)
	if !c.holds(w.before) {
		// A refused write costs what a granted one would.
		t.consumed.write += blocks(w.before)
		refused := &apiError{code: "ConditionalCheckFailedException", message: "The conditional request failed"}
		if in.ReturnValuesOnConditionCheckFailure == "ALL_OLD" && w.before != nil {
			refused.more = object{"Item": w.before}
		}
		return nil, refused
	}
	var err error
	w.after, err = change(w.before)
	return w, err
}

func unknownValue(parameter, got, allowed string) error {
	return invalid("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must satisfy enum value set: %s", got, parameter, allowed)
}

// putItem is PutItem.
func (s *Service) putItem(in struct {
	putRequest
	answering
}) (any, error) {
	return s.single(in.answering, onlyOld, func() (*write, error) { return s.planPut(in.putRequest) })
}

// deleteItem is DeleteItem.
func (s *Service) deleteItem(in struct {
	keyRequest
	answering
}) (any, error) {
	return s.single(in.answering, onlyOld, func() (*write, error) { return s.planDelete(in.keyRequest) })
}

// updateItem is UpdateItem.
func (s *Service) updateItem(in struct {
	updateRequest
	answering
}) (any, error) {
	return s.single(in.answering, oldOrNew, func() (*write, error) { return s.planUpdate(in.updateRequest) })
}

// single plans a write, commits it and answers as it asked.
func (s *Service) single(in answering, returns func(string) error, plan func() (*write, error)) (any, error) {
	if err := returns(in.ReturnValues); err != nil {
		return nil, err
	}
	w, err := plan()
	if err != nil {
		return nil, err
	}
	s.commit(w)
	return w.answer(in), nil
}

// oldOrNew refuses what ReturnValues cannot be.
func oldOrNew(returns string) error {
	if slices.Contains([]string{"", "NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW"}, returns) {
		return nil
	}
	return unknownValue("returnValues", returns, "[ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]")
}

// onlyOld refuses what ReturnValues cannot be where nothing new is returned.
func onlyOld(returns string) error {
	switch returns {
	case "", "NONE", "ALL_OLD":
		return nil
	case "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW":
		return invalid("Return values set to invalid value")
	}
	return oldOrNew(returns)
}

// answer is what a single write is answered with.
func (w *write) answer(in answering) object {
	answer := object{}
	var back Item
	switch in.ReturnValues {
	case "ALL_OLD":
		back = w.before
	case "ALL_NEW":
		back = w.after
	case "UPDATED_OLD":
		back = w.updated(w.before)
	case "UPDATED_NEW":
		back = w.updated(w.after)
	}
	if len(back) > 0 {
		answer["Attributes"] = back
	}
	capacity(answer, in.ReturnConsumedCapacity, w.table.name, w.units)
	return answer
}

// updated are the attributes in which the item has something at a path of the
// update, each as a whole.
func (w *write) updated(it Item) Item {
	out := Item{}
	for _, p := range w.touched {
		if _, ok := p.value(it); ok {
			out[p.attribute()] = it[p.attribute()]
		}
	}
	return out
}
