package filter

import (
	"encoding/json"
	"math"
)

// operator reads an object with one operator, behind its brace.
func (p *parser) operator(start int) matcher {
	if !p.tokens.More() {
		p.next()
		p.fail(start, "an empty object is no operator")
		return nil
	}
	name, at := p.name()
	var m matcher
	switch name {
	case "prefix":
		m = p.stringOperator(name, prefix)
	case "suffix":
		m = p.stringOperator(name, suffix)
	case "equals-ignore-case":
		m = p.stringOperator(name, ignoringCase)
	case "anything-but":
		m = p.anythingBut()
	case "numeric":
		m = p.numeric()
	case "exists":
		t, at := p.next()
		want, ok := t.(bool)
		if !ok {
			p.fail(at, "exists is true or false, not %s", inWords(t))
		}
		m = exists{want}
	default:
		p.fail(at, "%q is no operator of Lambda's: want prefix, suffix, equals-ignore-case, anything-but, numeric or exists", name)
		return nil
	}
	if p.err == nil && p.tokens.More() {
		name, at := p.name()
		p.fail(at, "a second operator, %q, in one object: put it into an object of its own", name)
	}
	if p.err == nil {
		p.next() // the closing brace
	}
	return m
}

func (p *parser) stringOperator(name string, make func(string) matcher) matcher {
	t, at := p.next()
	s, ok := t.(string)
	if !ok {
		p.fail(at, "%s takes a string, not %s", name, inWords(t))
		return nil
	}
	return make(s)
}

// anythingBut reads a string, a number, or a list of either.
func (p *parser) anythingBut() matcher {
	t, at := p.next()
	if t != json.Delim('[') {
		p.plain(t, at)
		return anythingBut{[]any{t}}
	}
	var values []any
	for p.err == nil && p.tokens.More() {
		v, at := p.next()
		p.plain(v, at)
		if len(values) > 0 && p.err == nil && isNumber(v) != isNumber(values[0]) {
			p.fail(at, "anything-but takes strings or numbers, not both in one list")
		}
		values = append(values, v)
	}
	p.next()
	if len(values) == 0 {
		p.fail(at, "anything-but takes at least one value")
	}
	return anythingBut{values}
}

func isNumber(t json.Token) bool {
	_, ok := t.(json.Number)
	return ok
}

// plain refuses what anything-but can not be asked of.
func (p *parser) plain(t json.Token, at int) {
	switch t.(type) {
	case string, json.Number:
		return
	case json.Delim:
		p.fail(at, "anything-but takes strings or numbers, not %s: Lambda has no anything-but with another operator within", inWords(t))
		return
	}
	p.fail(at, "anything-but takes strings or numbers, not %s", inWords(t))
}

// largest is the greatest number that EventBridge's numeric matching takes, see
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html.
const largest = 5e9

// numeric reads ["=", n], one bound, or a lower and an upper one.
func (p *parser) numeric() matcher {
	t, start := p.next()
	if t != json.Delim('[') {
		p.fail(start, "numeric takes a list such as [\">\", 0, \"<=\", 5], not %s", inWords(t))
		return nil
	}
	var m numeric
	for p.err == nil && p.tokens.More() {
		t, at := p.next()
		operator, _ := t.(string)
		bound := p.bound(operator, t, at)
		switch operator {
		case "=":
			if m.hasLow || m.hasHigh {
				p.fail(at, "= stands alone")
			}
			m = numeric{low: bound, high: bound, hasLow: true, hasHigh: true, withLow: true, withHigh: true}
		case ">", ">=":
			if m.hasLow || m.hasHigh {
				p.fail(at, "the lower bound comes first, and there is one")
			}
			m.low, m.hasLow, m.withLow = bound, true, operator == ">="
		case "<", "<=":
			if m.hasHigh {
				p.fail(at, "there is an upper bound already")
			}
			m.high, m.hasHigh, m.withHigh = bound, true, operator == "<="
			if m.hasLow && m.low >= m.high {
				p.fail(at, "the range is empty: %v is not below %v", m.low, m.high)
			}
		}
	}
	p.next()
	if !m.hasLow && !m.hasHigh {
		p.fail(start, "numeric takes an operator and a number")
	}
	return m
}

// bound reads the number behind an operator.
func (p *parser) bound(operator string, t json.Token, at int) float64 {
	switch operator {
	case "=", "<", "<=", ">", ">=":
	default:
		p.fail(at, "%s is no operator of numeric: want =, <, <=, > or >=", inJSON(t))
		return 0
	}
	if !p.tokens.More() {
		p.fail(at, "%s has no number behind it", operator)
		return 0
	}
	v, at := p.next()
	number, ok := v.(json.Number)
	if !ok {
		p.fail(at, "%s takes a number, not %s", operator, inWords(v))
		return 0
	}
	f, err := number.Float64()
	if err != nil || math.Abs(f) > largest {
		p.fail(at, "%s is out of range: want -5e9 to 5e9", number)
	}
	return f
}
