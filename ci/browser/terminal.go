package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// screen is a terminal emulator of 100 columns and 30 lines.
const screen = `<!DOCTYPE html><html><head><meta charset="utf-8"><title>terminal</title><link rel="stylesheet" href="css/xterm.css">
<style>body{margin:0;background:#11171a}#t{padding:14px}</style></head><body><div id="t"></div><script src="lib/xterm.js"></script><script>
const term = new Terminal({cols: 100, rows: 30, convertEol: true, cursorBlink: false, fontSize: 14, fontFamily: "'DejaVu Sans Mono', 'Noto Sans Mono', monospace",
  theme: {background: "#11171a", foreground: "#e6eaec", cursor: "#11171a", black: "#2c373d", brightBlack: "#9fabb2", green: "#55c4b8", yellow: "#e3b261", red: "#ff9d94", blue: "#7ea6ee", cyan: "#55c4b8"}});
term.open(document.getElementById("t"));
window.show = (text) => new Promise((done) => term.write(text, () => requestAnimationFrame(() => done(true))));
window.said = () => { let s = ""; for (let i = 0; i < 30; i++) s += term.buffer.active.getLine(i).translateToString(true) + "\n"; return s; };
</script></body></html>`

// terminal has towpath top show the stage's fleet, and looks at what a terminal
// makes of it.
func (l *looker) terminal() (string, error) {
	if l.xterm == "" || l.top == "" {
		return "NOT RUN: no -xterm, or no -top", nil
	}
	aws, stop, err := l.stage.aws.Serve()
	if err != nil {
		return "", err
	}
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	top := exec.CommandContext(ctx, l.top, "-color", "always", "top", "-once", "-every", "2s", "-width", "100", "-height", "30", "-application", application, "-stream", stream)
	top.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+aws, "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_EC2_METADATA_DISABLED=true")
	var errs bytes.Buffer
	top.Stderr = &errs
	frame, err := top.Output()
	if err != nil {
		return "", fmt.Errorf("towpath top: %w: %s", err, errs.String())
	}
	files := http.FileServer(http.Dir(l.xterm))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			files.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(screen)) // the browser is gone, then
	}))
	defer server.Close()
	t, end, err := newTab(l.browser, server.URL)
	if err != nil {
		return "", err
	}
	defer end()
	if err := t.sized(885, 545, "dark"); err != nil {
		return "", err
	}
	if err := t.visit(server.URL + "/"); err != nil {
		return "", err
	}
	text, err := json.Marshal(strings.TrimRight(string(frame), "\n"))
	if err != nil {
		return "", err
	}
	if _, err := eval[bool](t, fmt.Sprintf("show(%s)", text)); err != nil {
		return "", err
	}
	said, err := eval[string](t, `said()`)
	if err != nil {
		return "", err
	}
	for _, want := range []string{application, "checkout-7d9f4", "held"} {
		if !strings.Contains(said, want) {
			return "", fmt.Errorf("%q is not on the screen:\n%s", want, said)
		}
	}
	if strings.Contains(said, canary) || strings.Contains(said, "\x1b") {
		return "", fmt.Errorf("what is not to be seen is on the screen:\n%s", said)
	}
	n, err := t.picture(filepath.Join(l.pictures, "top.png"))
	return fmt.Sprintf("%d lines, %d KiB", strings.Count(strings.TrimSpace(said), "\n")+1, n>>10), err
}
