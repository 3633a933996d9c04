package dynamofake

import (
	"cmp"
	"slices"
	"strings"
)

// update is a parsed UpdateExpression: what to do at which path.
type update struct {
	actions []action
}

type action struct {
	verb string // SET, REMOVE, ADD or DELETE
	at   path
	from term  // of SET
	v    Value // of ADD and DELETE
}

// paths are the places that the update names.
func (u update) paths() []path {
	paths := make([]path, len(u.actions))
	for i, a := range u.actions {
		paths[i] = a.at
	}
	return paths
}

// term is the right side of a SET: an operand, or two with + or - between.
type term struct {
	left, right source
	op          string // "", "+" or "-"
}

// source is an operand of a SET. It is read from the item before the update.
type source interface {
	read(Item) (Value, error)
}

type (
	ifNotExists struct {
		at   path
		then source
	}
	listAppend struct{ front, back source }
)

func (l literal) read(Item) (Value, error) { return l.v, nil }

func (p path) read(it Item) (Value, error) {
	v, ok := p.value(it)
	if !ok {
		return Value{}, invalid("The provided expression refers to an attribute that does not exist in the item")
	}
	return v, nil
}

func (f ifNotExists) read(it Item) (Value, error) {
	// What stands in for a missing value must exist even when it is not missing.
	then, err := f.then.read(it)
	if v, ok := f.at.value(it); ok && err == nil {
		return v, nil
	}
	return then, err
}

func (f listAppend) read(it Item) (Value, error) {
	front, err := f.front.read(it)
	if err != nil {
		return Value{}, err
	}
	back, err := f.back.read(it)
	if err != nil {
		return Value{}, err
	}
	if front.kind != KindList || back.kind != KindList {
		return Value{}, wrongType()
	}
	return Value{kind: KindList, elems: slices.Concat(front.elems, back.elems)}, nil
}

func (t term) read(it Item) (Value, error) {
	left, err := t.left.read(it)
	if err != nil || t.op == "" {
		return left, err
	}
	right, err := t.right.read(it)
	if err != nil {
		return Value{}, err
	}
	if left.kind != KindNumber || right.kind != KindNumber {
		return Value{}, wrongType()
	}
	sum, err := addNumbers(left.text, right.text, t.op == "-")
	return Value{kind: KindNumber, text: sum}, err
}

func wrongType() error {
	return invalid("An operand in the update expression has an incorrect data type")
}

func noPlace() error {
	return invalid("The document path provided in the update expression is invalid for update")
}

// parseUpdate reads an UpdateExpression; nil text changes nothing.
func parseUpdate(text *string, given *placeholders) (update, error) {
	var u update
	if text == nil {
		return u, nil
	}
	p := parserOf("UpdateExpression", *text, given)
	seen := map[string]bool{}
	for p.err == nil && p.peek().kind != tokenEnd {
		verb := strings.ToUpper(p.next().text)
		if !slices.Contains([]string{"SET", "REMOVE", "ADD", "DELETE"}, verb) {
			p.at--
			p.unexpected()
			break
		}
		if seen[verb] {
			p.fail("The %q section can only be used once in an update expression;", verb)
			break
		}
		seen[verb] = true
		u.actions = append(u.actions, p.action(verb))
		for p.take(",") {
			u.actions = append(u.actions, p.action(verb))
		}
	}
	if p.err != nil {
		return update{}, p.err
	}
	return u, distinct("UpdateExpression", u.paths())
}

func (p *parser) action(verb string) action {
	a := action{verb: verb, at: p.path()}
	switch verb {
	case "SET":
		p.need("=")
		a.from = p.term()
	case "ADD", "DELETE":
		a.v = p.literal()
		if p.err == nil && !a.v.isSet() && (verb == "DELETE" || a.v.kind != KindNumber) {
			p.fail("Incorrect operand type for operator or function; operator: %s, operand type: %s, typeSet: ALLOWED_FOR_%s_OPERAND", verb, a.v.kind.word(), verb)
		}
	}
	return a
}

func (p *parser) term() term {
	if p.take("(") {
		t := p.term()
		p.need(")")
		return t
	}
	t := term{left: p.source()}
	for _, op := range []string{"+", "-"} {
		if p.take(op) {
			t.op, t.right = op, p.source()
			for _, s := range []source{t.left, t.right} {
				if l, ok := s.(literal); ok && l.v.kind != KindNumber && p.err == nil {
					p.fail("Incorrect operand type for operator or function; operator or function: %s, operand type: %s", op, l.v.kind)
				}
			}
			break
		}
	}
	return t
}

