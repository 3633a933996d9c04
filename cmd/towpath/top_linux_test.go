package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pseudo is a terminal with a program on it, and what it has drawn.
type pseudo struct {
	t      *testing.T
	master *os.File
	tty    *os.File
	cmd    *exec.Cmd
	was    *unix.Termios // before the program began
	read   sync.WaitGroup

	mu    sync.Mutex
	drawn bytes.Buffer
}

// onTerminal starts the command on a terminal of a size.
func onTerminal(t *testing.T, width, height uint16, args ...string) *pseudo {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := &pseudo{t: t, master: master, tty: tty, cmd: exec.Command("towpath", args...)} // as TestMain put it there
	p.resize(width, height)
	if p.was, err = unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS); err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = tty, tty, tty
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.read.Go(func() {
		b := make([]byte, 4096)
		for {
			n, err := master.Read(b)
			p.mu.Lock()
			p.drawn.Write(b[:n])
			p.mu.Unlock()
			if err != nil {
				return
			}
		}
	})
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // if it has not ended
		tty.Close()
		master.Close()
		p.read.Wait()
	})
	return p
}

func (p *pseudo) resize(width, height uint16) {
	p.t.Helper()
	if err := unix.IoctlSetWinsize(int(p.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: width, Row: height}); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pseudo) press(keys string) {
	p.t.Helper()
	if _, err := p.master.WriteString(keys); err != nil {
		p.t.Fatal(err)
	}
}

// await waits until something was drawn behind what was there.
func (p *pseudo) await(text string, behind int) int {
	p.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 1500 {
		p.mu.Lock()
		all := p.drawn.String()
		p.mu.Unlock()
		if i := strings.Index(all[behind:], text); i >= 0 {
			return behind + i + len(text)
		}
		<-tick.C
	}
	p.t.Fatalf("%q was not drawn; there is %q", text, p.drawn.String()[behind:])
	return 0
}

// ended waits for the end: the status is 0, and the terminal as it was.
func (p *pseudo) ended(drawn int) {
	p.t.Helper()
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("it ended with %v", err)
	}
	p.await(ownScreen, drawn)
	now, err := unix.IoctlGetTermios(int(p.tty.Fd()), unix.TCGETS)
	if err != nil || *now != *p.was {
		p.t.Errorf("the terminal is left as %+v, %v, want %+v", now, err, p.was)
	}
}

// As long as somebody is asked, the first interrupt ends a command, and nothing is
// written.
func TestAnInterruptAtTheQuestionEndsIt(t *testing.T) {
	fake, table := served(t)
	before := positions(t, table)
	for _, args := range [][]string{
		{"pause", "-a", "clickstream"},
		{"reset", "-a", "clickstream", "-s", "clicks"},
		{"play", "-s", "clicks", "-f", "testdata/one.ndjson"},
	} {
		p := onTerminal(t, 100, 30, args...)
		p.await("Type yes to do it: ", 0)
		p.press("\x03")
		var ended sync.WaitGroup
		ended.Go(func() { _ = p.cmd.Wait() })
		await(t, args[0]+" has ended", func() bool { return p.cmd.Process.Signal(syscall.Signal(0)) != nil })
		ended.Wait()
		if p.cmd.ProcessState.Success() {
			t.Errorf("%s: an interrupt is no yes", args[0])
		}
	}
	c, err := table.Control(t.Context())
	if now := positions(t, table); err != nil || len(c.Pauses) > 0 || now["shardId-000000000000"] != before["shardId-000000000000"] || len(fake.Kinesis().Records("clicks")) != 12 {
		t.Errorf("something was written: %+v, %v, %v", c, err, now)
	}
}

// Live, top obeys keys, follows the size of the terminal, and leaves the terminal
// as it was, whatever ends it.
func TestTopLeavesTheTerminalAsItWas(t *testing.T) {
	served(t)
	for _, c := range []struct {
		name string
		end  func(p *pseudo)
	}{
		{"q", func(p *pseudo) { p.press("q") }},
		{"ctrl-C", func(p *pseudo) { p.press("\x03") }},
		{"SIGTERM", func(p *pseudo) { _ = p.cmd.Process.Signal(syscall.SIGTERM) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("TERM", "xterm-256color")
			p := onTerminal(t, 100, 30, "top", "-a", "clickstream", "-s", "clicks", "-every", "300ms")
			at := p.await(otherScreen, 0)
			p.await("\x1b[33mfree", at) // colours, on a terminal
			at = p.await("by behind", at)
			p.press("s")
			at = p.await("by shard", at)
			p.resize(60, 15)
			at = p.await("q quit  sort b s o l t", at)
			c.end(p)
			p.ended(at)
		})
	}
}
