package dynamofake

// units are request units, as DynamoDB bills them:
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html
type units struct{ read, write float64 }

// readUnits are what it costs to read bytes at once.
func readUnits(bytes int, consistent bool) float64 {
	blocks := float64(max(1, (bytes+4095)/4096))
	if consistent {
		return blocks
	}
	return blocks / 2
}

// blocks are the write units of an item: each begun KB, at least one.
func blocks(it Item) float64 { return float64(max(1, (it.size()+1023)/1024)) }

// charge counts what a write costs. The larger of the item's two sizes counts,
// and each index that the write changes counts again.
func (t *table) charge(w *write) {
	w.units = max(blocks(w.before), blocks(w.after))
	for _, x := range t.indexes {
		w.units += x.writeUnits(t, w.before, w.after)
	}
	if w.transactional {
		w.units *= 2
	}
	t.consumed.write += w.units
}

// writeUnits are what a write costs in the index: nothing if its entry stays as
// it is, two writes if the entry moves.
func (x *index) writeUnits(t *table, before, after Item) float64 {
	was, is := x.entry(t, before), x.entry(t, after)
	switch {
	case was == nil && is == nil, was != nil && is != nil && was.Equal(is):
		return 0
	case was == nil:
		return blocks(is)
	case is == nil:
		return blocks(was)
	case x.schema.key(was).Equal(x.schema.key(is)):
		return max(blocks(was), blocks(is))
	}
	return blocks(was) + blocks(is)
}

// entry is what the index holds of an item, nil if the item has not all of the
// index's key attributes.
func (x *index) entry(t *table, it Item) Item {
	for _, name := range x.schema.names() {
		if _, ok := it[name]; !ok {
			return nil
		}
	}
	if x.projection == "ALL" {
		return it
	}
	entry := t.schema.key(it)
	for _, name := range append(x.schema.names(), x.include...) {
		if v, ok := it[name]; ok {
			entry[name] = v
		}
	}
	return entry
}

// capacity adds the units of a request to its answer, if they were asked for.
func capacity(answer object, asked string, table string, units float64) {
	if asked == "TOTAL" || asked == "INDEXES" {
		answer["ConsumedCapacity"] = object{"TableName": table, "CapacityUnits": units}
	}
}

// capacities is capacity for requests that name several tables.
func capacities(answer object, asked string, units map[string]float64) {
	if asked != "TOTAL" && asked != "INDEXES" {
		return
	}
	all := []object{}
	for _, name := range sortedNames(units) {
		all = append(all, object{"TableName": name, "CapacityUnits": units[name]})
	}
	answer["ConsumedCapacity"] = all
}
