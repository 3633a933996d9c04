package ready

import (
	"encoding/base64"
	"math/rand/v2"
	"strconv"
	"time"
)

// page is an answer of GetRecords that is ready but for the digits in it that
// differ from page to page.
type page struct {
	body  []byte
	marks []int // where the digits of each record's number begin
	shard int   // where those of the shard begin, in the iterator of the next page
	next  int   // where those of the next page's first record begin
}

// arrived is when all records arrived.
var arrived = time.UnixMilli(1_790_000_000_123)

// behind is how far behind its end every answer says that a stream is. Whoever
// reads is to go on at once.
const behind = time.Minute

// newPage makes a page of a stream in a format.
func newPage(s Stream, f format) *page {
	p := &page{}
	random := rand.New(rand.NewChaCha8([32]byte{}))
	data := make([]byte, s.Bytes)
	f.begin(p, s.Records)
	for i := range s.Records {
		for j := range data {
			data[j] = byte(random.Uint32())
		}
		f.record(p, i, data, strconv.FormatUint(random.Uint64(), 36))
	}
	late := behind
	if s.Records == 0 {
		late = 0
	}
	f.end(p, s.Token(0, 0), late)
	return p
}

// copy is a page of one's own.
func (p *page) copy() *page {
	own := *p
	own.body = append([]byte(nil), p.body...)
	return &own
}

// set makes it the page of a shard that begins with a record.
func (p *page) set(shard int, record uint64) {
	for i, mark := range p.marks {
		number(p.body[mark:mark+digits], record+uint64(i))
	}
	number(p.body[p.shard:p.shard+5], uint64(shard))
	number(p.body[p.next:p.next+digits], record+uint64(len(p.marks)))
}

// number writes n with leading zeros.
func number(to []byte, n uint64) {
	for i := len(to) - 1; i >= 0; i-- {
		to[i] = byte('0' + n%10)
		n /= 10
	}
}

// format is how a page stands on the wire.
type format interface {
	begin(p *page, records int)
	record(p *page, i int, data []byte, key string)
	end(p *page, token string, late time.Duration)
}

// asJSON is the format that the service's model names.
type asJSON struct{}

func (asJSON) begin(p *page, _ int) { p.body = append(p.body, `{"Records":[`...) }

func (asJSON) record(p *page, i int, data []byte, key string) {
	b := p.body
	if i > 0 {
		b = append(b, ',')
	}
	b = append(b, `{"SequenceNumber":"`...)
	b = append(b, sequence(0)...)
	p.marks = append(p.marks, len(b)-digits)
	b = append(b, `","ApproximateArrivalTimestamp":`...)
	b = strconv.AppendFloat(b, float64(arrived.UnixMilli())/1000, 'f', 3, 64)
	b = append(b, `,"Data":"`...)
	b = base64.StdEncoding.AppendEncode(b, data)
	b = append(b, `","PartitionKey":"`...)
	b = append(b, key...)
	p.body = append(b, `"}`...)
}

func (asJSON) end(p *page, token string, late time.Duration) {
	b := append(p.body, `],"NextShardIterator":"`...)
	b = p.token(b, token)
	b = append(b, `","MillisBehindLatest":`...)
	b = strconv.AppendInt(b, late.Milliseconds(), 10)
	p.body = append(b, '}')
}

// token appends an iterator and remembers where its digits are.
func (p *page) token(b []byte, token string) []byte {
	b = append(b, token...)
	p.next = len(b) - digits
	p.shard = p.next - len(":") - 5
	return b
}

// asCBOR is what the Java SDK speaks.
type asCBOR struct{}

func (asCBOR) begin(p *page, records int) {
	p.body = append(p.body, cborMap|3)
	p.body = appendCBOR(p.body, "Records")
	p.body = appendHead(p.body, cborArray, uint64(records))
}

func (asCBOR) record(p *page, _ int, data []byte, key string) {
	b := append(p.body, cborMap|4)
	b = appendCBOR(b, "SequenceNumber")
	b = appendCBOR(b, sequence(0))
	p.marks = append(p.marks, len(b)-digits)
	b = appendCBOR(b, "ApproximateArrivalTimestamp")
	b = appendCBOR(b, arrived)
	b = appendCBOR(b, "Data")
	b = appendCBOR(b, data)
	b = appendCBOR(b, "PartitionKey")
	p.body = appendCBOR(b, key)
}

func (asCBOR) end(p *page, token string, late time.Duration) {
	b := appendCBOR(p.body, "NextShardIterator")
	b = appendHead(b, cborText, uint64(len(token)))
	b = p.token(b, token)
	b = appendCBOR(b, "MillisBehindLatest")
	p.body = appendCBOR(b, late.Milliseconds())
}
