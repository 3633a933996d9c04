package dashboard

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// writeTimeout is what one event may take to get through, and quietFor how long
// nothing is sent at most: proxies give up connections that say nothing for a
// minute.
const (
	writeTimeout = 30 * time.Second
	quietFor     = 20 * time.Second
)

// serveEvents sends the whole picture and then what changes, until the viewer
// goes, is too slow, or Run ends.
func (h *Handler) serveEvents(w http.ResponseWriter, r *http.Request) {
	s, ok := h.sourceOf(r)
	if !ok {
		http.Error(w, "there is no source of this name", http.StatusNotFound)
		return
	}
	select {
	case h.seats <- struct{}{}:
		defer func() { <-h.seats }()
	default:
		w.Header().Set("Retry-After", "10")
		http.Error(w, "as many look already as may", http.StatusServiceUnavailable)
		return
	}
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", "text/event-stream")
		return
	}
	whole, changes, err := s.enter()
	if err != nil {
		w.Header().Set("Retry-After", "2")
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	defer s.leave(changes)

	out, err := newStream(w, r)
	if err != nil {
		http.Error(w, "what the service has put around the page cannot stream: its http.ResponseWriter has neither Flush nor Unwrap", http.StatusInternalServerError)
		return
	}
	defer out.close()
	quiet := time.NewTimer(quietFor)
	defer quiet.Stop()
	// After a break the browser comes again in two seconds, and is sent the whole.
	err = out.send([]byte("retry: 2000\n\n"), whole)
	for err == nil {
		quiet.Reset(quietFor)
		select {
		case <-r.Context().Done():
			return
		case <-quiet.C:
			err = out.send([]byte(": still here\n\n"))
		case change, more := <-changes:
			if !more {
				return
			}
			err = out.send(change)
		}
	}
}

// stream is an answer that goes on, compressed if the viewer can read that: the
// events of a thousand shards are small then.
type stream struct {
	w       io.Writer
	control *http.ResponseController
	zip     *gzip.Writer
}

// newStream begins the answer, or returns an error if w does not let it through
// piece by piece.
func newStream(w http.ResponseWriter, r *http.Request) (*stream, error) {
	s := &stream{w: w, control: http.NewResponseController(w)}
	// The server may have a deadline for whole answers; this one has none.
	_ = s.control.SetReadDeadline(time.Time{})
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // nginx would collect events
	header.Set("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		header.Set("Content-Encoding", "gzip")
		s.zip, _ = gzip.NewWriterLevel(w, gzip.BestSpeed) // the level is one of the package's
		s.w = s.zip
	}
	err := s.control.Flush() // with the status, 200
	if errors.Is(err, http.ErrNotSupported) {
		header.Del("Content-Encoding")
		return nil, err
	}
	return s, nil
}

// send writes events, all the way to the viewer.
func (s *stream) send(events ...[]byte) error {
	// Where there is no connection to set it on there is none that could stall.
	if err := s.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	for _, e := range events {
		if _, err := s.w.Write(e); err != nil {
			return err
		}
	}
	if s.zip != nil {
		if err := s.zip.Flush(); err != nil {
			return err
		}
	}
	return s.control.Flush()
}

func (s *stream) close() {
	if s.zip != nil {
		_ = s.zip.Close() // the viewer may be gone
	}
}
