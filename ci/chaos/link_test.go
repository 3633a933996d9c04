package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// wired is a service that answers with 2,000 bytes, counts what reached it, and
// a link to it.
func wired(t *testing.T) (l *link, reached chan string) {
	t.Helper()
	reached = make(chan string, 16)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached <- r.URL.Path
		io.WriteString(w, strings.Repeat("x", 2000))
	}))
	t.Cleanup(server.Close)
	l, err := newLink("kinesis", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.close)
	return l, reached
}

// get asks over a link with a connection of its own.
func get(l *link, path string, patience time.Duration) (int, error) {
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get(l.url() + path)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return len(body), err
}

func TestAHealthyLinkPassesEverything(t *testing.T) {
	l, reached := wired(t)
	if n, err := get(l, "/a", time.Minute); n != 2000 || err != nil || <-reached != "/a" {
		t.Errorf("got %d bytes, %v", n, err)
	}
}

func TestASeveredLinkBreaksWhatIsOpenAndRefusesWhatIsNew(t *testing.T) {
	l, _ := wired(t)
	open, err := net.Dial("tcp", l.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	io.WriteString(open, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	open.Read(make([]byte, 1)) // the link has taken the connection
	l.set(severed)
	open.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := io.Copy(io.Discard, open); err == nil {
		t.Error("an open connection ended in peace, want it broken")
	}
	if _, err := get(l, "/", time.Minute); err == nil {
		t.Error("a new connection was answered")
	}
	l.set(healthy)
	if n, err := get(l, "/", time.Minute); n != 2000 || err != nil {
		t.Errorf("healed, it gave %d bytes, %v", n, err)
	}
}

func TestATruncatingLinkBreaksAnswersInTheMiddle(t *testing.T) {
	l, _ := wired(t)
	l.set(truncating)
	if n, err := get(l, "/", time.Minute); err == nil || n == 2000 {
		t.Errorf("got %d bytes, %v, want part of them and an error", n, err)
	}
}

func TestRequestsOfAMutedLinkArriveWhenTheirSenderHasGivenUp(t *testing.T) {
	l, reached := wired(t)
	l.set(muted)
	sender := ask(t, l, "/late")
	sender.Close()
	select {
	case path := <-reached:
		t.Fatalf("%s arrived", path)
	default:
	}
	l.set(healthy)
	if path := <-reached; path != "/late" {
		t.Errorf("%s arrived, want what was held back", path)
	}
}

func TestADeafenedLinkHoldsAnswersBackAndNoRequests(t *testing.T) {
	l, reached := wired(t)
	l.set(deafened)
	sender := ask(t, l, "/a")
	if path := <-reached; path != "/a" {
		t.Errorf("%s arrived", path)
	}
	sender.SetReadDeadline(time.Now()) // what is there by now
	if n, err := sender.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Error("it was answered")
	}
	l.set(healthy)
	sender.SetReadDeadline(time.Now().Add(time.Minute))
	if n, err := sender.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("healed, it gave %d bytes, %v", n, err)
	}
}

// ask sends a request, whose answer nobody waits for yet.
func ask(t *testing.T, l *link, path string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", l.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClosingALinkEndsWhatHangs(t *testing.T) {
	l, _ := wired(t)
	l.set(silent)
	sender := ask(t, l, "/")
	l.close() // it would wait for what hangs
	sender.SetReadDeadline(time.Now().Add(time.Minute))
	if n, err := sender.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Error("it was answered")
	}
}
