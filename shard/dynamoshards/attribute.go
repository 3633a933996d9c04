package dynamoshards

import (
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

// appendItem writes an item as DynamoDB does on the wire, its attributes in the
// order of their names. With canonical set, equal numbers are written alike, so
// that equal keys have equal bytes.
func appendItem(b []byte, item map[string]types.AttributeValue, canonical bool) []byte {
	b = append(b, '{')
	for i, name := range slices.Sorted(maps.Keys(item)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendText(b, name), ':')
		b = appendValue(b, item[name], canonical)
	}
	return append(b, '}')
}

// appendValue writes one attribute value. A type that this version does not know
// is written as {"NULL":true}, so that nothing else of
// the record is lost.
func appendValue(b []byte, v types.AttributeValue, canonical bool) []byte {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		b = appendText(append(b, `{"S":`...), v.Value)
	case *types.AttributeValueMemberN:
		n := v.Value
		if canonical {
			n = canonicalNumber(n)
		}
		b = appendText(append(b, `{"N":`...), n)
	case *types.AttributeValueMemberB:
		b = appendBinary(append(b, `{"B":`...), v.Value)
	case *types.AttributeValueMemberBOOL:
		b = strconv.AppendBool(append(b, `{"BOOL":`...), v.Value)
	case *types.AttributeValueMemberM:
		b = appendItem(append(b, `{"M":`...), v.Value, canonical)
	case *types.AttributeValueMemberL:
		b = appendEach(append(b, `{"L":`...), v.Value, func(b []byte, e types.AttributeValue) []byte { return appendValue(b, e, canonical) })
	case *types.AttributeValueMemberSS:
		b = appendEach(append(b, `{"SS":`...), v.Value, appendText)
	case *types.AttributeValueMemberNS:
		b = appendEach(append(b, `{"NS":`...), v.Value, appendText)
	case *types.AttributeValueMemberBS:
		b = appendEach(append(b, `{"BS":`...), v.Value, appendBinary)
	default:
		b = append(b, `{"NULL":true`...)
	}
	return append(b, '}')
}

func appendEach[T any](b []byte, all []T, write func([]byte, T) []byte) []byte {
	b = append(b, '[')
	for i, e := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = write(b, e)
	}
	return append(b, ']')
}

func appendBinary(b []byte, data []byte) []byte {
	b = append(b, '"')
	b = base64.StdEncoding.AppendEncode(b, data)
	return append(b, '"')
}

// canonicalNumber is one text for all texts of one number: its digits without
// zeros at the ends, and the power of ten of the last. DynamoDB gives numbers in
// one form, and servers that stand in for it as they were written. What is no
// number stays as it is.
func canonicalNumber(text string) string {
	digits, exponent, has := strings.Cut(strings.ToLower(text), "e")
	power := 0
	if has {
		var err error
		if power, err = strconv.Atoi(exponent); err != nil {
			return text
		}
	}
	negative := strings.HasPrefix(digits, "-")
	digits = strings.TrimLeft(digits, "+-")
	whole, fraction, _ := strings.Cut(digits, ".")
	digits = whole + fraction
	if strings.Trim(digits, "0123456789") != "" || digits == "" {
		return text
	}
	power -= len(fraction)
	digits = strings.TrimLeft(digits, "0")
	if digits == "" {
		return "0"
	}
	short := strings.TrimRight(digits, "0")
	power += len(digits) - len(short)
	if negative {
		short = "-" + short
	}
	switch {
	case power == 0:
		return short
	case power > 0 && power < 40:
		return short + strings.Repeat("0", power)
	}
	return short + "e" + strconv.Itoa(power)
}
