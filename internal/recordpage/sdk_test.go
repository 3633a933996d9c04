package recordpage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/schemas"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/towpath/towpath/internal/recordpage"
)

var (
	sdkProtocol = kinesis.New(kinesis.Options{Region: "us-east-1"}).Options().Protocol
	operation   = smithy.NewOperationSchema(schemas.GetRecords, schemas.GetRecordsInput, schemas.GetRecordsOutput)
)

// sdkRead is what the SDK makes of a body. A panic of its decoder is an error.
func sdkRead(body []byte) (out *kinesis.GetRecordsOutput, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("it panics: %v", v)
		}
	}()
	out = &kinesis.GetRecordsOutput{}
	answer := &smithyhttp.Response{Response: &http.Response{StatusCode: 200, Body: io.NopCloser(bytes.NewReader(body))}}
	return out, sdkProtocol.DeserializeResponse(context.Background(), operation, kinesis.TypeRegistry, answer, out)
}

// same says how a page differs from what the SDK read.
func same(p *recordpage.Page, out *kinesis.GetRecordsOutput) error {
	var problems []error
	differ := func(what string, got, want any) {
		problems = append(problems, fmt.Errorf("%s: got %v, the SDK's %v", what, got, want))
	}
	compare(differ, "Behind", p.Behind, out.MillisBehindLatest)
	compare(differ, "Next", p.Next, out.NextShardIterator)
	if len(p.Records) != len(out.Records) || (p.Records == nil) != (out.Records == nil) {
		differ("records", len(p.Records), len(out.Records))
		return errors.Join(problems...)
	}
	for i := range p.Records {
		got, want := &p.Records[i], &out.Records[i]
		at := fmt.Sprintf("record %d: ", i)
		if !bytes.Equal(got.Data, want.Data) || (got.Data == nil) != (want.Data == nil) {
			differ(at+"Data", got.Data, want.Data)
		}
		if len(got.Data) != cap(got.Data) {
			differ(at+"Data's capacity", cap(got.Data), len(got.Data))
		}
		compare(differ, at+"Sequence", given(got, recordpage.GivenSequence, &got.Sequence), want.SequenceNumber)
		compare(differ, at+"Key", given(got, recordpage.GivenKey, &got.Key), want.PartitionKey)
		compare(differ, at+"ArrivedAt", given(got, recordpage.GivenArrivedAt, &got.ArrivedAt), want.ApproximateArrivalTimestamp)
		if got.Encryption != string(want.EncryptionType) {
			differ(at+"Encryption", got.Encryption, want.EncryptionType)
		}
	}
	if len(p.Children) != len(out.ChildShards) || (p.Children == nil) != (out.ChildShards == nil) {
		differ("children", p.Children, out.ChildShards)
		return errors.Join(problems...)
	}
	for i, got := range p.Children {
		want := out.ChildShards[i]
		at := fmt.Sprintf("child %d: ", i)
		compare(differ, at+"ID", got.ID, want.ShardId)
		if !slices.Equal(got.Parents, want.ParentShards) || (got.Parents == nil) != (want.ParentShards == nil) {
			differ(at+"Parents", got.Parents, want.ParentShards)
		}
		if got.Hashes == nil || want.HashKeyRange == nil {
			if got.Hashes != nil || want.HashKeyRange != nil {
				differ(at+"Hashes", got.Hashes, want.HashKeyRange)
			}
			continue
		}
		compare(differ, at+"Start", got.Hashes.Start, want.HashKeyRange.StartingHashKey)
		compare(differ, at+"End", got.Hashes.End, want.HashKeyRange.EndingHashKey)
	}
	return errors.Join(problems...)
}

func given[T any](r *recordpage.Record, field recordpage.Given, v *T) *T {
	if r.Has&field == 0 {
		return nil
	}
	return v
}

func compare[T comparable](differ func(string, any, any), what string, got, want *T) {
	switch {
	case got == nil && want == nil:
	case got == nil || want == nil:
		differ(what, got, want)
	case *got != *want:
		differ(what, *got, *want)
	}
}

// hold holds what is made of a body, in either place, against the SDK's.
func hold(t *testing.T, body []byte) (p *recordpage.Page, err error) {
	t.Helper()
	var page, inBody recordpage.Page
	before := bytes.Clone(body)
	err = recordpage.ReadJSON(body, &page, recordpage.Apart)
	if !bytes.Equal(body, before) {
		t.Errorf("the body was written to")
	}
	errInBody := recordpage.ReadJSON(bytes.Clone(body), &inBody, recordpage.InBody)
	if (err == nil) != (errInBody == nil) {
		t.Errorf("apart: %v; in the body: %v", err, errInBody)
	}
	out, sdk := sdkRead(body)
	switch {
	case err == nil && sdk != nil:
		t.Errorf("it was read, and by the SDK it is not: %v", sdk)
	case err != nil && sdk == nil && !stricter(err, body):
		t.Errorf("%v; the SDK reads it", err)
	case err == nil:
		if err := same(&page, out); err != nil {
			t.Error(err)
		}
		if err := same(&inBody, out); err != nil {
			t.Errorf("in the body: %v", err)
		}
	}
	return &page, err
}
