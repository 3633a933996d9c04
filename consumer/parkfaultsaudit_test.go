package consumer_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/towpath/towpath/shard"
)

// check wants no checkpoint past a record that is neither finished nor parked.
func (y *yard) check() {
	ctx, table := context.Background(), y.table.As(looker)
	rows, err := table.List(ctx)
	if err != nil {
		y.t.Error(err)
	}
	parked := map[string]bool{}
	for _, row := range rows {
		keys, _ := table.ParkedKeys(ctx, row, "")
		for _, k := range keys {
			records, _ := table.ParkedRecords(ctx, row, k, 1<<20, 1<<40)
			for i := range records {
				parked[records[i].Record.ID()] = true
			}
		}
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	y.parkings = max(y.parkings, len(parked))
	at := map[string]shard.Position{}
	for _, row := range rows {
		at[row.Shard] = row.Checkpoint
	}
	y.open = slices.DeleteFunc(y.open, func(r shard.Record) bool { return y.finished[name(&r)] })
	for _, r := range y.open {
		if p := at[r.Shard]; (p.IsRecord() || p.IsEnd()) && r.Position().Compare(p) <= 0 && !parked[r.ID()] {
			y.breaks("%s is at %s, past %s of key %s, which is neither finished nor parked", r.Shard, p, r.Data, r.PartitionKey)
		}
	}
}

func (y *yard) breaks(format string, args ...any) {
	if len(y.broken) < 5 {
		y.broken = append(y.broken, fmt.Sprintf(time.Now().Format("04:05.000 ")+format, args...))
	}
}

// name is a record's key and its number within the key, which its payload ends
// with.
func name(r *shard.Record) string { return r.PartitionKey + "/" + numberOf(r) }

func numberOf(r *shard.Record) string {
	return string(r.Data[strings.IndexByte(string(r.Data), '/')+1:])
}

func (y *yard) begun(worker string, records []shard.Record) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.dead[worker] {
		return
	}
	inCall := map[string]bool{}
	for i := range records {
		r := &records[i]
		inCall[name(r)] = true
		n, _ := strconv.Atoi(numberOf(r))
		if before := fmt.Sprint(r.PartitionKey, "/", n-1); n > 0 && !y.finished[before] && !inCall[before] {
			y.breaks("%s was given %s while %s is not finished", worker, name(r), before)
		}
	}
}

func (y *yard) finish(worker string, records []shard.Record) {
	y.mu.Lock()
	defer y.mu.Unlock()
	for i := range records {
		if !y.dead[worker] {
			y.finished[name(&records[i])] = true
		}
	}
}

func (y *yard) complete() bool {
	y.mu.Lock()
	defer y.mu.Unlock()
	n := 0
	for _, of := range y.put {
		n += of
	}
	return len(y.finished) == n
}

func (y *yard) state() string {
	text := ""
	for _, w := range y.workers {
		text += fmt.Sprintf("\n%s %+v", w.name, w.Status())
	}
	table := y.table.As(looker)
	rows, _ := table.List(context.Background())
	for _, row := range rows {
		text += "\n" + row.String()
		keys, _ := table.ParkedKeys(context.Background(), row, "")
		for _, k := range keys {
			text += fmt.Sprintf("\n  parked %+v", k)
		}
	}
	return text
}