func (p *parser) source() source {
	t := p.peek()
	if t.kind == tokenValue {
		return literal{p.literal()}
	}
	if t.kind != tokenWord || !p.ahead(1).is("(") {
		return p.path()
	}
	p.at += 2
	var s source = literal{}
	switch t.text {
	case "if_not_exists":
		f := ifNotExists{at: p.path()}
		p.need(",")
		f.then = p.source()
		if again, ok := f.then.(path); ok {
			p.differ("if_not_exists", f.at, again)
		}
		s = f
	case "list_append":
		f := listAppend{front: p.source()}
		p.need(",")
		f.back = p.source()
		s = f
		for _, o := range []source{f.front, f.back} {
			if l, ok := o.(literal); ok && l.v.kind != KindList && p.err == nil {
				p.fail("Incorrect operand type for operator or function; operator or function: list_append, operand type: %s", l.v.kind)
			}
		}
	default:
		p.fail("Invalid function name; function: %s", t.text)
	}
	p.need(")")
	return s
}

// apply is the item after the update. All that the update reads, it reads from
// the item before; the item itself stays as it is.
func (u update) apply(before Item) (Item, error) {
	after := before
	// Removals go last and from the back, so that each index means an element of
	// the list as it was.
	actions := slices.Clone(u.actions)
	slices.SortStableFunc(actions, func(a, b action) int {
		if byVerb := cmp.Compare(rank(a), rank(b)); byVerb != 0 {
			return byVerb
		}
		return cmp.Compare(lastIndex(b), lastIndex(a)) * (2*rank(a) - 1)
	})
	for _, a := range actions {
		v, keep, err := a.result(before)
		if err != nil {
			return nil, err
		}
		root := Value{kind: KindMap, fields: after}
		if root, err = put(root, a.at, v, keep); err != nil {
			return nil, err
		}
		after = root.fields
	}
	return after, nil
}

func rank(a action) int {
	if a.verb == "REMOVE" {
		return 1
	}
	return 0
}

func lastIndex(a action) int { return a.at[len(a.at)-1].index }

// result is the value that an action leaves at its path; keep is false if it
// leaves none.
func (a action) result(before Item) (v Value, keep bool, err error) {
	old, exists := a.at.value(before)
	switch a.verb {
	case "SET":
		v, err = a.from.read(before)
		return v, true, err
	case "ADD":
		v, err = added(old, exists, a.v)
		return v, true, err
	case "DELETE":
		if !exists {
			return Value{}, false, nil
		}
		if old.kind != a.v.kind {
			return Value{}, false, wrongType()
		}
		left := slices.DeleteFunc(slices.Clone(old.elems), a.v.has)
		return Value{kind: old.kind, elems: left}, len(left) > 0, nil
	}
	return Value{}, false, nil
}

func added(old Value, exists bool, more Value) (Value, error) {
	switch {
	case !exists:
		return more, nil
	case old.kind != more.kind:
		return Value{}, wrongType()
	case more.kind == KindNumber:
		sum, err := addNumbers(old.text, more.text, false)
		return Value{kind: KindNumber, text: sum}, err
	}
	return setOf(old.kind, slices.Concat(old.elems, more.elems)), nil
}

// put is a copy of the container in which v stands at the path, or nothing does
// if keep is false. What is not on the way is shared with the original.
func put(container Value, at path, v Value, keep bool) (Value, error) {
	s := at[0]
	child, exists := s.of(container)
	if len(at) > 1 {
		if !exists {
			return Value{}, noPlace()
		}
		changed, err := put(child, at[1:], v, keep)
		if err != nil {
			return Value{}, err
		}
		v, keep = changed, true
	}
	switch {
	case s.field != "" && container.kind == KindMap:
		fields := make(Item, len(container.fields)+1)
		for name, f := range container.fields {
			fields[name] = f
		}
		if keep {
			fields[s.field] = v
		} else {
			delete(fields, s.field)
		}
		return Value{kind: KindMap, fields: fields}, nil
	case s.field == "" && container.kind == KindList:
		elems := slices.Clone(container.elems)
		switch {
		case keep && exists:
			elems[s.index] = v
		case keep: // past the end means after the last
			elems = append(elems, v)
		case exists:
			elems = slices.Delete(elems, s.index, s.index+1)
		}
		return Value{kind: KindList, elems: elems}, nil
	}
	return Value{}, noPlace()
}
