package dashboard

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

//go:embed static
var static embed.FS

// Handler is the page. Mount it under any path, with or without
// http.StripPrefix, and Run it: without that there is nothing to see.
type Handler struct {
	cfg    Config
	page   *template.Template
	parts  map[string]part
	scenes map[string]*scene
	seats  chan struct{} // one for each viewer

	mu      sync.Mutex // guards running
	running bool
}

// part is a file of the page.
type part struct {
	content   []byte
	kind, tag string
}

// New checks a Config, and tells everything that is wrong with it at once.
func New(cfg Config) (*Handler, error) {
	cfg = cfg.filled()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	h := &Handler{cfg: cfg, parts: map[string]part{}, scenes: map[string]*scene{}, seats: make(chan struct{}, cfg.Viewers)}
	for _, s := range cfg.Sources {
		h.scenes[s.Name] = newScene(&h.cfg, s)
	}
	var err error
	if h.page, err = template.ParseFS(static, "static/page.html"); err != nil {
		return nil, fmt.Errorf("dashboard: read the page: %w", err)
	}
	files, err := static.ReadDir("static")
	if err != nil {
		return nil, fmt.Errorf("dashboard: list the parts of the page: %w", err)
	}
	for _, f := range files {
		content, err := static.ReadFile("static/" + f.Name())
		if err != nil {
			return nil, fmt.Errorf("dashboard: read a part of the page: %w", err)
		}
		if f.Name() != "page.html" {
			sum := sha256.Sum256(content)
			h.parts[f.Name()] = part{content, kindOfFile(f.Name()), fmt.Sprintf(`"%x"`, sum[:8])}
		}
	}
	return h, nil
}

// kindOfFile is a media type that does not depend on the host's tables.
func kindOfFile(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return mime.FormatMediaType("text/plain", map[string]string{"charset": "utf-8"})
}

// ErrRunning is returned by a Run while another one is under way.
var ErrRunning = errors.New("the dashboard runs already")

// errNotRunning is what a viewer learns before and after Run.
var errNotRunning = errors.New("nothing is looked at: the dashboard does not run")

// Run looks at the sources until ctx ends, then lets every viewer go and returns
// nil. It can be run again afterwards. A second Run at the same time returns
// ErrRunning.
func (h *Handler) Run(ctx context.Context) error {
	h.mu.Lock()
	if h.running {
		h.mu.Unlock()
		return ErrRunning
	}
	h.running = true
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		h.running = false
		h.mu.Unlock()
	}()
	var group errgroup.Group
	for _, s := range h.scenes {
		group.Go(func() error { return s.run(ctx) })
	}
	return group.Wait()
}

// ServeHTTP answers for the page, its parts, and the events. What is asked for is
// the last element of the path, so that the page works under any prefix.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	guarded(w.Header())
	if status, why := refused(r, h.cfg.Hosts); status != 0 {
		if status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", "GET, HEAD")
		}
		http.Error(w, why, status)
		return
	}
	switch name := asked(r); name {
	case "":
		h.servePage(w, r)
	case "events":
		h.serveEvents(w, r)
	case "curves":
		h.serveCurves(w, r)
	default:
		h.servePart(w, r, name)
	}
}

// asked is what a request is for: the last element of its path.
func asked(r *http.Request) string { return r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:] }

// sourceOf is the source that a request is about: the first, if it names none.
func (h *Handler) sourceOf(r *http.Request) (*scene, bool) {
	name := r.URL.Query().Get("source")
	if name == "" {
		name = h.cfg.Sources[0].Name
	}
	s, ok := h.scenes[name]
	return s, ok
}

func (h *Handler) servePage(w http.ResponseWriter, r *http.Request) {
	s, ok := h.sourceOf(r)
	if !ok {
		http.Error(w, "there is no source of this name", http.StatusNotFound)
		return
	}
	type link struct {
		Name    string
		Current bool
	}
	page := struct {
		Title, Source string
		Links         []link
	}{Title: h.cfg.Title, Source: s.src.Name}
	for _, other := range h.cfg.Sources {
		page.Links = append(page.Links, link{other.Name, other.Name == s.src.Name})
	}
	var b bytes.Buffer
	if err := h.page.Execute(&b, page); err != nil {
		http.Error(w, "the page could not be written", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	answer(w, r, b.Bytes())
}

func (h *Handler) servePart(w http.ResponseWriter, r *http.Request, name string) {
	p, ok := h.parts[name]
	if !ok {
		http.Error(w, "there is nothing here", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", p.kind)
	w.Header().Set("Cache-Control", "no-cache") // asked again, and answered in a line
	w.Header().Set("ETag", p.tag)
	if r.Header.Get("If-None-Match") == p.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	answer(w, r, p.content)
}

func (h *Handler) serveCurves(w http.ResponseWriter, r *http.Request) {
	s, ok := h.sourceOf(r)
	if !ok {
		http.Error(w, "there is no source of this name", http.StatusNotFound)
		return
	}
	text, ok := s.curves(r.URL.Query().Get("shard"))
	if !ok {
		http.Error(w, "there are no curves of this shard", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	answer(w, r, text)
}

// answer writes a body, but for HEAD.
func answer(w http.ResponseWriter, r *http.Request, body []byte) {
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a reader that is gone needs no answer
	}
}
