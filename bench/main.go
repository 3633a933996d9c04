// Command bench measures what towpath costs beside what else reads Kinesis: the
// plain loop on the newest SDK, the Kinesis Client Library for Java, and the
// floor, which reads answers and throws them away. All read the same pages from a
// server on loopback, each in a process of its own, one run of each after the
// other, over and over: on a machine that others share, what was measured at the
// same time can be compared, and nothing else can.
//
//	go run ./bench                    readers at 100 B, 1 KB and 10 KB, plain and over TLS
//	go run ./bench -quick -json       within a minute, without the KCL, as rows of JSON
//	go run ./bench -parts all         idle shards, many shards and lanes too
//	go run ./bench -gate              against the bounds in bounds.go, for a check
//
// The method, the figures and where they fall short are in docs/performance.md.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/towpath/towpath/bench/measure"
	"github.com/towpath/towpath/bench/ready"
)

// The words by which this program calls itself for a process of its own.
const (
	serveVerb   = "serve"
	measureVerb = "measure"
	http2Word   = "http2" // to the server
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		stop()
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, in io.Reader, out, log io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case serveVerb:
			return serve(ctx, args[1:], in, out)
		case measureVerb:
			return measureOne(ctx, args[1:], out)
		}
	}
	o, err := parseOptions(args, log)
	if err != nil {
		return err
	}
	b, err := setUp(ctx, o, log)
	if err != nil {
		return err
	}
	return errors.Join(b.all(ctx, out), b.tearDown())
}

// serve is the process of the server. It ends when nobody is left who reads from
// it: its standard input ends with the one who started it.
func serve(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // ends with the process
		_, _ = io.Copy(io.Discard, in)
		cancel()
	}()
	return ready.Serve(ctx, slices.Contains(args, http2Word), func(a ready.Address) error { return json.NewEncoder(out).Encode(a) })
}

// measureOne is the process of one measurement.
func measureOne(ctx context.Context, args []string, out io.Writer) error {
	if len(args) != 1 {
		return fmt.Errorf("%s has %d arguments, want one task", measureVerb, len(args))
	}
	var t measure.Task
	if err := json.Unmarshal([]byte(args[0]), &t); err != nil {
		return fmt.Errorf("read the task: %w", err)
	}
	u, err := measure.Run(ctx, t)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(u)
}
