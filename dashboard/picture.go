package dashboard

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// picture is everything that is shown of one source at one moment: rows of JSON,
// by section and id.
type picture map[string]map[string]json.RawMessage

// put adds a row. What is put are this package's own types, which always have a
// form in JSON.
func (p picture) put(section, id string, row any) {
	text, err := json.Marshal(row)
	if err != nil {
		text = []byte("null")
	}
	if p[section] == nil {
		p[section] = map[string]json.RawMessage{}
	}
	p[section][id] = text
}

// change is what a viewer is told: the whole picture, or what is not as it was.
type change struct {
	Seq int64 `json:"seq"`
	// Full tells that what the viewer had is to be forgotten.
	Full bool `json:"full,omitempty"`
	// Set are the rows that are new or not as they were, Gone the ids of those
	// that are no more.
	Set  picture             `json:"set"`
	Gone map[string][]string `json:"gone,omitempty"`
	// Points are the points of the curves: one, or with Full all.
	Points []point `json:"points,omitempty"`
}

// changed is what has to be told to those who have seen before, so that they see
// now.
func changed(before, now picture) change {
	c := change{Set: picture{}, Gone: map[string][]string{}}
	for section, rows := range now {
		for id, row := range rows {
			if was, ok := before[section][id]; ok && bytes.Equal(was, row) {
				continue
			}
			if c.Set[section] == nil {
				c.Set[section] = map[string]json.RawMessage{}
			}
			c.Set[section][id] = row
		}
	}
	for section, rows := range before {
		for id := range rows {
			if _, ok := now[section][id]; !ok {
				c.Gone[section] = append(c.Gone[section], id)
			}
		}
		slices.Sort(c.Gone[section])
	}
	return c
}

// event is a change as a server-sent event. JSON has no line breaks outside of
// its strings, and none within, so that one data line holds it.
func (c change) event() ([]byte, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("write change %d of the picture: %w", c.Seq, err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "id: %d\nevent: change\ndata: ", c.Seq)
	b.Write(text)
	b.WriteString("\n\n")
	return b.Bytes(), nil
}
