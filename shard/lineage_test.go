package shard

import (
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/towpath/towpath/internal/scenariotest"
)

var origin = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// quarters is the range from the first to the last named quarter of all hashes,
// such as 0-1 for the lower half.
func quarters(t *testing.T, text string) HashRange {
	t.Helper()
	var first, last int64
	if _, err := fmt.Sscanf(text, "%d-%d", &first, &last); err != nil {
		t.Fatalf("%q is not a range of quarters", text)
	}
	quarter := new(big.Int).Lsh(big.NewInt(1), 126)
	end := new(big.Int).Mul(quarter, big.NewInt(last+1))
	return HashRange{
		Start: new(big.Int).Mul(quarter, big.NewInt(first)).String(),
		End:   end.Sub(end, big.NewInt(1)).String(),
	}
}

// position reads a word of a scenario: trim, latest, latest@12:00, end, a time
// or a number.
func position(t *testing.T, word string) Position {
	t.Helper()
	word, pinned, _ := strings.Cut(word, "@")
	var p Position
	switch {
	case word == "trim":
		p = TrimHorizon()
	case word == "latest":
		p = Latest()
	case word == "end":
		p = End()
	case strings.Contains(word, ":"):
		p, pinned = AtTime(origin), word
	default:
		p = After(word, 0)
	}
	if pinned != "" {
		at, err := time.Parse("15:04", pinned)
		if err != nil {
			t.Fatal(err)
		}
		p.At = origin.Truncate(24 * time.Hour).Add(time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute)
	}
	return p
}

func TestLineageScenarios(t *testing.T) {
	scenariotest.Run(t, "testdata/lineage.txt", func(t *testing.T, input []string) []string {
		start := TrimHorizon()
		var listed []Shard
		var rows []Lease
		ends := ""
		for _, line := range input {
			words := strings.Fields(line)
			switch words[0] {
			case "start":
				start = position(t, words[1])
			case "ends": // id: its children's rows are about to be made
				ends = words[1]
			case "listed": // id [closed] [quarters] [< parent …]
				s := Shard{ID: words[1]}
				for i, word := range words[2:] {
					if word == "<" {
						s.Parents = words[2+i+1:]
						break
					}
					if word == "closed" {
						s.LastSequence = "9"
					} else {
						s.Hashes = quarters(t, word)
					}
				}
				listed = append(listed, s)
			case "row": // id position [faulty] [< parent …]
				row := Lease{Key: words[1], Shard: words[1], Checkpoint: position(t, words[2])}
				for i, word := range words[3:] {
					if word == "<" {
						row.Parents = words[3+i+1:]
						break
					}
					if word == "faulty" {
						row.Fault = errors.New("faulty")
					}
				}
				rows = append(rows, row)
			default:
				t.Fatalf("no such line: %s", line)
			}
		}
		l := NewLineage(listed, rows)
		var out []string
		show := func(what string, items []string) {
			if len(items) > 0 {
				out = append(out, what+" "+strings.Join(items, " "))
			}
		}
		names := func(rows []Lease) (ids []string) {
			for _, row := range rows {
				ids = append(ids, row.Shard)
			}
			return ids
		}
		var runnable []string
		for _, row := range rows {
			if l.Runnable(row.Shard) {
				runnable = append(runnable, row.Shard)
			}
		}
		show("runnable", runnable)
		for _, row := range l.FirstOf(l.Children(ends), start, Stream{Now: origin}) {
			show("first", []string{row.Shard, row.CreatedFrom, row.Checkpoint.String()})
		}
		for _, row := range l.Missing(start, Stream{Now: origin}) {
			show("create", []string{row.Shard, row.CreatedFrom, row.Checkpoint.String()})
		}
		show("delete", names(l.Deletable()))
		show("gone", names(l.Gone()))
		for _, hole := range l.Holes() {
			show("hole", []string{hole.String()})
		}
		if len(out) == 0 {
			out = append(out, "nothing to do")
		}
		return out
	})
}

