package dynamofake

// The longest keys: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
const (
	maxPartitionKey = 2048
	maxSortKey      = 1024
)

// checkKey refuses what is not exactly the table's key.
func (t *table) checkKey(key Item) error {
	names := t.schema.names()
	if len(key) != len(names) {
		return invalid("The provided key element does not match the schema")
	}
	for _, name := range names {
		if v, ok := key[name]; !ok || v.kind != t.defined[name] {
			return invalid("The provided key element does not match the schema")
		}
	}
	return t.checkKeyValues(key)
}

// checkItem refuses an item that cannot stand in the table.
func (t *table) checkItem(it Item) error {
	for _, name := range t.schema.names() {
		v, ok := it[name]
		if !ok {
			return invalid("One or more parameter values were invalid: Missing the key %s in the item", name)
		}
		if v.kind != t.defined[name] {
			return invalid("One or more parameter values were invalid: Type mismatch for key %s expected: %s actual: %s", name, t.defined[name], v.kind)
		}
	}
	if err := t.checkKeyValues(it); err != nil {
		return err
	}
	return t.checkIndexKeys(it)
}

// checkKeyValues refuses key values that are empty or too long.
func (t *table) checkKeyValues(it Item) error {
	for _, name := range t.schema.names() {
		v := it[name]
		longest, which := maxPartitionKey, "hashkey"
		if name == t.schema.sort {
			longest, which = maxSortKey, "rangekey"
		}
		switch {
		case v.text == "" && v.kind == KindString:
			return invalid("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: %s", name)
		case v.text == "" && v.kind == KindBinary:
			return invalid("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty binary value. Key: %s", name)
		case len(v.text) > longest:
			return invalid("One or more parameter values were invalid: Size of %s has exceeded the maximum size limit of %d bytes", which, longest)
		}
	}
	return nil
}

// checkIndexKeys refuses an item whose attributes cannot be keys of the indexes
// that would hold it. An item without the attribute is fine: no index holds it.
func (t *table) checkIndexKeys(it Item) error {
	for _, x := range t.indexes {
		for _, name := range x.schema.names() {
			v, ok := it[name]
			switch {
			case !ok:
			case v.kind != t.defined[name]:
				return invalid("One or more parameter values were invalid: Type mismatch for Index Key %s Expected: %s Actual: %s IndexName: %s", name, t.defined[name], v.kind, x.name)
			case v.text == "":
				return invalid("One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty string value. IndexName: %s, IndexKey: %s", x.name, name)
			}
		}
	}
	return nil
}
