package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/urfave/cli/v3"
	"golang.org/x/sync/errgroup"

	"github.com/towpath/towpath/dashboard"
	"github.com/towpath/towpath/overview"
)

// What the dashboard's server bears: of whoever opens connections and says
// nothing, asks endlessly, does not read, or stays.
const (
	headerTimeout    = 5 * time.Second
	askingTimeout    = 15 * time.Second
	idleTimeout      = time.Minute
	answerTimeout    = 30 * time.Second // the stream of events extends it by itself
	mostHeaderBytes  = 16 << 10
	mostConnections  = 64
	farewellPatience = 3 * time.Second
)

func dashboardCommand() *cli.Command {
	return &cli.Command{
		Name:      "dashboard",
		Usage:     "serve a page on this host that shows the fleet, live",
		ArgsUsage: " ",
		Description: "The page is served until it is interrupted, at an address that is printed; nothing is opened. It\n" +
			"shows what the tables tell: shards with their lineage, workers, how far behind, hand-overs. Of\n" +
			"failures and latencies the workers know alone: their own page is package dashboard, mounted in\n" +
			"the service. While somebody looks the tables are scanned every -refresh, else once a minute.\n\n" +
			"Whoever reaches the address sees the fleet; nobody is asked who they are. So it is one of this\n" +
			"host alone, and any other wants -exposed.\n\n" + onlyLooks,
		Flags: append(whose(), silenceFlag(),
			&cli.StringFlag{Name: "listen", Value: "127.0.0.1:0", Usage: "`ADDRESS` and port to serve at; port 0 is a free one"},
			&cli.BoolFlag{Name: "exposed", Usage: "serve at an address that other hosts reach: whoever does sees the fleet, without TLS and unasked"},
			&cli.StringSliceFlag{Name: "host", Usage: "further `NAME` under which the page is asked for, such as that of a proxy before it"},
			&cli.DurationFlag{Name: "refresh", Value: 2 * time.Second, Usage: "how often the tables are scanned while somebody looks, 250ms to 1m"},
		),
		Action: serveDashboard,
	}
}

func serveDashboard(ctx context.Context, c *cli.Command) error {
	if err := errors.Join(unnamed(c, false), unexposed(c)); err != nil {
		return usageError{err}
	}
	view, _, err := viewOf(ctx, c)
	if err != nil {
		return err
	}
	name := applicationOf(c)
	page, err := dashboard.New(dashboard.Config{Title: "towpath", Refresh: c.Duration("refresh"), Hosts: c.StringSlice("host"),
		Sources: []dashboard.Source{{Name: name, Tables: func(ctx context.Context) (*overview.Fleet, error) {
			f, err := overview.Look(ctx, view)
			if f != nil {
				view.Before = f
			}
			if err != nil { // as the command would say it
				err = errors.New(sentenceOf(err, statusOf(err)))
			}
			return f, err
		}}}})
	if err != nil {
		return usageError{err}
	}
	// What cannot be shown is said now, and not on a page.
	if view.Before, err = overview.Look(ctx, view); view.Before == nil {
		return err
	}
	ctx, stop := untilInterrupted(ctx)
	defer stop()
	return serveAt(ctx, c, page)
}

// unexposed refuses an address that other hosts reach, unless that is wanted.
func unexposed(c *cli.Command) error {
	listen := c.String("listen")
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("-listen %q is no address with a port, such as 127.0.0.1:8080", listen)
	}
	ip := net.ParseIP(host)
	if c.Bool("exposed") || host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("-listen %s may be reached from other hosts: whoever does sees the fleet, without TLS and without being asked who they are; if that is wanted, add -exposed", listen)
}

// serveAt serves the page until ctx ends.
func serveAt(ctx context.Context, c *cli.Command, page *dashboard.Handler) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.String("listen"))
	if err != nil {
		return fmt.Errorf("serve the dashboard: %w", err)
	}
	server := serverOf(page)
	url := "http://" + listener.Addr().String() + "/"
	if wantsJSON(c) {
		err = printJSON(c, map[string]string{"url": url})
	} else if _, err = fmt.Fprintf(c.Root().Writer, "%s\n%s is shown there until this is interrupted\n", url, applicationOf(c)); err != nil {
		err = fmt.Errorf("write the address: %w", err)
	}
	if err != nil {
		_ = listener.Close() // nobody knows of it
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return page.Run(ctx) })
	group.Go(func() error {
		err := server.Serve(&bounded{Listener: listener, seats: make(chan struct{}, mostConnections)})
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return fmt.Errorf("serve the dashboard: %w", err)
	})
	group.Go(func() error {
		<-ctx.Done()
		farewell, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewellPatience)
		defer cancel()
		if server.Shutdown(farewell) != nil {
			_ = server.Close() // whoever has not let go by now is let go
		}
		return nil
	})
	return group.Wait()
}

// serverOf is a server that lets go of whoever takes up a connection for nothing:
// there are mostConnections of them.
func serverOf(page http.Handler) *http.Server {
	return &http.Server{Handler: page, ReadHeaderTimeout: headerTimeout, ReadTimeout: askingTimeout, WriteTimeout: answerTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: mostHeaderBytes}
}

// bounded accepts no more than so many connections at once; others wait.
type bounded struct {
	net.Listener
	seats chan struct{}
}

func (b *bounded) Accept() (net.Conn, error) {
	b.seats <- struct{}{}
	conn, err := b.Listener.Accept()
	if err != nil {
		<-b.seats
		return nil, err
	}
	return &seated{Conn: conn, seats: b.seats}, nil
}

// seated gives its seat back when it is closed.
type seated struct {
	net.Conn
	seats chan struct{}
	freed sync.Once
}

func (s *seated) Close() error {
	s.freed.Do(func() { <-s.seats })
	return s.Conn.Close()
}
