package dashboard

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/overview"
)

// viewer reads events as a browser does.
type viewer struct {
	body   io.Closer
	lines  *bufio.Reader
	cancel context.CancelFunc
}

func watch(t *testing.T, client *http.Client, url string, zip bool) (*viewer, *http.Response) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, _ := http.NewRequestWithContext(ctx, "GET", url+"/events", nil)
	if zip {
		r.Header.Set("Accept-Encoding", "gzip")
	} else {
		r.Header.Set("Accept-Encoding", "identity")
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	v := &viewer{body: answer.Body, cancel: cancel, lines: bufio.NewReader(answer.Body)}
	if zip && answer.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		v.lines = bufio.NewReader(unzipped)
	}
	return v, answer
}

// next is the next change.
func (v *viewer) next(t *testing.T) change {
	t.Helper()
	kind := ""
	for {
		line, err := v.lines.ReadString('\n')
		if err != nil {
			t.Fatalf("read an event: %v", err)
		}
		if name, ok := strings.CutPrefix(line, "event: "); ok {
			kind = strings.TrimSpace(name)
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			var c struct {
				change
				Points []json.RawMessage `json:"points"`
			}
			if err := json.Unmarshal([]byte(data), &c); err != nil || kind != "change" {
				t.Fatalf("event %q: %v", kind, err)
			}
			c.change.Points = make([]point, len(c.Points))
			return c.change
		}
	}
}

// inBubble serves a handler on connections within a bubble, and runs it.
func inBubble(t *testing.T, h *Handler) (client *http.Client, url string, end func()) {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	pipes := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	server.Listener.Close()
	server.Listener = pipes
	server.Start()
	transport := &http.Transport{DisableCompression: true, DialContext: func(context.Context, string, string) (net.Conn, error) { return pipes.dial() }}
	client = &http.Client{Transport: transport}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	synctest.Wait()
	return client, "http://page.test", func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run returns %v, want nil", err)
		}
		transport.CloseIdleConnections()
		server.Close()
	}
}

type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *pipeListener) dial() (net.Conn, error) {
	a, b := net.Pipe()
	select {
	case l.conns <- b:
		return a, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 80} }

func TestViewersAreToldTheWholeAndThenWhatChanges(t *testing.T) {
	for _, zip := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			asked := 0
			h := mustNew(t, Config{Sources: []Source{still(&asked)}})
			client, url, end := inBubble(t, h)
			defer end()
			v, answer := watch(t, client, url, zip)
			defer v.cancel()
			if kind := answer.Header.Get("Content-Type"); kind != "text/event-stream" || answer.Header.Get("Content-Encoding") == "gzip" != zip {
				t.Fatalf("the answer is %s, encoded %q", kind, answer.Header.Get("Content-Encoding"))
			}
			whole := v.next(t)
			if !whole.Full || len(whole.Set["live"]) != 1 || len(whole.Set["shards"]) != 1 || len(whole.Points) == 0 {
				t.Fatalf("the first event is %+v, want the whole picture", whole)
			}
			next := v.next(t)
			if next.Full || next.Seq <= whole.Seq || len(next.Set["live"]) != 1 || len(next.Set["shards"]) != 0 || len(next.Points) != 1 {
				t.Fatalf("the second event is %+v, want the live row and one point", next)
			}
		})
	}
}

func TestAViewerBeforeTheFirstLookIsToldTheWholeToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := mustNew(t, Config{Sources: []Source{{Name: "slow", Tables: func(context.Context) (*overview.Fleet, error) {
			time.Sleep(3 * time.Second)
			return &overview.Fleet{Shards: []overview.Shard{{ID: "s", Row: true, State: overview.StateFree}}}, nil
		}}}})
		client, url, end := inBubble(t, h)
		defer end()
		v, _ := watch(t, client, url, false)
		defer v.cancel()
		if c := v.next(t); !c.Full || len(c.Set["live"]) != 1 {
			t.Errorf("the first event is %+v, want the whole", c)
		}
	})
}

func TestOneLookServesAllViewersAndIdlenessIsCheap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		h := mustNew(t, Config{Sources: []Source{still(&asked)}, Refresh: time.Second, Idle: time.Minute})
		client, url, end := inBubble(t, h)
		defer end()
		time.Sleep(10*time.Minute + time.Second/2)
		synctest.Wait()
		if asked < 10 || asked > 12 {
			t.Errorf("the tables were read %d times in ten minutes without a viewer, want about 10", asked)
		}
		asked = 0
		for range 5 {
			v, _ := watch(t, client, url, false)
			defer v.cancel()
			go func() { _, _ = io.Copy(io.Discard, v.lines) }()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if asked < 58 || asked > 63 {
			t.Errorf("the tables were read %d times in a minute for five viewers, want about 60", asked)
		}
	})
}

func TestViewersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		h := mustNew(t, Config{Sources: []Source{still(&asked)}, Viewers: 2})
		client, url, end := inBubble(t, h)
		defer end()
		first, a := watch(t, client, url, false)
		_, b := watch(t, client, url, false)
		_, c := watch(t, client, url, false)
		if a.StatusCode != 200 || b.StatusCode != 200 || c.StatusCode != 503 || c.Header.Get("Retry-After") == "" {
			t.Errorf("three viewers are answered with %d, %d, %d: want the third to be 503", a.StatusCode, b.StatusCode, c.StatusCode)
		}
		first.cancel()
		first.body.Close()
		synctest.Wait()
		if _, d := watch(t, client, url, false); d.StatusCode != 200 {
			t.Errorf("a viewer after one has gone is answered with %d, want 200", d.StatusCode)
		}
	})
}

func TestASlowViewerIsLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		h := mustNew(t, Config{Sources: []Source{still(&asked)}, Refresh: time.Second})
		client, url, end := inBubble(t, h)
		defer end()
		watch(t, client, url, false) // and reads nothing: a pipe holds nothing either
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(h.seats); n != 0 {
			t.Errorf("%d viewers are there after a minute in which none has read, want 0", n)
		}
		s := h.scenes["clicks"]
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.viewers) != 0 {
			t.Errorf("%d viewers are kept", len(s.viewers))
		}
	})
}

func TestAViewerThatFallsBehindMissesNothingBeforeItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		h := mustNew(t, Config{Sources: []Source{still(&asked)}, Refresh: time.Second})
		client, url, end := inBubble(t, h)
		defer end()
		v, _ := watch(t, client, url, false)
		defer v.cancel()
		last := v.next(t).Seq
		time.Sleep(20 * time.Second) // less than a write may take, more than waits for it
		for range 40 {
			line, err := v.lines.ReadString('\n')
			if err != nil {
				return // it is let go, and comes again for the whole
			}
			if id, ok := strings.CutPrefix(line, "id: "); ok {
				seq, _ := strconv.ParseInt(strings.TrimSpace(id), 10, 64)
				if seq != last+1 {
					t.Fatalf("change %d comes after %d", seq, last)
				}
				last = seq
			}
		}
		t.Error("it is told on and on, 20 changes behind")
	})
}

func TestEndOfRunEndsEveryViewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		h := mustNew(t, Config{Sources: []Source{still(&asked)}})
		client, url, end := inBubble(t, h)
		v, _ := watch(t, client, url, false)
		v.next(t)
		if err := h.Run(t.Context()); !errors.Is(err, ErrRunning) {
			t.Errorf("a second Run returns %v, want ErrRunning", err)
		}
		end() // a goroutine that stays would fail the bubble
		if rest, err := io.ReadAll(v.lines); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("the stream ends with %v after %q", err, rest)
		}
		v.cancel()
		if w := get(h, "GET", "/events", nil); w.Code != 503 {
			t.Errorf("events without Run: %d, want 503", w.Code)
		}
	})
}

// Tables that are throttled are left alone for a while, also while somebody looks.
func TestTablesThatFailAreReadLessOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		h := mustNew(t, Config{Refresh: time.Second, Sources: []Source{{Name: "a", Tables: func(context.Context) (*overview.Fleet, error) {
			asked.Add(1)
			return nil, errors.New("throttled")
		}}}})
		client, url, end := inBubble(t, h)
		defer end()
		v, _ := watch(t, client, url, false)
		defer v.cancel()
		go func() { _, _ = io.Copy(io.Discard, v.lines) }()
		time.Sleep(time.Minute + time.Second/2)
		if n := asked.Load(); n < 11 || n > 14 {
			t.Errorf("tables that fail are read %d times in a minute for a viewer, want every five seconds", n)
		}
	})
}

func TestAWriterThatCannotStreamIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		h := mustNew(t, Config{Sources: []Source{still(&asked)}})
		_, _, end := inBubble(t, h)
		defer end()
		r, w := httptest.NewRequest("GET", "/events", nil), httptest.NewRecorder()
		r.Header.Set("Accept-Encoding", "gzip")
		h.ServeHTTP(onlyWrites{w}, r)
		if w.Code != 500 || !strings.Contains(w.Body.String(), "Flush") || w.Header().Get("Content-Encoding") != "" {
			t.Errorf("it is answered with %d %q", w.Code, w.Body)
		}
		if len(h.seats) != 0 {
			t.Error("it keeps its place")
		}
	})
}

// onlyWrites is what some middleware puts around a ResponseWriter: it has nothing
// but what the interface has.
type onlyWrites struct{ http.ResponseWriter }

func TestATableThatCannotBeReadIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := mustNew(t, Config{Sources: []Source{{Name: "a", Tables: func(ctx context.Context) (*overview.Fleet, error) {
			<-ctx.Done() // it hangs
			return nil, ctx.Err()
		}, Statuses: []func() consumer.Status{func() consumer.Status { return consumer.Status{} }}}}})
		client, url, end := inBubble(t, h)
		defer end()
		v, _ := watch(t, client, url, false)
		defer v.cancel()
		for range 20 {
			if c := v.next(t); strings.Contains(string(c.Set["one"]["about"]), "deadline exceeded") {
				return
			}
		}
		t.Error("nothing is said of tables that do not answer")
	})
}

func TestTablesThatComeLaterAreSoonRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var asked atomic.Int64
		h := mustNew(t, Config{Refresh: time.Second, Sources: []Source{{Name: "a", Tables: func(context.Context) (*overview.Fleet, error) {
			if asked.Add(1); time.Since(began) < 3*time.Second {
				return nil, errors.New("no such table")
			}
			return &overview.Fleet{Shards: []overview.Shard{{ID: "s", Row: true, State: overview.StateFree}}}, nil
		}}}})
		client, url, end := inBubble(t, h)
		defer end()
		time.Sleep(10*time.Second + time.Second/2)
		if n := asked.Load(); n != 2 {
			t.Errorf("the tables were asked %d times in ten seconds, want 2", n)
		}
		v, _ := watch(t, client, url, false)
		defer v.cancel()
		if c := v.next(t); len(c.Set["live"]) != 1 || strings.Contains(string(c.Set["one"]["about"]), "no such table") {
			t.Errorf("a viewer is told %s", c.Set["one"]["about"])
		}
	})
}
