package awsfake

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Serve listens on a free port of 127.0.0.1 and answers there until stop is
// called, which breaks open connections and returns when the listener is gone.
// It is not for synctest bubbles, in which sockets do not block durably.
func (a *AWS) Serve() (url string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("listen on loopback: %w", err)
	}
	server := &http.Server{Handler: a, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan struct{})
	go func() { // ended by stop, which waits for it
		defer close(ended)
		_ = server.Serve(listener)
	}()
	stop = func() {
		_ = server.Close()
		<-ended
	}
	return "http://" + listener.Addr().String(), stop, nil
}

// ServeHTTP answers one request. It reads the whole request before it answers,
// and sends the whole answer at once with its length: an answer that overtakes
// its request makes some clients drop the connection in the middle of it.
func (a *AWS) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := whole(r.Body)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	w, err := a.exchange(r.Context(), r, body)
	if err != nil {
		panic(http.ErrAbortHandler) // how a handler breaks its connection
	}
	for key, values := range w.header {
		rw.Header()[key] = values
	}
	if w.line != nil {
		rw.WriteHeader(w.status)
		relay(rw, w.line)
		return
	}
	if r.Method != http.MethodHead { // its answer tells the length of what it leaves out
		rw.Header().Set("Content-Length", strconv.Itoa(w.body.Len()))
	}
	rw.WriteHeader(w.status)
	if w.torn {
		_, _ = rw.Write(w.body.Bytes()[:w.upTo])
		_ = http.NewResponseController(rw).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = rw.Write(w.body.Bytes())
}

// relay sends the events of an answer on, each as soon as it has arrived. A line
// that breaks takes the connection along.
func relay(rw http.ResponseWriter, l *line) {
	defer l.Close()
	control := http.NewResponseController(rw)
	buffer := make([]byte, window)
	for {
		if err := control.Flush(); err != nil {
			return
		}
		n, err := l.Read(buffer)
		switch {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			reset(control)
			panic(http.ErrAbortHandler)
		}
		if _, err := rw.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// reset closes a connection so that its other end finds it broken, and does not
// take what it got so far for all there is.
func reset(control *http.ResponseController) {
	connection, _, err := control.Hijack()
	if err != nil {
		return // of HTTP/2, where the panic resets the stream
	}
	if tcp, ok := connection.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = connection.Close()
}

// LoopbackConfig is an aws.Config for SDK clients that call a fake, or any
// server of the same services, at url by socket, as the named caller.
func LoopbackConfig(caller, url string) aws.Config {
	transport := &http.Transport{
		MaxIdleConnsPerHost: 16,
		IdleConnTimeout:     5 * time.Second,
	}
	return aws.Config{
		Region:       Region,
		Credentials:  identity(caller),
		BaseEndpoint: aws.String(url),
		HTTPClient:   WholeBody(&http.Client{Transport: transport}),
	}
}

// WholeBody gives next requests whose bodies are in memory. The SDK closes a
// request's body as soon as the head of the answer is there; if the transport
// is still writing that body it takes the close for an error and drops the
// connection under the answer. A body in memory does not mind being closed.
func WholeBody(next aws.HTTPClient) aws.HTTPClient { return wholeBody{next} }

type wholeBody struct{ next aws.HTTPClient }

// Do sends a request with its body read into memory.
func (c wholeBody) Do(r *http.Request) (*http.Response, error) {
	if c.next == nil {
		return nil, errors.New("send request: no HTTP client")
	}
	if r.Body == nil || r.Body == http.NoBody {
		return c.next.Do(r)
	}
	b, err := whole(r.Body)
	if err != nil {
		return nil, err
	}
	sent := r.Clone(r.Context())
	sent.Body, sent.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
	return c.next.Do(sent)
}
