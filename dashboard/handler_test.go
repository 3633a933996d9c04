package dashboard

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
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
	// A frame of another origin is a navigation too, and would take up a place.
	w := get(h, "GET", "/events", func(r *http.Request) {
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Sec-Fetch-Mode", "navigate")
	})
	if w.Code != 403 {
		t.Errorf("a navigation from another origin to the events: %d, want 403", w.Code)
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

func TestConfigIsCheckedAtOnce(t *testing.T) {
	var seen Recorder
	_, err := New(Config{Title: "a\nb", Refresh: time.Millisecond, Idle: 2 * time.Hour, History: time.Second, Viewers: -1, Hosts: []string{"http://x"},
		Sources: []Source{{}, {Name: "a", Recorder: &seen, Statuses: []func() consumer.Status{nil}}, {Name: "a", Recorder: &seen, Current: func() []consumer.Status { return nil }}}})
	if err == nil {
		t.Fatal("it is taken")
	}
	for _, want := range []string{"Title", "Sources[0].Name", "Sources[0] has neither", "Sources[1].Statuses[0]", "Sources[2].Name", "Sources[2].Recorder", "Refresh", "Idle", "History", "Viewers", "Hosts[0]"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not named in: %v", want, err)
		}
	}
	if _, err := New(Config{}); err == nil || !strings.Contains(err.Error(), "Sources is empty") {
		t.Errorf("the zero Config: %v", err)
	}
}
