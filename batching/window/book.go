package window

import (
	"cmp"
	"slices"

	"github.com/towpath/towpath/shard"
)

// pane is one window of one key.
type pane struct {
	span
	// open is set from when something was added until it is given out.
	open bool
	// revision is how often it was given out.
	revision int
	// given are the bounds under which results were given out that stand still:
	// a session that grew, or that swallowed others, has had other bounds.
	given []span
	// state is the user's, encoded.
	state []byte
}

// book is what one shard has seen and not forgotten. Nothing in it waits or
// knows the time: it moves when a watermark is told to it.
type book struct {
	// hashes is the range of the shard; it decides what a child takes over.
	hashes hashes
	// generation is how many reshards lie behind the state.
	generation int64
	// mark is the watermark: windows that end at it or before are given out.
	mark int64
	// floors are the watermarks of parents, where they were ahead of mark.
	floors []floor
	// panes are the windows by key, in the order of their starts.
	panes map[string][]pane
	// bytes is what panes count towards a limit, and count how many they are.
	bytes, count int
	// alarms tell which keys have a window that a watermark concerns.
	alarms alarms
}

// empty reports whether there is nothing to keep.
func (b *book) empty() bool { return b.mark == never && len(b.panes) == 0 && len(b.floors) == 0 }

func newBook() *book { return &book{mark: never, panes: map[string][]pane{}} }

// paneOverhead is what a window counts beside its key and its state: its bounds
// and numbers in a snapshot, rounded up.
const paneOverhead = 48

func sizeOf(key string, panes []pane) int {
	n := 0
	for i := range panes {
		n += paneOverhead + len(key) + len(panes[i].state) + 16*len(panes[i].given)
	}
	return n
}

// markFor is the watermark that a record may be late behind: the shard's own, or
// that of the parent which would have had it. What that parent has forgotten
// must not begin a second time.
func (b *book) markFor(r *shard.Record, mark int64) int64 {
	if len(b.floors) > 0 {
		h := hashOf(r.PartitionKey)
		for _, f := range b.floors {
			if f.hashes.contain(h) {
				mark = max(mark, f.mark)
			}
		}
	}
	return mark
}

// draft is a change of a book that is not yet made. Drafts stand on one another:
// one for a call, and on it one for each record.
type draft struct {
	book  *book
	below *draft
	mark  int64
	panes map[string][]pane // nil for a key: it has none left
	bytes int
	count int
}

func (b *book) draft() *draft {
	return &draft{book: b, mark: b.mark, bytes: b.bytes, count: b.count, panes: map[string][]pane{}}
}

func (d *draft) draft() *draft {
	return &draft{book: d.book, below: d, mark: d.mark, bytes: d.bytes, count: d.count, panes: map[string][]pane{}}
}

// get are a key's windows; they are not to be changed in place.
func (d *draft) get(key string) []pane {
	for at := d; at != nil; at = at.below {
		if panes, ok := at.panes[key]; ok {
			return panes
		}
	}
	return d.book.panes[key]
}

func (d *draft) set(key string, panes []pane) {
	before := d.get(key)
	d.bytes += sizeOf(key, panes) - sizeOf(key, before)
	d.count += len(panes) - len(before)
	d.panes[key] = panes
}

// put replaces the windows at some places by one.
func (d *draft) put(key string, swallowed []int, with pane) {
	var panes []pane
	for i, p := range d.get(key) {
		if !slices.Contains(swallowed, i) {
			panes = append(panes, p)
		}
	}
	panes = append(panes, with)
	slices.SortFunc(panes, func(a, b pane) int { return cmp.Compare(a.start, b.start) })
	d.set(key, panes)
}

// commit makes the change in what it stands on. A draft on another has its
// alarms set, too: a later record of the same call may reach them.
func (d *draft) commit(lateness int64) {
	if d.below != nil {
		d.below.mark, d.below.bytes, d.below.count = d.mark, d.bytes, d.count
		for key, panes := range d.panes {
			d.book.alarms.set(key, d.below.get(key), panes, lateness)
			d.below.panes[key] = panes
		}
		return
	}
	d.book.mark, d.book.bytes, d.book.count = d.mark, d.bytes, d.count
	for key, panes := range d.panes {
		if len(panes) == 0 {
			delete(d.book.panes, key)
			continue
		}
		d.book.panes[key] = panes
	}
	d.book.floors = slices.DeleteFunc(d.book.floors, func(f floor) bool { return f.mark <= d.mark })
	if d.book.alarms.Len() > 4*d.count+1024 {
		d.book.wind(lateness) // sessions that grow leave many that are out of date
	}
}

// wind sets all alarms anew.
func (b *book) wind(lateness int64) {
	b.alarms = b.alarms[:0]
	for key, panes := range b.panes {
		b.alarms.set(key, nil, panes, lateness)
	}
}

// closing is a window that is to be given out.
type closing struct {
	key string
	pane
}

// advance moves the watermark and returns what is to be given out by it, in the
// order of the windows' ends. In the draft they are given out already, and those
// beyond their lateness are gone. Rung are the alarms that this took: they are
// to be put back if the draft is not committed.
func (d *draft) advance(to, lateness int64) (due []closing, rung []alarm) {
	d.mark = max(d.mark, to)
	touched := map[string]bool{}
	for _, a := range d.book.alarms.due(d.mark) {
		rung = append(rung, a)
		touched[a.key] = true
	}
	// What was changed in this draft has no alarm yet.
	for key := range d.panes {
		touched[key] = true
	}
	for key := range touched {
		var kept []pane
		changed := false
		for _, p := range d.get(key) {
			if p.end <= d.mark && p.open {
				changed = true
				p.open = false
				p.revision++
				due = append(due, closing{key, p})
				p.given = []span{p.span}
			}
			if p.end+lateness <= d.mark {
				changed = true
				continue
			}
			kept = append(kept, p)
		}
		if changed {
			d.set(key, kept)
		}
	}
	slices.SortFunc(due, func(a, b closing) int {
		return cmp.Or(cmp.Compare(a.end, b.end), cmp.Compare(a.key, b.key), cmp.Compare(a.start, b.start))
	})
	return due, rung
}
