package tablefake

import "maps"

// update is a parsed UpdateExpression.
type update struct {
	sets    []setting
	removes []path
	adds    []change
	deletes []change
}

// setting is one path = value of a SET clause.
type setting struct {
	at   path
	from term
}

// change is one path value of an ADD or DELETE clause.
type change struct {
	at path
	v  Value
}

// term is the right side of a SET: one operand, or two with a sign between.
type term struct {
	left, right source
	minus       bool
}

// source gives a value from the item as it was before the update.
type source func(Item) (Value, error)

func parseUpdate(text *string, given *placeholders) (*update, error) {
	if text == nil {
		return &update{}, nil
	}
	p := parserOf("UpdateExpression", *text, given)
	u := &update{}
	seen := map[string]bool{}
	for p.err == nil && p.peek().kind != tokenEnd {
		clause := ""
		for _, word := range []string{"SET", "REMOVE", "ADD", "DELETE"} {
			if p.takeKeyword(word) {
				clause = word
			}
		}
		if clause == "" {
			p.unexpected()
			break
		}
		if seen[clause] {
			p.fail("The %q section can only be used once in an update expression;", clause)
		}
		seen[clause] = true
		for {
			p.action(u, clause)
			if !p.take(",") {
				break
			}
		}
	}
	if p.err != nil {
		return nil, p.err
	}
	var all []path
	for _, s := range u.sets {
		all = append(all, s.at)
	}
	all = append(all, u.removes...)
	for _, c := range append(append([]change(nil), u.adds...), u.deletes...) {
		all = append(all, c.at)
	}
	return u, distinct("UpdateExpression", all)
}

// action reads one action of a clause.
func (p *parser) action(u *update, clause string) {
	at := p.path()
	switch clause {
	case "SET":
		p.need("=")
		t := term{left: p.source()}
		switch {
		case p.take("+"):
			t.right = p.source()
		case p.take("-"):
			t.right, t.minus = p.source(), true
		}
		u.sets = append(u.sets, setting{at, t})
	case "REMOVE":
		u.removes = append(u.removes, at)
	case "ADD":
		u.adds = append(u.adds, change{at, p.literal()})
	case "DELETE":
		u.deletes = append(u.deletes, change{at, p.literal()})
	}
}

// source reads an operand: a literal, a path, if_not_exists or list_append.
func (p *parser) source() source {
	t := p.peek()
	switch {
	case t.kind == tokenValue:
		v := p.literal()
		return func(Item) (Value, error) { return v, nil }
	case t.kind == tokenWord && p.ahead(1).is("("):
		p.at++
		p.need("(")
		switch t.text {
		case "if_not_exists":
			at := p.path()
			p.need(",")
			otherwise := p.source()
			p.need(")")
			return func(it Item) (Value, error) {
				if v, ok := at.value(it); ok {
					return v, nil
				}
				return otherwise(it)
			}
		case "list_append":
			first := p.source()
			p.need(",")
			second := p.source()
			p.need(")")
			return appended(first, second)
		}
		p.fail("Invalid function name; function: %s", t.text)
		return nil
	}
	at := p.path()
	return func(it Item) (Value, error) {
		v, ok := at.value(it)
		if !ok {
			return v, invalid("The provided expression refers to an attribute that does not exist in the item")
		}
		return v, nil
	}
}

func appended(first, second source) source {
	return func(it Item) (Value, error) {
		a, err := first(it)
		if err != nil {
			return a, err
		}
		b, err := second(it)
		if err != nil {
			return b, err
		}
		if a.kind != KindList || b.kind != KindList {
			return a, invalid("An operand in the update expression has an incorrect data type")
		}
		return L(append(append([]Value(nil), a.elems...), b.elems...)...), nil
	}
}

// value is what a term comes to.
func (t term) value(it Item) (Value, error) {
	a, err := t.left(it)
	if err != nil || t.right == nil {
		return a, err
	}
	b, err := t.right(it)
	if err != nil {
		return b, err
	}
	if a.kind != KindNumber || b.kind != KindNumber {
		return a, invalid("An operand in the update expression has an incorrect data type")
	}
	sum, err := addNumbers(a.text, b.text, t.minus)
	return Value{kind: KindNumber, text: sum}, err
}

