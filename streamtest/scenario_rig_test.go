package streamtest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/streamtest"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// shardName is the id that the fake gives the nth shard of a stream.
func shardName(n int) string { return fmt.Sprintf("shardId-%012d", n) }

// rowOf is the row of a shard as it was last written.
func rowOf(rig *streamtest.Rig, shardID string) shard.Lease {
	for _, row := range rig.Rows() {
		if row.Shard == shardID {
			return row
		}
	}
	return shard.Lease{}
}

// nameOf is the name in a worker's id, before the random part.
func nameOf(id string) string {
	name, _, _ := strings.Cut(id, "/")
	return name
}

// holdings is how many unfinished shards each worker holds, by name.
func holdings(rig *streamtest.Rig) map[string]int {
	n := map[string]int{}
	for _, row := range rig.Rows() {
		if !row.Finished() {
			n[nameOf(row.Holder())]++
		}
	}
	return n
}

// holds reports whether a worker holds so many shards and none is on its way to
// another.
func holds(rig *streamtest.Rig, worker string, want int) func() bool {
	return func() bool {
		n := 0
		for _, row := range rig.Rows() {
			if !row.Finished() && row.CheckpointOwner == "" && nameOf(row.Owner) == worker {
				n++
			}
		}
		return n == want
	}
}

// two starts the workers a and b, which are alike, and waits until each has its
// share of the shards.
func two(rig *streamtest.Rig, shards int, set ...func(*consumer.Config)) (a, b *streamtest.Worker) {
	a, b = rig.Start("a", set...), rig.Start("b", set...)
	rig.Await("both work", everyHolder(rig, shards, "a", "b"))
	return a, b
}

// handled reports whether so many records have been handled.
func handled(rig *streamtest.Rig, n int) func() bool {
	return func() bool { return rig.Ledger.Handled() >= n }
}

// flow puts a record again and again, over many keys, until stop is called or
// the test is over.
func flow(t *testing.T, rig *streamtest.Rig, every time.Duration) (stop func()) {
	over, done := make(chan struct{}), make(chan struct{})
	go func() { // ends when stop is called, which waits for it
		defer close(done)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				rig.PutN(1, 499)
			case <-over:
				return
			case <-t.Context().Done():
				return
			}
		}
	}()
	return sync.OnceFunc(func() {
		close(over)
		<-done
	})
}

// firstCall is when a handler call of a shard first began at or after a time, in
// any worker but one; the zero time if none has.
func firstCall(rig *streamtest.Rig, after time.Time, shardID, but string) time.Time {
	for _, c := range rig.Ledger.Calls() {
		if c.Shard == shardID && c.Worker != but && !c.Began.Before(after) {
			return c.Began
		}
	}
	return time.Time{}
}

// wrote is one write to the lease table as it was sent.
type wrote struct {
	operation string
	body      []byte
}

// record keeps every write that a worker sends to the lease table from now on.
func record(rig *streamtest.Rig, worker string) func() []wrote {
	var mu sync.Mutex
	var all []wrote
	rig.AWS.Intercept(func(_ context.Context, c awsfake.Call) awsfake.Fault {
		if c.Caller == worker && isLeaseWrite(c) {
			mu.Lock()
			all = append(all, wrote{c.Operation, c.Body})
			mu.Unlock()
		}
		return awsfake.Fault{}
	})
	return func() []wrote {
		mu.Lock()
		defer mu.Unlock()
		return append([]wrote(nil), all...)
	}
}

// isWrite reports whether a call writes to either table.
func isWrite(c awsfake.Call) bool {
	if c.Service != "dynamodb" {
		return false
	}
	switch c.Operation {
	case "PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems":
		return true
	}
	return false
}

// isLeaseWrite reports whether a call writes to a lease row.
func isLeaseWrite(c awsfake.Call) bool {
	return isWrite(c) && strings.Contains(string(c.Body), `"TableName":"`+streamtest.Application+`"`)
}

// is tells the conditional writes apart by what only their update says.
func (w wrote) is(part string) bool { return strings.Contains(string(w.body), part) }

// arriveLate has a write arrive at the table again, as a network may that kept a
// copy of it, and returns the status of the answer.
func (w wrote) arriveLate(rig *streamtest.Rig) (status int, answer string) {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(string(w.body)))
	r.Header.Set("X-Amz-Target", "DynamoDB_20120810."+w.operation)
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	rec := httptest.NewRecorder()
	rig.AWS.DynamoDB().ServeHTTP(rec, r)
	return rec.Code, rec.Body.String()
}

// refused has each of the writes arrive late, and fails the test if one is not
// refused or changes a row.
func refused(t *testing.T, rig *streamtest.Rig, writes []wrote) {
	t.Helper()
	if len(writes) == 0 {
		t.Error("there is no write that could arrive late")
	}
	before := fmt.Sprint(rig.Rows())
	for _, w := range writes {
		status, answer := w.arriveLate(rig)
		if status == http.StatusOK && w.operation == "TransactWriteItems" {
			continue // known by its token, and answered without being applied again
		}
		if status != http.StatusBadRequest || !strings.Contains(answer, "ConditionalCheckFailed") {
			t.Errorf("a late write was answered %d %s\n%s", status, answer, w.body)
		}
	}
	if after := fmt.Sprint(rig.Rows()); after != before {
		t.Errorf("late writes changed the table:\n%s\n%s", before, after)
	}
}

// slow is a handler that takes so long, or as long as its context lives.
func slow(d time.Duration) consumer.Handler {
	return consumer.HandlerFunc(func(ctx context.Context, _ *batching.Batch) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
}
