package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/towpath/towpath/consumer"
)

// store is what is used of *s3destination.Bucket.
type store interface {
	Put(ctx context.Context, key string, body []byte, contentType string) (uri string, err error)
}

// archive writes what was collected into objects, one for each hour that it
// touches:
//
//	2026/11/21/07/<shard>-<first>-<last>-<digest>.ndjson.gz
//
// The name is that of the collected records, so that a repeat of the same records
// overwrites each of the objects. A replay in other parts, as after a crash, adds
// objects that have events in common with those that are there: whoever reads an
// hour counts an event's id once.
type archive struct {
	store store
	// skipped is told how many control messages were among the records, noted of
	// each object with how many events; either may be nil.
	skipped func(n int)
	noted   func(key string, events int)
}

// hourly is the object of an hour while it is written.
type hourly struct {
	body   bytes.Buffer
	zip    *gzip.Writer
	lines  *json.Encoder
	events int
}

// Flush writes the objects.
func (a *archive) Flush(ctx context.Context, c *consumer.Collected) error {
	hours := map[time.Time]*hourly{}
	controls := 0
	for i := range c.Records {
		r := &c.Records[i]
		// It was read before, when it was collected: what is held in memory is
		// the record and not what it unzips to.
		got, err := read(r)
		if err != nil {
			return fmt.Errorf("read %s: %w", r.ID(), err)
		}
		if got.Control {
			controls++
		}
		for j := range got.Events {
			e := &got.Events[j]
			if err := hourFor(hours, hourOf(e, r.ArrivedAt)).add(e); err != nil {
				return err
			}
		}
	}
	ordered := make([]time.Time, 0, len(hours))
	for hour := range hours {
		ordered = append(ordered, hour)
	}
	slices.SortFunc(ordered, time.Time.Compare)
	for _, hour := range ordered {
		h, key := hours[hour], hour.Format("2006/01/02/15/")+c.Name()+".ndjson.gz"
		if err := h.zip.Close(); err != nil {
			return fmt.Errorf("write %s: %w", key, err)
		}
		if _, err := a.store.Put(ctx, key, h.body.Bytes(), "application/gzip"); err != nil {
			return fmt.Errorf("write %s: %w", key, err)
		}
		if a.noted != nil {
			a.noted(key, h.events)
		}
	}
	if a.skipped != nil && controls > 0 {
		a.skipped(controls)
	}
	return nil
}

func hourFor(hours map[time.Time]*hourly, hour time.Time) *hourly {
	h := hours[hour]
	if h == nil {
		h = &hourly{}
		// Without a name and a time in its header, the same events are the same
		// bytes.
		h.zip = gzip.NewWriter(&h.body)
		h.lines = json.NewEncoder(h.zip)
		h.lines.SetEscapeHTML(false)
		hours[hour] = h
	}
	return h
}

func (h *hourly) add(e *event) error {
	h.events++
	if err := h.lines.Encode(e); err != nil {
		return fmt.Errorf("write event %s: %w", e.ID, err)
	}
	return nil
}
