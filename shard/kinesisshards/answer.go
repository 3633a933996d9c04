package kinesisshards

import (
	"context"
	"io"
	"net/http"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/aws/smithy-go/transport/http/protocol/awsjson"

	"github.com/towpath/towpath/internal/recordpage"
)

// answers has the SDK give the bytes of an answer to GetRecords to package
// recordpage, which reads them with a few allocations for the whole page, where
// the SDK's own decoder makes nine for a record. Everything else, such as signing,
// repeats and errors, is the SDK's. A client that ignores the options of a call,
// as fakes do, or that speaks another protocol than JSON 1.1, reads as it always
// did.
type answers struct {
	bodies sync.Pool // of *[]byte
}

// read is an option of one call.
func (a *answers) read(o *kinesis.Options) {
	if plain, ok := o.Protocol.(*awsjson.Protocol); ok {
		o.Protocol = pageProtocol{plain, a}
	}
}

// pageProtocol is the SDK's protocol, but for the pages of GetRecords.
type pageProtocol struct {
	*awsjson.Protocol
	answers *answers
}

var _ smithyhttp.ClientProtocol = pageProtocol{}

// DeserializeResponse reads an answer. Errors are of the SDK's kind: a body that
// is cut is worth another try.
func (p pageProtocol) DeserializeResponse(ctx context.Context, schema *smithy.OperationSchema, registry *smithy.TypeRegistry, resp *smithyhttp.Response, out smithy.Deserializable) error {
	page, ok := out.(*kinesis.GetRecordsOutput)
	if !ok || resp.StatusCode != http.StatusOK {
		return p.Protocol.DeserializeResponse(ctx, schema, registry, resp, out)
	}
	if err := p.answers.page(resp, page); err != nil {
		return &smithy.DeserializationError{Err: err}
	}
	return nil
}

// page reads the records of an answer.
func (a *answers) page(resp *smithyhttp.Response, out *kinesis.GetRecordsOutput) error {
	body, _ := a.bodies.Get().(*[]byte)
	if body == nil {
		body = new([]byte)
	}
	defer a.bodies.Put(body)
	var err error
	if *body, err = readAll(*body, resp.Body, resp.ContentLength); err != nil {
		return err
	}
	var page recordpage.Page
	if err := recordpage.ReadJSON(*body, &page, recordpage.Apart); err != nil {
		return err
	}
	fill(out, &page)
	return nil
}

// smallBody is the room for an answer that does not say how long it is.
const smallBody = 4 << 10

// readAll reads a body into the room of a former one. One that says its length is
// read without a second allocation; one that says too much is refused by whoever
// bounds it.
func readAll(room []byte, from io.Reader, length int64) ([]byte, error) {
	want := smallBody
	if 0 <= length && length <= mostAnswer {
		want = int(length) + 1 // so that its end is seen
	}
	if cap(room) < want {
		room = make([]byte, 0, want)
	}
	room = room[:0]
	for {
		n, err := from.Read(room[len(room):cap(room)])
		room = room[:len(room)+n]
		if err == io.EOF {
			return room, nil
		}
		if err != nil {
			return room[:0], err
		}
		if len(room) == cap(room) {
			room = append(room, 0)[:len(room)]
		}
	}
}

// fill gives a page as the SDK gives it.
func fill(out *kinesis.GetRecordsOutput, p *recordpage.Page) {
	out.MillisBehindLatest, out.NextShardIterator = p.Behind, p.Next
	out.Records, out.ChildShards = nil, nil
	if p.Records != nil {
		out.Records = make([]types.Record, len(p.Records))
	}
	for i := range p.Records {
		from, to := &p.Records[i], &out.Records[i]
		to.Data, to.EncryptionType = from.Data, types.EncryptionType(from.Encryption)
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
