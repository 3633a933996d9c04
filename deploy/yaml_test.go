package deploy

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// readYAML reads the YAML that the files here are written in: blocks, flows,
// folded and literal text, comments, and the short forms of CloudFormation's
// functions. ci/deploy.sh compares what it reads with what another reader does;
// what it does not know fails the test.
func readYAML(t *testing.T, path string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := parseYAML(string(text))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return doc
}

func parseYAML(text string) (doc map[string]any, err error) {
	p := &yamlParser{}
	for i, raw := range strings.Split(text, "\n") {
		p.lines = append(p.lines, yamlLine{number: i + 1, raw: raw})
	}
	defer func() {
		if r := recover(); r != nil {
			said, ok := r.(yamlError)
			if !ok {
				panic(r)
			}
			err = fmt.Errorf("line %d: %s", p.number(), string(said))
		}
	}()
	p.skip()
	doc, ok := p.block(0).(map[string]any)
	if p.skip(); p.at < len(p.lines) {
		p.fail("want an end")
	}
	if !ok {
		p.fail("want a mapping")
	}
	return doc, nil
}

type yamlLine struct {
	number int
	raw    string
}

type yamlParser struct {
	lines []yamlLine
	at    int
}

type yamlError string

func (p *yamlParser) fail(format string, args ...any) { panic(yamlError(fmt.Sprintf(format, args...))) }

func (p *yamlParser) number() int { return min(p.at+1, len(p.lines)) }

// skip passes what is empty or a comment.
func (p *yamlParser) skip() {
	for p.at < len(p.lines) && strings.TrimSpace(bare(p.lines[p.at].raw)) == "" {
		p.at++
	}
}

// bare is a line without its comment.
func bare(raw string) string {
	quote := byte(0)
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case (c == '"' || c == '\'') && (i == 0 || strings.IndexByte(" [{,:", raw[i-1]) >= 0):
			quote = c
		case c == '#' && (i == 0 || raw[i-1] == ' '):
			return raw[:i]
		}
	}
	return raw
}

// peek is the next line with something on it.
func (p *yamlParser) peek() (indent int, text string, ok bool) {
	p.skip()
	if p.at >= len(p.lines) {
		return 0, "", false
	}
	line := strings.TrimRight(bare(p.lines[p.at].raw), " ")
	text = strings.TrimLeft(line, " ")
	if strings.HasPrefix(text, "\t") {
		p.fail("a tab")
	}
	return len(line) - len(text), text, true
}

// block is the mapping or the list whose lines are indented so.
func (p *yamlParser) block(indent int) any {
	at, text, ok := p.peek()
	if !ok || at != indent {
		p.fail("want something at column %d", indent)
	}
	if text == "-" || strings.HasPrefix(text, "- ") {
		list := []any{}
		for {
			at, text, ok := p.peek()
			if !ok || at < indent || at == indent && text != "-" && !strings.HasPrefix(text, "- ") {
				return list
			}
			if at != indent {
				p.fail("column %d, want %d", at, indent)
			}
			item := strings.TrimLeft(text[1:], " ")
			if _, _, isKey := keyOf(item); isKey || strings.HasPrefix(item, "- ") {
				// The item begins a block on this line: read it as one that is indented.
				inner := indent + len(text) - len(item)
				p.lines[p.at].raw = strings.Repeat(" ", inner) + item
				list = append(list, p.block(inner))
				continue
			}
			p.at++
			list = append(list, p.value(item, indent))
		}
	}
	m := map[string]any{}
	for {
		at, text, ok := p.peek()
		if !ok || at < indent {
			return m
		}
		key, rest, isKey := keyOf(text)
		if at != indent || !isKey {
			p.fail("column %d, want a key at %d: %q", at, indent, text)
		}
		if _, twice := m[key]; twice {
			p.fail("%s twice", key)
		}
		p.at++
		m[key] = p.value(rest, indent)
	}
}

// keyOf takes "key: rest" apart.
func keyOf(text string) (key, rest string, ok bool) {
	if strings.HasPrefix(text, `"`) {
		end := strings.Index(text[1:], `"`) + 1
		if end > 0 && strings.HasPrefix(text[end+1:], ":") {
			return text[1:end], strings.TrimSpace(text[end+2:]), true
		}
		return "", "", false
	}
	if text == "" || strings.IndexByte("[{!&*|>'", text[0]) >= 0 {
		return "", "", false
	}
	if i := strings.Index(text, ": "); i > 0 {
		return text[:i], strings.TrimSpace(text[i+2:]), true
	}
	if before, ok := strings.CutSuffix(text, ":"); ok {
		return before, "", true
	}
	return "", "", false
}