// A stream is resharded at random while rows come and go as the protocol says:
// read a runnable shard, end it with its children's rows, create what is missing,
// delete what is over. No child is read before its parents, no shard is read
// twice, and in the end every shard has been read.
func TestLineageReadsEverythingOnceAndParentsFirst(t *testing.T) {
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 5))
		listed := map[string]Shard{}
		born := map[string][]string{} // of every shard that ever was, its parents
		created := 0
		add := func(parents ...string) {
			id := fmt.Sprintf("s%03d", created)
			created++
			listed[id] = Shard{ID: id, Parents: parents}
			born[id] = parents
		}
		for range 1 + random.IntN(3) {
			add()
		}
		open := func() (ids []string) {
			for id, s := range listed {
				if s.Open() {
					ids = append(ids, id)
				}
			}
			slices.Sort(ids)
			return ids
		}
		reshard := func() {
			ids := open()
			random.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
			from := ids[:1]
			if len(ids) > 2 && random.IntN(2) == 0 {
				from = ids[:2]
			}
			for _, id := range from {
				s := listed[id]
				s.LastSequence = "9"
				listed[id] = s
			}
			slices.Sort(from)
			add(slices.Clone(from)...)
			if len(from) == 1 {
				add(from...)
			}
		}
		rows := map[string]Lease{}
		finished := map[string]bool{}
		listing := func() (all []Shard, table []Lease) {
			for _, s := range listed {
				all = append(all, s)
			}
			for _, row := range rows {
				table = append(table, row)
			}
			return all, table
		}
		// step reads one runnable shard further, to its end if it is closed, and
		// reports whether there was one to read.
		step := func() bool {
			l := NewLineage(listing())
			var runnable []string
			for id := range rows {
				if l.Runnable(id) && !(listed[id].Open() && rows[id].Checkpoint.IsRecord()) {
					runnable = append(runnable, id)
				}
			}
			slices.Sort(runnable)
			if len(runnable) == 0 {
				return false
			}
			id := runnable[random.IntN(len(runnable))]
			row := rows[id]
			for _, parent := range born[id] {
				if !finished[parent] {
					t.Fatalf("seed %d: %s is read before its parent %s", seed, id, parent)
				}
			}
			if finished[id] {
				t.Fatalf("seed %d: %s is read again", seed, id)
			}
			row.Checkpoint = After("5", 0)
			if !listed[id].Open() {
				row.Checkpoint = End()
				finished[id] = true
				for _, child := range l.Children(id) {
					row.Children = append(row.Children, child.ID)
					if _, ok := rows[child.ID]; !ok {
						rows[child.ID] = Lease{Key: child.ID, Shard: child.ID, Parents: child.Parents}
					}
				}
			}
			rows[id] = row
			return true
		}
		maintain := func() {
			l := NewLineage(listing())
			for _, row := range l.Missing(TrimHorizon(), Stream{}) {
				if finished[row.Shard] {
					t.Fatalf("seed %d: a row for %s again, which is finished", seed, row.Shard)
				}
				rows[row.Shard] = row
			}
			for _, row := range l.Deletable() {
				delete(rows, row.Shard)
			}
		}
		for range 150 {
			switch random.IntN(8) {
			case 0:
				if created < 40 {
					reshard()
				}
			case 1: // retention passes a finished shard whose parents are gone
				for id := range listed {
					if finished[id] && !slices.ContainsFunc(born[id], func(p string) bool { _, ok := listed[p]; return ok }) {
						delete(listed, id)
						break
					}
				}
			case 2:
				maintain()
			default:
				step()
			}
		}
		maintain()
		for step() {
		}
		for id := range born {
			row, ok := rows[id]
			if !finished[id] && (!ok || !row.Checkpoint.IsRecord()) {
				t.Fatalf("seed %d: %s of %d was never read", seed, id, created)
			}
		}
		if holes := NewLineage(listing()).Holes(); len(holes) > 0 {
			t.Fatalf("seed %d: %v", seed, holes)
		}
	}
}

