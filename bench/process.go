package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/towpath/towpath/bench/measure"
	"github.com/towpath/towpath/bench/ready"
)

// patience is how long one measurement may take. The slowest, the KCL on small
// records on a machine that others share, takes two minutes.
const patience = 10 * time.Minute

// server is the process of the server.
type server struct {
	ready.Address
	process *exec.Cmd
	life    io.Closer // the server ends when it is closed
}

func startServer(http2 bool, log io.Writer) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	args := []string{serveVerb}
	if http2 {
		args = append(args, http2Word)
	}
	s := &server{process: exec.Command(self, args...)}
	s.process.Stderr = log
	if s.life, err = s.process.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	out, err := s.process.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	if err := s.process.Start(); err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	if err := json.NewDecoder(out).Decode(&s.Address); err != nil {
		return nil, fmt.Errorf("read the server's address: %w (%w)", err, s.stop())
	}
	return s, nil
}

func (s *server) stop() error {
	_ = s.life.Close() // it ends with its input
	if err := s.process.Wait(); err != nil {
		return fmt.Errorf("stop the server: %w", err)
	}
	return nil
}

// measure makes one measurement in a process of its own.
func (b *bench) measure(ctx context.Context, t measure.Task) (measure.Usage, error) {
	b.tasks++
	t.Server = b.server.Address
	t.Application = fmt.Sprintf("bench-%d-%d", os.Getpid(), b.tasks)
	if t.Consumer == "kcl" {
		// One table for all runs on a stream: the library takes a minute and a half to
		// begin with an empty one.
		t.Application = "bench-kcl-" + t.Stream.Name()
		return b.kcl.measure(ctx, t)
	}
	task, err := json.Marshal(t)
	if err != nil {
		return measure.Usage{}, fmt.Errorf("write the task: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return measure.Usage{}, fmt.Errorf("find this program: %w", err)
	}
	return usageOf(ctx, t.Consumer, self, measureVerb, string(task))
}

// usageOf runs a program that prints what it used.
func usageOf(ctx context.Context, consumer, program string, args ...string) (u measure.Usage, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var said bytes.Buffer
	command := exec.CommandContext(ctx, program, args...)
	command.Stderr = &said
	out, err := command.Output()
	if err != nil {
		return u, fmt.Errorf("measure %s: %w: %s", consumer, err, end(said.String()))
	}
	if err := json.Unmarshal(lastLine(out), &u); err != nil {
		return u, fmt.Errorf("measure %s: read what it used: %w: %s", consumer, err, end(said.String()))
	}
	return u, nil
}

// lastLine is the last line of what a program printed.
func lastLine(out []byte) []byte {
	out = bytes.TrimSpace(out)
	return out[bytes.LastIndexByte(out, '\n')+1:]
}

// end is the end of a long text.
func end(text string) string {
	const most = 2000
	text = strings.TrimSpace(text)
	return text[max(0, len(text)-most):]
}
