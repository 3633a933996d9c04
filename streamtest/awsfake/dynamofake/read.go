package dynamofake

import "encoding/json"

type getRequest struct {
	TableName                string
	Key                      Item
	ConsistentRead           bool
	ProjectionExpression     *string
	ExpressionAttributeNames map[string]string
}

// found is an item that was read: as it is, and the part that was asked for.
type found struct{ whole, asked Item }

// lookUp reads one item; it counts the units, times a factor.
func (s *Service) lookUp(in getRequest, factor float64) (found, *table, error) {
	given, err := placeholdersOf(in.ExpressionAttributeNames, nil, in.ProjectionExpression != nil)
	if err != nil {
		return found{}, nil, err
	}
	paths, err := parseProjection(in.ProjectionExpression, given)
	if err != nil {
		return found{}, nil, err
	}
	if err := given.unused(); err != nil {
		return found{}, nil, err
	}
	t, err := s.active(in.TableName)
	if err != nil {
		return found{}, nil, err
	}
	if err := t.checkKey(in.Key); err != nil {
		return found{}, nil, err
	}
	it := s.read(t, in.ConsistentRead).get(t.keyOf(in.Key))
	t.consumed.read += factor * readUnits(it.size(), in.ConsistentRead)
	return found{it, project(it, paths)}, t, nil
}

// getItem is GetItem.
func (s *Service) getItem(in struct {
	getRequest
	ReturnConsumedCapacity string
}) (any, error) {
	it, t, err := s.lookUp(in.getRequest, 1)
	if err != nil {
		return nil, err
	}
	answer := object{}
	if it.whole != nil {
		answer["Item"] = it.asked
	}
	capacity(answer, in.ReturnConsumedCapacity, t.name, readUnits(it.whole.size(), in.ConsistentRead))
	return answer, nil
}

// keysAndAttributes is what BatchGetItem wants from one table.
type keysAndAttributes struct {
	Keys                     []Item
	ConsistentRead           bool              `json:",omitempty"`
	ProjectionExpression     *string           `json:",omitempty"`
	ExpressionAttributeNames map[string]string `json:",omitempty"`
}

// The limits of a batch:
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
const (
	maxBatchGet      = 100
	maxBatchGetBytes = 16 << 20
	maxBatchWrite    = 25
)

// batchGetItem is BatchGetItem. Keys beyond 16 MB of items come back unread.
func (s *Service) batchGetItem(in struct {
	RequestItems           map[string]keysAndAttributes
	ReturnConsumedCapacity string
}) (any, error) {
	keys := 0
	for _, want := range in.RequestItems {
		keys += len(want.Keys)
	}
	switch {
	case keys == 0:
		return nil, invalid("The batch get request list for a table cannot be null or empty")
	case keys > maxBatchGet:
		return nil, invalid("Too many items requested for the BatchGetItem call")
	}
	bytes := 0
	responses, unread, units := object{}, map[string]keysAndAttributes{}, map[string]float64{}
	for _, name := range sortedNames(in.RequestItems) {
		want := in.RequestItems[name]
		items, seen := []Item{}, map[string]bool{}
		for i, key := range want.Keys {
			it, t, err := s.lookUp(getRequest{name, key, want.ConsistentRead, want.ProjectionExpression, want.ExpressionAttributeNames}, 1)
			if err != nil {
				return nil, err
			}
			if seen[t.keyOf(key)] {
				return nil, invalid("Provided list of item keys contains duplicates")
			}
			seen[t.keyOf(key)] = true
			if bytes += it.whole.size(); bytes > maxBatchGetBytes {
				rest := want
				rest.Keys = want.Keys[i:]
				unread[name] = rest
				break
			}
			units[name] += readUnits(it.whole.size(), want.ConsistentRead)
			if it.whole != nil {
				items = append(items, it.asked)
			}
		}
		responses[name] = items
	}
	answer := object{"Responses": responses, "UnprocessedKeys": unread}
	capacities(answer, in.ReturnConsumedCapacity, units)
	return answer, nil
}

// batchWriteItem is BatchWriteItem: unconditional writes in one call, which are
// not one transaction.
func (s *Service) batchWriteItem(in struct {
	RequestItems                map[string][]json.RawMessage
	ReturnConsumedCapacity      string
	ReturnItemCollectionMetrics string
}) (any, error) {
	type part struct {
		PutRequest    *struct{ Item Item } `json:",omitempty"`
		DeleteRequest *struct{ Key Item }  `json:",omitempty"`
	}
	var writes []*write
	seen, unprocessed, count := map[string]bool{}, object{}, 0
	for _, name := range sortedNames(in.RequestItems) {
		if len(in.RequestItems[name]) == 0 {
			return nil, invalid("The batch write request list for a table cannot be null or empty")
		}
		parts, err := transactItems[part](in.RequestItems[name])
		if err != nil {
			return nil, err
		}
		for _, p := range parts {
			var w *write
			switch {
			case p.PutRequest != nil && p.DeleteRequest == nil:
				w, err = s.planPut(putRequest{conditional{TableName: name}, p.PutRequest.Item})
			case p.DeleteRequest != nil && p.PutRequest == nil:
				w, err = s.planDelete(keyRequest{conditional{TableName: name}, p.DeleteRequest.Key})
			default:
				err = invalid("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
			}
			if err != nil {
				return nil, err
			}
			place := w.table.name + "/" + w.key
			if seen[place] {
				return nil, invalid("Provided list of item keys contains duplicates")
			}
			seen[place] = true
			count++
			if p.PutRequest != nil && s.left != nil && s.left(name, p.PutRequest.Item) {
				left, _ := unprocessed[name].([]any)
				unprocessed[name] = append(left, p)
				continue
			}
			writes = append(writes, w)
		}
	}
	if count == 0 || count > maxBatchWrite {
		return nil, invalid("Too many items requested for the BatchWriteItem call")
	}
	units := map[string]float64{}
	for _, w := range writes {
		s.commit(w)
		units[w.table.name] += w.units
	}
	answer := object{"UnprocessedItems": unprocessed}
	capacities(answer, in.ReturnConsumedCapacity, units)
	return answer, nil
}