// Whatever is listed and stored, cycles and all, every question has an answer, and
// the same one for any order of the input.
func TestLineageBearsNonsense(t *testing.T) {
	words := []Position{TrimHorizon(), Latest(), AtTime(origin), After("5", 0), End(), {}}
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, 6))
		id := func() string { return "s" + strconv.Itoa(random.IntN(8)) }
		some := func() (ids []string) {
			for range random.IntN(4) {
				ids = append(ids, id())
			}
			return ids
		}
		var listed []Shard
		var rows []Lease
		for i := range 8 {
			if random.IntN(3) > 0 {
				listed = append(listed, Shard{ID: "s" + strconv.Itoa(i), Parents: some(), LastSequence: []string{"", "9"}[random.IntN(2)]})
			}
			if random.IntN(3) > 0 {
				rows = append(rows, Lease{Shard: "s" + strconv.Itoa(i), Parents: some(), Children: some(), Checkpoint: words[random.IntN(len(words))]})
			}
		}
		answers := func() string {
			l := NewLineage(listed, rows)
			text := fmt.Sprint(l.Missing(words[seed%3], Stream{Now: origin}), l.Deletable(), l.Gone(), l.Holes())
			for i := range 9 {
				text += fmt.Sprint(l.Runnable("s"+strconv.Itoa(i)), l.Children("s"+strconv.Itoa(i)))
			}
			return text
		}
		first := answers()
		random.Shuffle(len(listed), func(i, j int) { listed[i], listed[j] = listed[j], listed[i] })
		random.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		if again := answers(); again != first {
			t.Fatalf("seed %d: the answers depend on the order:\n%s\n%s", seed, first, again)
		}
	}
}

func TestGoneBelievesNoEmptyListing(t *testing.T) {
	if gone := NewLineage(nil, []Lease{{Shard: "a"}}).Gone(); len(gone) != 0 {
		t.Errorf("%v gone, though nothing at all is listed", gone)
	}
}

func TestMissingRowsKnowTheirShard(t *testing.T) {
	l := NewLineage([]Shard{
		{ID: "p", LastSequence: "9", Hashes: HashRange{"0", "9"}},
		{ID: "c", Parents: []string{"p"}},
	}, nil)
	rows := l.Missing(TrimHorizon(), Stream{CreatedAt: origin})
	if len(rows) != 2 {
		t.Fatalf("%d rows, want 2", len(rows))
	}
	p, c := rows[0], rows[1]
	if p.Key != "p" || p.Hashes.End != "9" || !slices.Equal(p.Children, []string{"c"}) || !p.StreamCreated.Equal(origin) {
		t.Errorf("parent %+v", p)
	}
	if !slices.Equal(c.Parents, []string{"p"}) || c.Counter != 0 || c.Owner != "" {
		t.Errorf("child %+v", c)
	}
}

func ExampleLineage() {
	listed := []Shard{
		{ID: "parent", LastSequence: "900"},
		{ID: "left", Parents: []string{"parent"}},
		{ID: "right", Parents: []string{"parent"}},
	}
	rows := []Lease{
		{Shard: "parent", Checkpoint: After("850", 0)},
		{Shard: "left", Checkpoint: TrimHorizon()},
	}
	lineage := NewLineage(listed, rows)
	fmt.Println(lineage.Runnable("parent"), lineage.Runnable("left"))
	rows[0].Checkpoint = End()
	lineage = NewLineage(listed, rows)
	fmt.Println(lineage.Runnable("parent"), lineage.Runnable("left"))
	fmt.Println(lineage.Holes())
	// Output:
	// true false
	// false true
	// [right: listed, without a row, though a parent is finished]
}
