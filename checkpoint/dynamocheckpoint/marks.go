package dynamocheckpoint

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/towpath/towpath/shard"
)

// The attribute marks is a map from a handler's name to a position on one line:
// the sequence number or the word, with the index within an aggregate behind a
// slash, or the milliseconds that a word is pinned to behind an '@'.

// marksOf is the attribute; nil if there are none.
func marksOf(marks map[string]shard.Position) types.AttributeValue {
	if len(marks) == 0 {
		return nil
	}
	row := item{}
	for name, at := range marks {
		row[name] = text(markText(at))
	}
	return &types.AttributeValueMemberM{Value: row}
}

func markText(p shard.Position) string {
	s := sequenceOf(p)
	if p.Sub != 0 {
		s += "/" + strconv.FormatInt(p.Sub, 10)
	}
	if at := startAt(p); at > 0 {
		s += "@" + strconv.FormatInt(at, 10)
	}
	return s
}

// marks are the positions of the handlers. What is not of their form is a fault:
// a handler that began elsewhere would skip or repeat.
func (r *reading) marks(name string) map[string]shard.Position {
	v, there := r.row[name]
	if !there {
		return nil
	}
	m, ok := v.(*types.AttributeValueMemberM)
	if !ok {
		r.wrong(name, "is %s, want a map", kind(v))
		return nil
	}
	marks := make(map[string]shard.Position, len(m.Value))
	for _, handler := range slices.Sorted(maps.Keys(m.Value)) {
		s, ok := m.Value[handler].(*types.AttributeValueMemberS)
		if !ok {
			r.wrong(name, "has %s for %q, want a string", kind(m.Value[handler]), shorten(handler))
			return nil
		}
		at, err := parseMark(s.Value)
		if err != nil {
			r.wrong(name, "has no position for %q: %v", shorten(handler), err)
			return nil
		}
		marks[handler] = at
	}
	return marks
}

func parseMark(s string) (shard.Position, error) {
	s, pin, pinned := strings.Cut(s, "@")
	sequence, sub, hasSub := strings.Cut(s, "/")
	p := shard.Position{Sequence: sequence}
	var err error
	if hasSub {
		if p.Sub, err = strconv.ParseInt(sub, 10, 64); err != nil {
			return p, fmt.Errorf("the index within the aggregate is no number")
		}
	}
	if pinned {
		ms, err := strconv.ParseInt(pin, 10, 64)
		if err != nil || ms <= 0 || ms > latestInstant || !p.IsLatest() && !p.IsAtTime() {
			return p, fmt.Errorf("it is pinned to no time")
		}
		p.At = time.UnixMilli(ms).UTC()
	}
	if sequence == "" {
		return p, fmt.Errorf("it is empty")
	}
	if p.IsAtTime() && p.At.IsZero() {
		return p, nil // as in the row itself, the time may be the engine's to know
	}
	return p, p.Validate()
}
