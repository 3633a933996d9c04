package awsfake

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"syscall"
	"time"

	"github.com/towpath/towpath/internal/clock"
)

// answer is a whole HTTP answer in memory; it is the http.ResponseWriter that
// the services write to.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
	line   *line // its events if it is no whole answer, in the place of body
	torn   bool  // the body breaks off at upTo
	upTo   int
}

func (w *answer) Header() http.Header { return w.header }

func (w *answer) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *answer) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

// exchange carries one request through its stations (see the package comment)
// and tells the observers. Either the answer or the error is nil.
func (a *AWS) exchange(ctx context.Context, r *http.Request, body []byte) (*answer, error) {
	e := Exchange{Call: callOf(r, body), Sent: a.now()}
	a.log.count(e.Call)
	w, err := a.carry(ctx, r, &e)
	if err == nil {
		e.Status = w.status
	}
	e.Err, e.Done = err, a.now()
	a.tell(e)
	return w, err
}

// carry does the work of exchange, and notes in e what became of the call.
func (a *AWS) carry(ctx context.Context, r *http.Request, e *Exchange) (*answer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	fault := a.choose(ctx, e.Call)
	if err := wait(ctx, a.latency/2+fault.before); err != nil {
		return nil, err
	}
	if err := a.gates.pass(ctx, e.Caller); err != nil {
		return nil, err
	}

	w := &answer{header: http.Header{}}
	switch handler := a.route(e.Service); {
	case fault.hang:
		<-ctx.Done()
		return nil, ctx.Err()
	case fault.lost:
		return nil, broken(ctx, e.Call, "request lost")
	case fault.code != "":
		refuse(w, e.Service, fault.code, fault.status)
	case handler == nil:
		refuse(w, e.Service, "UnknownService", http.StatusNotFound)
	case fault.late > 0 && !streams(e.Call):
		served := r.Clone(context.WithoutCancel(ctx))
		served.Body, served.ContentLength = io.NopCloser(bytes.NewReader(e.Body)), int64(len(e.Body))
		orphan(fault.late, handler, served)
		return nil, broken(ctx, e.Call, "request delayed")
	default:
		served := r.Clone(ctx)
		served.Body, served.ContentLength = io.NopCloser(bytes.NewReader(e.Body)), int64(len(e.Body))
		if streams(e.Call) {
			w = a.open(ctx, served, handler, e.Call)
		} else {
			handler.ServeHTTP(w, served)
		}
		e.Applied = true
		w.spoil(fault)
	}
	if err := a.give(ctx, w, e, fault); err != nil {
		if w.line != nil {
			_ = w.line.Close()
		}
		return nil, err
	}
	return w, nil
}

// give carries an answer back to its caller, whole or only the head of it.
func (a *AWS) give(ctx context.Context, w *answer, e *Exchange, fault Fault) error {
	w.WriteHeader(http.StatusOK)
	if w.header.Get("X-Amzn-Requestid") == "" {
		w.header.Set("X-Amzn-Requestid", fmt.Sprintf("00000000-0000-0000-0000-%012d", a.log.request()))
	}
	if w.header.Get("Date") == "" {
		w.header.Set("Date", a.now().UTC().Format(http.TimeFormat))
	}
	e.Answer = w.body.Bytes()

	if err := wait(ctx, fault.after+a.latency-a.latency/2); err != nil {
		return err
	}
	if err := a.gates.pass(ctx, e.Caller); err != nil {
		return err
	}
	if fault.answerLost {
		return broken(ctx, e.Call, "answer lost")
	}
	return nil
}

// broken is what a caller sees of a lost request or answer: a reset connection,
// or the end of its own context if that came first.
func broken(ctx context.Context, c Call, what string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return fmt.Errorf("%s: %s %s: %w", what, c.Service, c.Operation, syscall.ECONNRESET)
}

// wait lets d pass, in the bubble's time if there is one.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	return clock.Sleep(ctx, d)
}

// refuse writes an injected error the way the service would.
func refuse(w *answer, service, code string, status int) {
	if status == 0 {
		status = http.StatusBadRequest
	}
	const message = "injected by the test"
	switch service {
	case "s3":
		type body struct {
			XMLName       xml.Name `xml:"Error"`
			Code, Message string
		}
		w.header.Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		_ = xml.NewEncoder(w).Encode(body{Code: code, Message: message})
	case "sns":
		type body struct {
			XMLName xml.Name `xml:"ErrorResponse"`
			Error   struct{ Type, Code, Message string }
		}
		b := body{}
		b.Error.Type, b.Error.Code, b.Error.Message = "Sender", code, message
		w.header.Set("Content-Type", "text/xml")
		w.WriteHeader(status)
		_ = xml.NewEncoder(w).Encode(b)
	default:
		w.header.Set("Content-Type", "application/x-amz-json-1.1")
		w.header.Set("X-Amzn-Errortype", code)
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": code, "message": message})
	}
}
