package dynamofake

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
)

// maxDepth is how deep maps and lists may nest, from the limits of DynamoDB.
const maxDepth = 32

// UnmarshalJSON reads a value as it stands on the wire, for example {"N":"7"},
// and refuses what DynamoDB refuses: empty sets, twins in a set, bad numbers.
func (v *Value) UnmarshalJSON(b []byte) error {
	parsed, err := parseValue(b, 0)
	if err != nil {
		return err
	}
	*v = parsed
	return nil
}

func parseValue(b []byte, depth int) (Value, error) {
	if depth > maxDepth {
		return Value{}, invalid("Nesting Levels have exceeded supported limits")
	}
	var union map[Kind]json.RawMessage
	if err := json.Unmarshal(b, &union); err != nil {
		return Value{}, malformed(err)
	}
	if len(union) == 0 {
		return Value{}, invalid("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
	}
	if len(union) > 1 {
		return Value{}, invalid("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
	}
	for kind, content := range union {
		return parseContent(kind, content, depth)
	}
	return Value{}, nil
}

// parseContent reads what stands behind the type's letter.
func parseContent(kind Kind, content []byte, depth int) (Value, error) {
	switch kind {
	case KindString, KindNumber, KindBinary:
		var text string
		if err := json.Unmarshal(content, &text); err != nil {
			return Value{}, malformed(err)
		}
		return parseScalar(kind, text)
	case KindBool, KindNull:
		var flag bool
		if err := json.Unmarshal(content, &flag); err != nil {
			return Value{}, malformed(err)
		}
		if kind == KindBool {
			return Bool(flag), nil
		}
		if !flag {
			return Value{}, invalid("One or more parameter values were invalid: Null attribute value types must have the value of true")
		}
		return Null(), nil
	case KindMap:
		var raw map[string]json.RawMessage
		if err := json.Unmarshal(content, &raw); err != nil {
			return Value{}, malformed(err)
		}
		fields := make(Item, len(raw))
		for name, r := range raw {
			f, err := parseValue(r, depth+1)
			if err != nil {
				return Value{}, err
			}
			fields[name] = f
		}
		return Value{kind: KindMap, fields: fields}, nil
	case KindList:
		var raw []json.RawMessage
		if err := json.Unmarshal(content, &raw); err != nil {
			return Value{}, malformed(err)
		}
		elems := make([]Value, len(raw))
		for i, r := range raw {
			e, err := parseValue(r, depth+1)
			if err != nil {
				return Value{}, err
			}
			elems[i] = e
		}
		return Value{kind: KindList, elems: elems}, nil
	case KindStringSet, KindNumberSet, KindBinarySet:
		return parseSet(kind, content)
	}
	return Value{}, &apiError{code: "SerializationException", message: "unknown attribute type " + string(kind)}
}

func parseScalar(kind Kind, text string) (Value, error) {
	switch kind {
	case KindNumber:
		return Decimal(text)
	case KindBinary:
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return Value{}, malformed(err)
		}
		return B(raw), nil
	}
	return S(text), nil
}

func parseSet(kind Kind, content []byte) (Value, error) {
	var texts []string
	if err := json.Unmarshal(content, &texts); err != nil {
		return Value{}, malformed(err)
	}
	if len(texts) == 0 {
		return Value{}, invalid("One or more parameter values were invalid: An %s  may not be empty", kind.word())
	}
	elems := make([]Value, len(texts))
	for i, text := range texts {
		e, err := parseScalar(kind[:1], text)
		if err != nil {
			return Value{}, err
		}
		elems[i] = e
	}
	set := setOf(kind, elems)
	if len(set.elems) < len(texts) {
		return Value{}, invalid("One or more parameter values were invalid: Input collection %v contains duplicates.", texts)
	}
	return set, nil
}

// word is the type as DynamoDB's messages call it.
func (k Kind) word() string {
	switch k {
	case KindString:
		return "STRING"
	case KindNumber:
		return "NUMBER"
	case KindBinary:
		return "BINARY"
	case KindBool:
		return "BOOLEAN"
	case KindMap:
		return "MAP"
	case KindList:
		return "LIST"
	case KindStringSet:
		return "string set"
	case KindNumberSet:
		return "number set"
	case KindBinarySet:
		return "binary set"
	}
	return string(k)
}

// MarshalJSON writes a value as it stands on the wire.
func (v Value) MarshalJSON() ([]byte, error) { return v.appendJSON(nil), nil }

// MarshalJSON writes an item as it stands on the wire, attributes in order of
// name so that equal answers have equal bytes.
func (it Item) MarshalJSON() ([]byte, error) { return it.appendJSON(nil), nil }

func (it Item) appendJSON(b []byte) []byte {
	b = append(b, '{')
	for i, name := range it.names() {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendQuoted(b, name), ':')
		b = it[name].appendJSON(b)
	}
	return append(b, '}')
}

func (v Value) appendJSON(b []byte) []byte {
	b = append(b, '{', '"')
	b = append(b, v.kind...)
	b = append(b, '"', ':')
	switch v.kind {
	case KindBool:
		b = strconv.AppendBool(b, v.flag)
	case KindNull:
		b = append(b, "true"...)
	case KindMap:
		b = v.fields.appendJSON(b)
	case KindList:
		b = append(b, '[')
		for i, e := range v.elems {
			if i > 0 {
				b = append(b, ',')
			}
			b = e.appendJSON(b)
		}
		b = append(b, ']')
	case KindStringSet, KindNumberSet, KindBinarySet:
		b = append(b, '[')
		for i, e := range v.elems {
			if i > 0 {
				b = append(b, ',')
			}
			b = e.appendScalar(b)
		}
		b = append(b, ']')
	default:
		b = v.appendScalar(b)
	}
	return append(b, '}')
}

// appendScalar writes the content of a string, number or binary.
func (v Value) appendScalar(b []byte) []byte {
	if v.kind != KindBinary {
		return appendQuoted(b, v.text)
	}
	b = append(b, '"')
	b = base64.StdEncoding.AppendEncode(b, []byte(v.text))
	return append(b, '"')
}

// appendQuoted writes a JSON string. Most are plain and need no escapes.
func appendQuoted(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x80 || c == '"' || c == '\\' {
			var out bytes.Buffer
			e := json.NewEncoder(&out)
			e.SetEscapeHTML(false)
			if err := e.Encode(s); err != nil {
				return append(b, `""`...) // strings always encode
			}
			return append(b, bytes.TrimSuffix(out.Bytes(), []byte("\n"))...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
