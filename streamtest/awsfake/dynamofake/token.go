package dynamofake

import (
	"strings"
)

// tokenKind tells the words of an expression apart.
type tokenKind byte

const (
	tokenEnd    tokenKind = iota
	tokenWord             // a keyword, a function, or an attribute name in the clear
	tokenName             // #name
	tokenValue            // :value
	tokenIndex            // digits
	tokenSymbol           // = <> < <= > >= ( ) [ ] , . + -
)

type token struct {
	kind tokenKind
	text string
}

// is says whether the token is a symbol.
func (t token) is(symbol string) bool { return t.kind == tokenSymbol && t.text == symbol }

// isKeyword says whether the token is a keyword, which may have any case.
func (t token) isKeyword(word string) bool {
	return t.kind == tokenWord && strings.EqualFold(t.text, word)
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }

// isInner says whether c may stand in a word after its first letter.
func isInner(c byte) bool { return c == '_' || isLetter(c) || isDigit(c) }

// tokenize splits an expression into tokens; ok is false at a character that
// no expression has, and bad is that character.
func tokenize(s string) (tokens []token, bad string, ok bool) {
	for i := 0; i < len(s); {
		c := s[i]
		start := i
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
			continue
		case isLetter(c):
			for i < len(s) && isInner(s[i]) {
				i++
			}
			tokens = append(tokens, token{tokenWord, s[start:i]})
		case isDigit(c):
			for i < len(s) && isDigit(s[i]) {
				i++
			}
			tokens = append(tokens, token{tokenIndex, s[start:i]})
		case c == '#' || c == ':':
			i++
			for i < len(s) && isInner(s[i]) {
				i++
			}
			if i == start+1 {
				return nil, s[start:i], false
			}
			kind := tokenName
			if c == ':' {
				kind = tokenValue
			}
			tokens = append(tokens, token{kind, s[start:i]})
		case strings.HasPrefix(s[i:], "<>"), strings.HasPrefix(s[i:], "<="), strings.HasPrefix(s[i:], ">="):
			i += 2
			tokens = append(tokens, token{tokenSymbol, s[start:i]})
		case strings.IndexByte("=<>()[],.+-", c) >= 0:
			i++
			tokens = append(tokens, token{tokenSymbol, s[start:i]})
		default:
			return nil, s[start : start+1], false
		}
	}
	return tokens, "", true
}
