package recordpage

import (
	"strings"
	"time"
)

// Page is one answer of GetRecords. Reading into a page that was used before
// takes over its room for records; their payloads and texts it leaves alone.
type Page struct {
	// Records are those of the page in its order; nil if it has no list of them.
	Records []Record
	// Children are the shards that go on from this one, given at its end; nil if
	// the page has no list of them.
	Children []Child
	// Behind is how far the page is behind the tip of the shard, in milliseconds;
	// nil if it does not say.
	Behind *int64
	// Next is the iterator for the next page; nil at the end of the shard.
	Next *string

	block []byte          // what is left of the block for payloads
	texts strings.Builder // the block for texts; never grown
}

// Record is one record of a page.
type Record struct {
	// Data is the payload; nil if none was given. Its capacity is its length, so
	// that to append to it writes into nobody else's.
	Data []byte
	// Sequence is the sequence number and Key the partition key.
	Sequence, Key string
	// Encryption is the kind of encryption, as the service names it.
	Encryption string
	// ArrivedAt is when the record arrived, in UTC, to the millisecond.
	ArrivedAt time.Time
	// Has says which of Sequence, Key and ArrivedAt were given.
	Has Given
}

// Given is a set of fields of a [Record].
type Given uint8

// The fields of a record that may be missing.
const (
	GivenSequence Given = 1 << iota
	GivenKey
	GivenArrivedAt
)

// Child is a shard that goes on from the one that was read.
type Child struct {
	// ID is its id; nil if none was given.
	ID *string
	// Parents are the ids of the shards it came of; nil if no list was given.
	Parents []string
	// Hashes is its range of hashes; nil if none was given.
	Hashes *HashRange
}

// HashRange is a range of partition-key hashes, both ends included, in decimal.
type HashRange struct {
	// Start and End are its ends; nil if not given.
	Start, End *string
}

// Place is where payloads are put.
type Place int

const (
	// Apart is memory of their own: they are valid for as long as anybody has them.
	Apart Place = iota
	// InBody is the body they are read from, which is overwritten, even when it is
	// refused: they are valid until somebody else writes there.
	InBody
)

const (
	// MaxDepth is how deep values are nested at most. The service's are five deep.
	MaxDepth = 64
	// MaxRecords is how many records a page has at most. The service gives 10,000
	// when it is asked for the most that may be asked for. In an answer of some
	// MiB there is room for millions of empty ones, each of which takes 120 bytes.
	MaxRecords = 100_000
)

const (
	payloadBlock = 128 << 10
	ownBlock     = 16 << 10 // a larger payload has a block of its own
	textBlock    = 8 << 10
	firstTexts   = 128 // of the first record: a sequence number has 56 digits
)

// Reset forgets what was read, so that a page that lies in a pool keeps nobody's
// payload.
func (p *Page) Reset() {
	clear(p.Records)
	*p = Page{Records: p.Records[:0]}
}

// room is memory for a payload of up to n bytes, where about so many more of that
// size are still to come.
func (p *Page) room(n, more int) []byte {
	if n == 0 || n > ownBlock {
		return make([]byte, n)
	}
	if n > len(p.block) {
		p.block = make([]byte, min(payloadBlock, n*(more+1)))
	}
	b := p.block[:n:n]
	p.block = p.block[n:]
	return b
}

// ahead is what is left of the block, as far as one payload may fill it.
func (p *Page) ahead() []byte { return p.block[:min(len(p.block), ownBlock)] }

// fits reports whether there is room for a text in the block.
func (p *Page) fits(b []byte) bool { return p.texts.Cap()-p.texts.Len() >= len(b) }

// text is a string of these bytes, where about so many more bytes of text are
// still to come.
func (p *Page) text(b []byte, more int) string {
	if !p.fits(b) {
		p.texts.Reset()
		p.texts.Grow(max(len(b), min(textBlock, more), firstTexts))
	}
	from := p.texts.Len()
	p.texts.Write(b)
	return p.texts.String()[from:]
}
