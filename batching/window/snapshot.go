package window

import (
	"maps"
	"math"
	"slices"
)

// snapshot is the book as bytes: the same for the same content.
func (b *book) snapshot() []byte {
	w := &writer{b: make([]byte, 0, b.bytes+64)}
	w.byte(kindBook)
	w.hashes(b.hashes)
	w.number(b.generation)
	w.number(b.mark)
	w.count(len(b.floors))
	for _, f := range b.floors {
		w.hashes(f.hashes)
		w.number(f.mark)
	}
	w.count(len(b.panes))
	for _, key := range slices.Sorted(maps.Keys(b.panes)) {
		w.string(key)
		panes := b.panes[key]
		w.count(len(panes))
		for i := range panes {
			p := &panes[i]
			w.span(p.span)
			w.flag(p.open)
			w.count(p.revision)
			w.count(len(p.given))
			for _, g := range p.given {
				w.span(g)
			}
			w.bytes(p.state)
		}
	}
	return w.seal()
}

// leastPane is what a window has at least in a snapshot: two numbers, a flag and
// three counts.
const leastPane = 6

// readBook is the book that a snapshot was made of. It sets no alarms.
func readBook(data []byte) (*book, error) {
	b := newBook()
	r := open(data, kindBook)
	b.hashes = r.hashes()
	b.generation = r.number()
	b.mark = r.number()
	for range r.count(2) {
		b.floors = append(b.floors, floor{r.hashes(), r.number()})
	}
	for range r.count(2 + leastPane) {
		key := string(r.bytes())
		var panes []pane
		for range r.count(leastPane) {
			p := pane{span: r.span(), open: r.flag(), revision: r.revision()}
			for range r.count(2) {
				p.given = append(p.given, r.span())
			}
			p.state = r.bytes()
			panes = append(panes, p)
		}
		if _, twice := b.panes[key]; twice || (r.err == nil && len(panes) == 0) {
			r.fail("a key stands twice or has no windows")
		}
		if r.err != nil {
			break
		}
		b.panes[key] = panes
		b.bytes += sizeOf(key, panes)
		b.count += len(panes)
	}
	if err := r.end(); err != nil {
		return nil, err
	}
	return b, nil
}

func (r *reader) revision() int {
	v := r.uvarint()
	if v > math.MaxInt32 {
		r.fail("a revision is %d", v)
		return 0
	}
	return int(v)
}
