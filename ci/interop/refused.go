package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// refused starts towpath beside a live fleet of the library, without the setting
// that allows it, and wants it to say no, with whom it has met and what to do.
// Nothing may have been handled by it.
func (g *stage) refused(ctx context.Context, r *result) error {
	w, err := g.start(towpath, false)
	if err != nil {
		return err
	}
	// What it says is read from its log: it ends as it should, and is forgotten
	// before its end could be taken for a fault.
	g.forget(w)
	limit := time.NewTimer(2 * time.Minute)
	defer limit.Stop()
	select {
	case <-w.ended:
	case <-limit.C:
		err = errors.New("towpath has started beside a live fleet of KCL, and was not refused")
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		w.cmd.Process.Kill()
		w.wait.Wait()
		return err
	}
	w.wait.Wait()
	said := w.lastLines()
	if status := w.cmd.ProcessState.ExitCode(); status != 3 || !strings.Contains(said, "at work") || !strings.Contains(said, "stop that fleet") {
		return fmt.Errorf("towpath, started beside a live fleet of KCL, ended with status %d and without its sentence: %s", status, said)
	}
	if strings.Contains(said, "shard started") {
		return fmt.Errorf("towpath has worked a shard beside a live fleet of KCL before it was refused: %s", said)
	}
	_, sentence, _ := strings.Cut(said, "refused: ")
	r.Refused++
	g.sayf("towpath is refused: %s", strings.TrimSpace(sentence))
	return nil
}
