package tablefake

import (
	"slices"
	"sync"
	"time"
)

// Service is DynamoDB in memory. Make one with [New].
type Service struct {
	now func() time.Time

	mu     sync.Mutex // guards what follows; every request is applied at one instant
	tables map[string]*table
	tokens map[string]replay
	done   []write // effective writes that no observer has seen yet

	watch    sync.Mutex // held while observers are told, so that they see one order
	watchers []func(table string, before, after Item)
}

// write is one effective write.
type write struct {
	table         string
	before, after Item
}

// replay is a transaction that a client may send again by its token.
type replay struct {
	body string
	at   time.Time
}

// New makes a service without tables. It asks now for the time.
func New(now func() time.Time) *Service {
	return &Service{now: now, tables: map[string]*table{}, tokens: map[string]replay{}}
}

// OnWrite has f told of every effective write from now on, in the order in which
// they were applied, before the writer gets its answer; of a transaction each
// part, after all are applied. before is nil for a new row and after for one that
// is gone. f may read the service, and must not write to it.
func (s *Service) OnWrite(f func(table string, before, after Item)) {
	s.watch.Lock()
	defer s.watch.Unlock()
	s.watchers = append(s.watchers, f)
}

// locked runs f at one instant, and tells the observers what it wrote.
func locked[T any](s *Service, f func() (T, error)) (T, error) {
	s.watch.Lock()
	defer s.watch.Unlock()
	s.mu.Lock()
	out, err := f()
	done := s.done
	s.done = nil
	s.mu.Unlock()
	for _, w := range done {
		for _, f := range s.watchers {
			f(w.table, w.before, w.after)
		}
	}
	return out, err
}

// Item is the row with a key, as attributes of the key alone, if there is one.
func (s *Service) Item(table string, key Item) (Item, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tables[table]
	if t == nil {
		return nil, false
	}
	it, ok := t.rows[t.schema.id(key)]
	return it, ok
}

// Items are all rows of a table, in the order of their keys.
func (s *Service) Items(table string) []Item {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tables[table]
	if t == nil {
		return nil
	}
	return t.sorted()
}

// Put writes a row by hand, as an operator would in the console. Observers are
// told.
func (s *Service) Put(table string, it Item) error {
	_, err := locked(s, func() (struct{}, error) {
		t, err := s.find(table)
		if err == nil {
			s.store(t, it)
		}
		return struct{}{}, err
	})
	return err
}

// Delete removes a row by hand. Observers are told.
func (s *Service) Delete(table string, key Item) error {
	_, err := locked(s, func() (struct{}, error) {
		t, err := s.find(table)
		if err == nil {
			s.remove(t, key)
		}
		return struct{}{}, err
	})
	return err
}

// DropTable removes a table with its rows, without telling observers.
func (s *Service) DropTable(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tables, name)
}

// Tables are the names of the tables, in order.
func (s *Service) Tables() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name := range s.tables {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Consumed is what the requests to a table have cost so far, in read and write
// units as on-demand tables are billed.
func (s *Service) Consumed(name string) (reads, writes float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tables[name]; t != nil {
		return t.reads, t.writes
	}
	return 0, 0
}

func (s *Service) find(name string) (*table, error) {
	if t := s.tables[name]; t != nil {
		return t, nil
	}
	return nil, refusal("ResourceNotFoundException", "Requested resource not found")
}

// store puts a row in its place and notes the write.
func (s *Service) store(t *table, it Item) {
	id := t.schema.id(it)
	before := t.rows[id]
	t.rows[id] = it
	t.order = nil
	t.writes += writeUnits(max(before.size(), it.size()))
	if !before.Equal(it) || before == nil {
		s.done = append(s.done, write{t.name, before, it})
	}
}

// remove takes a row away and notes the write.
func (s *Service) remove(t *table, key Item) {
	id := t.schema.id(key)
	before, ok := t.rows[id]
	t.writes += writeUnits(before.size())
	if ok {
		delete(t.rows, id)
		t.order = nil
		s.done = append(s.done, write{t.name, before, nil})
	}
}
