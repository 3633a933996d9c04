package streamtest_test

import (
	"context"
	"crypto/md5"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math"
	"math/bits"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/cost"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake"
)

var update = flag.Bool("update", false, "write what was counted into docs/cost.md")

const (
	costDocument = "../docs/cost.md"
	// checkpointEvery is consumer.Config's CheckpointInterval by default.
	checkpointEvery = 10 * time.Second
)

// The table of docs/cost.md is what fleets were counted to ask of DynamoDB: idle,
// and with a record in every shard every few seconds. Fifty workers on a thousand
// idle shards write at most 60 times a second.
func TestCostIsAsDocumented(t *testing.T) {
	sizes := []size{{10, 2}, {100, 10}, {1000, 50}}
	if raceEnabled {
		sizes = sizes[:1]
	}
	for _, s := range sizes {
		t.Run(fmt.Sprintf("%d shards %d workers", s.shards, s.workers), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rig := streamtest.New(t, s.shards)
				defer rig.Close()
				held := watchOwners(rig)
				fleet := startQuiet(rig, s.workers, 4*time.Second)
				defer stopAll(fleet)
				awaitAtMost(2*time.Minute, func() bool {
					all, least, most := held.by(fleet)
					return all == s.shards && most-least <= 1
				})
				time.Sleep(15 * time.Second)
				idle := measure(rig, 2*time.Minute)
				if n := idle.writes(); n > 1.2*float64(s.workers) {
					t.Errorf("%d workers write %.1f times a second with nothing to do", s.workers, n)
				}
				checkCost(t, s, "idle", idle)

				stop := feed(rig, s.shards, 5*time.Second)
				time.Sleep(30 * time.Second)
				busy := measure(rig, time.Minute)
				stop()
				checkCost(t, s, "busy", busy)
			})
		})
	}
}

// size is that of a fleet.
type size struct{ shards, workers int }

// bill is what was asked of DynamoDB in a second.
type bill struct {
	calls       map[string]float64 // by operation and table
	wrote, read float64            // units
}

// measure counts for a while.
func measure(rig *streamtest.Rig, d time.Duration) bill {
	calls := map[string]float64{}
	counting := make(chan struct{}, 1)
	counting <- struct{}{}
	remove := rig.AWS.Trace(func(e awsfake.Exchange) {
		if e.Service != "dynamodb" {
			return
		}
		var in struct{ TableName string }
		json.Unmarshal(e.Body, &in) // a transaction names none
		<-counting
		calls[e.Operation+" "+in.TableName]++
		counting <- struct{}{}
	})
	units := func() (read, wrote float64) {
		for _, table := range rig.AWS.DynamoDB().Tables() {
			r, w := rig.AWS.DynamoDB().Consumed(table)
			read, wrote = read+r, wrote+w
		}
		return read, wrote
	}
	read, wrote := units()
	time.Sleep(d)
	remove()
	nowRead, nowWrote := units()
	<-counting
	defer func() { counting <- struct{}{} }()
	b := bill{calls: map[string]float64{}, read: (nowRead - read) / d.Seconds(), wrote: (nowWrote - wrote) / d.Seconds()}
	for name, n := range calls {
		b.calls[name] = n / d.Seconds()
	}
	return b
}

// per is how often an operation was asked for in a second, of a table or, with
// none named, of all.
func (b bill) per(operation, table string) (n float64) {
	for name, calls := range b.calls {
		op, of, _ := strings.Cut(name, " ")
		if op == operation && (table == "" || table == of) {
			n += calls
		}
	}
	return n
}

// writes is how many writes there were in a second, and requests how many of
// anything.
func (b bill) writes() float64 {
	return b.per("UpdateItem", "") + b.per("PutItem", "") + b.per("DeleteItem", "") + b.per("TransactWriteItems", "")
}

func (b bill) requests() (n float64) {
	for _, calls := range b.calls {
		n += calls
	}
	return n
}

// withCheckpoints is the bill with so many checkpoints a second beside: each is
// one write of a row of less than 1 KB, of which no index knows anything.
func (b bill) withCheckpoints(perSecond float64) bill {
	b.calls = maps.Clone(b.calls)
	b.calls["UpdateItem "+streamtest.Application] += perSecond
	b.wrote += perSecond
	return b
}

// withReadings is the bill with the lease table read as often as it is in the long
// run, where what was counted is shorter than the five minutes between two looks
// of one worker: see docs/cost.md.
func (b bill) withReadings(rig *streamtest.Rig, workers int) bill {
	const scan = "Scan " + streamtest.Application
	pages := float64(rig.AWS.Count("operator", "dynamodb", "Scan"))
	before, _ := rig.AWS.DynamoDB().Consumed(streamtest.Application)
	rig.Config("operator").Leases.List(context.Background())
	after, _ := rig.AWS.DynamoDB().Consumed(streamtest.Application)
	pages = float64(rig.AWS.Count("operator", "dynamodb", "Scan")) - pages
	// The planner's look, that of each other, and maintenance.
	readings := 1/30.0 + float64(workers-1)/300 + 1/120.0
	b.calls = maps.Clone(b.calls)
	b.read += (readings*pages - b.calls[scan]) * (after - before) / pages
	b.calls[scan] = readings * pages
	return b
}

