package streamtest

import (
	"errors"
	"log/slog"
	"testing"
)

// The rig finds what is logged of a record: a key, a payload, at a level that
// nobody reads.
func TestRigFindsALoggedRecord(t *testing.T) {
	for _, c := range []struct {
		log  func(*slog.Logger)
		want bool
	}{
		{func(l *slog.Logger) { l.Debug("handling", "key", "key-3") }, true},
		{func(l *slog.Logger) { l.With("k", Canary).Info("handling") }, true},
		{func(l *slog.Logger) { l.WithGroup("g").Warn("failed", "error", errors.New("of \""+Canary+"\"")) }, true},
		{func(l *slog.Logger) { l.Warn("key-less handling of shard key-", "at", 3) }, false},
	} {
		failed := &failing{TB: t}
		rig := New(failed, 1)
		c.log(rig.watched(slog.New(slog.DiscardHandler)))
		rig.Close()
		if failed.times > 0 != c.want || rig.Logged() != 1 {
			t.Errorf("found %v in %d lines, want %v", failed.times > 0, rig.Logged(), c.want)
		}
	}
}

// failing counts failures of a test and lets it go on.
type failing struct {
	testing.TB
	times int
}

func (f *failing) Error(...any) { f.times++ }
func (f *failing) Helper()      {}
