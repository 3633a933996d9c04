package filter

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// parse reads a pattern. Its error has no number yet.
func parse(text string) (*object, *SyntaxError) {
	p := &parser{text: text}
	if n := utf8.RuneCountInString(text); n > MaxPatternLength {
		return nil, p.fail(0, "the pattern has %d characters, want at most %d", n, MaxPatternLength)
	}
	var whole json.RawMessage
	if err := json.Unmarshal([]byte(text), &whole); err != nil {
		var syntax *json.SyntaxError
		at := len(text)
		// The offset is behind the byte at fault, unless what is at fault is the end.
		if errors.As(err, &syntax) && !strings.Contains(err.Error(), "unexpected end") {
			at = int(syntax.Offset) - 1
		}
		return nil, p.fail(at, "the pattern is not JSON: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	p.tokens = json.NewDecoder(strings.NewReader(text))
	p.tokens.UseNumber()
	if t, at := p.next(); t != json.Delim('{') {
		return nil, p.fail(at, "a pattern is an object, not %s", inWords(t))
	}
	root := p.object(0)
	if p.err != nil {
		return nil, p.err
	}
	root.data = slices.Contains(root.names(nil), "data")
	return root, nil
}

// parser walks over the tokens of a text that is known to be JSON. The first
// problem stands in err, and then nothing that was read counts.
type parser struct {
	text   string
	tokens *json.Decoder
	path   []string
	err    *SyntaxError
}

// next is the next token and where it begins.
func (p *parser) next() (json.Token, int) {
	at := int(p.tokens.InputOffset())
	for at < len(p.text) && strings.IndexByte(" \t\r\n,:", p.text[at]) >= 0 {
		at++
	}
	t, err := p.tokens.Token()
	if err != nil {
		p.fail(at, "%v", err) // only by nesting too deep
	}
	return t, at
}

// fail notes a problem, unless one stands already, and returns what stands.
func (p *parser) fail(at int, format string, args ...any) *SyntaxError {
	if p.err == nil {
		before := p.text[:min(at, len(p.text))]
		line := strings.Count(before, "\n")
		p.err = &SyntaxError{
			Line: line + 1, Column: len(before) - strings.LastIndexByte(before, '\n'),
			Path: strings.Join(p.path, "."), Problem: fmt.Sprintf(format, args...),
		}
	}
	return p.err
}

// deepest is how far patterns may nest; a pattern of 4,096 characters that means
// something nests far less.
const deepest = 128

// object reads what follows a brace, to the closing one.
func (p *parser) object(start int) *object {
	o := &object{}
	if len(p.path) > deepest {
		p.fail(start, "the pattern nests more than %d objects", deepest)
	}
	for p.err == nil && p.tokens.More() {
		name, _ := p.name()
		p.path = append(p.path, name)
		if name == "$or" {
			o.either = p.alternatives()
		} else {
			f := p.field(name)
			// Of a name that stands twice the last one counts.
			o.fields = slices.DeleteFunc(o.fields, func(g field) bool { return g.name == name })
			o.fields = append(o.fields, f)
		}
		p.path = p.path[:len(p.path)-1]
	}
	p.next() // the closing brace
	if len(o.fields) == 0 && len(o.either) == 0 {
		p.fail(start, "an empty object matches nothing: name a field")
	}
	return o
}

func (p *parser) name() (string, int) {
	t, at := p.next()
	name, _ := t.(string)
	return name, at
}

// field reads what is asked of one field.
func (p *parser) field(name string) field {
	t, at := p.next()
	switch t {
	case json.Delim('{'):
		return field{name: name, within: p.object(at)}
	case json.Delim('['):
		if name == "data" && len(p.path) == 1 {
			p.fail(at, "data is matched as JSON: want an object, not a list")
		}
		return field{name: name, leaf: p.leaf(at)}
	}
	p.fail(at, "a field's pattern is a list or an object, not %s: write [%s]", inWords(t), inJSON(t))
	return field{}
}

// alternatives reads the list of a $or.
func (p *parser) alternatives() []*object {
	t, at := p.next()
	if t != json.Delim('[') {
		p.fail(at, "$or is a list of objects, not %s", inWords(t))
		return nil
	}
	var all []*object
	// The path to what is within is that of the object around the $or.
	own := p.path
	p.path = p.path[:len(p.path)-1]
	for p.err == nil && p.tokens.More() {
		t, at := p.next()
		if t != json.Delim('{') {
			p.fail(at, "$or is a list of objects, and this is %s", inWords(t))
			break
		}
		all = append(all, p.object(at))
	}
	p.path = own
	p.next()
	if len(all) == 0 {
		p.fail(at, "$or is an empty list: nothing would match")
	}
	return all
}

// leaf reads a list of matchers, behind its bracket.
func (p *parser) leaf(start int) []matcher {
	var all []matcher
	for p.err == nil && p.tokens.More() {
		t, at := p.next()
		switch t := t.(type) {
		case json.Delim:
			if t == '[' {
				p.fail(at, "a list within a list: the values stand in one list")
				break
			}
			all = append(all, p.operator(at))
		default:
			all = append(all, equals{t})
		}
	}
	p.next()
	if len(all) == 0 {
		p.fail(start, "an empty list matches nothing: for null write [null]")
	}
	return all
}

func inWords(t json.Token) string {
	switch t := t.(type) {
	case nil:
		return "null"
	case json.Delim:
		if t == '[' {
			return "a list"
		}
		return "an object"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	}
	return "a number"
}

// inJSON is a value as it stands in a pattern.
func inJSON(t json.Token) string {
	text, err := json.Marshal(t)
	if err != nil {
		return "…"
	}
	return string(text)
}
