// Command browser looks at what towpath shows in a headless Chromium, and keeps
// pictures of it: the dashboard of a real fleet on an AWS in the process, that of
// a thousand shards, and that of one in which every name is an enemy's.
//
//	go run . -pictures DIR [-axe axe.min.js] [-xterm DIR]
//
// It prints a line for each promise, and exits with 1 if one is not kept.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"time"

	"github.com/towpath/towpath/dashboard"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	status := run(ctx)
	stop()
	os.Exit(status)
}

// settings is the command line.
type settings struct {
	chromium, pictures, axe, xterm, top string
}

func run(ctx context.Context) int {
	var s settings
	flag.StringVar(&s.chromium, "chromium", "/usr/bin/chromium", "the browser")
	flag.StringVar(&s.pictures, "pictures", "", "keep pictures in this `folder` (default: a temporary one)")
	flag.StringVar(&s.axe, "axe", "", "axe.min.js of the npm package axe-core; without it accessibility rules are not run")
	flag.StringVar(&s.xterm, "xterm", "", "`folder` of the npm package @xterm/xterm; without it there is no picture of towpath top")
	flag.StringVar(&s.top, "top", "", "the command towpath, to take the picture of its top")
	flag.Parse()
	if s.pictures == "" {
		dir, err := os.MkdirTemp("", "towpath-pictures-")
		if err != nil {
			fmt.Fprintln(os.Stderr, "browser:", err)
			return 1
		}
		s.pictures = dir
	}
	if err := os.MkdirAll(s.pictures, 0o750); err != nil {
		fmt.Fprintln(os.Stderr, "browser:", err)
		return 1
	}
	broken, err := look(ctx, s)
	if err != nil {
		fmt.Fprintln(os.Stderr, "browser:", err)
		return 1
	}
	fmt.Printf("pictures are in %s\n", filepath.Clean(s.pictures))
	if broken > 0 {
		fmt.Printf("%d of the promises are broken\n", broken)
		return 1
	}
	return 0
}

// look looks at everything, and counts what is not as promised.
func look(ctx context.Context, s settings) (broken int, err error) {
	play, err := newStage(ctx)
	if err != nil {
		return 0, fmt.Errorf("set the stage: %w", err)
	}
	defer play.end()
	sources := []dashboard.Source{play.source()}
	at, err := serve(ctx, "127.0.0.1:0", map[string][]dashboard.Source{"/fleet/": sources, "/big/thousand/": {thousand()}, "/hostile/": {hostile()}, "/trouble/": troubled()})
	if err != nil {
		return 0, err
	}
	defer func() { at.close() }()
	browser, end, err := chromium(ctx, s.chromium)
	if err != nil {
		return 0, err
	}
	defer end()
	l := &looker{settings: s, browser: browser, house: at, stage: play}
	for _, one := range looks {
		began := time.Now()
		told, err := one.look(l)
		if err != nil {
			broken++
			fmt.Printf("BROKEN  %s: %v\n", one.promise, err)
			continue
		}
		fmt.Printf("kept    %-58s %s (%.1f s)\n", one.promise, told, time.Since(began).Seconds())
	}
	at = l.house
	return broken, nil
}

// house is a server with dashboards on loopback.
type house struct {
	origin  string
	sources map[string][]dashboard.Source
	server  *http.Server
	stop    context.CancelFunc
	done    sync.WaitGroup
}

// serve serves dashboards, each below a path of its own.
func serve(ctx context.Context, address string, sources map[string][]dashboard.Source) (*house, error) {
	ctx, stop := context.WithCancel(ctx)
	h := &house{sources: sources, stop: stop}
	mux := http.NewServeMux()
	for path, list := range sources {
		page, err := dashboard.New(dashboard.Config{Title: "towpath", Sources: list, Refresh: time.Second})
		if err != nil {
			stop()
			return nil, err
		}
		mux.Handle(path, page)
		h.done.Go(func() { _ = page.Run(ctx) }) // it runs once, so that it cannot fail
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		stop()
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	h.origin = "http://" + listener.Addr().String()
	h.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second}
	h.done.Go(func() { _ = h.server.Serve(listener) }) // until close
	return h, nil
}

// close ends the server, and waits for it.
func (h *house) close() {
	h.stop()
	_ = h.server.Close() // it is going away
	h.done.Wait()
}
