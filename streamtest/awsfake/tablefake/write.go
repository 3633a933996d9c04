package tablefake

import "maps"

// writeInput is what the single writes and the parts of a transaction share.
type writeInput struct {
	TableName                           string
	Item, Key                           Item
	ConditionExpression                 *string
	UpdateExpression                    *string
	ExpressionAttributeNames            map[string]string
	ExpressionAttributeValues           Item
	ReturnValues                        string
	ReturnValuesOnConditionCheckFailure string
	ReturnConsumedCapacity              string
	ReturnItemCollectionMetrics         string
}

type writeOutput struct {
	Attributes Item `json:",omitempty"`
}

// plan is a write that has been checked and not applied.
type plan struct {
	table  *table
	key    Item
	before Item
	after  Item // nil: the row is to be gone
	check  bool // only the condition counts
	update *update
}

func (s *Service) putItem(in writeInput) (writeOutput, error) {
	return s.writeOne("Put", in)
}

func (s *Service) updateItem(in writeInput) (writeOutput, error) {
	return s.writeOne("Update", in)
}

func (s *Service) deleteItem(in writeInput) (writeOutput, error) {
	return s.writeOne("Delete", in)
}

func (s *Service) writeOne(kind string, in writeInput) (writeOutput, error) {
	return locked(s, func() (writeOutput, error) {
		p, err := s.prepare(kind, in)
		if err != nil {
			return writeOutput{}, err
		}
		s.apply(p)
		return writeOutput{Attributes: p.returned(in.ReturnValues)}, nil
	})
}

// prepare checks a write against the state as it is, without applying it.
func (s *Service) prepare(kind string, in writeInput) (plan, error) {
	t, err := s.find(in.TableName)
	if err != nil {
		return plan{}, err
	}
	given, err := placeholdersOf(in.ExpressionAttributeNames, in.ExpressionAttributeValues,
		in.ConditionExpression != nil || in.UpdateExpression != nil)
	if err != nil {
		return plan{}, err
	}
	p := plan{table: t, key: in.Key}
	cond, err := parseCondition("ConditionExpression", in.ConditionExpression, given)
	if err != nil {
		return p, err
	}
	if p.update, err = parseUpdate(in.UpdateExpression, given); err != nil {
		return p, err
	}
	if err := given.unused(); err != nil {
		return p, err
	}
	if kind == "Put" {
		if err := t.checkKeyOf(in.Item, "One or more parameter values were invalid: Missing the key "+t.schema.hash+" in the item"); err != nil {
			return p, err
		}
		p.key = t.schema.key(in.Item)
	} else if err := t.checkKey(in.Key); err != nil {
		return p, err
	}
	p.before = t.rows[t.schema.id(p.key)]
	if cond != nil && !cond.holds(p.before) {
		e := &Error{Code: "ConditionalCheckFailedException", Message: "The conditional request failed"}
		if in.ReturnValuesOnConditionCheckFailure == "ALL_OLD" {
			e.Item = p.before
		}
		return p, e
	}
	switch kind {
	case "Put":
		p.after = in.Item
	case "Update":
		for name := range p.update.touches() {
			if name == t.schema.hash || name == t.schema.sort {
				return p, invalid("One or more parameter values were invalid: Cannot update attribute %s. This attribute is part of the key", name)
			}
		}
		if p.after, err = p.update.apply(p.before); err != nil {
			return p, err
		}
		maps.Copy(p.after, p.key)
	case "ConditionCheck":
		p.check = true
	}
	if p.after.size() > maxItemSize {
		return p, invalid("Item size has exceeded the maximum allowed size")
	}
	return p, t.checkIndexKeys(p.after)
}

// checkIndexKeys refuses a row whose attribute of an index's key has a type that
// the index does not have.
func (t *table) checkIndexKeys(it Item) error {
	for _, x := range t.indexes {
		for _, name := range x.schema.names() {
			if v, ok := it[name]; ok && (v.kind != t.types[name] || v.text == "") {
				return invalid("One or more parameter values were invalid: Type mismatch for Index Key %s Expected: %s Actual: %s IndexName: %s", name, t.types[name], v.kind, x.name)
			}
		}
	}
	return nil
}

func (s *Service) apply(p plan) {
	switch {
	case p.check:
		p.table.writes += writeUnits(p.before.size())
	case p.after == nil:
		s.remove(p.table, p.key)
	default:
		s.store(p.table, p.after)
	}
}

// returned is what ReturnValues asks for.
func (p plan) returned(what string) Item {
	switch what {
	case "ALL_OLD":
		return p.before
	case "ALL_NEW":
		return p.after
	case "UPDATED_OLD", "UPDATED_NEW":
		from := p.before
		if what == "UPDATED_NEW" {
			from = p.after
		}
		out := Item{}
		for name := range p.update.touches() {
			if v, ok := from[name]; ok {
				out[name] = v
			}
		}
		return out
	}
	return nil
}
