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
	"testing"
	"testing/synctest"
	"time"

	"github.com/towpath/towpath/consumer"
	"github.com/towpath/towpath/overview"
)

// still is a source that shows one shard, and counts how often it is asked.
func still(asked *int) Source {
	return Source{Name: "clicks", Tables: func(context.Context) (*overview.Fleet, error) {
		*asked++
		return &overview.Fleet{Shards: []overview.Shard{{Key: "shardId-000000000000", ID: "shardId-000000000000", State: overview.StateHeld, Owner: "a/1", Row: true, Counter: int64(*asked)}}}, nil
	}}
}

func mustNew(t *testing.T, cfg Config) *Handler {
	t.Helper()
	h, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func get(h http.Handler, method, target string, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	asked := 0
	h := mustNew(t, Config{Sources: []Source{still(&asked)}})
	for _, target := range []string{"/", "/style.css", "/app.js", "/nothing", "/events", "/curves?shard=x", "/?source=other"} {
		w := get(h, "GET", target, nil)
		for name, want := range map[string]string{
			"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Resource-Policy": "same-origin", "X-Frame-Options": "DENY",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", target, name, got, want)
			}
		}
		for _, name := range []string{"Set-Cookie", "Access-Control-Allow-Origin"} {
			if got := w.Header().Get(name); got != "" {
				t.Errorf("%s: %s is %q, want none", target, name, got)
			}
		}
	}
	for _, part := range []string{"default-src 'none'", "script-src 'self';", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, part) {
			t.Errorf("the policy lacks %s", part)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Error("the policy lets something unsafe in")
	}
}

func TestOnlyReadingIsAnswered(t *testing.T) {
	asked := 0
	h := mustNew(t, Config{Sources: []Source{still(&asked)}})
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "X"} {
		w := get(h, method, "/", nil)
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s is answered with %d, Allow %q", method, w.Code, w.Header().Get("Allow"))
		}
	}
	for _, target := range []string{"/", "/app.js", "/icon.svg"} {
		whole, head := get(h, "GET", target, nil), get(h, "HEAD", target, nil)
		if whole.Code != 200 || head.Code != 200 || head.Body.Len() != 0 || head.Header().Get("Content-Length") != whole.Header().Get("Content-Length") {
			t.Errorf("%s: GET %d, HEAD %d with %d bytes", target, whole.Code, head.Code, head.Body.Len())
		}
	}
	if asked != 0 {
		t.Errorf("the tables were read %d times by requests, want never", asked)
	}
}

func TestPartsAreFoundUnderAnyPrefix(t *testing.T) {
	asked := 0
	h := mustNew(t, Config{Sources: []Source{still(&asked)}})
	mux := http.NewServeMux()
	mux.Handle("/ops/fleet/", h)
	mux.Handle("/bare/", http.StripPrefix("/bare", h))
	for target, kind := range map[string]string{
		"/ops/fleet/": "text/html; charset=utf-8", "/ops/fleet/app.js": "text/javascript; charset=utf-8", "/bare/": "text/html; charset=utf-8",
		"/bare/style.css": "text/css; charset=utf-8", "/bare/icon.svg": "image/svg+xml", "/bare/uplot-license.txt": "text/plain; charset=utf-8",
	} {
		w := get(mux, "GET", target, nil)
		if w.Code != 200 || w.Header().Get("Content-Type") != kind {
			t.Errorf("%s: %d %s, want %s", target, w.Code, w.Header().Get("Content-Type"), kind)
		}
	}
	for _, target := range []string{"/bare/page.html", "/bare/../../etc/passwd", "/bare/static", "/bare/doc.go"} {
		if w := get(h, "GET", target, nil); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", target, w.Code)
		}
	}
	first := get(h, "GET", "/app.js", nil)
	again := get(h, "GET", "/app.js", func(r *http.Request) { r.Header.Set("If-None-Match", first.Header().Get("ETag")) })
	if again.Code != http.StatusNotModified || again.Body.Len() != 0 {
		t.Errorf("a part that has not changed: %d, %d bytes", again.Code, again.Body.Len())
	}
	if page := get(h, "GET", "/", nil).Body.String(); strings.Contains(page, `src="/`) || strings.Contains(page, `href="/`) || strings.Contains(page, "http") {
		t.Error("the page names an absolute address")
	}
}

