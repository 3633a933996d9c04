package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/towpath/towpath/ci/ledger"
	"github.com/towpath/towpath/ci/traffic"
	"github.com/towpath/towpath/streamtest/awsfake"
)

// kind is which library a worker is built on.
type kind string

const (
	kcl     kind = "kcl"
	towpath kind = "towpath"
)

func (k kind) other() kind {
	if k == kcl {
		return towpath
	}
	return kcl
}

// stage is what one run of one version plays on: a stream, a lease table, a
// ledger, and the processes that work with them.
type stage struct {
	settings
	version     string
	application string
	stream      traffic.Stream
	ledger      string
	dynamoAPI   *dynamodb.Client
	began       time.Time

	lines *ledger.Tail // of the ledger
	audit *ledger.Audit

	workers []*process // that have not been awaited
	started int
}

func newStage(s settings, version string) (*stage, error) {
	name := "interop-" + strings.ReplaceAll(version, ".", "-")
	g := &stage{
		settings: s, version: version, application: name, stream: traffic.Open(name+"-stream", s.kinesis), began: time.Now(),
		ledger:    filepath.Join(s.folder, name+".ledger"),
		dynamoAPI: dynamodb.NewFromConfig(awsfake.LoopbackConfig("producer", s.dynamodb)),
		audit:     ledger.NewAudit(nil),
	}
	if err := os.Remove(g.ledger); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("make the ledger: %w", err)
	}
	lines, err := ledger.Follow(g.ledger)
	if err != nil {
		return nil, err
	}
	g.lines = lines
	return g, nil
}

func (g *stage) sayf(format string, args ...any) {
	fmt.Printf("%6.1fs KCL %s: %s\n", time.Since(g.began).Seconds(), g.version, fmt.Sprintf(format, args...))
}

// process is one worker.
type process struct {
	name  string
	kind  kind
	cmd   *exec.Cmd
	log   string
	ended chan struct{} // closed when the process is gone, err is set then
	err   error
	wait  sync.WaitGroup
}

// start starts a worker of a kind; beside is for towpath in a fleet of both.
func (g *stage) start(k kind, beside bool) (*process, error) {
	g.started++
	p := &process{name: fmt.Sprintf("%s-%d", k, g.started), kind: k, ended: make(chan struct{})}
	switch k {
	case kcl:
		p.cmd = g.java("work", p.name)
	case towpath:
		p.cmd = exec.Command(os.Args[0], "worker", "-kinesis", g.kinesis, "-dynamodb", g.dynamodb,
			"-application", g.application, "-stream", g.stream.Name, "-name", p.name, "-ledger", g.ledger, fmt.Sprintf("-beside=%t", beside))
	}
	p.log = filepath.Join(g.folder, g.application+"-"+p.name+".log")
	out, err := os.Create(p.log)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	defer out.Close()
	p.cmd.Stdout, p.cmd.Stderr = out, out
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	p.wait.Go(func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	})
	g.workers = append(g.workers, p)
	return p, nil
}

// java is a process of the library's harness.
func (g *stage) java(verb, worker string) *exec.Cmd {
	classes := filepath.Join(g.folder, "kcl-"+g.version)
	jars := filepath.Join(g.jars, "kcl-"+g.version, "lib", "*")
	return exec.Command("java", "-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Dorg.slf4j.simpleLogger.showDateTime=true", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
		"-Dorg.slf4j.simpleLogger.logFile=System.out",
		"-cp", classes+":"+jars,
		"KclWorker", verb, g.kinesis, g.dynamodb, g.application, g.stream.Name, worker, g.ledger)
}

// end ends a worker, politely or not, and returns when it is gone.
func (g *stage) end(p *process, signal syscall.Signal) error {
	p.cmd.Process.Signal(signal) // gone already is as good
	select {
	case <-p.ended:
	case <-time.After(45 * time.Second):
		p.cmd.Process.Kill()
		<-p.ended
		g.forget(p)
		return fmt.Errorf("%s did not end within 45 s of %v; see %s", p.name, signal, p.log)
	}
	p.wait.Wait()
	g.forget(p)
	if status := p.cmd.ProcessState.ExitCode(); signal == syscall.SIGTERM && status > 2 && status != 143 {
		return fmt.Errorf("%s ended with status %d: %s", p.name, status, p.lastLines())
	}
	return nil
}

func (g *stage) forget(p *process) {
	for i, w := range g.workers {
		if w == p {
			g.workers = append(g.workers[:i], g.workers[i+1:]...)
			return
		}
	}
}

// dead is an error that names the workers that ended by themselves.
func (g *stage) dead() error {
	var problems []error
	for _, p := range g.workers {
		select {
		case <-p.ended:
			problems = append(problems, fmt.Errorf("%s ended by itself (%v): %s", p.name, p.err, p.lastLines()))
		default:
		}
	}
	return errors.Join(problems...)
}

// lastLines is the end of what a worker said.
func (p *process) lastLines() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	text = text[max(0, len(text)-1500):]
	return "…" + string(text)
}

// close kills what still runs.
func (g *stage) close() {
	for _, p := range g.workers {
		p.cmd.Process.Kill()
		p.wait.Wait()
	}
	g.lines.Close()
}

// read gives the audit what has been entered into the ledger since.
func (g *stage) read() error {
	return g.lines.Read(func(line string) error {
		e, err := ledger.Parse(line)
		if err == nil {
			g.audit.Enter(e)
		}
		return err
	})
}

// until reads the ledger until done, which is asked again and again. A worker
// that ends by itself ends the waiting, and so does limit.
func (g *stage) until(ctx context.Context, what string, limit time.Duration, done func() bool) error {
	deadline := time.Now().Add(limit)
	for {
		if err := g.read(); err != nil {
			return err
		}
		if done() {
			return nil
		}
		if err := g.dead(); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: not within %v", what, limit)
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
