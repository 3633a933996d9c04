package awsfake

import (
	"context"
	"io"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"
)

// streams reports whether the answer to a call is a stream of events, which
// goes on after its head has arrived, instead of a whole.
func streams(c Call) bool { return c.Service == "kinesis" && c.Operation == "SubscribeToShard" }

// eventOperation is the operation of a [Call] that is one event of an answer.
const eventOperation = "SubscribeToShardEvent"

// window is how many bytes a service can have under way to a client that does
// not read; then it waits. It is the first window of an HTTP/2 stream. One event
// always fits.
const window = 64 << 10

// line is an answer under way, event by event. A service writes it, as the
// http.ResponseWriter it was given, in a goroutine of its own; each Flush sends
// off one event. The client reads it, as the body of the answer, and closes it.
//
// The service's side waits for the client while a window is full. Nothing that
// a fault does to a line is told to the service before its next event.
type line struct {
	whole  answer // what is written and not flushed; its head is the head of the answer
	aws    *AWS
	call   Call
	client context.Context // of the call
	end    context.CancelFunc
	ended  chan struct{} // closed when the service's goroutine is over
	headed chan struct{} // closed when the first event was flushed; before it, no one reads

	service context.Context // ends with the client's, or when the body is closed

	mu       sync.Mutex // guards all below; never held while waiting
	changed  chan struct{}
	begun    bool      // the first event was flushed
	events   []event   // under way, in order
	held     int       // bytes in events
	silent   bool      // nothing arrives, nor does an end
	broken   error     // what the reader gets from now on
	finished bool      // the service is done: after the events comes the end
	closed   bool      // the client is done
	deadline time.Time // of the service's writes; zero is none
}

// event is one flush of a service on its way.
type event struct {
	data []byte
	due  time.Time // when it arrives, if the one before it has
}

// open starts a service on a call whose answer may be a stream, and returns when
// the head of the answer is there, or a whole answer. The caller closes the line.
func (a *AWS) open(ctx context.Context, r *http.Request, h http.Handler, c Call) *answer {
	service, end := context.WithCancel(ctx)
	l := &line{
		whole: answer{header: http.Header{}}, aws: a, call: c, client: ctx, service: service, end: end,
		ended: make(chan struct{}), headed: make(chan struct{}), changed: make(chan struct{}),
	}
	l.call.Operation = eventOperation
	go l.serve(h, r.Clone(service)) // ended by Close, or the end of ctx, or by itself
	select {
	case <-l.headed:
	case <-l.ended:
	}
	if !l.streaming() {
		<-l.ended
		return &l.whole
	}
	return &answer{status: l.whole.status, header: l.whole.header.Clone(), line: l}
}

// serve runs the service to the end of the answer.
func (l *line) serve(h http.Handler, r *http.Request) {
	defer close(l.ended)
	defer l.end()
	defer func() {
		if p := recover(); p == http.ErrAbortHandler { // how a handler breaks its connection
			l.cut(syscall.ECONNRESET)
			return
		} else if p != nil {
			panic(p)
		}
		l.change(func() { l.finished = true })
	}()
	h.ServeHTTP(l, r)
	if l.streaming() && l.whole.body.Len() > 0 {
		l.Flush()
	}
}

// Header is of the answer, until the first Flush.
func (l *line) Header() http.Header { return l.whole.Header() }

// WriteHeader sets the status of the answer.
func (l *line) WriteHeader(status int) { l.whole.WriteHeader(status) }

// Write adds to the next event.
func (l *line) Write(p []byte) (int, error) { return l.whole.Write(p) }

// streaming reports whether the answer turned out to be a stream.
func (l *line) streaming() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.begun
}

// change does something under the lock and wakes all who wait.
func (l *line) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	close(l.changed)
	l.changed = make(chan struct{})
}

// cut breaks the connection: whatever is under way is lost.
func (l *line) cut(err error) {
	l.change(func() {
		if l.broken == nil {
			l.broken, l.events, l.held = err, nil, 0
		}
	})
}

// silence holds all that is under way, from now on and without an end.
func (l *line) silence() { l.change(func() { l.silent = true }) }

// Flush sends off what was written since the last one, as one event.
func (l *line) Flush() { _ = l.FlushError() }

// FlushError is Flush, for http.ResponseController.
func (l *line) FlushError() error {
	l.whole.WriteHeader(http.StatusOK)
	data := append([]byte(nil), l.whole.body.Bytes()...)
	l.whole.body.Reset()
	first := !l.streaming()
	e := event{data: data, due: time.Now()}
	if !first {
		var err error
		if e.due, err = l.due(); err != nil {
			return err
		}
		if err := l.room(); err != nil {
			return err
		}
	}
	l.change(func() {
		l.begun = true
		if len(e.data) > 0 && l.broken == nil {
			l.events, l.held = append(l.events, e), l.held+len(e.data)
		}
	})
	if first {
		l.aws.lines.add(l)
		close(l.headed)
	}
	return nil
}

// due asks what goes wrong with the next event, and when it arrives.
func (l *line) due() (time.Time, error) {
	fault := l.aws.choose(l.service, l.call)
	switch {
	case fault.hang:
		l.silence()
	case fault.lost, fault.answerLost, fault.code != "":
		l.cut(broken(l.client, l.call, "connection broken"))
	}
	return time.Now().Add(l.aws.latency/2 + fault.before + fault.after), l.service.Err()
}

// room waits until the window has room for one more event.
func (l *line) room() error {
	for {
		l.mu.Lock()
		var err error
		switch {
		case l.broken != nil:
			err = l.broken
		case l.closed:
			err = io.ErrClosedPipe
		case l.held < window:
			l.mu.Unlock()
			return nil
		case !l.deadline.IsZero() && !time.Now().Before(l.deadline):
			err = os.ErrDeadlineExceeded
		}
		w := waiting{changed: l.changed, until: l.deadline}
		l.mu.Unlock()
		if err == nil {
			err = w.await(l.service)
		}
		if err != nil {
			return err
		}
	}
}

// SetWriteDeadline bounds how long a Flush waits for the client; it is for
// http.ResponseController.
func (l *line) SetWriteDeadline(at time.Time) error {
	l.change(func() { l.deadline = at })
	return nil
}

// waiting is what a reader or a writer waits for: a change, a gate that opens if
// it is at one, a moment if that is not zero.
type waiting struct {
	changed, open <-chan struct{}
	until         time.Time
}

// await returns when one of them has come, or fails with the context.
func (w waiting) await(ctx context.Context) error {
	var moment <-chan time.Time
	if !w.until.IsZero() {
		timer := time.NewTimer(time.Until(w.until))
		defer timer.Stop()
		moment = timer.C
	}
	select {
	case <-w.changed:
	case <-w.open:
	case <-moment:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}