func TestHostsThatLeadElsewhereAreRefused(t *testing.T) {
	here, there := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}, &net.TCPAddr{IP: net.IPv4(10, 0, 0, 7), Port: 80}
	tests := []struct {
		host  string
		local net.Addr
		hosts []string
		want  bool
	}{
		{"127.0.0.1:8080", here, nil, true},
		{"localhost:8080", here, nil, true},
		{"LOCALHOST.", here, nil, true},
		{"[::1]:80", here, nil, true},
		{"127.8.9.1", here, nil, true},
		{"evil.example", here, nil, false},
		{"127.0.0.1.evil.example:80", here, nil, false},
		{"localhost.evil.example", here, nil, false},
		{"", here, nil, false},
		{"10.0.0.7", here, nil, false},
		{"ops.example", here, []string{"ops.example"}, true},
		{"OPS.example:443", here, []string{"ops.example"}, true},
		{"evil.example", here, []string{"ops.example"}, false},
		{"localhost", here, []string{"ops.example"}, true},
		{"anything.example", there, nil, true},
		{"anything.example", there, []string{"ops.example"}, false},
		{"ops.example", there, []string{"ops.example"}, true},
		{"anything.example", nil, nil, true},
	}
	for _, tt := range tests {
		if got := expected(tt.host, tt.local, tt.hosts); got != tt.want {
			t.Errorf("host %q at %v with %v: %v, want %v", tt.host, tt.local, tt.hosts, got, tt.want)
		}
	}

	asked := 0
	server := httptest.NewServer(mustNew(t, Config{Sources: []Source{still(&asked)}}))
	defer server.Close()
	for host, want := range map[string]int{"evil.example": 403, "localhost": 200} {
		r, _ := http.NewRequestWithContext(t.Context(), "GET", server.URL, nil)
		r.Host = host
		answer, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("host %s is answered with %d, want %d", host, answer.StatusCode, want)
		}
	}
}

func TestPagesOfOtherOriginsAreRefused(t *testing.T) {
	asked := 0
	h := mustNew(t, Config{Sources: []Source{still(&asked)}})
	for _, tt := range []struct {
		site, mode string
		want       int
	}{{"cross-site", "no-cors", 403}, {"same-site", "cors", 403}, {"cross-site", "navigate", 200}, {"same-origin", "cors", 200}, {"none", "navigate", 200}, {"", "", 200}} {
		w := get(h, "GET", "/", func(r *http.Request) {
			r.Header.Set("Sec-Fetch-Site", tt.site)
			r.Header.Set("Sec-Fetch-Mode", tt.mode)
		})
		if w.Code != tt.want {
			t.Errorf("%s %s: %d, want %d", tt.site, tt.mode, w.Code, tt.want)
		}
	}
}

func TestNamesAreEscapedInThePage(t *testing.T) {
	asked := 0
	s := still(&asked)
	s.Name = `"><img src=x onerror=alert(1)>`
	h := mustNew(t, Config{Title: "</title><script>alert(1)</script>", Sources: []Source{s}})
	page := get(h, "GET", "/", nil).Body.String()
	for _, bad := range []string{"<img src=x", "<script>alert"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %s", bad)
		}
	}
	if !strings.Contains(page, "&lt;script&gt;alert(1)") {
		t.Error("the title is not shown")
	}
}

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
		began, asked := time.Now(), 0
		h := mustNew(t, Config{Refresh: time.Second, Sources: []Source{{Name: "a", Tables: func(context.Context) (*overview.Fleet, error) {
			if asked++; time.Since(began) < 3*time.Second {
				return nil, errors.New("no such table")
			}
			return &overview.Fleet{Shards: []overview.Shard{{ID: "s", Row: true, State: overview.StateFree}}}, nil
		}}}})
		client, url, end := inBubble(t, h)
		defer end()
		time.Sleep(10*time.Second + time.Second/2)
		if asked != 2 {
			t.Errorf("the tables were asked %d times in ten seconds, want 2", asked)
		}
		v, _ := watch(t, client, url, false)
		defer v.cancel()
		if c := v.next(t); len(c.Set["live"]) != 1 || strings.Contains(string(c.Set["one"]["about"]), "no such table") {
			t.Errorf("a viewer is told %s", c.Set["one"]["about"])
		}
	})
}

func TestConfigIsCheckedAtOnce(t *testing.T) {
	_, err := New(Config{Title: "a\nb", Refresh: time.Millisecond, Idle: 2 * time.Hour, History: time.Second, Viewers: -1, Hosts: []string{"http://x"},
		Sources: []Source{{}, {Name: "a", Statuses: []func() consumer.Status{nil}}, {Name: "a", Current: func() []consumer.Status { return nil }}}})
	if err == nil {
		t.Fatal("it is taken")
	}
	for _, want := range []string{"Title", "Sources[0].Name", "Sources[0] has neither", "Sources[1].Statuses[0]", "Sources[2].Name", "Refresh", "Idle", "History", "Viewers", "Hosts[0]"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not named in: %v", want, err)
		}
	}
	if _, err := New(Config{}); err == nil || !strings.Contains(err.Error(), "Sources is empty") {
		t.Errorf("the zero Config: %v", err)
	}
}
