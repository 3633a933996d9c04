package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// tab is a page in a headless Chromium, and what it did that a good page does not.
type tab struct {
	ctx    context.Context
	origin string

	mu       sync.Mutex // guards all below
	foreign  []string   // requests that left the origin
	dialogs  []string
	errors   []string // of the console, violations of the policy among them
	requests int
	bytes    float64 // received of the stream of events, as they came over the wire
}

// chromium starts a browser of its own, with a folder of its own. The returned
// function ends it.
func chromium(ctx context.Context, path string) (context.Context, func(), error) {
	home, err := os.MkdirTemp("", "towpath-browser-")
	if err != nil {
		return nil, nil, fmt.Errorf("make a folder for the browser: %w", err)
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(filepath.Join(home, "profile")),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("force-color-profile", "srgb"), chromedp.Flag("font-render-hinting", "none"),
	}
	allocator, stop := chromedp.NewExecAllocator(ctx, options...)
	browser, end := chromedp.NewContext(allocator)
	if err := chromedp.Do(browser); err != nil {
		end()
		stop()
		return nil, nil, fmt.Errorf("start %s: %w", path, err)
	}
	return browser, func() {
		end()
		stop()
		_ = os.RemoveAll(home) // a file that stays in a temporary folder harms nobody
	}, nil
}

// newTab opens an empty tab whose requests should stay within an origin.
func newTab(browser context.Context, origin string) (*tab, func(), error) {
	t := &tab{origin: origin}
	ctx, end := chromedp.NewContext(browser, chromedp.WithListener(t.note))
	t.ctx = ctx
	err := chromedp.Do(ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, network.Enable, network.EnableParams{})
		return err
	}))
	if err != nil {
		end()
		return nil, nil, fmt.Errorf("open a tab: %w", err)
	}
	return t, end, nil
}

// note keeps what the tab ought not to do.
func (t *tab) note(event any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		t.requests++
		if u := e.Request.URL; !strings.HasPrefix(u, t.origin+"/") && !strings.HasPrefix(u, "data:") && u != "about:blank" {
			t.foreign = append(t.foreign, u)
		}
	case *network.EventDataReceived:
		t.bytes += float64(e.EncodedDataLength)
	case *page.EventJavascriptDialogOpening:
		t.dialogs = append(t.dialogs, e.Message)
	case *runtime.EventExceptionThrown:
		t.errors = append(t.errors, "exception: "+e.ExceptionDetails.Text+" "+described(e.ExceptionDetails))
	case *log.EventEntryAdded:
		if e.Entry.Level == "error" || strings.Contains(e.Entry.Text, "Content Security Policy") {
			t.errors = append(t.errors, e.Entry.Text+" "+e.Entry.URL)
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == "error" || e.Type == "assert" {
			t.errors = append(t.errors, fmt.Sprintf("console.%s", e.Type))
		}
	}
}

func described(d *runtime.ExceptionDetails) string {
	if d.Exception != nil {
		return d.Exception.Description
	}
	return d.URL
}

// misdeeds is what was noted, but for those that contain one of the texts.
func (t *tab) misdeeds(but ...string) (all []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, u := range t.foreign {
		all = append(all, "asked "+u)
	}
	for _, d := range t.dialogs {
		all = append(all, "opened a dialog: "+d)
	}
next:
	for _, e := range t.errors {
		for _, text := range but {
			if strings.Contains(e, text) {
				continue next
			}
		}
		all = append(all, e)
	}
	return all
}

func (t *tab) received() float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bytes
}

// open goes to an address and waits until the page has drawn its tiles.
func (t *tab) open(address string) error {
	if err := t.visit(address); err != nil {
		return err
	}
	return t.until(30*time.Second, `document.querySelector("#tile-shards .value")?.textContent !== "–" && document.getElementById("link").dataset.state === "live"`)
}

// visit goes to an address.
func (t *tab) visit(address string) error {
	ctx, cancel := context.WithTimeout(t.ctx, patience*time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(address)); err != nil {
		return fmt.Errorf("open %s: %w", address, err)
	}
	return nil
}

// patience is by how much longer everything may take than it does on a machine
// that does nothing else.
const patience = 4

// until waits until an expression is true.
func (t *tab) until(most time.Duration, expression string) error {
	for end := time.Now().Add(patience * most); ; time.Sleep(50 * time.Millisecond) {
		ok, err := eval[bool](t, "!!("+expression+")")
		if ok {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("it does not become true within %v: %s (%v)", patience*most, expression, err)
		}
	}
}

// eval is the value of an expression in the page.
func eval[T any](t *tab, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(t.ctx, patience*30*time.Second)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// inject evaluates a script as the developer's tools do, outside of the page's
// policy, which would refuse it.
func (t *tab) inject(script string) error {
	ctx, cancel := context.WithTimeout(t.ctx, patience*30*time.Second)
	defer cancel()
	return chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](script))
}

// sized gives the page a size and a theme, light or dark.
func (t *tab) sized(width, height int64, theme string) error {
	return chromedp.Do(t.ctx, chromedp.EmulateViewport(width, height), chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}})
		return err
	}))
}

// press presses keys, one after the other.
func (t *tab) press(keys ...string) error {
	for _, k := range keys {
		if err := chromedp.Do(t.ctx, chromedp.KeyEvent(k)); err != nil {
			return err
		}
	}
	return nil
}

// picture keeps what is seen in a file, and returns its size.
func (t *tab) picture(file string) (int, error) {
	time.Sleep(300 * time.Millisecond) // transitions of colours have ended
	image, err := chromedp.Run(t.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		return 0, fmt.Errorf("take %s: %w", filepath.Base(file), err)
	}
	return len(image), os.WriteFile(file, image, 0o600)
}
