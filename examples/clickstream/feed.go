package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"
	"unicode/utf8"
)

// feed is a log made ready for the stream.
type feed struct {
	// Items are the records, in the order in which they are to be put.
	Items []item
	// Events and Keys count the rows that parsed and the keys they are of.
	Events, Keys int
	// Bad holds an error for each row that did not parse, in file order.
	Bad []error
	// Poison counts the records injected by addPoison.
	Poison int
}

// item is one record to put.
type item struct {
	PartitionKey string
	Data         []byte
}

// loadFeed reads a whole log. Its rows go out in the order of event time, and
// each event carries its place among those of its key; rows of the same time
// keep the order of the file, and a bad row stays beside the row before it. The
// sort is why the log has to fit in memory: what arrives on a live stream is in
// order of arrival already, a file from a warehouse often is not.
func loadFeed(file string, r io.Reader, c columns) (feed, error) {
	var f feed
	type timed struct {
		at time.Time
		row
	}
	var rows []timed
	var before time.Time
	for w, err := range readRows(file, r, c) {
		if err != nil {
			return feed{}, err
		}
		if w.Bad == nil {
			before = w.Event.Time
			w.Raw = nil // an event is encoded afresh
		}
		rows = append(rows, timed{before, w})
	}
	slices.SortStableFunc(rows, func(a, b timed) int { return a.at.Compare(b.at) })

	ordinals := map[string]int{}
	for _, w := range rows {
		if w.Bad != nil {
			f.Bad = append(f.Bad, w.Bad)
			f.Items = append(f.Items, item{PartitionKey: fmt.Sprintf("row %d", w.Line), Data: w.Raw})
			continue
		}
		ordinals[w.Event.Key]++
		w.Event.N = ordinals[w.Event.Key]
		data, err := encodeEvent(w.Event)
		if err != nil {
			return feed{}, &rowError{File: file, Line: w.Line, Err: err}
		}
		f.Events++
		f.Items = append(f.Items, item{PartitionKey: partitionKey(w.Event.Key), Data: data})
	}
	f.Keys = len(ordinals)
	slices.SortFunc(f.Bad, func(a, b error) int { return cmp.Compare(lineOf(a), lineOf(b)) })
	if len(f.Items) == 0 {
		return feed{}, &rowError{File: file, Line: 1, Err: fmt.Errorf("there is a header and no row after it")}
	}
	return f, nil
}

func lineOf(err error) int {
	if re, ok := err.(*rowError); ok {
		return re.Line
	}
	return 0
}

// partitionKey is the key, or its SHA-256 if it is longer than the 256 characters
// a stream accepts. Equal keys stay equal, so order per key is kept either way.
func partitionKey(key string) string {
	if utf8.RuneCountInString(key) <= 256 {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// poisons are records no decoder accepts, of the kinds that turn up in practice.
var poisons = []string{
	`user_0042,sess_000187,add_to_cart,2024-04-01 09:12:44`,                    // the line before it was encoded
	`{"v":1,"key":"user_0042","time":"2024-04-01T09:12:44Z","ev`,               // cut off
	`{"v":1,"key":"user_0042","time":"01.04.2024 09:12","event":"home","n":9}`, // a time nobody agreed on
	`{"v":2,"user":"user_0042","at":1711962764}`,                               // a producer ahead of its consumers
	`{"v":1,"time":"2024-04-01T09:12:44Z","event":"home"}`,                     // no key
	"\x1f\x8b\x08\x00\x00not gzip after all",
}

// addPoison spreads n records that cannot be decoded over the feed, at places
// that depend on the seed alone. Each has the partition key of the record it is
// put before, so it lands in the middle of a busy lane, where it has to be
// singled out without holding up or reordering its neighbours.
func (f *feed) addPoison(n int, seed uint64) {
	if n == 0 || len(f.Items) == 0 {
		return
	}
	rng := rand.New(rand.NewPCG(seed, 0x706f69736f6e))
	at := make([]int, n)
	for i := range at {
		at[i] = rng.IntN(len(f.Items))
	}
	slices.Sort(at)
	items := make([]item, 0, len(f.Items)+n)
	for i, it := range f.Items {
		for len(at) > 0 && at[0] == i {
			items = append(items, item{PartitionKey: it.PartitionKey, Data: []byte(poisons[f.Poison%len(poisons)])})
			f.Poison++
			at = at[1:]
		}
		items = append(items, it)
	}
	f.Items = items
}
