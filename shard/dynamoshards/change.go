package dynamoshards

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/codec"
	"github.com/towpath/towpath/shard"
)

// EventName is what was done to an item.
type EventName string

// What is done to items. The texts are the service's.
const (
	Insert EventName = "INSERT"
	Modify EventName = "MODIFY"
	Remove EventName = "REMOVE"
)

// Change is one change of one item: the record of a stream, decoded. The
// attribute values are those of the SDK's service/dynamodb, so that its package
// attributevalue decodes them further, and they can be written to a table.
type Change struct {
	// EventID is the service's id of the change.
	EventID string
	// EventName is what was done to the item.
	EventName EventName
	// Keys are the attributes of the item's primary key.
	Keys map[string]types.AttributeValue
	// NewImage is the item after the change, and OldImage before it; nil where
	// the item was not there, or the stream's view leaves it out.
	NewImage, OldImage map[string]types.AttributeValue
	// SequenceNumber places the change in its shard.
	SequenceNumber string
	// SizeBytes is the size of the record as the service counts it.
	SizeBytes int64
	// CreatedAt is when the change was made, to the second; zero if not told.
	CreatedAt time.Time
	// ViewType says which images the stream carries, such as NEW_AND_OLD_IMAGES.
	ViewType types.StreamViewType
	// UserIdentity is who made the change, where the service tells: for deletions
	// by time to live. Nil otherwise.
	UserIdentity *UserIdentity
}

// UserIdentity is who made a change.
type UserIdentity struct {
	// Type is Service for deletions by time to live.
	Type string
	// PrincipalID is dynamodb.amazonaws.com for deletions by time to live.
	PrincipalID string
}

// Expired reports whether time to live deleted the item, rather than a program.
func (c *Change) Expired() bool {
	return c.EventName == Remove && c.UserIdentity != nil &&
		c.UserIdentity.Type == "Service" && c.UserIdentity.PrincipalID == "dynamodb.amazonaws.com"
}

// Decode reads the change in a record of this package's source, or in one of
// the event with which AWS Lambda calls a function.
func Decode(r *shard.Record) (Change, error) {
	c, err := decode(r.Data)
	if err != nil {
		return Change{}, fmt.Errorf("decode the change %s: %w", r.ID(), codec.Undecodable(Codec{}.Name(), len(r.Data), err))
	}
	return c, nil
}

// Codec is a codec.Codec whose values are Changes: give it to
// consumer.EachRecord to have a handler called with the change of each record.
type Codec struct{}

// Name is dynamodb-stream.
func (Codec) Name() string { return "dynamodb-stream" }

// Decode reads a record's data into a *Change. It keeps no reference to it.
func (Codec) Decode(data []byte, into any) error {
	change, ok := into.(*Change)
	if !ok {
		return fmt.Errorf("decode a change of %d bytes: into a %T, want a *dynamoshards.Change", len(data), into)
	}
	c, err := decode(data)
	if err != nil {
		return codec.Undecodable(Codec{}.Name(), len(data), err)
	}
	*change = c
	return nil
}

// Encode writes a Change or *Change as the source's records have it, for tests
// of handlers. What a record says beside the change (its region and the ARN of
// its stream) is left out.
func (Codec) Encode(v any) ([]byte, error) {
	switch c := v.(type) {
	case Change:
		return c.json()
	case *Change:
		if c != nil {
			return c.json()
		}
	}
	return nil, fmt.Errorf("encode a change: got a %T, want a dynamoshards.Change", v)
}

// changeJSON is a record as its JSON stands.
type changeJSON struct {
	EventID      string          `json:"eventID"`
	EventName    EventName       `json:"eventName"`
	EventVersion string          `json:"eventVersion"`
	EventSource  string          `json:"eventSource"`
	DynamoDB     *streamJSON     `json:"dynamodb"`
	UserIdentity *userIdentifier `json:"userIdentity,omitempty"`
}

type streamJSON struct {
	CreatedAt      *json.Number         `json:"ApproximateCreationDateTime,omitempty"`
	Keys           image                `json:"Keys"`
	NewImage       image                `json:"NewImage,omitempty"`
	OldImage       image                `json:"OldImage,omitempty"`
	SequenceNumber string               `json:"SequenceNumber"`
	SizeBytes      int64                `json:"SizeBytes"`
	ViewType       types.StreamViewType `json:"StreamViewType"`
}

type userIdentifier struct {
	Type        string `json:"type"`
	PrincipalID string `json:"principalId"`
}

func decode(data []byte) (Change, error) {
	var raw changeJSON
	if err := json.Unmarshal(data, &raw); err != nil {
		return Change{}, err
	}
	d := raw.DynamoDB
	if d == nil {
		return Change{}, codec.Fault("it has no member dynamodb")
	}
	c := Change{
		EventID: raw.EventID, EventName: raw.EventName, Keys: d.Keys, NewImage: d.NewImage, OldImage: d.OldImage,
		SequenceNumber: d.SequenceNumber, SizeBytes: d.SizeBytes, ViewType: d.ViewType,
	}
	if d.CreatedAt != nil {
		s, err := d.CreatedAt.Float64()
		if err != nil || math.Abs(s) > 1e11 {
			return Change{}, codec.Fault("ApproximateCreationDateTime is no number of seconds since 1970")
		}
		c.CreatedAt = time.UnixMilli(int64(math.Round(s * 1000))).UTC()
	}
	if raw.UserIdentity != nil {
		c.UserIdentity = new(UserIdentity(*raw.UserIdentity))
	}
	return c, nil
}

func (c *Change) json() ([]byte, error) {
	raw := changeJSON{
		EventID: c.EventID, EventName: c.EventName, EventVersion: "1.1", EventSource: "aws:dynamodb",
		DynamoDB: &streamJSON{
			Keys: c.Keys, NewImage: c.NewImage, OldImage: c.OldImage,
			SequenceNumber: c.SequenceNumber, SizeBytes: c.SizeBytes, ViewType: c.ViewType,
		},
	}
	if !c.CreatedAt.IsZero() {
		raw.DynamoDB.CreatedAt = new(json.Number(appendEpoch(nil, c.CreatedAt)))
	}
	if c.UserIdentity != nil {
		raw.UserIdentity = new(userIdentifier(*c.UserIdentity))
	}
	data, err := json.Marshal(raw)
	if err != nil {
		return nil, fmt.Errorf("encode a change: %w", err)
	}
	return data, nil
}
