package dynamoshards

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/codec"
)

// image is an item in JSON, as the SDK's values.
type image map[string]types.AttributeValue

// maxDepth is how deep values may nest. DynamoDB allows 32 levels:
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
const maxDepth = 40

// UnmarshalJSON reads an item; null is none.
func (i *image) UnmarshalJSON(data []byte) error {
	item, err := parseItem(data, 0)
	*i = item
	return err
}

func parseItem(data []byte, depth int) (map[string]types.AttributeValue, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil || raw == nil {
		return nil, err
	}
	item := make(map[string]types.AttributeValue, len(raw))
	for name, text := range raw {
		v, err := parseValue(text, depth)
		if err != nil {
			return nil, err // a name may be data, in a map
		}
		item[name] = v
	}
	return item, nil
}

// parseValue reads an object with one member, whose name is the type. The depth
// is bounded, as every level reads what is below it again.
func parseValue(data []byte, depth int) (types.AttributeValue, error) {
	if depth > maxDepth {
		return nil, codec.Fault(fmt.Sprintf("values nest more than %d deep", maxDepth))
	}
	var one map[string]json.RawMessage
	if err := json.Unmarshal(data, &one); err != nil {
		return nil, err
	}
	if len(one) != 1 {
		return nil, codec.Fault(fmt.Sprintf("a value has %d types, want one", len(one)))
	}
	for kind, content := range one {
		return parseContent(kind, content, depth)
	}
	return nil, nil
}

func parseContent(kind string, content []byte, depth int) (types.AttributeValue, error) {
	switch kind {
	case "S":
		v, err := parsed[string](content)
		return &types.AttributeValueMemberS{Value: v}, err
	case "N":
		v, err := parsed[string](content)
		return &types.AttributeValueMemberN{Value: v}, err
	case "B":
		v, err := parsed[[]byte](content)
		return &types.AttributeValueMemberB{Value: v}, err
	case "BOOL":
		v, err := parsed[bool](content)
		return &types.AttributeValueMemberBOOL{Value: v}, err
	case "NULL":
		v, err := parsed[bool](content)
		return &types.AttributeValueMemberNULL{Value: v}, err
	case "SS":
		v, err := parsed[[]string](content)
		return &types.AttributeValueMemberSS{Value: v}, err
	case "NS":
		v, err := parsed[[]string](content)
		return &types.AttributeValueMemberNS{Value: v}, err
	case "BS":
		v, err := parsed[[][]byte](content)
		return &types.AttributeValueMemberBS{Value: v}, err
	case "M":
		v, err := parseItem(content, depth+1)
		if v == nil && err == nil {
			err = errNull
		}
		return &types.AttributeValueMemberM{Value: v}, err
	case "L":
		raw, err := parsed[[]json.RawMessage](content)
		if err != nil {
			return nil, err
		}
		v := make([]types.AttributeValue, len(raw))
		for i, text := range raw {
			if v[i], err = parseValue(text, depth+1); err != nil {
				return nil, err
			}
		}
		return &types.AttributeValueMemberL{Value: v}, nil
	}
	return nil, codec.Fault("a value has a type that is unknown")
}

var errNull error = codec.Fault("the content of a value is null")

// parsed reads the content of a value, which is never null.
func parsed[T any](content []byte) (v T, err error) {
	if string(content) == "null" {
		return v, errNull
	}
	err = json.Unmarshal(content, &v)
	return v, err
}

// MarshalJSON writes an item as DynamoDB does on the wire.
func (i image) MarshalJSON() ([]byte, error) {
	if i == nil {
		return []byte("null"), nil
	}
	out := make(map[string]any, len(i))
	for _, name := range slices.Sorted(maps.Keys(i)) {
		v, err := plain(i[name])
		if err != nil {
			return nil, fmt.Errorf("an attribute of an image: %w", err)
		}
		out[name] = v
	}
	return json.Marshal(out)
}

// plain is a value as encoding/json writes it.
func plain(v types.AttributeValue) (map[string]any, error) {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return map[string]any{"S": v.Value}, nil
	case *types.AttributeValueMemberN:
		return map[string]any{"N": v.Value}, nil
	case *types.AttributeValueMemberB:
		return map[string]any{"B": base64.StdEncoding.EncodeToString(v.Value)}, nil
	case *types.AttributeValueMemberBOOL:
		return map[string]any{"BOOL": v.Value}, nil
	case *types.AttributeValueMemberNULL:
		return map[string]any{"NULL": v.Value}, nil
	case *types.AttributeValueMemberSS:
		return map[string]any{"SS": v.Value}, nil
	case *types.AttributeValueMemberNS:
		return map[string]any{"NS": v.Value}, nil
	case *types.AttributeValueMemberBS:
		return map[string]any{"BS": v.Value}, nil
	case *types.AttributeValueMemberM:
		return map[string]any{"M": image(v.Value)}, nil
	case *types.AttributeValueMemberL:
		list := make([]any, len(v.Value))
		for i, e := range v.Value {
			one, err := plain(e)
			if err != nil {
				return nil, err
			}
			list[i] = one
		}
		return map[string]any{"L": list}, nil
	}
	return nil, fmt.Errorf("a value is a %T, which is none of DynamoDB's types", v)
}
