package main

import (
	"os"
	"os/exec"
	"testing"
)

// ended is a process that a shell played, as the fleet finds it.
func ended(t *testing.T, script string, leaving bool) error {
	t.Helper()
	f := &fleet{}
	p := &process{name: "w1", cmd: exec.Command("sh", "-c", script), leaving: leaving, ended: make(chan struct{})}
	input, held, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer input.Close()
	p.input = held
	p.err = p.cmd.Run()
	close(p.ended)
	f.workers = []*process{p}
	return f.tend()
}

func TestAWorkerMayEndOnlyAsItWasTold(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		leaving      bool
		wrong        bool
	}{
		{"told, and in order", "exit 0", true, false},
		{"told before it could heed it", "kill -TERM $$", true, false},
		{"told, a Java one", "exit 143", true, false},
		{"told, and cut off", "exit 3", true, false},
		{"told, and a panic", "exit 2", true, true},
		{"told, and killed by somebody else", "kill -KILL $$", true, true},
		{"by itself", "exit 0", false, true},
	} {
		if err := ended(t, tt.script, tt.leaving); (err != nil) != tt.wrong {
			t.Errorf("%s: %v, want an error: %v", tt.name, err, tt.wrong)
		}
	}
}
