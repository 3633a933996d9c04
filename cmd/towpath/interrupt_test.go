package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/towpath/towpath/destination"
	"github.com/towpath/towpath/shard"
	"github.com/towpath/towpath/streamtest/awsfake"
	"github.com/towpath/towpath/tape"
)

// A move of all positions that somebody interrupts while it waits for the fleet is
// given up, whether anybody reads what it prints or not: the fleet is not left
// standing still.
func TestAMoveThatIsInterruptedIsGivenUp(t *testing.T) {
	for _, read := range []bool{true, false} {
		fake, table := served(t)
		before := positions(t, table)
		// A worker that never says that it stands still.
		if err := table.Register(t.Context(), shard.Session{ID: "w1/0123456789abcdef", Version: 2}); err != nil {
			t.Fatal(err)
		}
		seen := make(chan struct{}) // the plan, and nothing behind it
		restore := fake.Intercept(func(ctx context.Context, c awsfake.Call) awsfake.Fault {
			if c.Caller == "test" && c.Operation == "UpdateItem" {
				select {
				case <-seen:
				case <-ctx.Done():
				}
			}
			return awsfake.Fault{}
		})
		cmd := exec.Command("towpath", "-timeout", "30s", "reset", "-a", "clickstream", "-s", "clicks", "-yes") // as TestMain put it there
		var errs strings.Builder
		cmd.Stderr = &errs
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		if !read {
			out.Close()
		}
		close(seen)
		await(t, "the move stands in the table", func() bool {
			c, err := table.Control(t.Context())
			return err == nil && c.Move.Active()
		})
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if read {
			_, _ = io.Copy(io.Discard, out)
		}
		if err := cmd.Wait(); cmd.ProcessState.ExitCode() != exitFailed {
			t.Errorf("it ended with %v", err)
		}
		if says := errs.String(); !strings.Contains(says, "interrupted: ") || !strings.Contains(says, "the move was given up, and nothing has changed") {
			t.Errorf("it said %q", says)
		}
		c, err := table.Control(t.Context())
		if now := positions(t, table); err != nil || c.Move.Active() || now["shardId-000000000000"] != before["shardId-000000000000"] {
			t.Errorf("there is still %s, %v, and the positions are %v", c.Move, err, now)
		}
		restore()
	}
}

// await waits until something is the case.
func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 3000 {
		if is() {
			return
		}
		<-tick.C
	}
	t.Fatalf("after a minute it is not so that %s", what)
}

// Whatever ends a play, it says what was put and how to go on.
func TestAPlayThatEndsSaysHowToGoOn(t *testing.T) {
	refused := &destination.PublishError{Destination: "copy", Err: errors.Join(destination.ErrRefused, errors.New("too large"))}
	for _, c := range []struct {
		played tape.Played
		err    error
		says   []string
		not    string
	}{
		{tape.Played{}, errors.New("down"), []string{"down; nothing was put"}, "-skip"},
		{tape.Played{Put: 300, Next: 0, Twice: 300}, errors.New("down"), []string{"300 events put: down; go on with -skip 0 (which repeats 300 events)"}, "nothing was put"},
		{tape.Played{Put: 2, Next: 1, Twice: 1}, errors.New("down"), []string{"2 events put: down; go on with -skip 1 (which repeats 1 event)"}, "without"},
		{tape.Played{Put: 7, Next: 7}, refused, []string{"7 events put: ", "too large; go on with -skip 7, or with -skip 8 without the one that was refused"}, "repeats"},
	} {
		tool := &cli.Command{Writer: io.Discard, Action: func(ctx context.Context, cmd *cli.Command) error {
			return playedTo(ctx, cmd, c.played, time.Second, c.err)
		}}
		err := tool.Run(t.Context(), []string{"tool"})
		for _, says := range c.says {
			if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), c.not) {
				t.Errorf("%+v: got %v, want %q", c.played, err, says)
			}
		}
	}
}
