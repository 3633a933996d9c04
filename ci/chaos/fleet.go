package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// order is all that a worker process is told.
type order struct {
	Name                 string
	Kinesis, Dynamo, SQS string // endpoints, of its own links
	Queue                string // URL of the queue for what is given up
	Application, Stream  string
	Ledger, Samples      string // files that it appends to
}

// kinds are the sorts of workers there are, by name: how one is started. A worker
// enters what it handles into the ledger, in lines as ledger.Line writes them,
// and ends with SIGTERM.
var kinds = map[string]func(s settings, o order) *exec.Cmd{
	"towpath": func(s settings, o order) *exec.Cmd {
		return exec.Command(os.Args[0], "worker", "-kinesis", o.Kinesis, "-dynamodb", o.Dynamo, "-sqs", o.SQS, "-queue", o.Queue,
			"-application", o.Application, "-stream", o.Stream, "-name", o.Name, "-ledger", o.Ledger, "-samples", o.Samples,
			fmt.Sprintf("-checkpoint=%v", s.checkpointEvery))
	},
	"kcl": kclWorker,
}

// process is one worker.
type process struct {
	name     string
	immortal bool // it is neither killed nor restarted
	leaving  bool // it was told to end
	stopped  bool // by SIGSTOP
	cmd      *exec.Cmd
	input    *os.File // its standard input: when it ends, so does the worker
	log      string
	links    []*link // to Kinesis, DynamoDB and SQS
	ended    chan struct{}
	err      error // why it ended; set before ended is closed
	waiting  sync.WaitGroup
}

// The links of a process.
const (
	toKinesis = iota
	toDynamo
	toSQS
)

// fleet is the processes that run.
type fleet struct {
	settings settings
	targets  [3]string // host and port of each service
	order    order     // what all are told
	workers  []*process
	started  int
	unable   int // workers that were told to end and could not do it properly
}

// start starts a worker with links of its own.
func (f *fleet) start() (*process, error) {
	f.started++
	p := &process{name: fmt.Sprintf("w%d", f.started), ended: make(chan struct{})}
	for i, service := range []string{"kinesis", "dynamodb", "sqs"} {
		l, err := newLink(service, f.targets[i])
		if err != nil {
			return nil, err
		}
		p.links = append(p.links, l)
	}
	o := f.order
	o.Name, o.Kinesis, o.Dynamo, o.SQS = p.name, p.links[toKinesis].url(), p.links[toDynamo].url(), p.links[toSQS].url()
	p.cmd = kinds[f.settings.kind](f.settings, o)
	p.log = filepath.Join(f.settings.folder, p.name+".log")
	out, err := os.Create(p.log)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	defer out.Close()
	input, held, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	defer input.Close()
	p.input = held
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = input, out, out
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	p.waiting.Go(func() { // ends with the process; bury waits for it
		p.err = p.cmd.Wait()
		close(p.ended)
	})
	f.workers = append(f.workers, p)
	return p, nil
}

// bury closes what a process that has ended leaves behind.
func (f *fleet) bury(p *process) {
	p.waiting.Wait()
	p.input.Close()
	for _, l := range p.links {
		l.close()
	}
	f.workers = slices.DeleteFunc(f.workers, func(w *process) bool { return w == p })
}

// kill ends a process without a word.
func (f *fleet) kill(p *process) {
	p.cmd.Process.Kill() // gone already is as good
	f.bury(p)
}

// gone is whether a process has ended.
func (p *process) gone() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// tend buries those that ended as they were told to, and fails for those that
// ended by themselves.
func (f *fleet) tend() error {
	var problems []error
	for _, p := range slices.Clone(f.workers) {
		if !p.gone() {
			continue
		}
		if !p.leaving {
			problems = append(problems, fmt.Errorf("%s ended by itself (%v): %s", p.name, p.err, p.lastLines()))
		} else if status := p.cmd.ProcessState.ExitCode(); status == gaveUp {
			f.unable++ // such as one that cannot reach the table to let go
		} else if status != 0 && status != 143 && !p.terminated() {
			problems = append(problems, fmt.Errorf("%s ended with status %d: %s", p.name, status, p.lastLines()))
		}
		f.bury(p)
	}
	return errors.Join(problems...)
}

// terminated is whether a process ended by SIGTERM itself, as one does that was not
// yet far enough to heed it; of Java the status is 143.
func (p *process) terminated() bool {
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGTERM
}

// well is a process that nothing is being done to, or nil; choose is below 1.
func (f *fleet) well(choose float64, mortal bool) *process {
	var candidates []*process
	for _, p := range f.workers {
		if !p.leaving && !p.stopped && !(mortal && p.immortal) {
			candidates = append(candidates, p)
		}
	}
	if len(candidates) == 0 {
		return nil
	}
	return candidates[int(choose*float64(len(candidates)))]
}

// lives is whether an owner, as it stands in a row, is one of the processes that
// nothing is being done to.
func (f *fleet) lives(owner string) bool {
	name, _, _ := strings.Cut(owner, "/")
	return slices.ContainsFunc(f.workers, func(p *process) bool { return p.name == name && !p.leaving && !p.stopped })
}

// stop tells a process to end.
func (p *process) stop() {
	p.leaving = true
	p.cmd.Process.Signal(syscall.SIGTERM) // gone already is as good
}

// endAll ends all workers and says which did not end in time.
func (f *fleet) endAll(limit time.Duration) error {
	for _, p := range f.workers {
		p.cmd.Process.Signal(syscall.SIGCONT)
		p.stop()
	}
	var problems []error
	over := time.After(limit)
	for _, p := range slices.Clone(f.workers) {
		select {
		case <-p.ended:
		case <-over:
			problems = append(problems, fmt.Errorf("%s did not end within %v; see %s", p.name, limit, p.log))
			p.cmd.Process.Kill()
			p.waiting.Wait()
		}
	}
	return errors.Join(append(problems, f.tend())...)
}

// close kills what still runs.
func (f *fleet) close() {
	for _, p := range slices.Clone(f.workers) {
		f.kill(p)
	}
}

// lastLines is the end of what a worker said.
func (p *process) lastLines() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return "…" + strings.TrimSpace(string(text[max(0, len(text)-1500):]))
}
