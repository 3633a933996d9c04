package dynamofake

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// The methods of this file are for tests: they go around the protocol.

// Stale makes reads that are not strongly consistent, and all reads of indexes,
// see the tables as they were d ago: the worst that eventual consistency
// allows. The state of each instant since the call to Stale is remembered; 0,
// the default, makes all reads see the present.
func (s *Service) Stale(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stale = d
	if d <= 0 {
		for _, t := range s.tables {
			t.journal = nil
		}
	}
}

// CreationTakes makes tables and indexes that are created from now on CREATING
// for d before they are ACTIVE. The default is 0.
func (s *Service) CreationTakes(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.creation = d
}

// OnWrite adds an observer. It is told of every write that changed something, in
// the order in which they took effect, before the writer gets its answer; of a
// transaction each write, after all have taken effect. before or after is nil
// where there was, or is, no item. The observer may read the Service, but must
// not write to it, and must not change the items.
func (s *Service) OnWrite(observer func(table string, before, after Item)) {
	s.watch.Lock()
	defer s.watch.Unlock()
	s.observers = append(s.observers, observer)
}

// Tables are the names of all tables in order.
func (s *Service) Tables() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sortedNames(s.tables)
}

// Items are the items of a table in the order of Scan, nil if there is no such
// table. The items must not be changed.
func (s *Service) Items(table string) []Item {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.tables[table]
	if !ok {
		return nil
	}
	items := make([]Item, len(t.order))
	for i, r := range t.order {
		items[i] = r.item
	}
	return items
}

// Item is the item with a key, if there is one. Attributes of key that are not
// part of the table's key do not matter. The item must not be changed; Put
// replaces it.
func (s *Service) Item(table string, key Item) (Item, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.tables[table]
	if !ok {
		return nil, false
	}
	it := t.get(t.keyOf(key))
	return it, it != nil
}

// Put writes an item by hand: without condition and without cost. Observers are
// told. It fails for an unknown table, and for an item that cannot stand in it.
func (s *Service) Put(table string, it Item) error {
	_, err := s.instant(func() (any, error) {
		w, err := s.planPut(putRequest{conditional{TableName: table}, maps.Clone(it)})
		return nil, s.byHand(w, err)
	})
	if err != nil {
		return fmt.Errorf("put an item into table %s: %w", table, err)
	}
	return nil
}

// Delete removes an item by hand; it is no error if there is none. Observers are
// told. It fails for an unknown table, and for a key that does not fit it.
func (s *Service) Delete(table string, key Item) error {
	_, err := s.instant(func() (any, error) {
		w, err := s.planDelete(keyRequest{conditional{TableName: table}, key})
		return nil, s.byHand(w, err)
	})
	if err != nil {
		return fmt.Errorf("delete an item of table %s: %w", table, err)
	}
	return nil
}

func (s *Service) byHand(w *write, err error) error {
	if err != nil {
		return err
	}
	free := w.table.consumed
	s.commit(w)
	w.table.consumed = free
	return nil
}

// DropTable removes a table with its rows, whatever its state; observers are not
// told. It is no error if there is none.
func (s *Service) DropTable(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.tables[name]; ok {
		s.disable(t)
	}
	delete(s.tables, name)
}

// Consumed are the units that requests on a table have consumed so far, as
// on-demand tables are billed, those of its indexes and of refused writes
// included; zero for an unknown table. A read unit is 4 KB read strongly
// consistent, a write unit 1 KB written.
func (s *Service) Consumed(table string) (reads, writes float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.tables[table]; ok {
		return t.consumed.read, t.consumed.write
	}
	return 0, 0
}

// sortedNames are the keys of a map in order.
func sortedNames[M ~map[string]V, V any](m M) []string { return slices.Sorted(maps.Keys(m)) }
