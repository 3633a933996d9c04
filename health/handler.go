package health

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/towpath/towpath/consumer"
)

// Live answers 200 while the loops of a worker turn, and 503 when one stands still.
// Status is where the status comes from, such as c.Status of a consumer.
func Live(status func() consumer.Status, rules Rules) http.Handler {
	return answering(func(now time.Time) Report { return rules.Liveness(status(), now) })
}

// Ready answers 200 while a worker has a valid session and is not told to stop, and
// 503 otherwise.
func Ready(status func() consumer.Status, rules Rules) http.Handler {
	return answering(func(now time.Time) Report { return rules.Readiness(status(), now) })
}

// answering is a handler that shows a report. It reads nothing of a request but the
// method.
func answering(check func(now time.Time) Report) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Cache-Control", "no-store")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			header.Set("Allow", "GET, HEAD")
			http.Error(w, "want GET or HEAD", http.StatusMethodNotAllowed)
			return
		}
		report := check(time.Now())
		body, err := json.MarshalIndent(report, "", "  ")
		if err != nil {
			http.Error(w, "the report cannot be written", http.StatusInternalServerError)
			return
		}
		body = append(body, '\n')
		header.Set("Content-Type", "application/json")
		header.Set("Content-Length", strconv.Itoa(len(body)))
		code := http.StatusOK
		if !report.OK {
			code = http.StatusServiceUnavailable
		}
		w.WriteHeader(code)
		if r.Method == http.MethodGet {
			// Whoever asked has gone if it fails.
			_, _ = w.Write(body)
		}
	})
}
