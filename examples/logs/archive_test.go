package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
)

// shelf is a store in memory, which refuses once it has so many objects.
type shelf struct {
	objects map[string][]byte
	full    int
}

func (s *shelf) Put(_ context.Context, key string, body []byte, _ string) (string, error) {
	if s.full > 0 && len(s.objects) >= s.full {
		return "", errors.New("full")
	}
	s.objects[key] = bytes.Clone(body)
	return key, nil
}

func collected() *consumer.Collected {
	c := &consumer.Collected{Shard: "shardId-000000000000"}
	arrived := time.Date(2026, 11, 21, 7, 30, 0, 0, time.UTC)
	for i, at := range []string{"05:59:59", "06:00:00", "07:10:00", "05:30:00"} {
		line := fmt.Sprintf("192.0.2.%d - - [21/Nov/2026:%s +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"-\"\n", i, at)
		c.Records = append(c.Records, shard.Record{Shard: c.Shard, Sequence: fmt.Sprint(100 + i), Data: []byte(line), ArrivedAt: arrived})
	}
	return c
}

// A flush makes one object for each hour, and its repeat the same ones again.
func TestRepeatOverwritesItsObjects(t *testing.T) {
	s := &shelf{objects: map[string][]byte{}}
	a := &archive{store: s}
	if err := a.Flush(t.Context(), collected()); err != nil {
		t.Fatal(err)
	}
	first := maps.Clone(s.objects)
	keys := slices.Sorted(maps.Keys(first))
	if len(keys) != 3 || !strings.HasPrefix(keys[0], "2026/11/21/05/shardId-000000000000-100-103-") || !strings.HasSuffix(keys[0], ".ndjson.gz") {
		t.Errorf("keys: %v", keys)
	}
	if err := a.Flush(t.Context(), collected()); err != nil {
		t.Fatal(err)
	}
	if !maps.EqualFunc(first, s.objects, bytes.Equal) {
		t.Errorf("the repeat wrote %v", slices.Sorted(maps.Keys(s.objects)))
	}
}

// A flush of which one object is refused fails, so that it is made again.
func TestRefusedObjectFailsTheFlush(t *testing.T) {
	a := &archive{store: &shelf{objects: map[string][]byte{}, full: 2}}
	if err := a.Flush(t.Context(), collected()); err == nil {
		t.Error("the flush succeeded though an object was refused")
	}
}
