package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/streamtest/awsfake"
)

func TestDashboardServesUntilItIsInterrupted(t *testing.T) {
	s := newScene()
	defer s.end()
	url, stop, err := s.aws.Serve()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for name, value := range surroundings(url) {
		t.Setenv(name, value)
	}
	t.Setenv("AWS_REGION", awsfake.Region)
	for _, words := range []string{"clicks 2", "clickstream clicks"} {
		do := streamScene
		if strings.HasPrefix(words, "clickstream") {
			do = rowsScene
		}
		if err := do(t.Context(), s, strings.Fields(words)); err != nil {
			t.Fatal(err)
		}
	}

	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	out, in := io.Pipe()
	var errs bytes.Buffer
	status := make(chan int, 1)
	go func() {
		status <- run(ctx, []string{"towpath", "dashboard", "-a", "clickstream", "-s", "clicks"}, strings.NewReader(""), in, &errs)
		_ = in.Close()
	}()
	lines := bufio.NewReader(out)
	address, err := lines.ReadString('\n')
	if err != nil || !strings.HasPrefix(address, "http://127.0.0.1:") {
		t.Fatalf("the first line is %q (%v), errors %q", address, err, errs.String())
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	address = strings.TrimSpace(address)

	page := fetch(t, address)
	if !strings.Contains(page, "clickstream") {
		t.Errorf("the page does not name the application: %q", page)
	}
	answer, err := http.Get(address + "events")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	events := bufio.NewScanner(answer.Body)
	events.Buffer(nil, 1<<20)
	seen := ""
	for events.Scan() && !strings.HasPrefix(seen, "data: ") {
		seen = events.Text()
	}
	for _, want := range []string{`"full":true`, "shardId-000000000000", "shardId-000000000001", `"free":2`} {
		if !strings.Contains(seen, want) {
			t.Errorf("the first event lacks %s", want)
		}
	}

	interrupt()
	select {
	case got := <-status:
		if got != 0 || errs.Len() > 0 {
			t.Errorf("status %d, errors %q; want 0 and none", got, errs.String())
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it does not end, although a viewer was let go")
	}
}

func fetch(t *testing.T, address string) string {
	t.Helper()
	answer, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("status %d (%v)", answer.StatusCode, err)
	}
	return string(text)
}

// Of the connections that the dashboard bears, none is taken up for good by
// whoever has asked once and stays, or never says all that it announced.
func TestDashboardGetsItsConnectionsBack(t *testing.T) {
	for name, says := range map[string]string{
		"nothing":             "",
		"half a request":      "GET / HTTP/1.1\r\nHost:",
		"one request":         "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"a body that is late": "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n",
	} {
		synctest.Test(t, func(t *testing.T) {
			theirs, ours := net.Pipe()
			line := &oneCaller{conns: make(chan net.Conn, 1), done: make(chan struct{})}
			line.conns <- ours
			at := &bounded{Listener: line, seats: make(chan struct{}, 1)}
			server := serverOf(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("page")) }))
			served := make(chan error, 1)
			go func() { served <- server.Serve(at) }()
			go func() { _, _ = io.Copy(io.Discard, theirs) }()
			go func() { _, _ = io.WriteString(theirs, says) }()
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			if line.accepts != 2 { // it waits for the next caller
				t.Errorf("whoever says %s still has the connection after two minutes", name)
			}
			_ = theirs.Close()
			_ = server.Close()
			if err := <-served; !errors.Is(err, http.ErrServerClosed) {
				t.Errorf("serving ends with %v", err)
			}
		})
	}
}

// oneCaller is a listener with one connection.
type oneCaller struct {
	conns   chan net.Conn
	done    chan struct{}
	accepts int // of the goroutine that serves, read when it waits
}

func (l *oneCaller) Accept() (net.Conn, error) {
	l.accepts++
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *oneCaller) Close() error   { close(l.done); return nil }
func (l *oneCaller) Addr() net.Addr { return &net.TCPAddr{} }
