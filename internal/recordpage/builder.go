package recordpage

import "fmt"

// builder fills a page from bytes of either format.
type builder struct {
	page  *Page
	place Place
	room  []Record // of a page that was read before; empty
	begun int      // where the list of records begins
}

// begin makes the page an empty one, whose room is used again.
func begin(page *Page, place Place) builder {
	page.Reset()
	b := builder{page: page, place: place, room: page.Records}
	page.Records = nil
	return b
}

// list begins the list of records, which lies behind a byte. A second one takes
// the place of the first.
func (b *builder) list(at int) {
	b.begun = at
	b.page.Records, b.room = b.room, nil
	if b.page.Records == nil {
		b.page.Records = []Record{}
	}
}

// grow adds an empty record, where so many of the bytes have been read. When the
// first has been read there is room for as many of its size as there can be.
func (b *builder) grow(at, all int) (*Record, error) {
	n := len(b.page.Records)
	if n >= MaxRecords {
		return nil, fmt.Errorf("there are more than %d records", MaxRecords)
	}
	if n == cap(b.page.Records) && n > 0 {
		more := b.left(n, at, all)
		grown := make([]Record, n, n+min(max(more+more/16, n/4)+1, MaxRecords))
		copy(grown, b.page.Records)
		b.page.Records = grown
	}
	b.page.Records = append(b.page.Records, Record{})
	return &b.page.Records[n], nil
}

// more is how many records are likely to follow the one that is being read.
func (b *builder) more(at, all int) int { return b.left(len(b.page.Records)-1, at, all) }

func (b *builder) left(read, at, all int) int {
	if read <= 0 {
		return 0
	}
	return (all - at) / max((at-b.begun)/read, 1)
}

// keep is a string of these bytes, in the page's block. Only where there is no more
// room in it is it reckoned how many of that size are likely to follow, which takes
// two divisions.
func (b *builder) keep(text []byte, at, all int) string {
	more := 0
	if !b.page.fits(text) {
		more = b.more(at, all) * len(text)
	}
	return b.page.text(text, more)
}

// word is a text of which all records have the same.
func (b *builder) word(text []byte) string {
	switch string(text) {
	case "NONE":
		return "NONE"
	case "KMS":
		return "KMS"
	}
	return b.page.text(text, 0)
}
