package filter

import (
	"errors"
	"fmt"

	"github.com/towpath/towpath/shard"
)

// Lambda's quotas, the first as it can be raised on request: see
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html and
// https://docs.aws.amazon.com/lambda/latest/api/API_Filter.html.
const (
	// MaxPatterns is how many patterns a Set has at most.
	MaxPatterns = 10
	// MaxPatternLength is how many characters a pattern has at most.
	MaxPatternLength = 4096
)

// Set is some patterns, one of which a record must match. It is made once and
// may be used by several goroutines.
type Set struct {
	patterns []*object
	names    []string // what they ask for at the top
}

// Compile reads patterns. Every problem is reported at once, each as a
// *SyntaxError that says which pattern it is and where in it.
func Compile(patterns ...string) (*Set, error) {
	var problems []error
	if len(patterns) == 0 {
		problems = append(problems, errors.New("there is no pattern"))
	}
	if len(patterns) > MaxPatterns {
		problems = append(problems, fmt.Errorf("there are %d patterns, want at most %d", len(patterns), MaxPatterns))
	}
	s := &Set{}
	for i, text := range patterns {
		root, err := parse(text)
		if err != nil {
			err.Pattern = i
			problems = append(problems, err)
			continue
		}
		s.patterns = append(s.patterns, root)
		s.names = root.names(s.names)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return s, nil
}

// Len is how many patterns there are.
func (s *Set) Len() int { return len(s.patterns) }

// Result is what a Set says of a record.
type Result struct {
	// Pattern is the first pattern that the record matches, counted from 0; -1
	// if it matches none.
	Pattern int
	// NotJSON is set if some pattern looks at the payload and that is no JSON.
	NotJSON bool
}

// Matched reports whether the record matches a pattern.
func (r Result) Matched() bool { return r.Pattern >= 0 }

// Match says which pattern a record matches first.
func (s *Set) Match(r *shard.Record) Result {
	event, notJSON := view(r, s.names)
	for i, root := range s.patterns {
		// What asks for a payload that can not be read does not match, whatever
		// it asks: absence would match exists false.
		if notJSON && (event == nil || root.data) {
			continue
		}
		if root.match(event) {
			return Result{Pattern: i, NotJSON: notJSON}
		}
	}
	return Result{Pattern: -1, NotJSON: notJSON}
}

// SyntaxError is what is wrong with a pattern, and where.
type SyntaxError struct {
	// Pattern is the pattern's number, counted from 0.
	Pattern int
	// Line and Column are where it is, counted from 1, columns in bytes.
	Line, Column int
	// Path leads to the field, its names joined by dots; empty at the top.
	Path string
	// Problem is what is wrong.
	Problem string
}

// Error says which pattern, where and what.
func (e *SyntaxError) Error() string {
	at := ""
	if e.Path != "" {
		at = ", at " + e.Path
	}
	return fmt.Sprintf("pattern %d, line %d, column %d%s: %s", e.Pattern+1, e.Line, e.Column, at, e.Problem)
}
