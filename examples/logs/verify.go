package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/towpath/towpath/streamtest/awsfake/bucketfake"
)

// found is what lies in the bucket.
type found struct {
	objects, hours int
	bytes          int64
	events         map[string]int // how many objects an event lies in, by its id
}

// look reads every object of the archive.
func look(objects map[string]bucketfake.Object) (found, error) {
	f := found{events: map[string]int{}}
	hours := map[string]bool{}
	for key, o := range objects {
		hour, _, ok := strings.Cut(strings.TrimPrefix(key, prefix+"/"), "/shardId-")
		if _, err := time.Parse("2006/01/02/15", hour); err != nil || !ok {
			return found{}, fmt.Errorf("there is an object %s, which no hour has", key)
		}
		hours[hour] = true
		f.objects++
		f.bytes += int64(len(o.Body))
		z, err := gzip.NewReader(bytes.NewReader(o.Body))
		if err != nil {
			return found{}, fmt.Errorf("unzip %s: %w", key, err)
		}
		for lines := json.NewDecoder(z); ; {
			var e event
			if err := lines.Decode(&e); err == io.EOF {
				break
			} else if err != nil {
				return found{}, fmt.Errorf("read %s: %w", key, err)
			}
			f.events[e.ID]++
		}
	}
	f.hours = len(hours)
	return f, nil
}

// compare enters into the report what was put and is not found, what is found
// and was not put, and what lies in several objects.
func (r *report) compare(put map[string]bool, f found) {
	r.Objects, r.Hours, r.Bytes, r.Archived = f.objects, f.hours, f.bytes, len(f.events)
	for id := range put {
		if f.events[id] == 0 {
			r.Lost++
		}
	}
	for id, n := range f.events {
		r.Duplicates += n - 1
		if !put[id] {
			r.Unknown++
		}
	}
}
