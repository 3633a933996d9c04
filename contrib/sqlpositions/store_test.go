package sqlpositions_test

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	_ "modernc.org/sqlite"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/contrib/sqlpositions"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/streamtest"
)

var (
	firstSeed = flag.Uint64("seed", 1, "the first seed of the random faults")
	seeds     = flag.Int("seeds", 200, "how many seeds of the random faults")
)

func database(t testing.TB) *sql.DB {
	t.Helper()
	// One connection: a database in memory is its connection's.
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	if _, err := db.Exec(`CREATE TABLE events (id TEXT)`); err != nil {
		t.Fatal(err)
	}
	return db
}

func open(t testing.TB, db *sql.DB) *sqlpositions.Store {
	t.Helper()
	store, err := sqlpositions.Open(db, sqlpositions.SQLite)
	if err == nil {
		err = store.Prepare(context.Background())
	}
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// insert is the effect; one that is applied twice is there twice.
func insert(ctx context.Context, tx *sql.Tx, r *shard.Record) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO events (id) VALUES (?)`, string(r.Data))
	return err
}

func claim(fence, seekGen int64, row string) checkpoint.Claim {
	c := checkpoint.Claim{Application: "app", Stream: "arn", Shard: "s", Fence: [2]int64{1, fence}, SeekGen: seekGen}
	if row != "" {
		c.Row = shard.After(row, 0)
	}
	return c
}

func batch(fence int64, payloads ...string) *batching.Batch {
	b := &batching.Batch{Stream: "arn", Shard: "s", Token: batching.Fence{Stream: 1, Counter: fence}}
	for _, p := range payloads {
		b.Records = append(b.Records, shard.Record{Stream: "arn", Shard: "s", Sequence: p, Data: []byte(p)})
	}
	return b
}

func events(t *testing.T, db *sql.DB) (all []string) {
	t.Helper()
	rows, err := db.Query(`SELECT id FROM events ORDER BY rowid`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		all = append(all, id)
	}
	return all
}

func TestEffectsAndPositionAreOneTransaction(t *testing.T) {
	db := database(t)
	store := open(t, db)
	if at, found, err := store.Claim(t.Context(), claim(1, 0, "")); err != nil || found {
		t.Fatalf("first claim: %v, found %v, error %v", at, found, err)
	}
	h := store.Each("app", insert)
	if err := h.Handle(t.Context(), batch(1, "10", "11")); err != nil {
		t.Fatal(err)
	}
	// The answer was lost, and the engine calls again with one record more.
	if err := h.Handle(t.Context(), batch(1, "10", "11", "12")); err != nil {
		t.Fatal(err)
	}
	at, found, err := store.Claim(t.Context(), claim(2, 0, "9"))
	if err != nil || !found || at != shard.After("12", 0) {
		t.Errorf("second claim: %v, found %v, error %v; want 12", at, found, err)
	}
	if err := h.Handle(t.Context(), batch(1, "13")); !errors.Is(err, checkpoint.ErrFenced) {
		t.Errorf("a zombie's batch: error %v, want ErrFenced", err)
	}
	if _, _, err := store.Claim(t.Context(), claim(1, 0, "")); !errors.Is(err, checkpoint.ErrFenced) {
		t.Errorf("a zombie's claim: error %v, want ErrFenced", err)
	}
	if err := h.Handle(t.Context(), batch(2, "13")); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(events(t, db), " "); got != "10 11 12 13" {
		t.Errorf("applied %s", got)
	}
}

func TestWhatLiesBeforeAFailureIsApplied(t *testing.T) {
	db := database(t)
	store := open(t, db)
	if _, _, err := store.Claim(t.Context(), claim(1, 0, "")); err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	h := store.Each("app", func(ctx context.Context, tx *sql.Tx, r *shard.Record) error {
		if err := insert(ctx, tx, r); err != nil {
			return err
		}
		switch string(r.Data) {
		case "12":
			return boom
		case "20":
			panic("boom")
		}
		return nil
	})
	for _, c := range []struct {
		b    *batching.Batch
		from int
	}{{batch(1, "10", "11", "12", "13"), 2}, {batch(1, "12", "13"), 0}, {batch(1, "19", "20", "21"), 1}} {
		if o := batching.Read(c.b.Records, h.Handle(t.Context(), c.b)); !o.Failed || o.From != c.from {
			t.Errorf("outcome %v of %v, want failed from %d", o, o.Err, c.from)
		}
	}
	if got := strings.Join(events(t, db), " "); got != "10 11 19" {
		t.Errorf("applied %s, want nothing of the failures", got)
	}
}

func TestPositionThatWasMovedByHandIsBelieved(t *testing.T) {
	store := open(t, database(t))
	for _, c := range []struct {
		claim checkpoint.Claim
		want  string
		found bool
	}{
		{claim(1, 0, "5"), "", false},
		{claim(2, 1, "7"), "7", true},
		{claim(3, 1, "99"), "7", true},
		{claim(4, 2, ""), "", false}, // to the horizon
	} {
		at, found, err := store.Claim(t.Context(), c.claim)
		if err != nil || found != c.found || found && at.Sequence != c.want {
			t.Errorf("claim %v: %v, found %v, error %v; want %s, %v", c.claim.Fence, at, found, err, c.want, c.found)
		}
	}
}

func TestProblemsAreReportedAtOnce(t *testing.T) {
	_, err := sqlpositions.Open(nil, 7, func(o *sqlpositions.Options) { o.Table = "x; DROP TABLE y" })
	for _, want := range []string{"the database is nil", "the dialect is 7", `Table is "x; DROP TABLE y"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}

