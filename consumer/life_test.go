package consumer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard/shardtest"
)

// diary is a handler that writes down a shard's life, a line each.
type diary struct {
	starting func(s consumer.ShardStart) error // nil: no error
	handling func(ctx context.Context) error   // nil: accept

	mu    sync.Mutex
	lines []string
}

func (d *diary) note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

func (d *diary) text() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.lines, "; ")
}

func short(shardID string) string {
	return "s" + strings.TrimLeft(strings.TrimPrefix(shardID, "shardId-"), "0")
}

func (d *diary) Handle(ctx context.Context, b *batching.Batch) error {
	d.note("%s handles %d", short(b.Shard), len(b.Records))
	if d.handling != nil {
		return d.handling(ctx)
	}
	return nil
}

func (d *diary) ShardStarted(_ context.Context, s consumer.ShardStart) error {
	d.note("%s starts", short(s.Shard))
	if d.starting != nil {
		return d.starting(s)
	}
	return nil
}

func (d *diary) ShardLost(shardID string, cause error) { d.note("%s lost: %v", short(shardID), cause) }

func (d *diary) ShardEnded(shardID string) { d.note("%s ended", short(shardID)) }

var (
	_ consumer.ShardStarter = (*diary)(nil)
	_ consumer.ShardLoser   = (*diary)(nil)
	_ consumer.ShardEnder   = (*diary)(nil)
)

// A handler is told of a shard's life in its order: the start before the first
// batch, the end before its children start, and a stop as what it is.
func TestShardLifeIsToldInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(1)
		stream.Put("key", []byte("a"))
		d := &diary{}
		cfg := config(stream, checkpointtest.NewTable())
		cfg.Handler = d
		r := start(t, cfg)
		await(t, "the record", func() bool { return strings.Contains(d.text(), "handles") })
		lower, _, err := stream.Split("shardId-000000000000")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.PutTo(lower, "key", []byte("b")); err != nil {
			t.Fatal(err)
		}
		await(t, "the child's record", func() bool { return strings.Contains(d.text(), "s1 handles") })
		time.Sleep(time.Second)
		if _, err := r.end(); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(d.text(), "; ")
		if got, want := strings.Join(lines[:3], "; "), "s starts; s handles 1; s ended"; got != want {
			t.Errorf("it began with %q, want %q", got, want)
		}
		var child []string
		for _, line := range lines {
			if strings.HasPrefix(line, "s1 ") {
				child = append(child, line)
			}
		}
		if got, want := strings.Join(child, "; "), "s1 starts; s1 handles 1; s1 lost: consumer is stopping"; got != want {
			t.Errorf("the child's life was %q, want %q", got, want)
		}
		if !strings.Contains(d.text(), "s2 lost: consumer is stopping") {
			t.Errorf("the other child's stop is missing: %s", d.text())
		}
	})
}

// A hand-over and a lost lease are told as what they are, after the last call
// has returned, and the call's context ends with the same cause.
func TestShardLostTellsTheCause(t *testing.T) {
	for _, test := range []struct {
		name  string
		cause error
		make  func(t *testing.T, first, second *running, table *checkpointtest.Table)
	}{
		{"handed over", consumer.ErrHandedOver, func(t *testing.T, first, second *running, _ *checkpointtest.Table) {
			await(t, "two workers that know each other", func() bool {
				return first.Release(t.Context(), "shardId-000000000000") == nil
			})
			await(t, "the other worker", func() bool { return second.holds() == 1 })
		}},
		{"lease lost", consumer.ErrLeaseLost, func(t *testing.T, first, second *running, table *checkpointtest.Table) {
			id := first.Status().Worker
			table.Interfere(func(_, caller string) error {
				if caller == id || caller == "first" {
					return errors.New("cut off")
				}
				return nil
			}, nil)
			await(t, "the other worker", func() bool { return second.holds() == 1 })
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stream := shardtest.NewStream(1)
				table := checkpointtest.NewTable()
				stream.Put("key", []byte("a"))
				d := &diary{}
				d.handling = func(ctx context.Context) error {
					<-ctx.Done()
					d.note("call over: %v", context.Cause(ctx))
					return nil
				}
				cfg := config(stream, table.As("first"))
				cfg.Handler, cfg.DrainTimeout = d, 2*time.Second
				first := start(t, cfg)
				await(t, "the call", func() bool { return strings.Contains(d.text(), "handles") })
				other := config(stream, table.As("second"))
				other.Handler = &tally{}
				second := start(t, other)
				time.Sleep(2 * time.Second)
				test.make(t, first, second, table)
				want := fmt.Sprintf("s starts; s handles 1; call over: %v; s lost: %v", test.cause, test.cause)
				if d.text() != want {
					t.Errorf("it was told\n     %s\nwant %s", d.text(), want)
				}
			})
		})
	}
}

