package kinesisshards

import (
	"bytes"
	"context"
	"encoding/json"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/towpath/towpath/internal/recordpage"
)

const cborType = "application/x-amz-cbor-1.1"

// SerializeRequest asks for records in CBOR, if that is wanted, and leaves
// everything else to the SDK.
func (p pageProtocol) SerializeRequest(ctx context.Context, schema *smithy.OperationSchema, in smithy.Serializable, req *smithyhttp.Request) error {
	if err := p.Protocol.SerializeRequest(ctx, schema, in, req); err != nil {
		return err
	}
	asked, ok := in.(*kinesis.GetRecordsInput)
	if !ok || !p.call.answers.cbor {
		return nil
	}
	sent, err := req.SetStream(bytes.NewReader(question(asked)))
	if err != nil {
		return err
	}
	sent.Header.Set("Content-Type", cborType)
	sent.Header.Set("Accept", cborType)
	*req = *sent
	return nil
}

// question is a request for records in CBOR.
func question(in *kinesis.GetRecordsInput) recordpage.CBOR {
	c := recordpage.CBOR(nil).OpenMap()
	if in.ShardIterator != nil {
		c = c.Text("ShardIterator").Text(*in.ShardIterator)
	}
	if in.Limit != nil {
		c = c.Text("Limit").Number(int64(*in.Limit))
	}
	if in.StreamARN != nil {
		c = c.Text("StreamARN").Text(*in.StreamARN)
	}
	if in.StreamId != nil {
		c = c.Text("StreamId").Text(*in.StreamId)
	}
	if in.DryRun != nil {
		c = c.Text("DryRun").Bool(*in.DryRun)
	}
	return c.End()
}

// inJSON turns an error that was answered in CBOR into JSON, which the SDK knows
// what to do with.
func inJSON(resp *smithyhttp.Response) error {
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if recordpage.IsCBOR(body) {
		said, err := recordpage.Flat(body)
		if err != nil {
			return err
		}
		if body, err = json.Marshal(said); err != nil {
			return err
		}
		resp.ContentLength = int64(len(body))
	}
	resp.Body = rest{bytes.NewReader(body), resp.Body}
	return nil
}

// rest is what was read of a body, which is still to be closed.
type rest struct {
	io.Reader
	io.Closer
}
