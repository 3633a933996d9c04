package dynamofake

import (
	"maps"
	"math/bits"
	"slices"
)

// maxPage is how many bytes of items one page of a Query or Scan looks at.
const maxPage = 1 << 20

// listing are the parameters that Query and Scan share.
type listing struct {
	TableName                 string
	IndexName                 *string
	ConsistentRead            bool
	ExclusiveStartKey         Item
	FilterExpression          *string
	ProjectionExpression      *string
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues Item
	Limit                     *int
	Select                    string
	ReturnConsumedCapacity    string
}

// shelf is where a listing reads: a table or one of its indexes.
type shelf struct {
	table   *table
	index   *index // nil for the table
	schema  schema
	filter  condition
	project []path
	given   *placeholders
	limit   int // 0 for none
}

// open checks a listing and finds its shelf. The caller reads the key condition,
// if there is one, and then closes the placeholders with given.unused.
func (s *Service) open(in listing, expressions bool) (*shelf, error) {
	given, err := placeholdersOf(in.ExpressionAttributeNames, in.ExpressionAttributeValues,
		expressions || in.FilterExpression != nil || in.ProjectionExpression != nil)
	if err != nil {
		return nil, err
	}
	out := &shelf{given: given}
	if out.filter, err = parseCondition("FilterExpression", in.FilterExpression, given); err != nil {
		return nil, err
	}
	if out.project, err = parseProjection(in.ProjectionExpression, given); err != nil {
		return nil, err
	}
	if in.Limit != nil {
		if out.limit = *in.Limit; out.limit < 1 {
			return nil, invalid("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1", out.limit)
		}
	}
	if out.table, err = s.active(in.TableName); err != nil {
		return nil, err
	}
	out.schema = out.table.schema
	if in.IndexName != nil {
		if out.index = out.table.index(*in.IndexName); out.index == nil {
			return nil, invalid("The table does not have the specified index: %s", *in.IndexName)
		}
		if s.now().Before(out.index.ready) {
			return nil, invalid("Cannot read from backfilling global secondary index: %s", *in.IndexName)
		}
		if in.ConsistentRead {
			return nil, invalid("Consistent reads are not supported on global secondary indexes")
		}
		out.schema = out.index.schema
	}
	return out, out.checkSelect(in)
}

