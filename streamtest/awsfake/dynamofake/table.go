package dynamofake

import (
	"cmp"
	"crypto/md5"
	"encoding/binary"
	"slices"
	"strconv"
	"time"
)

// table is one table with its rows. The lock of the Service protects it.
type table struct {
	name       string
	id         string
	schema     schema
	defined    map[string]Kind // AttributeDefinitions
	indexes    []*index
	billing    string
	throughput *throughput
	tags       map[string]string
	protected  bool
	stream     *streamSpecification // nil while there is none, or it is disabled
	latest     *stream              // the newest, disabled or not; nil if there never was one
	ttl        string               // attribute; empty if disabled
	recovers   bool                 // point-in-time recovery is on
	created    time.Time
	ready      time.Time // CREATING before

	rows     map[string]*row
	order    []*row // by hash of the partition key, then the keys: the order of Scan
	journal  []change
	consumed units
}

// schema names the attributes that find an item. sort is empty without one.
type schema struct{ hash, sort string }

type index struct {
	name       string
	schema     schema
	projection string   // KEYS_ONLY, INCLUDE or ALL
	include    []string // of INCLUDE
	ready      time.Time

	// partitions are the rows of the table by what they have for the index's
	// partition key; nil before the first query.
	partitions map[string]map[*row]bool
}

// partition are the rows of a table that have this for the index's partition key.
func (x *index) partition(t *table, pk Value) map[*row]bool {
	if x.partitions == nil {
		x.partitions = map[string]map[*row]bool{}
		for _, r := range t.order {
			x.moved(r, nil)
		}
	}
	return x.partitions[pk.text]
}

// moved takes note that a row had another item before.
func (x *index) moved(r *row, before Item) {
	if x.partitions == nil {
		return
	}
	if v, had := before[x.schema.hash]; had {
		delete(x.partitions[v.text], r)
		if len(x.partitions[v.text]) == 0 {
			delete(x.partitions, v.text)
		}
	}
	if v, has := r.item[x.schema.hash]; has {
		if x.partitions[v.text] == nil {
			x.partitions[v.text] = map[*row]bool{}
		}
		x.partitions[v.text][r] = true
	}
}

// row is one place in a table. Its item is replaced, never changed.
type row struct {
	key  string // as by table.keyOf
	hash uint64
	pk   Value
	sk   Value // none without a sort key
	item Item
	wire []byte // the item as an answer has it, and its size; nil before it was asked for
	size int
}

// put replaces the item.
func (r *row) put(it Item) { r.item, r.wire, r.size = it, nil, 0 }

// written is the item as it stands on the wire, and its size. Tables are scanned
// far more often than they change.
func (r *row) written() (wire []byte, size int) {
	if r.wire == nil {
		r.wire, r.size = r.item.appendJSON(nil), r.item.size()
	}
	return r.wire, r.size
}

// change remembers what a write replaced, for reads of the past.
type change struct {
	at     time.Time
	row    *row
	before Item
}

func (k schema) names() []string {
	if k.sort == "" {
		return []string{k.hash}
	}
	return []string{k.hash, k.sort}
}

// key are the key attributes of an item.
func (k schema) key(it Item) Item {
	key := Item{}
	for _, name := range k.names() {
		if v, ok := it[name]; ok {
			key[name] = v
		}
	}
	return key
}

// keyOf is the key of an item as one text.
func (t *table) keyOf(it Item) string {
	pk := it[t.schema.hash].text
	return strconv.Itoa(len(pk)) + ":" + pk + it[t.schema.sort].text
}

// get is the item with a key, or nil.
func (t *table) get(key string) Item {
	if r, ok := t.rows[key]; ok {
		return r.item
	}
	return nil
}

// set puts the item in its place, or empties the place if it is nil.
func (t *table) set(key string, it Item, now time.Time, remember time.Duration) {
	r, exists := t.rows[key]
	switch {
	case !exists && it == nil:
		return
	case !exists:
		r = t.newRow(key, it)
		t.rows[key] = r
		at, _ := slices.BinarySearchFunc(t.order, r, orderRows)
		t.order = slices.Insert(t.order, at, r)
	case it == nil:
		delete(t.rows, key)
		at, _ := slices.BinarySearchFunc(t.order, r, orderRows)
		t.order = slices.Delete(t.order, at, at+1)
	}
	before := r.item
	defer func() {
		for _, x := range t.indexes {
			x.moved(r, before)
		}
	}()
	if remember > 0 {
		gone := 0
		for gone < len(t.journal) && now.Sub(t.journal[gone].at) > remember {
			gone++
		}
		t.journal = append(t.journal[gone:], change{at: now, row: r, before: r.item})
	}
	if it == nil {
		// The journal may still point at the row: leave it empty, in a row of its own.
		r.put(nil)
		return
	}
	r.put(it)
}

func (t *table) newRow(key string, it Item) *row {
	r := &row{key: key, pk: it[t.schema.hash], sk: it[t.schema.sort]}
	sum := md5.Sum([]byte(r.pk.text))
	r.hash = binary.BigEndian.Uint64(sum[:8])
	return r
}

// orderRows is the order of Scan: partitions by hash, a partition by sort key.
func orderRows(a, b *row) int {
	if c := cmp.Compare(a.hash, b.hash); c != 0 {
		return c
	}
	if c := orderScalars(a.pk, b.pk); c != 0 {
		return c
	}
	return orderScalars(a.sk, b.sk)
}

// view is the table as reads see it at an instant.
type view struct {
	table *table
	// past holds what the rows that changed since held then, by key.
	past map[string]*row
}

// viewAt is the table as it was, as far as the journal reaches back.
func (t *table) viewAt(then time.Time) view {
	v := view{table: t}
	for _, c := range slices.Backward(t.journal) {
		if !c.at.After(then) {
			break
		}
		if v.past == nil {
			v.past = map[string]*row{}
		}
		was := *c.row
		was.put(c.before)
		v.past[c.row.key] = &was
	}
	return v
}

func (v view) get(key string) Item {
	if was, ok := v.past[key]; ok {
		return was.item
	}
	return v.table.get(key)
}

// scan are all rows of the view in order.
func (v view) scan() []*row {
	if len(v.past) == 0 {
		return v.table.order
	}
	rows := make([]*row, 0, len(v.table.order))
	for _, r := range v.table.order {
		if _, changed := v.past[r.key]; !changed {
			rows = append(rows, r)
		}
	}
	for _, was := range v.past {
		if was.item != nil {
			rows = append(rows, was)
		}
	}
	slices.SortFunc(rows, orderRows)
	return rows
}

// read is the view for a read of this kind.
func (s *Service) read(t *table, consistent bool) view {
	if consistent || s.stale <= 0 {
		return view{table: t}
	}
	return t.viewAt(s.now().Add(-s.stale))
}

// commit makes a planned write true; the observers are told when the request is
// done.
func (s *Service) commit(w *write) {
	w.table.charge(w)
	if w.after.Equal(w.before) && (w.after == nil) == (w.before == nil) {
		return
	}
	w.table.set(w.key, w.after, s.now(), s.stale)
	s.done = append(s.done, w)
	s.publish(w, w.expired)
}
