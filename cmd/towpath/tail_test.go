package main

import (
	"bytes"
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/shard"
)

// endless is a writer whose first line is the reader's last wish.
type endless struct {
	bytes.Buffer
	end context.CancelFunc
}

func (e *endless) Write(p []byte) (int, error) {
	defer e.end()
	return e.Buffer.Write(p)
}

// A tail that goes on for ever ends with an interrupt, and that is no failure.
func TestTailEndsWithAnInterrupt(t *testing.T) {
	fake, _ := served(t)
	ctx, cancel := context.WithCancel(t.Context())
	before := fake.Count("", "dynamodb", "")
	out, errs := &endless{end: cancel}, &strings.Builder{}
	status := run(ctx, []string{"towpath", "tail", "-stream", "clicks", "-from", "horizon"}, strings.NewReader(""), out, errs)
	if status != 0 || !strings.Contains(out.String(), "  key  ") || errs.Len() > 0 {
		t.Errorf("got status %d, %s and\n%s", status, errs, out)
	}
	if fake.Count("", "dynamodb", "") != before {
		t.Error("a tail has read a table")
	}
}

// Whatever a payload has, nothing reaches a terminal that it would obey, as lines or
// as documents; and the document says what the payload was.
func FuzzTailIsHarmless(f *testing.F) {
	for _, s := range []string{"plain", "\x1b]0;title\x07", "a\nb\r\tc", "\u009b31m", "\u202eback", "\xff\xfe", `{"a":"\u009b"}`, "\U000e0001", "\u2028", `["\u200f"]`} {
		f.Add([]byte(s), s, "auto")
	}
	f.Fuzz(func(t *testing.T, data []byte, key, how string) {
		if how != decodeText && how != decodeJSON && how != decodeBase64 {
			how = decodeAuto
		}
		r := shard.Record{Shard: key, Sequence: key, PartitionKey: key, Keyed: true, Data: data} // as a letter in a queue may say
		for _, asJSON := range []bool{false, true} {
			lines, err := linesOf(&r, how, asJSON, true)
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range lines {
				if i := strings.IndexFunc(line, isHidden); i >= 0 || !utf8.ValidString(line) {
					t.Fatalf("%q of %q has what a terminal obeys", line, data)
				}
				var document tailed
				if !asJSON || bytes.HasPrefix(data, gzipMagic) {
					continue
				}
				if err := json.Unmarshal([]byte(line), &document); err != nil {
					t.Fatalf("%s: %v", line, err)
				}
				var was, is any
				switch {
				case document.Data != nil:
					if json.Unmarshal(data, &was) != nil || json.Unmarshal(document.Data, &is) != nil || !reflect.DeepEqual(was, is) {
						t.Fatalf("%q is shown as %s", data, line)
					}
				case document.Text != nil && *document.Text != strings.ToValidUTF8(string(data), "\ufffd") && utf8.Valid(data):
					t.Fatalf("%q is shown as %s", data, line)
				case document.Base64 != nil && !bytes.Equal(*document.Base64, data):
					t.Fatalf("%q is shown as %s", data, line)
				}
			}
		}
	})
}

// changesScene makes a table of DynamoDB, by id, whose changes go to a stream.
func changesScene(ctx context.Context, s *scene, args []string) error {
	if len(args) != 1 {
		return errScene
	}
	_, err := dynamodb.NewFromConfig(s.aws.Config("scene")).CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: &args[0], BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: new("id"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: new("id"), KeyType: types.KeyTypeHash}},
		StreamSpecification:  &types.StreamSpecification{StreamEnabled: new(true), StreamViewType: types.StreamViewTypeNewAndOldImages},
	})
	return err
}