// A fleet applies events in SQL transactions while workers are killed, paused and
// cut off, and answers of commits are lost. Some calls last longer than a lease
// and do not look at their context, so that they come back as zombies. Each event
// is applied exactly once. A failing seed is tried again with
// -run TestFleetAppliesOnce -seed N -seeds 1.
func TestFleetAppliesOnce(t *testing.T) {
	if raceEnabled {
		*seeds = min(*seeds, 5)
	}
	for i := range *seeds {
		seed := *firstSeed + uint64(i)
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { applyOnce(t, rand.New(rand.NewPCG(seed, 5))) })
		})
	}
}

// zombie is longer than a lease and what is granted to handlers that are to end.
const zombie = 12 * time.Second

func applyOnce(t *testing.T, r *rand.Rand) {
	db := database(t)
	rig := streamtest.New(t, 2)
	defer func() {
		rig.Close()
		time.Sleep(zombie) // a call that was left behind ends, too
	}()
	dice := rand.New(rand.NewPCG(r.Uint64(), 6))
	turn := make(chan struct{}, 1) // guards dice: a channel, as the bubble waits for it
	lost := r.IntN(20)
	start := func(name string) *streamtest.Worker {
		store := open(t, db)
		dead := errors.New("the process is dead")
		var applied []*shard.Record // by the transaction that runs
		store.Committed(func() error {
			turn <- struct{}{}
			defer func() { <-turn }()
			for _, r := range applied {
				rig.Ledger.Finish(r.Shard, r.Sequence, r.Sub)
			}
			if dice.IntN(100) < lost {
				return errors.New("the answer of the commit was lost")
			}
			return nil
		})
		return rig.Start(name, func(c *consumer.Config) {
			each := store.Each(c.Name, func(ctx context.Context, tx *sql.Tx, r *shard.Record) error {
				if rig.Dead(name) {
					return dead
				}
				applied = append(applied, r)
				return insert(ctx, tx, r)
			})
			one := make(chan struct{}, 1) // one transaction of a worker at a time; guards applied
			c.Positions = living{store, func() bool { return !rig.Dead(name) }, one}
			c.Handler = consumer.HandlerFunc(func(ctx context.Context, b *batching.Batch) error {
				turn <- struct{}{}
				takes := time.Duration(dice.IntN(300)) * time.Millisecond
				if dice.IntN(8) == 0 {
					takes = zombie
				}
				<-turn
				time.Sleep(takes)
				one <- struct{}{}
				defer func() { <-one }()
				applied = nil
				return each.Handle(ctx, b)
			})
			c.LeaseDuration, c.CheckpointInterval, c.BatchSize = 5*time.Second, 2*time.Second, 10
		})
	}
	workers := []*streamtest.Worker{start("w0"), start("w1")}
	put, heal := 0, func() {}
	for step := range 8 {
		for range r.IntN(12) {
			rig.Put(fmt.Sprint("key-", put%7), fmt.Sprint("event-", put))
			put++
		}
		switch i := r.IntN(len(workers)); r.IntN(5) {
		case 0:
			workers[i].Kill()
			workers[i] = start(fmt.Sprint("w", step+2))
		case 1:
			heal()
			heal = workers[i].Pause()
		case 2:
			heal()
			heal = workers[i].Cut("dynamodb")
		case 3:
			heal()
			heal = func() {}
		case 4:
			if shards := rig.AWS.Kinesis().Shards(streamtest.Stream); len(shards) < 4 {
				_, _, _ = rig.AWS.Kinesis().Split(streamtest.Stream, shards[len(shards)-1].ID)
			}
		}
		time.Sleep(time.Duration(r.IntN(8000)) * time.Millisecond)
	}
	heal()
	turn <- struct{}{}
	lost = 0
	<-turn
	rig.Await("everything finished", rig.AllDone)
	times := map[string]int{}
	for _, event := range events(t, db) {
		times[event]++
	}
	for i := range put {
		if n := times[fmt.Sprint("event-", i)]; n != 1 {
			t.Errorf("event %d was applied %d times, want once", i, n)
		}
	}
}

// living is a store as a process reaches it, while it lives.
type living struct {
	*sqlpositions.Store
	lives func() bool
	one   chan struct{}
}

func (l living) Claim(ctx context.Context, c checkpoint.Claim) (shard.Position, bool, error) {
	l.one <- struct{}{}
	defer func() { <-l.one }()
	if !l.lives() {
		return shard.Position{}, false, errors.New("the process is dead")
	}
	return l.Store.Claim(ctx, c)
}

func Example() {
	ctx := context.Background()
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(`CREATE TABLE balances (account TEXT PRIMARY KEY, cents INTEGER NOT NULL)`); err != nil {
		fmt.Println(err)
		return
	}
	store, err := sqlpositions.Open(db, sqlpositions.SQLite)
	if err == nil {
		err = store.Prepare(ctx)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := store.Each("payments", func(ctx context.Context, tx *sql.Tx, r *shard.Record) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO balances VALUES (?, 100) ON CONFLICT (account) DO UPDATE SET cents = cents + 100`, r.PartitionKey)
		return err
	})

	// A consumer with Positions: store and Handler: handler does this.
	if _, _, err := store.Claim(ctx, checkpoint.Claim{Application: "payments", Stream: "arn", Shard: "s", Fence: [2]int64{1, 1}}); err != nil {
		fmt.Println(err)
		return
	}
	b := &batching.Batch{Stream: "arn", Shard: "s", Token: batching.Fence{Stream: 1, Counter: 1}, Records: []shard.Record{{Sequence: "7", PartitionKey: "ada"}}}
	fmt.Println(handler.Handle(ctx, b), handler.Handle(ctx, b)) // the second time after a crash
	var cents int
	fmt.Println(db.QueryRow(`SELECT cents FROM balances`).Scan(&cents), cents)
	// Output:
	// <nil> <nil>
	// <nil> 100
}
