package consumer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/towpath/towpath/batching"
	"github.com/towpath/towpath/checkpoint/checkpointtest"
	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/shard/shardtest"
)

// What a handler says of its records is logged, and stands in Status, as
// RedactError has it; the hooks are given the error itself. One that is longer
// than 1 KiB is cut, and a RedactError that panics says nothing.
func TestRedactErrorSaysWhatIsLogged(t *testing.T) {
	long := strings.Repeat("é", 2000)
	for _, c := range []struct {
		name   string
		redact func(error) string
		want   string
		never  string
	}{
		{"as it is", nil, "cannot store canary", "never"},
		{"redacted", func(err error) string { return fmt.Sprintf("a %T", err) }, "*fmt.wrapError", "canary"},
		{"too long", func(error) string { return long }, strings.Repeat("é", 510) + "…", strings.Repeat("é", 512)},
		{"not text", func(error) string { return "\xff\xfe!" }, "\uFFFD!", "\xff"},
		{"panics", func(error) string { panic("canary") }, "RedactError panicked", "canary"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				stream := shardtest.NewStream(1)
				stream.Put("key", []byte("data"))
				cfg := config(stream, checkpointtest.NewTable())
				cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
				cfg.RedactError = c.redact
				cfg.Until = consumer.CaughtUp()
				cause := errors.New("down")
				calls, shown := 0, ""
				var worker *consumer.Consumer
				cfg.Handler = consumer.HandlerFunc(func(context.Context, *batching.Batch) error {
					if calls++; calls > 3 {
						shown = worker.Status().Shards[0].Error
						return nil
					}
					return fmt.Errorf("cannot store canary: %w", cause)
				})
				var err error
				if worker, err = consumer.New(cfg); err != nil {
					t.Fatal(err)
				}
				if err := worker.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				if text := log.String(); !strings.Contains(text, c.want) || strings.Contains(text, c.never) {
					t.Errorf("logged %.3000s\nwant …%s… and not %s", text, c.want, c.never)
				}
				if !strings.Contains(shown, c.want) || strings.Contains(shown, c.never) {
					t.Errorf("Status shows %q, want …%s…", shown, c.want)
				}
			})
		})
	}
}
