package dynamofake

import (
	"slices"
)

// query is Query.
func (s *Service) query(in struct {
	listing
	KeyConditionExpression *string
	ScanIndexForward       *bool
}) (any, error) {
	if in.KeyConditionExpression == nil {
		return nil, invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
	}
	f, err := s.open(in.listing, true)
	if err != nil {
		return nil, err
	}
	c, err := parseCondition("KeyConditionExpression", in.KeyConditionExpression, f.given)
	if err != nil {
		return nil, err
	}
	if err := f.given.unused(); err != nil {
		return nil, err
	}
	pk, err := f.checkKeyCondition(c)
	if err != nil {
		return nil, err
	}
	if err := f.checkFilter(); err != nil {
		return nil, err
	}
	partition := f.partition(f.entriesOf(s.read(f.table, in.ConsistentRead), pk), pk)
	forward := in.ScanIndexForward == nil || *in.ScanIndexForward
	matching := make([]*row, 0, len(partition))
	for _, e := range partition {
		if c.holds(e.item) {
			matching = append(matching, e)
		}
	}
	if forward {
		matching, err = f.after(matching, in.ExclusiveStartKey)
	} else {
		matching, err = f.before(matching, in.ExclusiveStartKey)
	}
	if err != nil {
		return nil, err
	}
	return f.page(matching, in.listing), nil
}

// partition are the entries with one partition key.
func (f *shelf) partition(entries []*row, pk Value) []*row {
	low := (&table{schema: f.schema}).newRow("", Item{f.schema.hash: pk})
	byPartition := func(e, low *row) int {
		return orderRows(&row{hash: e.hash, pk: e.pk}, &row{hash: low.hash, pk: low.pk})
	}
	from, _ := slices.BinarySearchFunc(entries, low, byPartition)
	to := from
	for to < len(entries) && byPartition(entries[to], low) == 0 {
		to++
	}
	return entries[from:to]
}

// before is after for reading backwards: the entries in front of the key, the
// nearest first.
func (f *shelf) before(entries []*row, start Item) ([]*row, error) {
	rest, err := f.after(entries, start)
	if err != nil {
		return nil, err
	}
	if start != nil {
		entries = entries[:len(entries)-len(rest)]
		if n := len(entries); n > 0 && f.keysOf(entries[n-1].item).Equal(f.keysOf(start)) {
			entries = entries[:n-1]
		}
	}
	entries = slices.Clone(entries)
	slices.Reverse(entries)
	return entries, nil
}

// checkKeyCondition refuses what a key condition may not be, and gives the
// partition key. Allowed are: hash = :v, and with it at most one of = < <= > >=
// BETWEEN begins_with about the sort key.
func (f *shelf) checkKeyCondition(c condition) (pk Value, err error) {
	parts := flatten(c)
	if len(parts) > 2 {
		return Value{}, invalid("Conditions can be of length 1 or 2 only")
	}
	sorted := false
	for _, part := range parts {
		name, op, values, ok := keyPart(part)
		switch {
		case !ok:
			return Value{}, invalid("Invalid KeyConditionExpression: Invalid operator used in KeyConditionExpression")
		case name == f.schema.hash && op == "=" && !pk.Exists():
			pk = values[0]
		case name == f.schema.hash:
			return Value{}, invalid("Query key condition not supported")
		case name == f.schema.sort && name != "" && !sorted:
			sorted = true
		default:
			return Value{}, invalid("Query condition missed key schema element: %s", f.schema.hash)
		}
		for _, v := range values {
			if v.kind != f.table.defined[name] {
				return Value{}, invalid("One or more parameter values were invalid: Condition parameter type does not match schema type")
			}
			if v.text == "" && (name == f.schema.hash || op != "begins_with") {
				return Value{}, invalid("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: %s", name)
			}
		}
	}
	if !pk.Exists() {
		return Value{}, invalid("Query condition missed key schema element: %s", f.schema.hash)
	}
	return pk, nil
}

// flatten are the parts of nested conjunctions.
func flatten(c condition) []condition {
	all, ok := c.(allOf)
	if !ok {
		return []condition{c}
	}
	var parts []condition
	for _, part := range all {
		parts = append(parts, flatten(part)...)
	}
	return parts
}

// keyPart takes a part of a key condition apart: attribute op values.
func keyPart(c condition) (name, op string, values []Value, ok bool) {
	var operands []operand
	switch c := c.(type) {
	case comparison:
		op, operands = c.op, []operand{c.left, c.right}
		if _, turned := c.left.(literal); turned {
			slices.Reverse(operands)
			op = map[string]string{"<": ">", ">": "<", "<=": ">=", ">=": "<="}[op]
			if op == "" {
				op = c.op
			}
		}
	case between:
		op, operands = "BETWEEN", []operand{c.v, c.low, c.high}
	case beginsWith:
		op, operands = "begins_with", []operand{c.v, c.prefix}
	}
	if len(operands) == 0 || op == "<>" {
		return "", "", nil, false
	}
	at, isPath := operands[0].(path)
	if !isPath || len(at) != 1 {
		return "", "", nil, false
	}
	for _, o := range operands[1:] {
		l, isLiteral := o.(literal)
		if !isLiteral {
			return "", "", nil, false
		}
		values = append(values, l.v)
	}
	return at.attribute(), op, values, true
}

// checkFilter refuses a filter about the key: a query has key conditions for it.
func (f *shelf) checkFilter() error {
	for _, p := range pathsOf(f.filter) {
		if slices.Contains(f.schema.names(), p.attribute()) {
			return invalid("Filter Expression can only contain non-primary key attributes: Primary key attribute: %s", p.attribute())
		}
	}
	return nil
}

// pathsOf are the paths that a condition looks at.
func pathsOf(c condition) []path {
	var paths []path
	look := func(operands ...operand) {
		for _, o := range operands {
			switch o := o.(type) {
			case path:
				paths = append(paths, o)
			case sizeOf:
				paths = append(paths, o.of)
			}
		}
	}
	switch c := c.(type) {
	case allOf:
		for _, part := range c {
			paths = append(paths, pathsOf(part)...)
		}
	case anyOf:
		for _, part := range c {
			paths = append(paths, pathsOf(part)...)
		}
	case not:
		paths = pathsOf(c.c)
	case comparison:
		look(c.left, c.right)
	case between:
		look(c.v, c.low, c.high)
	case oneOf:
		look(append(c.list, c.v)...)
	case presence:
		look(c.at)
	case typeIs:
		look(c.at)
	case beginsWith:
		look(c.v, c.prefix)
	case contains:
		look(c.v, c.part)
	}
	return paths
}