// value is what stands behind a key or a dash, on the line and below it.
func (p *yamlParser) value(text string, indent int) any {
	if tag, rest, ok := tagOf(text); ok {
		return tagged(tag, p.value(rest, indent))
	}
	switch text {
	case "":
		at, next, ok := p.peek()
		if ok && (at > indent || at == indent && strings.HasPrefix(next, "- ")) {
			return p.block(at)
		}
		return nil
	case "|", "|-", ">", ">-":
		return p.text(text, indent)
	}
	f := &yamlFlow{p: p, text: text}
	v := f.value(false)
	if f.text = strings.TrimSpace(f.text); f.text != "" {
		p.fail("what is %q behind a value", f.text)
	}
	return v
}

// text is literal or folded text, whose lines are indented further.
func (p *yamlParser) text(style string, indent int) string {
	var lines []string
	own := -1
	for ; p.at < len(p.lines); p.at++ {
		raw := p.lines[p.at].raw
		trimmed := strings.TrimLeft(raw, " ")
		at := len(raw) - len(trimmed)
		if trimmed == "" {
			lines = append(lines, "")
			continue
		}
		if at <= indent {
			break
		}
		if own < 0 {
			own = at
		}
		lines = append(lines, raw[min(own, at):])
	}
	between := "\n"
	if style[0] == '>' {
		between = " "
	}
	joined := strings.TrimRight(strings.Join(lines, between), " \n")
	if !strings.HasSuffix(style, "-") {
		joined += "\n"
	}
	return joined
}

func tagOf(text string) (tag, rest string, ok bool) {
	if !strings.HasPrefix(text, "!") {
		return "", "", false
	}
	tag, rest, _ = strings.Cut(text[1:], " ")
	return tag, strings.TrimSpace(rest), true
}

// tagged is the long form of CloudFormation's short one.
func tagged(tag string, v any) any {
	switch tag {
	case "Ref", "Condition":
		return map[string]any{tag: v}
	case "GetAtt":
		if s, ok := v.(string); ok {
			name, attribute, _ := strings.Cut(s, ".")
			v = []any{name, attribute}
		}
	}
	return map[string]any{"Fn::" + tag: v}
}

// yamlFlow is what is left of a value on one line.
type yamlFlow struct {
	p    *yamlParser
	text string
}

func (f *yamlFlow) space() { f.text = strings.TrimLeft(f.text, " ") }

// value is the next scalar, list or mapping; inside one of them a scalar ends
// before a comma or a bracket.
func (f *yamlFlow) value(inside bool) any {
	f.space()
	if strings.HasPrefix(f.text, "!") {
		tag, rest, _ := strings.Cut(f.text[1:], " ")
		f.text = rest
		return tagged(tag, f.value(inside))
	}
	if f.text == "" {
		f.p.fail("want a value")
	}
	switch f.text[0] {
	case '[':
		list := []any{}
		f.each(']', func() { list = append(list, f.value(true)) })
		return list
	case '{':
		m := map[string]any{}
		f.each('}', func() {
			f.space()
			key, ok := f.scalar(":").(string)
			if f.space(); !ok || !strings.HasPrefix(f.text, ":") {
				f.p.fail("want a key and a colon before %q", f.text)
			}
			f.text = f.text[1:]
			m[key] = f.value(true)
		})
		return m
	}
	if inside {
		return f.scalar(",]}")
	}
	return f.scalar("")
}

func (f *yamlFlow) each(end byte, one func()) {
	for f.text = f.text[1:]; ; f.text = f.text[1:] {
		f.space()
		if f.text != "" && f.text[0] == end {
			break
		}
		one()
		if f.space(); f.text == "" || f.text[0] != ',' && f.text[0] != end {
			f.p.fail("want a comma or %c before %q", end, f.text)
		}
		if f.text[0] == end {
			break
		}
	}
	f.text = f.text[1:]
}

func (f *yamlFlow) scalar(ends string) any {
	switch f.text[0] {
	case '"', '\'':
		quote := f.text[:1]
		end := strings.Index(f.text[1:], quote)
		if end < 0 || strings.Contains(f.text[1:end+1], `\`) {
			f.p.fail("a quoted text that does not end, or with a backslash")
		}
		s := f.text[1 : end+1]
		f.text = f.text[end+2:]
		return s
	case '&', '*', '|', '>', '%', '@', '`':
		f.p.fail("what is %q", f.text)
	}
	end := len(f.text)
	if i := strings.IndexAny(f.text, ends); ends != "" && i >= 0 {
		end = i
	}
	s := strings.TrimSpace(f.text[:end])
	f.text = f.text[end:]
	switch s {
	case "true", "false":
		return s == "true"
	case "null", "~", "":
		return nil
	case "yes", "no", "on", "off", "Yes", "No", "On", "Off":
		f.p.fail("%s is a truth value to some readers: quote it", s)
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n
	}
	if n, err := strconv.ParseFloat(s, 64); err == nil && !strings.ContainsAny(s, "_xX") {
		return n
	}
	return s
}