// touches are the attributes that the update names.
func (u *update) touches() map[string]bool {
	names := map[string]bool{}
	for _, s := range u.sets {
		names[s.at.attribute()] = true
	}
	for _, at := range u.removes {
		names[at.attribute()] = true
	}
	for _, c := range u.adds {
		names[c.at.attribute()] = true
	}
	for _, c := range u.deletes {
		names[c.at.attribute()] = true
	}
	return names
}

// apply is the item after the update. Every value is taken from before it.
func (u *update) apply(it Item) (Item, error) {
	out := maps.Clone(it)
	if out == nil {
		out = Item{}
	}
	for _, s := range u.sets {
		v, err := s.from.value(it)
		if err != nil {
			return nil, err
		}
		if out, err = put(out, s.at, v); err != nil {
			return nil, err
		}
	}
	for _, at := range u.removes {
		out = drop(out, at)
	}
	for _, c := range u.adds {
		old, there := c.at.value(it)
		v, err := added(old, there, c.v)
		if err != nil {
			return nil, err
		}
		if out, err = put(out, c.at, v); err != nil {
			return nil, err
		}
	}
	for _, c := range u.deletes {
		old, there := c.at.value(it)
		if !there {
			continue
		}
		if old.kind != c.v.kind {
			return nil, invalid("An operand in the update expression has an incorrect data type")
		}
		var left []Value
		for _, e := range old.elems {
			if !c.v.has(e) {
				left = append(left, e)
			}
		}
		if len(left) == 0 {
			out = drop(out, c.at)
			continue
		}
		var err error
		if out, err = put(out, c.at, setOf(old.kind, left)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// added is what ADD makes of a value.
func added(old Value, there bool, v Value) (Value, error) {
	switch {
	case v.kind == KindNumber && !there:
		return v, nil
	case v.kind == KindNumber && old.kind == KindNumber:
		sum, err := addNumbers(old.text, v.text, false)
		return Value{kind: KindNumber, text: sum}, err
	case v.kind == KindStringSet || v.kind == KindNumberSet || v.kind == KindBinarySet:
		if !there {
			return v, nil
		}
		if old.kind == v.kind {
			return setOf(v.kind, append(append([]Value(nil), old.elems...), v.elems...)), nil
		}
	}
	return v, invalid("An operand in the update expression has an incorrect data type")
}

// put sets what stands at a path, in a copy.
func put(it Item, at path, v Value) (Item, error) {
	out := maps.Clone(it)
	if len(at) == 1 {
		out[at[0].field] = v
		return out, nil
	}
	inner, err := putIn(out[at[0].field], at[1:], v)
	out[at[0].field] = inner
	return out, err
}

func putIn(in Value, at path, v Value) (Value, error) {
	if len(at) == 0 {
		return v, nil
	}
	s := at[0]
	switch {
	case s.field != "" && in.kind == KindMap:
		inner, err := putIn(in.fields[s.field], at[1:], v)
		fields := maps.Clone(in.fields)
		if fields == nil {
			fields = Item{}
		}
		fields[s.field] = inner
		return M(fields), err
	case s.field == "" && in.kind == KindList:
		elems := append([]Value(nil), in.elems...)
		if s.index >= len(elems) {
			inner, err := putIn(Value{}, at[1:], v)
			return L(append(elems, inner)...), err
		}
		inner, err := putIn(elems[s.index], at[1:], v)
		elems[s.index] = inner
		return L(elems...), err
	}
	return in, invalid("The document path provided in the update expression is invalid for update")
}

// drop removes what stands at a path, in a copy.
func drop(it Item, at path) Item {
	out := maps.Clone(it)
	if len(at) == 1 {
		delete(out, at[0].field)
		return out
	}
	if v, ok := out[at[0].field]; ok {
		out[at[0].field] = dropIn(v, at[1:])
	}
	return out
}

func dropIn(in Value, at path) Value {
	s := at[0]
	switch {
	case s.field != "" && in.kind == KindMap:
		fields := maps.Clone(in.fields)
		if len(at) == 1 {
			delete(fields, s.field)
		} else if v, ok := fields[s.field]; ok {
			fields[s.field] = dropIn(v, at[1:])
		}
		return M(fields)
	case s.field == "" && in.kind == KindList && s.index < len(in.elems):
		elems := append([]Value(nil), in.elems...)
		if len(at) == 1 {
			elems = append(elems[:s.index], elems[s.index+1:]...)
		} else {
			elems[s.index] = dropIn(elems[s.index], at[1:])
		}
		return L(elems...)
	}
	return in
}
