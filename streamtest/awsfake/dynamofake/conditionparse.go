package dynamofake

import "slices"

// parseCondition reads a ConditionExpression or FilterExpression; nil text is
// no condition, which every item fulfils.
func parseCondition(name string, text *string, given *placeholders) (condition, error) {
	if text == nil {
		return allOf(nil), nil
	}
	p := parserOf(name, *text, given)
	c := p.disjunction()
	p.end()
	return c, p.err
}

func (p *parser) disjunction() condition {
	parts := anyOf{p.conjunction()}
	for p.takeKeyword("OR") {
		parts = append(parts, p.conjunction())
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return parts
}

func (p *parser) conjunction() condition {
	parts := allOf{p.negation()}
	for p.takeKeyword("AND") {
		parts = append(parts, p.negation())
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return parts
}

func (p *parser) negation() condition {
	if p.takeKeyword("NOT") {
		return not{p.negation()}
	}
	return p.predicate()
}

func (p *parser) predicate() condition {
	if p.take("(") {
		from := p.at
		c := p.disjunction()
		p.need(")")
		if p.wrapped == [2]int{from + 1, p.at - 1} {
			p.fail("The expression has redundant parentheses;")
		}
		p.wrapped = [2]int{from, p.at}
		return c
	}
	if t := p.peek(); t.kind == tokenWord && t.text != "size" && p.ahead(1).is("(") {
		p.at += 2
		c := p.function(t.text)
		p.need(")")
		return c
	}
	v := p.operand()
	switch {
	case p.takeKeyword("BETWEEN"):
		return p.between(v)
	case p.takeKeyword("IN"):
		return p.in(v)
	}
	op := p.peek()
	if op.kind != tokenSymbol || !slices.Contains([]string{"=", "<>", "<", "<=", ">", ">="}, op.text) {
		p.unexpected()
		return allOf(nil)
	}
	p.at++
	c := comparison{v, p.operand(), op.text}
	p.differ(op.text, c.left, c.right)
	if op.text != "=" && op.text != "<>" {
		p.ordered(op.text, c.left)
		p.ordered(op.text, c.right)
	}
	return c
}

func (p *parser) between(v operand) condition {
	c := between{v: v, low: p.operand()}
	if !p.takeKeyword("AND") {
		p.unexpected()
		return c
	}
	c.high = p.operand()
	for _, o := range []operand{c.v, c.low, c.high} {
		p.ordered("BETWEEN", o)
	}
	p.differ("BETWEEN", c.v, c.low)
	p.differ("BETWEEN", c.v, c.high)
	low, okL := c.low.(literal)
	high, okH := c.high.(literal)
	if okL && okH {
		switch order, comparable := compare(low.v, high.v); {
		case !comparable:
			p.fail("The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: {%s:%v}, upper bound operand: AttributeValue: {%s:%v}", low.v.kind, low.v.text, high.v.kind, high.v.text)
		case order > 0:
			p.fail("The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: {%s:%v}, upper bound operand: AttributeValue: {%s:%v}", low.v.kind, low.v.text, high.v.kind, high.v.text)
		}
	}
	return c
}

func (p *parser) in(v operand) condition {
	p.need("(")
	c := oneOf{v: v, list: []operand{p.operand()}}
	for p.take(",") {
		c.list = append(c.list, p.operand())
	}
	p.need(")")
	for _, o := range c.list {
		p.differ("IN", c.v, o)
	}
	// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
	if len(c.list) > 100 {
		p.fail("The IN operator is provided with too many operands; number of operands: %d", len(c.list))
	}
	return c
}

// function reads the arguments of a function that is a condition.
func (p *parser) function(name string) condition {
	switch name {
	case "attribute_exists":
		return presence{p.path(), true}
	case "attribute_not_exists":
		return presence{p.path(), false}
	case "attribute_type":
		at := p.path()
		p.need(",")
		kind := Kind(p.literal().text)
		kinds := []Kind{KindString, KindNumber, KindBinary, KindBool, KindNull, KindMap, KindList, KindStringSet, KindNumberSet, KindBinarySet}
		if !slices.Contains(kinds, kind) {
			p.fail("Invalid attribute type name found; type: %s, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}", kind)
		}
		return typeIs{at, kind}
	case "begins_with", "contains":
		v := p.operand()
		p.need(",")
		part := p.operand()
		p.differ(name, v, part)
		if name == "contains" {
			return contains{v, part}
		}
		for _, o := range []operand{v, part} {
			if l, ok := o.(literal); ok && l.v.kind != KindString && l.v.kind != KindBinary {
				p.fail("Incorrect operand type for operator or function; operator or function: begins_with, operand type: %s", l.v.kind)
			}
		}
		return beginsWith{v, part}
	}
	p.fail("Invalid function name; function: %s", name)
	return allOf(nil)
}

// operand reads a path, a value, or size(path).
func (p *parser) operand() operand {
	switch t := p.peek(); {
	case t.kind == tokenValue:
		return literal{p.literal()}
	case t.kind == tokenWord && t.text == "size" && p.ahead(1).is("("):
		p.at += 2
		s := sizeOf{p.path()}
		p.need(")")
		return s
	case t.kind == tokenWord && p.ahead(1).is("("):
		p.fail("The function is not allowed to be used this way in an expression; function: %s", t.text)
		return literal{}
	}
	return p.path()
}

// ordered refuses literals that have no order, where one is needed.
func (p *parser) ordered(operator string, o operand) {
	if l, ok := o.(literal); ok && !l.v.isScalarKey() && p.err == nil {
		p.fail("Incorrect operand type for operator or function; operator or function: %s, operand type: %s", operator, l.v.kind)
	}
}

// differ refuses to compare a path with itself.
func (p *parser) differ(operator string, a, b operand) {
	pa, okA := a.(path)
	pb, okB := b.(path)
	if okA && okB && slices.Equal(pa, pb) && p.err == nil {
		p.fail("The first operand must be distinct from the remaining operands for this operator or function; operator: %s, first operand: %v", operator, pa)
	}
}
