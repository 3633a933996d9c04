package dynamofake

import (
	"maps"
	"slices"
	"strings"
)

// placeholders are the #names and :values of one request. All expressions of
// the request draw from the same ones, and in the end each must have been used.
type placeholders struct {
	names  map[string]string
	values Item

	usedNames  map[string]bool
	usedValues map[string]bool
}

// placeholdersOf checks the placeholders of a request. expressions says whether
// the request has any expression that could use them.
func placeholdersOf(names map[string]string, values Item, expressions bool) (*placeholders, error) {
	switch {
	case names != nil && !expressions:
		return nil, invalid("ExpressionAttributeNames can only be specified when using expressions")
	case values != nil && !expressions:
		return nil, invalid("ExpressionAttributeValues can only be specified when using expressions")
	case names != nil && len(names) == 0:
		return nil, invalid("ExpressionAttributeNames must not be empty")
	case values != nil && len(values) == 0:
		return nil, invalid("ExpressionAttributeValues must not be empty")
	}
	for name := range names {
		if !isPlaceholder(name, '#') {
			return nil, invalid("ExpressionAttributeNames contains invalid key: Syntax error; key: %q", name)
		}
	}
	for name := range values {
		if !isPlaceholder(name, ':') {
			return nil, invalid("ExpressionAttributeValues contains invalid key: Syntax error; key: %q", name)
		}
	}
	return &placeholders{names, values, map[string]bool{}, map[string]bool{}}, nil
}

// isPlaceholder says whether s is the mark followed by letters and digits.
func isPlaceholder(s string, mark byte) bool {
	tokens, _, ok := tokenize(s)
	return ok && len(tokens) == 1 && s[0] == mark && tokens[0].text == s
}

// unused refuses placeholders that no expression mentioned.
func (p *placeholders) unused() error {
	if left := missing(maps.Keys(p.values), p.usedValues); left != "" {
		return invalid("Value provided in ExpressionAttributeValues unused in expressions: keys: {%s}", left)
	}
	if left := missing(maps.Keys(p.names), p.usedNames); left != "" {
		return invalid("Value provided in ExpressionAttributeNames unused in expressions: keys: {%s}", left)
	}
	return nil
}

func missing(all func(func(string) bool), used map[string]bool) string {
	var left []string
	for name := range all {
		if !used[name] {
			left = append(left, name)
		}
	}
	slices.Sort(left)
	return strings.Join(left, ", ")
}
