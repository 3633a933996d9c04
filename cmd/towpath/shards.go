package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/towpath/towpath/overview"
)

func shardsCommand() *cli.Command {
	return &cli.Command{
		Name:      "shards",
		Usage:     "show the stream's shards as a family tree, with the part of the keys that each takes",
		ArgsUsage: " ",
		Description: "What a shard was split or merged into stands below it. KEYS is the part of all hashes of keys\n" +
			"that it takes, and where that lies among them. Without -stream the tree is of the rows alone.\n\n" + onlyLooks,
		Flags: append(whose(), silenceFlag(), wideFlag(),
			&cli.BoolFlag{Name: "open", Usage: "only those that take records still"},
		),
		Action: func(ctx context.Context, c *cli.Command) error {
			f, err := pictureOf(ctx, c, 0)
			if f == nil {
				return err
			}
			if wantsJSON(c) {
				d := documentOf(c, f)
				d.Shards = []overview.Shard{}
				for _, s := range f.Shards {
					if s.Open || !c.Bool("open") {
						d.Shards = append(d.Shards, s)
					}
				}
				return errors.Join(printJSON(c, d), err)
			}
			names := namesOf(f)
			head := []string{"SHARD", "STATE", "KEYS", "OWNER", "NOTES"}
			if c.Bool("wide") {
				head = append(head, "FIRST HASH", "LAST HASH")
			}
			t := newTable(c, head...)
			for _, b := range treeOf(f.Shards) {
				s := b.Shard
				if !s.Open && c.Bool("open") {
					continue
				}
				notes := notesOf(s, names)
				if len(s.Parents) > 1 { // the tree shows one of them
					notes = strings.TrimSuffix("merged of "+strings.Join(s.Parents, " and ")+"; "+notes, "; ")
				}
				cells := []any{b.stem + labelOf(s), s.State, keysOf(s), names[s.Owner], notes}
				if c.Bool("wide") {
					cells = append(cells, s.FirstHash, s.LastHash)
				}
				t.row(moodOf(s), cells...)
			}
			return errors.Join(t.print(), closing(c, f), err)
		},
	}
}

// branch is a shard in a tree, with what stands before it.
type branch struct {
	overview.Shard
	stem string
}

// treeOf puts each shard below the first of its parents that is shown, once. What
// is its own ancestor, which no stream should have, stands at the root.
func treeOf(all []overview.Shard) []branch {
	index := map[string]int{} // of the first with each id
	name := func(s overview.Shard, id string) string { return s.Stream + "\x00" + id }
	for i, s := range all {
		if _, ok := index[name(s, s.ID)]; !ok {
			index[name(s, s.ID)] = i
		}
	}
	below, roots := map[int][]int{}, []int{}
	for i, s := range all {
		root := true
		for _, parent := range s.Parents {
			if up, ok := index[name(s, parent)]; ok && up < i {
				below[up], root = append(below[up], i), false
				break
			}
		}
		if root {
			roots = append(roots, i)
		}
	}
	tree := make([]branch, 0, len(all))
	var grow func(of []int, stem string, root bool)
	grow = func(of []int, stem string, root bool) {
		for n, i := range of {
			own, next := stem+"├ ", stem+"│ "
			if n == len(of)-1 {
				own, next = stem+"└ ", stem+"  "
			}
			if root {
				own, next = "", ""
			}
			tree = append(tree, branch{Shard: all[i], stem: own})
			grow(below[i], next, false)
		}
	}
	grow(roots, "", true)
	return tree
}

// keysOf is the part of the keys that a shard takes, and where it lies.
func keysOf(s overview.Shard) string {
	if s.Part == 0 {
		return ""
	}
	return fmt.Sprintf("%s %5.1f%%", span(s.FirstHash, s.LastHash, keysWidth), 100*s.Part)
}

// keysWidth is how wide the range of all hashes is drawn.
const keysWidth = 16

// span draws a range of hashes in width characters; one that is narrower than a
// character is drawn as one.
func span(first, last string, width int) string {
	all := new(big.Float).SetInt(new(big.Int).Lsh(big.NewInt(1), 128))
	at := func(decimal string) float64 {
		n, ok := new(big.Float).SetString(decimal)
		if !ok {
			return 0
		}
		part, _ := new(big.Float).Quo(n, all).Float64()
		return min(max(part, 0), 1) * float64(width)
	}
	from := min(int(math.Floor(at(first)+1e-9)), width-1)
	to := max(min(int(math.Ceil(at(last)-1e-9)), width), from+1)
	return strings.Repeat("·", from) + strings.Repeat("█", to-from) + strings.Repeat("·", width-to)
}
