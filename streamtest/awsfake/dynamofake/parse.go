package dynamofake

import (
	"strconv"
	"strings"
)

// parser reads one expression. The first error stays and ends the reading: every
// method may be called after it and does nothing.
type parser struct {
	expression string // its name in the request, for messages
	tokens     []token
	at         int
	wrapped    [2]int // where the last condition in parentheses began and ended
	given      *placeholders
	err        error
}

// parserOf begins to read the expression that is called name in the request.
func parserOf(name, text string, given *placeholders) *parser {
	p := &parser{expression: name, given: given}
	if strings.TrimSpace(text) == "" {
		p.fail("The expression can not be empty;")
		return p
	}
	// The longest expression: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
	if len(text) > 4096 {
		p.fail("Expression size has exceeded the maximum allowed size;")
		return p
	}
	tokens, bad, ok := tokenize(text)
	if !ok {
		p.fail("Syntax error; token: %q", bad)
		return p
	}
	p.tokens = tokens
	return p
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = invalid("Invalid "+p.expression+": "+format, args...)
		p.tokens, p.at = nil, 0
	}
}

func (p *parser) unexpected() {
	text := p.peek().text
	if text == "" {
		text = "<EOF>"
	}
	p.fail("Syntax error; token: %q", text)
}

func (p *parser) peek() token { return p.ahead(0) }

func (p *parser) ahead(n int) token {
	if p.at+n >= len(p.tokens) {
		return token{}
	}
	return p.tokens[p.at+n]
}

func (p *parser) next() token {
	t := p.peek()
	p.at++
	return t
}

// take reads a symbol if it is there.
func (p *parser) take(symbol string) bool {
	if p.peek().is(symbol) {
		p.at++
		return true
	}
	return false
}

// takeKeyword reads a keyword if it is there.
func (p *parser) takeKeyword(word string) bool {
	if p.peek().isKeyword(word) {
		p.at++
		return true
	}
	return false
}

// need reads a symbol that must be there.
func (p *parser) need(symbol string) {
	if !p.take(symbol) {
		p.unexpected()
	}
}

// end says that nothing may follow.
func (p *parser) end() {
	if p.err == nil && p.peek().kind != tokenEnd {
		p.unexpected()
	}
}

// path reads a document path.
func (p *parser) path() path {
	out := path{{field: p.field()}}
	for p.err == nil {
		switch {
		case p.take("."):
			out = append(out, step{field: p.field()})
		case p.take("["):
			t := p.peek()
			n, err := strconv.Atoi(t.text)
			if t.kind != tokenIndex || err != nil {
				p.unexpected()
				return nil
			}
			p.at++
			p.need("]")
			out = append(out, step{index: n})
		default:
			return out
		}
	}
	return nil
}

// field reads one attribute name, in the clear or by its placeholder.
func (p *parser) field() string {
	switch t := p.peek(); t.kind {
	case tokenWord:
		p.at++
		if reserved(t.text) {
			p.fail("Attribute name is a reserved keyword; reserved keyword: %s", t.text)
		}
		return t.text
	case tokenName:
		p.at++
		name, ok := p.given.names[t.text]
		if !ok {
			p.fail("An expression attribute name used in the document path is not defined; attribute name: %s", t.text)
		}
		p.given.usedNames[t.text] = true
		return name
	}
	p.unexpected()
	return ""
}

// literal reads the value behind a placeholder.
func (p *parser) literal() Value {
	t := p.peek()
	if t.kind != tokenValue {
		p.unexpected()
		return Value{}
	}
	p.at++
	v, ok := p.given.values[t.text]
	if !ok {
		p.fail("An expression attribute value used in expression is not defined; attribute value: %s", t.text)
	}
	p.given.usedValues[t.text] = true
	return v
}

// parseProjection reads a ProjectionExpression; nil means the whole item.
func parseProjection(text *string, given *placeholders) ([]path, error) {
	if text == nil {
		return nil, nil
	}
	p := parserOf("ProjectionExpression", *text, given)
	paths := []path{p.path()}
	for p.take(",") {
		paths = append(paths, p.path())
	}
	p.end()
	if p.err != nil {
		return nil, p.err
	}
	if err := distinct("ProjectionExpression", paths); err != nil {
		return nil, err
	}
	return paths, nil
}
