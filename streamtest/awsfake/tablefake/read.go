package tablefake

import "slices"

type getInput struct {
	TableName                string
	Key                      Item
	ConsistentRead           bool
	ProjectionExpression     *string
	ExpressionAttributeNames map[string]string
	ReturnConsumedCapacity   string
}

type getOutput struct {
	Item Item `json:",omitempty"`
}

func (s *Service) getItem(in getInput) (getOutput, error) {
	return locked(s, func() (getOutput, error) {
		t, err := s.find(in.TableName)
		if err != nil {
			return getOutput{}, err
		}
		given, err := placeholdersOf(in.ExpressionAttributeNames, nil, in.ProjectionExpression != nil)
		if err != nil {
			return getOutput{}, err
		}
		paths, err := parseProjection(in.ProjectionExpression, given)
		if err != nil {
			return getOutput{}, err
		}
		if err := t.checkKey(in.Key); err != nil {
			return getOutput{}, err
		}
		it := t.rows[t.schema.id(in.Key)]
		t.reads += readUnits(it.size(), in.ConsistentRead)
		return getOutput{Item: project(it, paths)}, nil
	})
}

// pageInput is what Query and Scan share.
type pageInput struct {
	TableName                 string
	IndexName                 string
	ConsistentRead            bool
	KeyConditionExpression    *string
	FilterExpression          *string
	ProjectionExpression      *string
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues Item
	ExclusiveStartKey         Item
	Limit                     *int
	ScanIndexForward          *bool
	Segment, TotalSegments    *int
	Select                    string
	ReturnConsumedCapacity    string
}

type pageOutput struct {
	Items            []Item `json:",omitempty"`
	Count            int
	ScannedCount     int
	LastEvaluatedKey Item `json:",omitempty"`

	lastSeen Item
}

// maxPage is how many bytes of rows one page of Query or Scan looks at.
const maxPage = 1 << 20

func (s *Service) query(in pageInput) (pageOutput, error) {
	return locked(s, func() (pageOutput, error) {
		if in.KeyConditionExpression == nil {
			return pageOutput{}, invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
		}
		return s.page(in)
	})
}

func (s *Service) scan(in pageInput) (pageOutput, error) {
	return locked(s, func() (pageOutput, error) { return s.page(in) })
}

// page answers one page of a Query, or of a Scan if there is no key condition.
func (s *Service) page(in pageInput) (pageOutput, error) {
	t, err := s.find(in.TableName)
	if err != nil {
		return pageOutput{}, err
	}
	given, err := placeholdersOf(in.ExpressionAttributeNames, in.ExpressionAttributeValues,
		in.KeyConditionExpression != nil || in.FilterExpression != nil || in.ProjectionExpression != nil)
	if err != nil {
		return pageOutput{}, err
	}
	keys, err := parseCondition("KeyConditionExpression", in.KeyConditionExpression, given)
	if err != nil {
		return pageOutput{}, err
	}
	filter, err := parseCondition("FilterExpression", in.FilterExpression, given)
	if err != nil {
		return pageOutput{}, err
	}
	paths, err := parseProjection(in.ProjectionExpression, given)
	if err != nil {
		return pageOutput{}, err
	}
	if err := given.unused(); err != nil {
		return pageOutput{}, err
	}
	rows, order, err := t.rowsOf(in)
	if err != nil {
		return pageOutput{}, err
	}
	out := pageOutput{Items: []Item{}}
	bytes := 0
	after := ""
	if in.ExclusiveStartKey != nil {
		after = order.id(in.ExclusiveStartKey) + "\x01" + t.schema.id(in.ExclusiveStartKey)
	}
	forward := in.ScanIndexForward == nil || *in.ScanIndexForward
	for _, it := range rows {
		id := order.id(it) + "\x01" + t.schema.id(it)
		if after != "" && (forward && id <= after || !forward && id >= after) {
			continue
		}
		if keys != nil && !keys.holds(it) || !inSegment(in, it, t) {
			continue
		}
		if in.Limit != nil && out.ScannedCount >= *in.Limit || bytes > maxPage {
			out.LastEvaluatedKey = lastKey(out.lastSeen, order, t)
			break
		}
		bytes += it.size()
		out.ScannedCount++
		out.lastSeen = it
		if filter != nil && !filter.holds(it) {
			continue
		}
		out.Count++
		if in.Select != "COUNT" {
			out.Items = append(out.Items, project(it, paths))
		}
	}
	t.reads += readUnits(bytes, in.ConsistentRead)
	return out, nil
}

// rowsOf are the rows of the table or the index that a page reads, in order.
func (t *table) rowsOf(in pageInput) ([]Item, schema, error) {
	rows, order := t.sorted(), t.schema
	if in.IndexName != "" {
		x, ok := t.index(in.IndexName)
		switch {
		case !ok:
			return nil, order, invalid("The table does not have the specified index: %s", in.IndexName)
		case in.ConsistentRead:
			return nil, order, invalid("Consistent reads are not supported on global secondary indexes")
		}
		order = x.schema
		var held []Item
		for _, it := range rows {
			if x.holds(it) {
				held = append(held, x.view(it, t))
			}
		}
		rows = held
		slices.SortStableFunc(rows, func(a, b Item) int {
			return compareText(order.id(a)+"\x01"+t.schema.id(a), order.id(b)+"\x01"+t.schema.id(b))
		})
	}
	if in.ScanIndexForward != nil && !*in.ScanIndexForward {
		slices.Reverse(rows)
	}
	return rows, order, nil
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// lastKey is what a page says to begin the next one behind.
func lastKey(it Item, order schema, t *table) Item {
	key := t.schema.key(it)
	for _, name := range order.names() {
		key[name] = it[name]
	}
	return key
}

// inSegment reports whether a row belongs to a segment of a parallel scan.
func inSegment(in pageInput, it Item, t *table) bool {
	if in.TotalSegments == nil || *in.TotalSegments < 2 || in.Segment == nil {
		return true
	}
	h := uint32(2166136261)
	for _, b := range []byte(it[t.schema.hash].text) {
		h = (h ^ uint32(b)) * 16777619
	}
	return int(h%uint32(*in.TotalSegments)) == *in.Segment
}
