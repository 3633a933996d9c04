package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/towpath/towpath/checkpoint/dynamocheckpoint"
	"github.com/towpath/towpath/shard"
)

// rows reads the lease table as towpath does; a row that it cannot believe is an
// error.
func (g *stage) rows(ctx context.Context) ([]shard.Lease, error) {
	rows, err := dynamocheckpoint.Open(g.dynamoAPI, g.application).List(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the lease table: %w", err)
	}
	var problems []error
	for _, row := range rows {
		if row.Fault != nil {
			problems = append(problems, fmt.Errorf("row %s: %w", row.Key, row.Fault))
		}
	}
	return rows, errors.Join(problems...)
}

// rowsOfJava has the library read the table; what it cannot read is an error.
func (g *stage) rowsOfJava() error {
	out, err := g.java("rows", "reader").CombinedOutput()
	if err != nil {
		return fmt.Errorf("the library reads the lease table: %w: %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "rows ") {
			return nil
		}
	}
	return fmt.Errorf("the library says nothing of the lease table: %s", out)
}

// Between these many open shards the stream is kept.
const fewestShards, mostShards = 3, 7

// reshard splits a shard of the stream or merges two, whichever its size allows;
// choose is below 1.
func (g *stage) reshard(ctx context.Context, choose float64) (string, error) {
	return g.stream.Reshard(ctx, fewestShards, mostShards, choose)
}