func (f *shelf) checkSelect(in listing) error {
	switch in.Select {
	case "", "COUNT", "SPECIFIC_ATTRIBUTES":
	case "ALL_ATTRIBUTES":
		if f.index != nil && f.index.projection != "ALL" {
			return invalid("One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary index %s because its projection type is not ALL", f.index.name)
		}
	case "ALL_PROJECTED_ATTRIBUTES":
		if f.index == nil {
			return invalid("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
		}
	default:
		return unknownValue("select", in.Select, "[SPECIFIC_ATTRIBUTES, COUNT, ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES]")
	}
	if in.ProjectionExpression != nil && in.Select != "" && in.Select != "SPECIFIC_ATTRIBUTES" {
		return invalid("Cannot specify the ProjectionExpression when choosing to get %s", in.Select)
	}
	return nil
}

// entries are the items on the shelf in order, as rows of the shelf's own keys.
func (f *shelf) entries(v view) []*row { return f.entriesOf(v, Value{}) }

// entriesOf are those with a partition key, if one is given.
func (f *shelf) entriesOf(v view, pk Value) []*row {
	if f.index == nil {
		return v.scan()
	}
	rows := slices.Values(v.scan())
	if pk.Exists() && len(v.past) == 0 {
		rows = maps.Keys(f.index.partition(f.table, pk))
	}
	var entries []*row
	for r := range rows {
		if it := f.index.entry(f.table, r.item); it != nil {
			e := &table{schema: f.schema}
			entry := e.newRow(r.key, it)
			entry.put(it)
			entries = append(entries, entry)
		}
	}
	slices.SortFunc(entries, f.order)
	return entries
}

// order is the order of the shelf; in an index, equal keys are ordered by the
// keys of the table.
func (f *shelf) order(a, b *row) int {
	if c := orderRows(a, b); c != 0 || f.index == nil {
		return c
	}
	return orderRows(f.table.newRow("", a.item), f.table.newRow("", b.item))
}

// keysOf is the LastEvaluatedKey at an item.
func (f *shelf) keysOf(it Item) Item {
	key := f.table.schema.key(it)
	for name, v := range f.schema.key(it) {
		key[name] = v
	}
	return key
}

// after are the entries behind an ExclusiveStartKey, in the direction of reading.
func (f *shelf) after(entries []*row, start Item) ([]*row, error) {
	if start == nil {
		return entries, nil
	}
	whole := f.keysOf(start)
	if len(whole) != len(start) || len(f.table.schema.key(start)) != len(f.table.schema.names()) ||
		len(f.schema.key(start)) != len(f.schema.names()) {
		return nil, invalid("The provided starting key is invalid")
	}
	for name, v := range start {
		if v.kind != f.table.defined[name] {
			return nil, invalid("The provided starting key is invalid: The provided key element does not match the schema")
		}
	}
	from := (&table{schema: f.schema}).newRow("", start)
	from.put(start)
	at, exact := slices.BinarySearchFunc(entries, from, f.order)
	if exact {
		at++
	}
	return entries[at:], nil
}

// page reads entries up to the limit or 1 MB and answers them.
func (f *shelf) page(entries []*row, in listing) object {
	items, count, scanned, bytes := written{}, 0, 0, 0
	var last Item
	for _, e := range entries {
		scanned++
		wire, size := e.written()
		bytes += size
		if f.filter.holds(e.item) {
			count++
			switch {
			case in.Select == "COUNT":
			case f.project == nil:
				items = append(items, wire)
			default:
				items = append(items, project(e.item, f.project).appendJSON(nil))
			}
		}
		if scanned == f.limit || bytes >= maxPage {
			last = f.keysOf(e.item)
			break
		}
	}
	units := readUnits(bytes, in.ConsistentRead)
	f.table.consumed.read += units
	answer := object{"Count": count, "ScannedCount": scanned}
	if in.Select != "COUNT" {
		answer["Items"] = items
	}
	if last != nil {
		answer["LastEvaluatedKey"] = last
	}
	capacity(answer, in.ReturnConsumedCapacity, f.table.name, units)
	return answer
}

// scan is Scan.
func (s *Service) scan(in struct {
	listing
	Segment       *uint64
	TotalSegments *uint64
}) (any, error) {
	f, err := s.open(in.listing, false)
	if err != nil {
		return nil, err
	}
	if err := f.given.unused(); err != nil {
		return nil, err
	}
	entries := f.entries(s.read(f.table, in.ConsistentRead))
	if (in.Segment == nil) != (in.TotalSegments == nil) {
		return nil, invalid("The TotalSegments parameter is required but was not present in the request when Segment parameter is present")
	}
	if in.TotalSegments != nil {
		segment, total := *in.Segment, *in.TotalSegments
		if total < 1 || total > 1_000_000 || segment >= total {
			return nil, invalid("The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: %d is not less than TotalSegments: %d", segment, total)
		}
		entries = segmentOf(entries, segment, total)
	}
	if entries, err = f.after(entries, in.ExclusiveStartKey); err != nil {
		return nil, err
	}
	return f.page(entries, in.listing), nil
}

// segmentOf are the rows of one of total equal parts of the hash space, which
// is contiguous because rows are ordered by hash.
func segmentOf(rows []*row, segment, total uint64) []*row {
	part := func(r *row) uint64 {
		hi, _ := bits.Mul64(r.hash, total)
		return hi
	}
	from, _ := slices.BinarySearchFunc(rows, segment, func(r *row, s uint64) int { return int(part(r)) - int(s) })
	to, _ := slices.BinarySearchFunc(rows, segment+1, func(r *row, s uint64) int { return int(part(r)) - int(s) })
	return rows[from:to]
}
