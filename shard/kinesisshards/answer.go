package kinesisshards

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/aws/smithy-go/transport/http/protocol/awsjson"

	"github.com/towpath/towpath/internal/recordpage"
)

// call has the SDK give the bytes of an answer to GetRecords to package
// recordpage, which reads them with a few allocations for the whole page, where
// the SDK's own decoder makes nine for a record. Everything else, such as signing,
// repeats and errors, is the SDK's. A client that ignores the options of a call,
// as fakes do, or that speaks another protocol than JSON 1.1, reads as it always
// did.
//
// With Options.Pooled what was read lies in the body, which is the reader's until
// release is called. It belongs to one goroutine, but for release.
type call struct {
	answers *answers
	out     *kinesis.GetRecordsOutput // what was read; nil if somebody else did
	rows    *rows                     // what out is made of
	body    atomic.Pointer[[]byte]    // what its payloads lie in; nil if nothing is lent
}

// options are those of the call.
func (c *call) options(o *kinesis.Options) {
	if plain, ok := o.Protocol.(*awsjson.Protocol); ok {
		o.Protocol = pageProtocol{plain, c}
	}
}

// pageProtocol is the SDK's protocol, but for the pages of GetRecords.
type pageProtocol struct {
	*awsjson.Protocol
	call *call
}

var _ smithyhttp.ClientProtocol = pageProtocol{}

// DeserializeResponse reads an answer. Errors are of the SDK's kind: a body that
// is cut is worth another try.
func (p pageProtocol) DeserializeResponse(ctx context.Context, schema *smithy.OperationSchema, registry *smithy.TypeRegistry, resp *smithyhttp.Response, out smithy.Deserializable) error {
	page, ok := out.(*kinesis.GetRecordsOutput)
	if ok && p.call.answers.cbor && resp.StatusCode != http.StatusOK {
		if err := inJSON(resp); err != nil {
			return &smithy.DeserializationError{Err: err}
		}
	}
	if !ok || resp.StatusCode != http.StatusOK {
		return p.Protocol.DeserializeResponse(ctx, schema, registry, resp, out)
	}
	if err := p.call.read(resp, page); err != nil {
		return &smithy.DeserializationError{Err: err}
	}
	return nil
}

// read reads the records of an answer.
func (c *call) read(resp *smithyhttp.Response, out *kinesis.GetRecordsOutput) error {
	a := c.answers
	body, err := a.bodies.read(resp.Body, resp.ContentLength)
	if err != nil {
		return err
	}
	used, place := &rows{}, recordpage.Apart
	if a.pooled {
		place = recordpage.InBody
		if former, ok := a.rows.Get().(*rows); ok {
			used = former
		}
	}
	readPage := recordpage.ReadJSON
	if a.cbor && recordpage.IsCBOR(body) {
		readPage = recordpage.ReadCBOR
	}
	if err := readPage(body, &used.page, place); err != nil {
		a.bodies.put(body)
		return err
	}
	used.fill(out)
	c.out, c.rows = out, used
	if a.pooled {
		c.body.Store(&body)
	} else {
		a.bodies.put(body)
	}
	return nil
}

// lends reports whether the records of an answer lie in memory that is to be
// released.
func (c *call) lends(out *kinesis.GetRecordsOutput) bool {
	return c.out == out && c.body.Load() != nil
}

// harvested says that nobody looks any more at what the SDK gave, but for the
// payloads that it points to.
func (c *call) harvested() {
	if c.answers.pooled && c.rows != nil {
		c.rows.forget()
		c.answers.rows.Put(c.rows)
		c.out, c.rows = nil, nil
	}
}

// release gives back what payloads lie in. Any goroutine may do so, more than
// once.
func (c *call) release() {
	body := c.body.Swap(nil)
	switch {
	case body == nil:
	case c.answers.poison:
		// It stays poisoned: whoever has kept a part of it sees that for ever.
		for i := range *body {
			(*body)[i] = poisoned
		}
	default:
		c.answers.bodies.put(*body)
	}
}

// poisoned is what released payloads consist of with Options.Poison: no letter, no
// digit, and no beginning of UTF-8.
const poisoned = 0xDB

// answers is the memory that the answers to a source are read in.
type answers struct {
	pooled, poison, cbor bool

	bodies bodies
	rows   sync.Pool // of *rows
}

// rows are the records of an answer, as they were read and as the SDK gives them.
type rows struct {
	page recordpage.Page
	sdk  []types.Record
}

func (r *rows) forget() {
	r.page.Reset()
	clear(r.sdk)
}

// fill gives the page as the SDK gives it.
func (r *rows) fill(out *kinesis.GetRecordsOutput) {
	p := &r.page
	out.MillisBehindLatest, out.NextShardIterator = p.Behind, p.Next
	out.Records, out.ChildShards = nil, nil
	if p.Records != nil {
		r.sdk = slices.Grow(r.sdk[:0], len(p.Records))[:len(p.Records)]
		out.Records = slices.Clip(r.sdk)
	}
	for i := range p.Records {
		from, to := &p.Records[i], &out.Records[i]
		*to = types.Record{Data: from.Data, EncryptionType: types.EncryptionType(from.Encryption)}
		if from.Has&recordpage.GivenSequence != 0 {
			to.SequenceNumber = &from.Sequence
		}
		if from.Has&recordpage.GivenKey != 0 {
			to.PartitionKey = &from.Key
		}
		if from.Has&recordpage.GivenArrivedAt != 0 {
			to.ApproximateArrivalTimestamp = &from.ArrivedAt
		}
	}
	if p.Children != nil {
		out.ChildShards = make([]types.ChildShard, len(p.Children))
	}
	for i, c := range p.Children {
		out.ChildShards[i] = types.ChildShard{ShardId: c.ID, ParentShards: c.Parents}
		if c.Hashes != nil {
			out.ChildShards[i].HashKeyRange = &types.HashKeyRange{StartingHashKey: c.Hashes.Start, EndingHashKey: c.Hashes.End}
		}
	}
}
