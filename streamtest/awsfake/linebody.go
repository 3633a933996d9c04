package awsfake

import (
	"io"
	"net/http"
	"time"
)

// Read is the client's: what has arrived, in order, then the end.
func (l *line) Read(p []byte) (int, error) {
	for {
		n, wait, err := l.take(p)
		if err == nil && n == 0 {
			err = wait.await(l.client)
		}
		if err != nil {
			l.aws.lines.remove(l)
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// take is what can be read at this moment. If that is nothing and no error, it
// tells what to wait for.
func (l *line) take(p []byte) (n int, w waiting, err error) {
	gate := l.aws.gates.closed(l.call.Caller)
	l.mu.Lock()
	defer l.mu.Unlock()
	w.changed = l.changed
	switch {
	case l.closed:
		return 0, w, http.ErrBodyReadAfterClose
	case gate != nil: // a process that stands still does not see its connection break
		w.open = gate.open
		return 0, w, nil
	case l.broken != nil:
		return 0, w, l.broken
	case l.silent:
		return 0, w, nil
	case len(l.events) == 0 && l.finished:
		return 0, w, io.EOF
	case len(l.events) == 0:
		return 0, w, nil
	case time.Now().Before(l.events[0].due):
		w.until = l.events[0].due
		return 0, w, nil
	}
	n = copy(p, l.events[0].data)
	if l.events[0].data = l.events[0].data[n:]; len(l.events[0].data) == 0 {
		l.events = l.events[1:]
	}
	l.held -= n
	close(l.changed)
	l.changed = make(chan struct{})
	return n, w, nil
}

// Close is the client's: it ends the stream, and returns when the service's
// goroutine has ended.
func (l *line) Close() error {
	l.change(func() { l.closed = true })
	l.aws.lines.remove(l)
	l.end()
	<-l.ended
	return nil
}