// An error of ShardStarted delays the shard until it succeeds: no batch is given
// before, and it gets the position and the token of the tenure.
func TestErrorOfShardStartedDelaysTheShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := shardtest.NewStream(1)
		first := stream.Put("key", []byte("a"))
		var starts []consumer.ShardStart
		d := &diary{}
		d.starting = func(s consumer.ShardStart) error {
			if starts = append(starts, s); len(starts) < 4 {
				return errors.New("not ready")
			}
			return nil
		}
		cfg := config(stream, checkpointtest.NewTable())
		cfg.Handler = d
		runToTip(t, cfg)
		want := "s starts; s starts; s starts; s starts; s handles 1; s lost: consumer is stopping"
		if d.text() != want {
			t.Errorf("got\n%s, want\n%s", d.text(), want)
		}
		if !starts[0].After.IsTrimHorizon() {
			t.Errorf("it starts after %s, want TRIM_HORIZON", starts[0].After)
		}
		runToTip(t, cfg)
		if got := starts[4]; got.After.Compare(first.Position()) != 0 || got.Fence.Compare(starts[0].Fence) <= 0 {
			t.Errorf("the next tenure starts after %s with %s, want %s and more than %s", got.After, got.Fence, first.Position(), starts[0].Fence)
		}
	})
}

// A worker that stops while a shard is still starting ends at once, and the
// shard is not lost, as it had never begun.
func TestStopWhileAShardIsStartingEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &diary{starting: func(consumer.ShardStart) error { return errors.New("not ready") }}
		table := checkpointtest.NewTable()
		cfg := config(shardtest.NewStream(1), table)
		cfg.Handler = d
		r := start(t, cfg)
		await(t, "a start", func() bool { return d.text() != "" })
		time.Sleep(5 * time.Second)
		if took, err := r.end(); err != nil || took > time.Second {
			t.Errorf("the stop took %v (%v), want at once", took, err)
		}
		if strings.Contains(d.text(), "lost") {
			t.Errorf("a shard that had not begun was told as lost: %s", d.text())
		}
		if row := onlyRow(t, table); row.Owner != "" {
			t.Errorf("the lease is still %s's", row.Owner)
		}
	})
}

// Whoever was told that a shard starts is told that it is lost, also if the
// worker stopped while it was being told.
func TestShardThatStartedIsToldAsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &diary{starting: func(consumer.ShardStart) error { time.Sleep(time.Second); return nil }}
		cfg := config(shardtest.NewStream(1), checkpointtest.NewTable())
		cfg.Handler = d
		r := start(t, cfg)
		await(t, "a start", func() bool { return d.text() != "" })
		if _, err := r.end(); err != nil {
			t.Fatal(err)
		}
		if got, want := d.text(), "s starts; s lost: consumer is stopping"; got != want {
			t.Errorf("it was told %q, want %q", got, want)
		}
	})
}

// A start that lacks a permission says so at once, waits for it, and takes up its
// work when it is granted, at whatever call it was missing: what IAM grants takes
// seconds to be seen, and nobody starts a program that has ended. What is not
// granted within a minute ends the start with what the table says.
func TestStartWaitsForAPermission(t *testing.T) {
	for _, without := range []string{"prepare", "sessions", "list"} {
		for _, after := range []time.Duration{20 * time.Second, time.Hour} {
			t.Run(fmt.Sprint(without, " granted after ", after), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					table, began := checkpointtest.NewTable(), time.Now()
					table.Interfere(func(op, _ string) error {
						if op == without && time.Since(began) < after {
							return fmt.Errorf("%s: %w", op, checkpoint.ErrDenied)
						}
						return nil
					}, nil)
					var logged bytes.Buffer
					cfg := config(shardtest.NewStream(1), table)
					cfg.Handler, cfg.Logger = &tally{}, slog.New(slog.NewTextHandler(&logged, nil))
					r := start(t, cfg)
					if after < time.Minute {
						await(t, "the shard", func() bool { return r.holds() == 1 })
						if _, err := r.end(); err != nil {
							t.Fatal(err)
						}
					} else if err := r.ended(); !errors.Is(err, checkpoint.ErrDenied) || time.Since(began) > 70*time.Second {
						t.Errorf("Run returned %v after %v, want %v after a minute", err, time.Since(began), checkpoint.ErrDenied)
					}
					first, _, _ := strings.Cut(logged.String(), "\n")
					for _, want := range []string{began.Format("15:04:05"), "cannot start yet", checkpoint.ErrDenied.Error()} {
						if !strings.Contains(first, want) {
							t.Errorf("the log begins with %q, want %q in it", first, want)
						}
					}
				})
			})
		}
	}
}

// Run of a consumer that runs is ErrRunning, and of one that has ended is not.
func TestRunTwiceIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config(shardtest.NewStream(1), checkpointtest.NewTable())
		cfg.Handler = &tally{}
		r := start(t, cfg)
		await(t, "the shard", func() bool { return r.holds() == 1 })
		if err := r.Run(t.Context()); !errors.Is(err, consumer.ErrRunning) {
			t.Errorf("a second Run returned %v, want %v", err, consumer.ErrRunning)
		}
		if _, err := r.end(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := r.Run(ctx); err != nil {
			t.Errorf("Run after the first had ended returned %v, want nil", err)
		}
	})
}