func (b bill) dollars() float64 { return usEast().Units(b.wrote, b.read) }

// usEast are the prices of the document.
func usEast() cost.Prices {
	p, err := cost.In(cost.Default)
	if err != nil {
		panic(err) // it is in the list
	}
	return p
}

func (b bill) String() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(b.calls)) {
		parts = append(parts, fmt.Sprintf("%s %.2f", name, b.calls[name]))
	}
	return fmt.Sprintf("%s; units read %.1f, written %.1f a second; $%.2f a month", strings.Join(parts, ", "), b.read, b.wrote, b.dollars())
}

// kcl is what a fleet of KCL's writes and costs, busy or idle.
func kcl(version int, s size, busy bool) (writes, month float64) {
	shape := cost.Shape{Shards: s.shards, Workers: s.workers, CheckpointInterval: checkpointEvery}
	if busy {
		shape.Records = float64(s.shards)
	}
	total := cost.KCL(version, shape, usEast()).Total()
	return total.Writes, total.Dollars
}

// checkCost holds a row of the document against what was counted, or writes it.
func checkCost(t *testing.T, s size, state string, b bill) {
	t.Helper()
	writes2, month2 := kcl(2, s, state == "busy")
	writes3, month3 := kcl(3, s, state == "busy")
	want := []float64{b.requests(), b.writes(), b.wrote, b.read, b.dollars(), writes2, month2, writes3, month3}
	name := fmt.Sprintf("| %s | %d | %s |", cost.Thousands(float64(s.shards)), s.workers, state)
	row := name
	for _, n := range want {
		row += " " + cost.Thousands(n) + " |"
	}
	t.Logf("%s: %s", state, b)

	text, err := os.ReadFile(costDocument)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	at := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, name) })
	if at < 0 {
		t.Fatalf("%s has no row %s", costDocument, name)
	}
	if *update {
		lines[at] = row
		if err := os.WriteFile(costDocument, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	cells := strings.Split(strings.Trim(lines[at], "| "), "|")[3:]
	if len(cells) != len(want) {
		t.Fatalf("%s: the row has %d figures, want %d:\n%s\n%s", costDocument, len(cells), len(want), lines[at], row)
	}
	for i, cell := range cells {
		got, err := strconv.ParseFloat(strings.NewReplacer(",", "", "$", "", " ", "").Replace(cell), 64)
		// Beats are jittered, and so is when a table is looked at.
		if err != nil || math.Abs(got-want[i]) > max(0.12*want[i], 0.6) {
			t.Errorf("%s is not what was counted (-update writes it):\n%s\n%s", costDocument, lines[at], row)
			break
		}
	}
}

// feed puts a record into each of so many equal shards again and again, until
// stop is called.
func feed(rig *streamtest.Rig, shards int, every time.Duration) (stop func()) {
	keys := keysOf(shards)
	over, done := make(chan struct{}), make(chan struct{})
	go func() { // ends when stop is called, which waits for it
		defer close(done)
		for {
			for _, key := range keys {
				rig.Put(key, "x")
			}
			select {
			case <-over:
				return
			case <-time.After(every):
			}
		}
	}()
	return func() {
		close(over)
		<-done
	}
}

// keysOf is a partition key for each of so many equal shards.
func keysOf(shards int) []string {
	keys := make([]string, shards)
	for i, left := 0, shards; left > 0; i++ {
		key := "key-" + strconv.Itoa(i)
		sum := md5.Sum([]byte(key))
		at, _ := bits.Mul64(binary.BigEndian.Uint64(sum[:8]), uint64(shards))
		if keys[at] == "" {
			keys[at] = key
			left--
		}
	}
	return keys
}

// calls is how often DynamoDB was asked so far, by operation.
func calls(aws *awsfake.AWS) map[string]int {
	n := map[string]int{}
	for _, op := range []string{"GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan", "TransactWriteItems"} {
		n[op] = aws.Count("", "dynamodb", op)
	}
	return n
}

func minus(a, b map[string]int) map[string]int {
	n := map[string]int{}
	for name := range a {
		n[name] = a[name] - b[name]
	}
	return n
}

// told is counts in words.
func told(n map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(n)) {
		parts = append(parts, fmt.Sprintf("%d %s", n[name], name))
	}
	return strings.Join(parts, ", ")
}
