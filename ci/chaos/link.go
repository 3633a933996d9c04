package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// ailment is what is wrong with a link.
type ailment int

const (
	healthy    ailment = iota
	severed            // connections break, and new ones are refused
	silent             // nothing goes either way; what was sent arrives when it is over
	deafened           // requests arrive, answers are held back
	muted              // requests are held back: they arrive late, when their sender has given up
	slowed             // whatever goes either way takes longer
	truncating         // an answer breaks off in the middle
)

func (a ailment) String() string {
	return [...]string{"healthy", "severed", "silent", "deafened", "muted", "slowed", "truncating"}[a]
}

// slowness is what a slowed link adds to each piece of what goes through it, and
// mostWhole is how much of an answer a truncating link lets pass.
const (
	slowness  = 400 * time.Millisecond
	mostWhole = 700
)

// link is the wire between one worker and one service: a listener on loopback,
// and a pair of connections for each that the worker opens.
type link struct {
	service  string
	target   string // host and port
	listener net.Listener
	running  sync.WaitGroup

	mu      sync.Mutex // guards what follows; never held while waiting
	ail     ailment
	changed chan struct{} // closed when ail changes
	open    map[net.Conn]struct{}
	over    bool
}

// newLink listens on a free port and forwards to target.
func newLink(service, target string) (*link, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("make a link to %s: %w", service, err)
	}
	l := &link{service: service, target: target, listener: listener, changed: make(chan struct{}), open: map[net.Conn]struct{}{}}
	l.running.Go(l.accept) // ends with the listener; close waits for it
	return l, nil
}

func (l *link) url() string { return "http://" + l.listener.Addr().String() }

// set changes what is wrong.
func (l *link) set(a ailment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ail = a
	close(l.changed)
	l.changed = make(chan struct{})
	if a == severed {
		l.breakAll()
	}
}

// close ends the link and all that goes through it.
func (l *link) close() {
	l.mu.Lock()
	l.over = true
	close(l.changed)
	l.changed = make(chan struct{})
	l.breakAll()
	l.mu.Unlock()
	l.listener.Close()
	l.running.Wait()
}

func (l *link) breakAll() {
	for c := range l.open {
		reset(c)
	}
}

// reset closes a connection so that the other end finds it broken.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	c.Close()
}

func (l *link) accept() {
	for {
		client, err := l.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors: it may get better
			time.Sleep(10 * time.Millisecond)
			continue
		}
		l.running.Go(func() { l.serve(client) })
	}
}

// serve forwards one connection until either side ends it.
func (l *link) serve(client net.Conn) {
	defer client.Close()
	if !l.enter(client) {
		reset(client)
		return
	}
	defer l.leave(client)
	server, err := net.DialTimeout("tcp", l.target, 5*time.Second)
	if err != nil {
		reset(client)
		return
	}
	defer server.Close()
	if !l.enter(server) {
		reset(client)
		return
	}
	defer l.leave(server)
	var both sync.WaitGroup
	both.Go(func() { l.forward(client, server, true) })
	l.forward(server, client, false)
	both.Wait()
}

// enter notes an open connection, unless there is to be none.
func (l *link) enter(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over || l.ail == severed {
		return false
	}
	l.open[c] = struct{}{}
	return true
}

func (l *link) leave(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, c)
}

// forward copies one direction. What was read when the link falls ill is sent on
// when it is well again, whether or not its sender still waits for an answer.
func (l *link) forward(from, to net.Conn, requests bool) {
	buffer := make([]byte, 32<<10)
	for passed := 0; ; {
		n, err := from.Read(buffer)
		if n > 0 {
			a, ok := l.pass(requests)
			if !ok {
				reset(from)
				reset(to)
				return
			}
			piece := buffer[:n]
			if a == truncating && !requests {
				if passed += n; passed > mostWhole {
					to.Write(piece[:max(0, n-(passed-mostWhole))])
					reset(to)
					reset(from)
					return
				}
			} else {
				passed = 0
			}
			if _, err := to.Write(piece); err != nil {
				reset(from)
				return
			}
		}
		if errors.Is(err, io.EOF) {
			// The other direction may still have something under way.
			if tcp, ok := to.(*net.TCPConn); ok {
				tcp.CloseWrite()
			}
			return
		}
		if err != nil { // broken, and not at its end
			reset(to)
			return
		}
	}
}

// pass waits until a piece may go on; false is that it never may.
func (l *link) pass(requests bool) (ailment, bool) {
	delayed := false
	for {
		l.mu.Lock()
		a, changed, over := l.ail, l.changed, l.over
		l.mu.Unlock()
		switch {
		case over || a == severed:
			return a, false
		case a == silent, a == muted && requests, a == deafened && !requests:
			<-changed // closed by set and by close
		case a == slowed && !delayed:
			delayed = true
			select {
			case <-time.After(slowness):
			case <-changed:
			}
		default:
			return a, true
		}
	}
}
